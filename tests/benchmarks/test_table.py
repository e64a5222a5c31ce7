"""The rows and the table of the benchmarks."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.fixture
def table():
    return import_module("benchmarks.table")


def test_rows_hold_their_verdict(table):
    """A row says how much of the peer's figure we take, and whether that is little enough."""
    good, bad = (table.row("x", (ours, 4.0, 0.5), "µs", target=0.5) for ours in (2.0, 2.1))
    assert (good["ratio"], good["ok"], good["floor"]) == (0.5, True, 0.5)
    assert bad["ok"] is False


def test_rows_may_only_inform(table):
    """Without a target there is no verdict."""
    assert table.row("x", (9.0, 1.0), "µs")["ok"] is None


def test_nothing_against_nothing_is_nothing(table):
    """A peer's figure of zero is met by zero alone."""
    assert table.row("threads", (0, 0), "", target=0)["ok"] is True
    assert table.row("threads", (1, 0), "", target=0)["ok"] is False


def test_the_table_shows_misses(table):
    """The table has a head, one line a row, and names what was missed."""
    lines = table.render([table.row("a", (2.0, 4.0), "µs", target=0.5), table.row("b", (3.0, 4.0), "µs", target=0.5)])
    head, first, second = lines.splitlines()
    assert "at most" in head
    assert first.endswith("ok")
    assert second.endswith("MISS")
