"""The rows and the tables of the benchmarks."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.fixture
def table():
    return import_module("benchmarks.table")


def test_measured_rows_hold_their_verdict(table):
    """A row says how much of the peer's figure we take, and whether that is little enough."""
    row = table.Row("x", "X", target=0.5)
    good, bad = (row.measured(ours, 4.0, 0.5) for ours in (2.0, 2.1))
    assert (good["ratio"], good["ok"], good["floor"]) == (0.5, True, 0.5)
    assert bad["ok"] is False


def test_a_ratio_that_was_measured_round_by_round_counts(table):
    """The median of ratios decides, not the ratio of the medians."""
    measured = table.Row("x", "X", target=0.5).measured(2.0, 4.0, ratio=0.6)
    assert (measured["ratio"], measured["ok"]) == (0.6, False)


def test_rows_without_a_bound_only_inform(table):
    """Without a target there is no verdict."""
    assert table.Row("x", "X").measured(9.0, 1.0)["ok"] is None


def test_a_figure_of_zero_is_met_by_zero_alone(table):
    """A peer's figure of zero leaves a ratio of 0 for zero, and of 1 for anything more."""
    row = table.Row("threads", "new threads", "threads", target=0)
    assert row.measured(0, 0)["ok"] is True
    assert row.measured(1, 0)["ok"] is False


def test_the_table_shows_misses(table):
    """The table has a head, one line a row, and names the rows that missed their bound."""
    row = table.Row("a", "A", target=0.5)
    head, first, second = table.render([row.measured(2.0, 4.0), row.measured(3.0, 4.0)]).splitlines()
    assert "At most" in head
    assert first.endswith("ok")
    assert second.endswith("missed")


def test_figures_have_three_digits(table):
    """Small, medium and large figures are shown with three digits or as whole numbers."""
    text = table.render([table.Row("a", "A").measured(0.01234, 12345.6, 56.78)])
    assert "0.0123  12,346       56.8" in text
