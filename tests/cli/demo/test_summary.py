"""Tests of the table that the demo prints at its end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from partialbatch.cli.demo.summary import print_summary
from partialbatch.cli.demo.tracking import SourceSummary

SUMMARIES = [
    SourceSummary(
        source=source,
        records=40,
        invocations=8,
        handled=38,
        retried=6,
        dead_lettered=2,
        lost=(),
        duplicated_work=25,
    )
    for source in ("SQS FIFO queue", "DynamoDB stream")
]


@pytest.mark.parametrize("columns", [40, 78, 79, 200])
def test_every_figure_is_shown(columns):
    """No figure is cut, however narrow the terminal: where the table does not fit there are lines."""
    file = io.StringIO()
    print_summary(Console(file=file, width=columns), SUMMARIES, [], report=True)
    shown = file.getvalue().partition("Nothing")[0]
    assert max(map(len, shown.splitlines())) <= columns
    assert "…" not in shown
    numbers = [word for word in shown.split() if word.isdecimal()]
    assert numbers == [*["40", "8", "38", "6", "2", "0", "25"] * 2, "80", "16", "76", "12", "4", "0", "50"]
    assert "DynamoDB stream" in " ".join(shown.split())


def ended(columns, **options):
    file = io.StringIO()
    print_summary(Console(file=file, width=columns), SUMMARIES, [], **{"report": True} | options)
    return file.getvalue()


def test_the_legend_has_two_columns_where_there_is_room():
    """Words and meanings stand beside each other."""
    legend = """
  retried          records delivered more than once
  dead-lettered    records that failed until the service gave them up, and that
                   are in the dead-letter queue or known to the on-failure
                   destination
  duplicated work  runs on records that were already handled: a stream repeats
                   every record after the first failed one
"""
    for columns in (79, 80, 200):
        assert legend in ended(columns)


def test_the_legend_of_a_narrow_terminal_is_text():
    """If two columns don't fit, each explanation follows its word, and the terminal breaks no line."""
    shown = ended(40, report=False)
    assert max(map(len, shown.splitlines())) <= 40
    legend = shown[shown.index("  retried:") :]
    assert [line.split(":")[0] for line in legend.splitlines() if line[:3].strip()] == [
        "  retried",
        "  dead-lettered",
        "  duplicated work",
    ]
    assert "The event source mappings did not have\nReportBatchItemFailures: the responses\n" in shown
