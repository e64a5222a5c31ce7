"""The layers point one way, and the modules stay small."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "partialbatch").rglob("*.py"))


def test_modules_import_from_lower_layers_only():
    """Each module imports from lower layers only, as pyproject.toml draws them."""
    # In a process of its own: import-linter configures logging, and switches our logger off.
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small_and_import_names_one_by_one(path):
    """A module has at most 300 lines, and no star imports."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    assert not [node for node in imports if node.names[0].name == "*"]


FOLDERS = sorted({path.parent for path in MODULES})


def _imported(path):
    """Give the full names of what a module imports: modules, and names in modules."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _circle(folder):
    """Return a circle of imports among the modules and folders of a folder; None if there is none."""
    package = ".".join(folder.relative_to(ROOT).parts)
    children = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    graph = {child: set() for child in children - {"__init__"}}
    for path in folder.rglob("*.py"):
        child = Path(path.relative_to(folder).parts[0]).stem
        for name in _imported(path):
            other = name.removeprefix(f"{package}.").split(".")[0] if name.startswith(f"{package}.") else child
            if child in graph and other in graph and other != child:
                graph[child].add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_folder_has_a_circle_of_imports(folder):
    """Modules of a folder can be read one after another, each after those that it imports."""
    assert _circle(folder) is None


def test_a_circle_is_found(tmp_path, monkeypatch):
    """The test above sees a circle of two modules, also one that goes through a folder."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    (package / "inner" / "__init__.py").touch()
    (package / "one.py").write_text("from package.inner.two import name")
    (package / "inner" / "two.py").write_text("import package.other")
    assert _circle(package) is None
    (package / "inner" / "two.py").write_text("from package import one")
    assert set(_circle(package)) == {"one", "inner"}
