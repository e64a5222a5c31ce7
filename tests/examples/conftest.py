"""How the tests get at the examples, which are folders to deploy and no packages."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


class Example:
    """One folder of `examples/`, its handler freshly loaded as in a cold start."""

    def __init__(self, folder: str) -> None:
        self.folder = EXAMPLES / folder
        name = f"example_{folder}"
        spec = spec_from_file_location(name, self.folder / "handler.py")
        self.module = module_from_spec(spec)
        # Where annotations are resolved, a module is looked up by its name.
        sys.modules[name] = self.module
        spec.loader.exec_module(self.module)

    def event(self, name: str = "event"):
        return json.loads((self.folder / f"{name}.json").read_text())

    def run(self, name: str = "event"):
        return self.module.handler(self.event(name), None)


@pytest.fixture
def load():
    """Return what loads an example by its folder's name."""
    yield Example
    for name in [name for name in sys.modules if name.startswith("example_")]:
        del sys.modules[name]
