"""What the README shows besides Python, which sybil runs."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path
from textwrap import dedent

import pytest
from docutils import nodes
from docutils.core import publish_doctree, publish_string

ROOT = Path(__file__).parents[1]
HOME = "https://github.com/partialbatch/partialbatch"
README = (ROOT / "README.rst").read_text()
TEXTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.rst"), *ROOT.glob("docs/*.rst"), *ROOT.glob("examples/*.rst"))
)

# Sphinx, whose directives the pages of the site use, reads those with warnings as errors.
SITE = [name for name in TEXTS if name.startswith("docs/")]


def test_the_yaml_is_that_of_an_example():
    """The event source mapping shown stands word for word in a template that is linted."""
    (block,) = re.findall(r"\.\. code-block:: yaml\n\n((?:    .*\n)+)", README)
    template = (ROOT / "examples" / "sqs" / "template.yaml").read_text()
    assert dedent(block) in dedent(template[template.index("      Events:") :])


@pytest.mark.parametrize("target", ["demo", "test", "bench", "docs"])
def test_each_make_target_of_the_readme_exists(target):
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


@pytest.mark.parametrize("name", TEXTS)
def test_every_file_that_is_linked_to_exists(name):
    """Every file that a text file links to exists."""
    text = (ROOT / name).read_text()
    for target in re.findall(r"<([^>:`]+)>`_", text):
        assert (ROOT / name).parent.joinpath(target).exists(), target
    for kind, target in re.findall(rf"{HOME}/(blob|tree)/main/([^>\s]+)", text):
        assert (ROOT / target).is_file() if kind == "blob" else (ROOT / target).is_dir(), target


def test_the_links_of_the_readme_work_on_a_package_index():
    """A page that is not in the repository shows the README: each link is a whole address."""
    page = publish_doctree(README)
    targets = [link["refuri"] for link in page.findall(nodes.reference)]
    assert len(targets) >= 9
    assert [target for target in targets if not target.startswith("https://")] == []


@pytest.mark.parametrize("name", ["README.rst", "CHANGELOG.rst"])
def test_it_says_how_to_install_what_is_not_released(name):
    """Whoever reads of a version that no package index has yet is told how to install it from a clone."""
    assert "pip install /path/to/your/clone" in (ROOT / name).read_text()


@pytest.mark.parametrize("name", sorted({*TEXTS} - {*SITE}))
def test_the_texts_are_well_formed(name):
    """docutils, which renders the README on the package index, has nothing to say about a text file."""
    publish_string((ROOT / name).read_text(), writer="html", settings_overrides={"report_level": 1, "halt_level": 1})


def test_readme_has_fewer_than_120_lines():
    """The README has fewer than 120 lines, those aside that say where its links lead."""
    assert len([line for line in README.splitlines() if not line.startswith(".. _")]) < 120
