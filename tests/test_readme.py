"""What the README shows besides Python, which sybil runs."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.rst").read_text()


def test_the_yaml_is_that_of_an_example():
    """The event source mapping shown stands word for word in a template that is linted."""
    (block,) = re.findall(r"\.\. code-block:: yaml\n\n((?:    .*\n)+)", README)
    template = (ROOT / "examples" / "sqs" / "template.yaml").read_text()
    assert dedent(block) in dedent(template[template.index("      Events:") :])


@pytest.mark.parametrize("target", ["demo", "test", "bench"])
def test_the_commands_exist(target):
    """Each make target that the README names is one."""
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_extras_and_groups_exist():
    """The pip commands name extras and dependency groups of this project."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = {
        extra
        for names in re.findall(r"\[([a-z,]+)\]'?``|'\.\[([a-z,]+)\]", README)
        for extra in ",".join(names).split(",")
    }
    assert extras - {""} <= set(setup["options.extras_require"])
    assert "dev" in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]


def test_the_links_lead_somewhere():
    """Every file that a text file links to exists."""
    for text in (
        README,
        *((ROOT / name).read_text() for name in ("CHANGELOG.rst", "CONTRIBUTING.rst", "SECURITY.rst")),
    ):
        for target in re.findall(r"<([^>:]+)>`_", text):
            assert (ROOT / target).exists(), target


def test_the_readme_stays_short():
    """The README has fewer than 120 lines."""
    assert len(README.splitlines()) < 120
