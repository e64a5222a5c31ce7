"""The reference names what is public, and no more."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import partialbatch

PACKAGES = ("errors", "types", "sources", "retries", "sinks", "hooks", "producers")
PACKAGES += ("testing", "testing.strategies", "worker")


@pytest.mark.parametrize("package", ["", *PACKAGES])
def test_every_export_has_an_entry(site, package):
    """Each name that a public package exports has a place in the built reference."""
    page = (site / "reference.html").read_text()
    documented = {anchor.rpartition(".")[2] for anchor in re.findall(r'id="(partialbatch\.[\w.]+)"', page)}
    module = importlib.import_module(f"partialbatch.{package}".rstrip("."))
    assert [name for name in module.__all__ if name not in documented] == []


def test_every_package_without_an_underscore_is_in_the_reference():
    """A new public package can't be left out of the test above; the command line has pages of its own."""
    found = {module.name for module in pkgutil.iter_modules(partialbatch.__path__) if not module.name.startswith("_")}
    assert found == {name for name in PACKAGES if "." not in name} | {"cli"}


def test_options_are_described_once(site):
    """The built reference has the options in their table, and not again under the decorator."""
    page = (site / "reference.html").read_text()
    assert page.count("With a name, options and annotations that the source doesn") == 1
