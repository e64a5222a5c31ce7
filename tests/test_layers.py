"""The layers point one way, and the modules stay small."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "partialbatch").rglob("*.py"))


def test_imports(monkeypatch, capsys):
    """Each module imports from lower layers only, as pyproject.toml draws them."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(os.fspath(ROOT))
    assert cli.lint_imports(no_cache=True) == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small(path):
    """A module has at most 300 lines, and no star imports."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    assert not [node for node in imports if node.names[0].name == "*"]
