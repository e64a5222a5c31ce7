"""The reference names what is public, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import partialbatch
from partialbatch import producers
from partialbatch._core.options import Options

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.rst").read_text()


def test_every_option_is_in_the_table():
    """The table of options has each option of the decorator, and no other."""
    table = REFERENCE.split(".. _options:")[1].split(".. autoclass::")[0]
    names = [
        name for line in table.splitlines() if line.startswith("``") for name in re.findall(r"``(\w+)``", line)[:1]
    ]
    assert sorted(names) == sorted(Options.__annotations__)


def test_every_variable_is_an_option():
    """Each variable of the environment belongs to an option that the table marks with E."""
    variables = {name.lower() for name in re.findall(r"^``PARTIALBATCH_(\w+)``", REFERENCE, re.MULTILINE)}
    assert variables == set(re.findall(r"^``(\w+)`` \(E\)", REFERENCE, re.MULTILINE))


def test_every_export_has_an_entry(site):
    """Each name that the package and its producers export has a place in the built reference."""
    page = (site / "reference.html").read_text()
    anchors = set(re.findall(r'id="partialbatch\.([\w.]+)"', page))
    missing = [name for name in partialbatch.__all__ if name not in anchors and f"errors.{name}" not in anchors]
    missing += [name for name in producers.__all__ if f"producers.{name}" not in anchors]
    assert missing == []
