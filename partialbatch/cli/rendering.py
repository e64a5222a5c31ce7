"""What an invocation is told as: rows for a terminal, lines for a pipe, JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from partialbatch.cli.output import visible
from partialbatch.errors import clip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from partialbatch.cli.batches import Batch
    from partialbatch.cli.recording import Ending, Told
    from partialbatch.testing._verdict import Verdict
    from partialbatch.types import Identifier

__all__ = ["Invocation", "Row", "human", "sentence", "show", "tell"]

COLOURS = {
    "success": "green",
    "partial": "yellow",
    "failure": "red",
    "succeeded": "green",
    "failed": "red",
    "running": "red",
    "skipped": "yellow",
    "dead_lettered": "magenta",
    "unknown": "cyan",
}
_ROWS_SHOWN = 50
_LINES_SHOWN = 24
_NARROW, _WIDE = 72, 140
"""Columns: below the first a table would drop its last ones, the errors; from the second all of it fits."""
_HEAD = ("#", "identifier", "group", "status", "duration", "Lambda", "error")


@dataclass(frozen=True, slots=True)
class Row:
    """One record, ready to be shown.

    Attributes:
        number: Its position in the event, from 0.
        identifier: What names it in a response.
        group: What it must stay in order with; None: it stands alone.
        told: What became of it.
        again: Whether Lambda delivers it again.
        fate: What Lambda does with it, in a word.
    """

    number: int
    identifier: Identifier
    group: str | None
    told: Told
    again: bool
    fate: str

    @property
    def name(self) -> str:
        """The identifier as text."""
        if isinstance(self.identifier, str):
            return self.identifier
        return "@".join(str(part) for part in self.identifier.values())

    @property
    def seconds(self) -> float | None:
        """How long it ran; None where that was not seen."""
        span = self.told.span
        return None if span is None or span.ended is None else span.ended - span.started

    @property
    def duration(self) -> str:
        """How long it ran, for people."""
        return "" if self.seconds is None else human(self.seconds)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a handler, and what Lambda does after it."""

    batch: Batch
    ending: Ending
    verdict: Verdict

    @classmethod
    def of(cls, batch: Batch, ending: Ending) -> Invocation:
        """Judge a call."""
        return cls(batch, ending, batch.judge(ending.outcome))

    @property
    def fine(self) -> bool:
        """Whether Lambda is done with all records, and none is known to have failed."""
        bad = {"failed", "skipped", "running"} & {told.status for told in self.ending.told}
        return self.verdict.kind == "success" and not bad

    @property
    def rows(self) -> list[Row]:
        """The records."""
        again = frozenset(self.verdict.returned)
        gone = "deleted" if self.batch.origin == "sqs" else "done"
        back = "returns" if self.batch.origin == "sqs" else "again"
        named = zip(self.batch.identifiers, self.batch.groups, self.ending.told, strict=True)
        return [
            Row(number, identifier, group, told, number in again, back if number in again else gone)
            for number, (identifier, group, told) in enumerate(named)
        ]

    @property
    def counts(self) -> str:
        """How many records ended how, for people."""
        counted = Counter(told.status for told in self.ending.told)
        return ", ".join(f"{count:,} {_word(status)}" for status, count in counted.most_common()) or "no records"

    @property
    def response(self) -> Any:
        """The response, parsed; None where there is none, or none that can be read."""
        try:
            return json.loads(self.ending.outcome.text)
        except ValueError:
            return None

    @property
    def lost(self) -> str:
        """Which records did not succeed though Lambda is done with them, for people; empty if none."""
        count = sum(not row.again and row.told.status in ("failed", "skipped", "running") for row in self.rows)
        records = "record" if count == 1 else "records"
        return f"{count:,} {records} did not succeed, and will not be delivered again." if count else ""


def human(seconds: float) -> str:
    """Return a duration with a unit that suits it."""
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def tell(invocation: Invocation) -> dict[str, Any]:
    """Return an invocation as JSON; times are seconds, ``started`` since the call of the handler."""
    ending = invocation.ending
    return {
        "event": invocation.batch.name,
        "source": invocation.batch.origin,
        "verdict": invocation.verdict.kind,
        "reason": invocation.verdict.reason,
        "duration": round(ending.duration, 6),
        "inferred": ending.inferred,
        "records": [_told(row) for row in invocation.rows],
        "response": invocation.response,
        "error": invocation.ending.outcome.error,
        "place": invocation.ending.place or None,
    }


def _told(row: Row) -> dict[str, Any]:
    span = row.told.span
    return {
        "identifier": row.identifier,
        "group": row.group,
        "status": row.told.status,
        "delivered_again": row.again,
        "started": None if span is None else round(span.started, 6),
        "duration": None if row.seconds is None else round(row.seconds, 6),
        "worker": None if span is None else span.worker,
        "error": row.told.error,
        "place": row.told.place or None,
    }


