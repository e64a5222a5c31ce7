"""What the demo shows: a live view or plain lines, and the closing table."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from textwrap import fill
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from partialbatch.cli.demo.ledger import Ledger, Tally

__all__ = ["Live", "Plain", "Quiet", "as_json", "closing"]

_WORDS = {
    "retried": "records delivered more than once",
    "dead-lettered": "failed until the service gave up, and found again in the dead-letter queue or through the "
    "on-failure destination",
    "duplicated work": "runs of records that were handled before: a stream repeats all that follows its first "
    "failed record",
}


class Quiet:
    """Shows nothing on the way: for ``--json``."""

    def during(self, _ledgers: Sequence[Ledger]) -> AbstractContextManager[object]:
        """Show progress while the context is open."""
        return nullcontext()

    def refresh(self) -> None:
        """Bring what is shown up to date."""

    def tell(self, source: str, line: str) -> None:
        """Show a line on what happened; called from several threads."""


class Plain(Quiet):
    """One line an invocation."""

    def tell(self, source: str, line: str) -> None:
        """Print a line."""
        print(f"{source:<16}{line}\n", end="", flush=True)  # one write: lines of several threads do not mix


class Live(Quiet):
    """A bar a source, on a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(*_columns(console.width), console=console, transient=True)
        self._bars: list[tuple[Any, Ledger]] = []

    def during(self, ledgers: Sequence[Ledger]) -> AbstractContextManager[object]:
        """Draw the bars."""
        self._bars = [
            (self._progress.add_task(ledger.source, total=len(ledger.plan), invocations=0), ledger)
            for ledger in ledgers
        ]
        return self._progress

    def refresh(self) -> None:
        """Move the bars."""
        for task, ledger in self._bars:
            self._progress.update(task, completed=len(ledger.handled), invocations=ledger.invocations)


def _columns(width: int) -> list[ProgressColumn]:
    name, count = TextColumn("  {task.description:<15}"), MofNCompleteColumn()
    if width < _BAR_WIDTH:
        return [name, count, TextColumn("handled")]
    bar = BarColumn(bar_width=22, complete_style="green", finished_style="green")
    return [name, bar, count, TextColumn("handled  {task.fields[invocations]:>3} invocations")]


_IGNORED = (
    "The event source mappings were without ReportBatchItemFailures: the responses were ignored, and what they "
    "reported as failed was deleted or passed over."
)


def closing(console: Console, tallies: Sequence[Tally], ledgers: Sequence[Ledger], *, report: bool) -> None:
    """Print the table, what its words mean, and one response."""
    if not console.is_terminal:  # the bars leave an empty line behind, the lines do not
        console.print()
    if console.width < _TABLE_WIDTH:
        _print_lines(console, tallies)
    else:
        console.print(_table(tallies))
    _verdict(console, tallies)
    if not report:
        console.print(fill(_IGNORED, min(console.width, _TABLE_WIDTH)) + "\n", highlight=False)
    console.print(_legend(console.width), highlight=False)
    for ledger in ledgers:
        if ledger.sample is not None:
            records, reported = len(ledger.sample.records), len(ledger.sample.verdict.reported)
            console.print(f"One of the responses ({ledger.source}: {reported} of {records} records reported):")
            console.print_json(json.dumps(ledger.sample_response()))
            return


def as_json(tallies: Sequence[Tally], ledgers: Sequence[Ledger], seconds: float) -> str:
    """Return the same as JSON."""
    samples = [{"source": ledger.source, "response": ledger.sample_response()} for ledger in ledgers if ledger.sample]
    document = {
        "sources": [asdict(tally) for tally in tallies],
        "lost": sum(len(tally.lost) for tally in tallies),
        "sample": samples[0] if samples else None,
        "seconds": round(seconds, 2),
    }
    return json.dumps(document, indent=2)


def _legend(width: int) -> str:
    """Say what the words mean: in two columns, if there is room."""
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


_BAR_WIDTH = 60
_TABLE_WIDTH = 79
_FIGURES = ("records", "invocations", "handled", "retried", "dead-lettered", "lost", "duplicated work")
_BROKEN = {"invocations": "invo-\ncations", "dead-lettered": "dead-\nlettered", "duplicated work": "duplicated\nwork"}


def _print_lines(console: Console, tallies: Sequence[Tally]) -> None:
    """Print the figures where the table would cut them."""
    sums = map(sum, zip(*map(_numbers, tallies), strict=True))
    for source, numbers in [*((tally.source, _numbers(tally)) for tally in tallies), ("total", sums)]:
        figures = (f"{number} {name}" for number, name in zip(numbers, _FIGURES, strict=True))
        console.print(f"{source}: {', '.join(figures)}", highlight=False)


def _table(tallies: Sequence[Tally]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_footer=True, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    names = [_BROKEN.get(name, name) for name in _FIGURES]
    rows = [_numbers(tally) for tally in tallies]
    table.add_column("source", "total", no_wrap=True)
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        table.add_column(name, str(sum(column)), justify="right")
    for tally, row in zip(tallies, rows, strict=True):
        table.add_row(tally.source, *map(str, row), style="bold red" if tally.lost else None)
    return table


def _numbers(tally: Tally) -> list[int]:
    return [
        tally.records,
        tally.invocations,
        tally.handled,
        tally.retried,
        tally.dead_lettered,
        len(tally.lost),
        tally.duplicated_work,
    ]


def _verdict(console: Console, tallies: Sequence[Tally]) -> None:
    lost = [name for tally in tallies for name in tally.lost]
    if lost:
        console.print(f"\n{len(lost)} records were lost: {', '.join(lost)}.\n", style="bold red", highlight=False)
    else:
        console.print("\nNothing was lost: each record was handled or is dead-lettered.\n", style="bold green")
