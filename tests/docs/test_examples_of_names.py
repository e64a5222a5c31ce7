"""The examples of public names; sybil runs those in docstrings."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
from pathlib import Path

import pytest

PACKAGES = ["", ".errors", ".types", ".sources", ".retries", ".sinks", ".hooks"]
PACKAGES += [".producers", ".testing", ".testing.strategies", ".worker"]
"""The packages and modules whose names users import."""


def public():
    return [
        pytest.param(f"partialbatch{package}", name, id=f"{package}.{name}".lstrip("."))
        for package in PACKAGES
        for name in importlib.import_module(f"partialbatch{package}").__all__
    ]


@pytest.mark.parametrize(("module", "name"), public())
def test_public_name_has_a_docstring_with_an_example(module, name):
    """Each public name is described, and has an example that imports all that it uses."""
    text = docstring_of(module, name)
    assert text
    assert ">>> " in text


@pytest.mark.parametrize(
    ("module", "name"), [("partialbatch.types", name) for name in ("RawRecord", "Identifier")], ids=lambda each: each
)
def test_example_of_a_name_that_is_no_class_or_function_runs(module, name):
    """The examples under assignments, which sybil doesn't read, run too."""
    test = doctest.DocTestParser().get_doctest(docstring_of(module, name), {}, name, None, None)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def docstring_of(module, name):
    """Return the docstring of a class, a function or an instance of a package's class, or the text under a name."""
    documented = getattr(importlib.import_module(module), name)
    if inspect.isclass(documented) or inspect.isroutine(documented):
        return inspect.getdoc(documented)
    if type(documented).__module__.startswith("partialbatch."):
        return inspect.getdoc(type(documented))
    body = ast.parse(Path(importlib.import_module(module).__file__).read_text()).body
    targets = [[ast.unparse(target) for target in getattr(node, "targets", [])] for node in body]
    if [name] not in targets:
        imports = {alias.name: node.module for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
        return docstring_of(imports[name], name)
    return inspect.cleandoc(body[targets.index([name]) + 1].value.value)