def show(console: Console, invocation: Invocation) -> None:
    """Print an invocation: a table on a terminal, aligned lines otherwise."""
    batch, verdict = invocation.batch, invocation.verdict
    took = human(invocation.ending.duration)
    _line(console, f"{batch.name}: {batch.origin}, {invocation.counts}, in {took}", "bold")
    if console.is_terminal:
        _show_table(console, invocation.rows)
    else:
        _show_lines(console, invocation.rows)
    if invocation.ending.outcome.error is None:  # else it is in the verdict
        _show_response(console, invocation)
    _line(console, f"Lambda: {verdict.kind}. {sentence(verdict.reason)}", f"bold {COLOURS[verdict.kind]}")
    if invocation.ending.place:
        _line(console, f"Raised at {invocation.ending.place}")
    if invocation.ending.inferred:
        _line(console, "(The statuses are read off the response: they are what the handler claims.)")
    if invocation.lost:
        _line(console, f"Lost: {invocation.lost}", "bold red")
    _line(console, "")


def sentence(text: str) -> str:
    """Return a reason as a sentence."""
    # batchItemFailures stays as it is: its case matters.
    return f"{text[:1].upper()}{text[1:]}." if text.partition(" ")[0].islower() else f"{text}."


def _line(console: Console, text: str, style: str = "") -> None:
    # Text, and no markup: an error's square brackets are its own.
    console.print(Text(visible(text), style=style), soft_wrap=not console.is_terminal, highlight=False)


def _at(place: str) -> str:
    return f"({place})" if place else ""


def _word(status: str) -> str:
    return status.replace("_", "-")


def _cells(row: Row) -> tuple[str, ...]:
    error = " ".join(f"{row.told.error or ''} {_at(row.told.place)}".split())
    texts = (str(row.number), row.name, row.group or "", _word(row.told.status), row.duration, row.fate, error)
    return tuple(map(visible, texts))


def _show_lines(console: Console, rows: Sequence[Row]) -> None:
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells if rows else ():
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        _line(console, "  ".join(padded).rstrip())


def _show_table(console: Console, rows: Sequence[Row]) -> None:
    shown = rows if len(rows) <= _ROWS_SHOWN else [row for row in rows if row.told.status != "succeeded"][:_ROWS_SHOWN]
    if console.width < _NARROW:
        for row in shown:
            _line(console, "  ".join(filter(None, _shortened(row, wide=False))), COLOURS[row.told.status])
    elif shown:
        console.print(_table(shown, wide=console.width >= _WIDE))
    skipped = Counter(row.told.error for row in rows if row.told.status == "skipped" and row.told.error)
    for reason, count in skipped.items():
        _line(console, f"{count:,} {reason}", COLOURS["skipped"])
    if len(shown) < len(rows):
        _line(console, f"({len(rows) - len(shown):,} more records; a pipe or --json gives all of them)", "dim")


def _table(rows: Sequence[Row], *, wide: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    cells = [_shortened(row, wide=wide) for row in rows]
    empty = {index for index, column in enumerate(zip(*cells, strict=True)) if not any(column)}
    for index, title in enumerate(_HEAD):
        if index not in empty:
            table.add_column(
                title,
                justify="right" if title in ("#", "duration") else "left",
                no_wrap=title not in ("error", "group"),
                overflow="fold",
            )
    for row, texts in zip(rows, cells, strict=True):
        table.add_row(*_coloured(row, [cell for index, cell in enumerate(texts) if index not in empty]))
    return table


def _shortened(row: Row, *, wide: bool) -> tuple[str, ...]:
    number, name, group, *others, error = _cells(row)
    # Why records were skipped is the same for many: it stands below, once.
    error = "" if row.told.status == "skipped" else error
    return (number, name if wide else _middle(name, 18), clip(group, 40 if wide else 18), *others, error)


def _coloured(row: Row, cells: Sequence[str]) -> list[Text]:
    """Colour the status; and what is delivered again though it succeeded, for it is work done twice."""
    styles = {_word(row.told.status): f"bold {COLOURS[row.told.status]}"}
    if row.again and row.told.status == "succeeded":
        styles[row.fate] = "yellow"
    return [Text(cell, style=styles.get(cell, "")) for cell in cells]


def _middle(text: str, limit: int) -> str:
    """Cut out the middle: identifiers differ at their ends."""
    half = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def _show_response(console: Console, invocation: Invocation) -> None:
    lines = json.dumps(invocation.response, indent=2).splitlines()
    if len(lines) > _LINES_SHOWN or not console.is_terminal:
        lines = [json.dumps(invocation.response)]
    if console.is_terminal:
        lines = [clip(line, 2_000) for line in lines]
    _line(console, "Response:")
    for line in lines:
        _line(console, line, "dim")
