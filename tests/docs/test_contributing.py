"""The pages for contributors name only files and names that exist, and their recipes leave no producer out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from partialbatch import producers
from partialbatch._core.stages.base import Stages

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "partialbatch"
PAGES = ("CONTRIBUTING.rst", "docs/architecture.rst")
ARCHITECTURE = (ROOT / "docs" / "architecture.rst").read_text()
ELSEWHERE = {"wrapt", "default", "coverage", "nightly", "partialbatch", "DeprecationWarning", "BaseException", "send"}
ELSEWHERE |= {"click.command", "CASES"}
"""Names of libraries, of builtins, of profiles of hypothesis and of the tests."""


def literals(page):
    return set(re.findall(r"``([^`]+)``", (ROOT / page).read_text()))


def is_path(text):
    return "/" in text or text.endswith((".py", ".rst", ".toml", ".cfg"))


def names_in(path):
    """Return the names that a module defines: functions, classes, methods, parameters and variables."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            defined = [child for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)]
            found |= {node.name, *(f"{node.name}.{child.name}" for child in defined)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= {node.name, *(argument.arg for argument in node.args.args)}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


DEFINED = {path: names_in(path) for path in sorted(PACKAGE.rglob("*.py"))}
NAMES = set().union(*DEFINED.values()) | {path.stem for path in PACKAGE.iterdir()}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(page):
    """Each file and folder that a page names is in the repository or in the package; NAME stands for a new one."""
    paths = {text for text in literals(page) if is_path(text) and "NAME" not in text}
    assert len(paths) > 10
    assert [path for path in sorted(paths) if not any((base / path).exists() for base in (ROOT, PACKAGE))] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_name_exists(page):
    """Each function, class and attribute that a page names is defined in the package."""
    names = {text for text in literals(page) if re.fullmatch(r"[\w.]+", text) and not is_path(text)}
    names = {text.removeprefix("partialbatch.") for text in names} - ELSEWHERE
    assert len(names) > 15
    assert names - NAMES == set()


def test_each_line_of_the_path_names_functions_of_its_file():
    """The first name after each file is defined in that file."""
    lines = re.findall(r"^#\. ``([\w/.]+)``: (.*)", ARCHITECTURE, re.MULTILINE)
    assert len(lines) == 10
    for path, text in lines:
        assert re.findall("``([^`]+)``", text)[0] in DEFINED[PACKAGE / path], path


def test_the_tree_shows_every_room():
    """The tree has each module and folder of the package, and of the core, and no other."""
    tree = ARCHITECTURE.partition("    partialbatch/\n")[2].partition("\n\n")[0]
    shown = [(len(line) - len(line.lstrip()), line.split()[0].rstrip("/")) for line in tree.splitlines()]
    for folder, depth in ((PACKAGE, 6), (PACKAGE / "_core", 8)):
        rooms = {path.name for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
        rooms -= {"__main__.py"} | ({"__init__.py"} if depth == 8 else set())
        assert {name for indent, name in shown if indent == depth} == rooms


def test_the_moments_are_those_of_a_stage():
    """The table has each moment, from the making of the handler to the end of a call."""
    table = ARCHITECTURE.partition("the moments of a call:")[2].partition("Layers")[0]
    assert set(re.findall(r"^``(\w+)``", table, re.MULTILINE)) == {
        "decorated",
        *(moment for moment in Stages.__annotations__ if moment != "all"),
    }


@pytest.mark.parametrize("name", [name for name in producers.__all__ if name.endswith("Producer")])
def test_a_producer_is_in_every_place_of_its_recipe(name):
    """Each producer is documented, known to ``partialbatch check``, and a case of the tests for all producers."""
    recipe = (ROOT / "CONTRIBUTING.rst").read_text().partition("A producer\n")[2].partition("A stage\n")[0]
    places = [text for text in re.findall("``([^`]+)``", recipe) if is_path(text) and "NAME" not in text]
    places = [text for text in places if text.split("/")[-1] not in ("_base.py", "firehose.py", "arn_matching.py")]
    assert len(places) == 6
    for text in places:
        path = ROOT / text if (ROOT / text).exists() else PACKAGE / text
        assert name in path.read_text(), text
