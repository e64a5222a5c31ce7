"""The reference names what is public, and no more."""

from __future__ import annotations

import re

import partialbatch
from partialbatch import producers


def test_every_export_has_an_entry(site):
    """Each name that the package and its producers export has a place in the built reference."""
    page = (site / "reference.html").read_text()
    anchors = set(re.findall(r'id="partialbatch\.([\w.]+)"', page))
    missing = [name for name in partialbatch.__all__ if name not in anchors and f"errors.{name}" not in anchors]
    missing += [name for name in producers.__all__ if f"producers.{name}" not in anchors]
    assert missing == []


def test_options_are_described_once(site):
    """The built reference has the options in their table, and not again under the decorator."""
    page = (site / "reference.html").read_text()
    assert page.count("With a name, options and annotations that the source doesn") == 1
