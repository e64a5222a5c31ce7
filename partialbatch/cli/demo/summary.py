"""The result of the demo: the closing table, its legend and an example response."""

from __future__ import annotations

import json
from dataclasses import asdict
from textwrap import fill
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from partialbatch.cli.demo.tracking import SourceSummary, SourceTracker

__all__ = ["print_summary", "summary_json"]

_WORDS = {
    "retried": "records delivered more than once",
    "dead-lettered": "records that failed until the service gave them up, and that are in the dead-letter queue or "
    "known to the on-failure destination",
    "duplicated work": "runs on records that were already handled: a stream repeats every record after the first "
    "failed one",
}
_IGNORED = (
    "The event source mappings did not have ReportBatchItemFailures: the responses were ignored, and the records "
    "that they reported as failed were deleted or skipped."
)


def print_summary(
    console: Console, summaries: Sequence[SourceSummary], trackers: Sequence[SourceTracker], *, report: bool
) -> None:
    """Print the table, its legend, and an example response."""
    if not console.is_terminal:  # the bars leave an empty line, the printed lines don't
        console.print()
    if console.width < _TABLE_WIDTH:
        _print_lines(console, summaries)
    else:
        console.print(_table(summaries))
    _verdict(console, summaries)
    if not report:
        console.print(fill(_IGNORED, min(console.width, _TABLE_WIDTH)) + "\n", highlight=False)
    console.print(_legend(console.width), highlight=False)
    for tracker in trackers:
        if tracker.sample is not None:
            records, reported = len(tracker.sample.records), len(tracker.sample.verdict.reported)
            console.print(f"An example response ({tracker.source}: {reported} of {records} records reported):")
            console.print_json(json.dumps(tracker.sample_response()))
            return


def summary_json(summaries: Sequence[SourceSummary], trackers: Sequence[SourceTracker], seconds: float) -> str:
    """Return the figures and an example response as JSON."""
    samples = [
        {"source": tracker.source, "response": tracker.sample_response()} for tracker in trackers if tracker.sample
    ]
    document = {
        "sources": [asdict(summary) for summary in summaries],
        "lost": sum(len(summary.lost) for summary in summaries),
        "sample": samples[0] if samples else None,
        "seconds": round(seconds, 2),
    }
    return json.dumps(document, indent=2)


def _legend(width: int) -> str:
    """Return the explanations of the column titles, in two columns if they fit."""
    wide = width >= _TABLE_WIDTH
    lines = (
        fill(
            meaning,
            _TABLE_WIDTH if wide else width,
            initial_indent=f"  {word:<15}  " if wide else f"  {word}: ",
            subsequent_indent=" " * (19 if wide else 4),
            break_on_hyphens=False,
        )
        for word, meaning in _WORDS.items()
    )
    return "\n".join([*lines, ""])


_TABLE_WIDTH = 79
_FIGURES = ("records", "invocations", "handled", "retried", "dead-lettered", "lost", "duplicated work")
_BROKEN = {"invocations": "invo-\ncations", "dead-lettered": "dead-\nlettered", "duplicated work": "duplicated\nwork"}


def _print_lines(console: Console, summaries: Sequence[SourceSummary]) -> None:
    """Print the figures as lines, for terminals that are too narrow for the table."""
    sums = map(sum, zip(*map(_numbers, summaries), strict=True))
    for source, numbers in [*((summary.source, _numbers(summary)) for summary in summaries), ("total", sums)]:
        figures = (f"{number} {name}" for number, name in zip(numbers, _FIGURES, strict=True))
        console.print(f"{source}: {', '.join(figures)}", highlight=False)


def _table(summaries: Sequence[SourceSummary]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_footer=True, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    names = [_BROKEN.get(name, name) for name in _FIGURES]
    rows = [_numbers(summary) for summary in summaries]
    table.add_column("source", "total", no_wrap=True)
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        table.add_column(name, str(sum(column)), justify="right")
    for summary, row in zip(summaries, rows, strict=True):
        table.add_row(summary.source, *map(str, row), style="bold red" if summary.lost else None)
    return table


def _numbers(summary: SourceSummary) -> list[int]:
    return [
        summary.records,
        summary.invocations,
        summary.handled,
        summary.retried,
        summary.dead_lettered,
        len(summary.lost),
        summary.duplicated_work,
    ]


def _verdict(console: Console, summaries: Sequence[SourceSummary]) -> None:
    lost = [name for summary in summaries for name in summary.lost]
    if lost:
        console.print(f"\n{len(lost)} records were lost: {', '.join(lost)}.\n", style="bold red", highlight=False)
    else:
        console.print("\nNothing was lost: every record was handled or dead-lettered.\n", style="bold green")
