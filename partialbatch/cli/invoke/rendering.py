"""Renders a call of a handler: as a table on a terminal, as lines in a pipe, and as JSON."""

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

    from partialbatch.cli.invoke.recording import RecordedCall, RecordOutcome
    from partialbatch.cli.invoke.saved_events import SavedBatch
    from partialbatch.testing._verdict import Verdict
    from partialbatch.types import Identifier

__all__ = ["JudgedCall", "Row", "as_sentence", "format_duration", "show", "to_json"]

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
"""Widths in columns. On narrower terminals the errors would not fit; on wider ones nothing is shortened."""
_HEAD = ("#", "identifier", "group", "status", "duration", "Lambda", "error")


@dataclass(frozen=True, slots=True)
class Row:
    """A record to show.

    Attributes:
        number: Its position in the event, from 0.
        identifier: Its identifier in a response.
        group: The group in which it must stay in order, if any.
        outcome: Its outcome.
        returned: Whether Lambda delivers it again.
        lambda_action: Lambda's action on it in one word, such as ``deleted``.
    """

    number: int
    identifier: Identifier
    group: str | None
    outcome: RecordOutcome
    returned: bool
    lambda_action: str

    @property
    def name(self) -> str:
        """The identifier as text."""
        if isinstance(self.identifier, str):
            return self.identifier
        return "@".join(str(part) for part in self.identifier.values())

    @property
    def seconds(self) -> float | None:
        """Seconds that it ran; None if that was not observed."""
        span = self.outcome.span
        return None if span is None or span.ended is None else span.ended - span.started

    @property
    def duration(self) -> str:
        """The time that it ran, with a unit."""
        return "" if self.seconds is None else format_duration(self.seconds)


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """A call of a handler together with Lambda's reaction to it."""

    batch: SavedBatch
    recorded: RecordedCall
    verdict: Verdict

    @classmethod
    def of(cls, batch: SavedBatch, recorded: RecordedCall) -> JudgedCall:
        """Apply Lambda's rules to a call."""
        return cls(batch, recorded, batch.judge(recorded.outcome))

    @property
    def fine(self) -> bool:
        """Whether Lambda delivers no record again and no record is known to have failed."""
        bad = {"failed", "skipped", "running"} & {record.status for record in self.recorded.records}
        return self.verdict.kind == "success" and not bad

    @property
    def rows(self) -> list[Row]:
        """The records."""
        returned = frozenset(self.verdict.returned)
        gone = "deleted" if self.batch.source_name == "sqs" else "done"
        back = "returns" if self.batch.source_name == "sqs" else "again"
        named = zip(self.batch.identifiers, self.batch.groups, self.recorded.records, strict=True)
        return [
            Row(number, identifier, group, outcome, number in returned, back if number in returned else gone)
            for number, (identifier, group, outcome) in enumerate(named)
        ]

    @property
    def counts(self) -> str:
        """The number of records per status, as text."""
        counted = Counter(record.status for record in self.recorded.records)
        return ", ".join(f"{count:,} {_word(status)}" for status, count in counted.most_common()) or "no records"

    @property
    def response(self) -> Any:
        """The parsed response; None if there is none or it isn't JSON."""
        try:
            return json.loads(self.recorded.outcome.text)
        except ValueError:
            return None

    @property
    def lost(self) -> str:
        """A sentence about records that did not succeed and are not delivered again; empty if there are none."""
        count = sum(not row.returned and row.outcome.status in ("failed", "skipped", "running") for row in self.rows)
        records = "record" if count == 1 else "records"
        return f"{count:,} {records} did not succeed and will not be delivered again." if count else ""


def format_duration(seconds: float) -> str:
    """Return a duration with a suitable unit."""
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def to_json(call: JudgedCall) -> dict[str, Any]:
    """Return a call as JSON. Times are in seconds; ``started`` counts from the call of the handler."""
    recorded = call.recorded
    return {
        "event": call.batch.name,
        "source": call.batch.source_name,
        "verdict": call.verdict.kind,
        "reason": call.verdict.reason,
        "duration": round(recorded.duration, 6),
        "inferred": recorded.inferred,
        "records": [_record_json(row) for row in call.rows],
        "response": call.response,
        "error": call.recorded.outcome.error,
        "place": call.recorded.place or None,
    }


def _record_json(row: Row) -> dict[str, Any]:
    span = row.outcome.span
    return {
        "identifier": row.identifier,
        "group": row.group,
        "status": row.outcome.status,
        "delivered_again": row.returned,
        "started": None if span is None else round(span.started, 6),
        "duration": None if row.seconds is None else round(row.seconds, 6),
        "worker": None if span is None else span.worker,
        "error": row.outcome.error,
        "place": row.outcome.place or None,
    }


def show(console: Console, call: JudgedCall) -> None:
    """Print a call: as a table on a terminal, as aligned lines otherwise."""
    batch, verdict = call.batch, call.verdict
    took = format_duration(call.recorded.duration)
    _line(console, f"{batch.name}: {batch.source_name}, {call.counts}, in {took}", "bold")
    if console.is_terminal:
        _show_table(console, call.rows)
    else:
        _show_lines(console, call.rows)
    if call.recorded.outcome.error is None:  # an error is part of the verdict
        _show_response(console, call)
    _line(console, f"Lambda: {verdict.kind}. {as_sentence(verdict.reason)}", f"bold {COLOURS[verdict.kind]}")
    if call.recorded.place:
        _line(console, f"Raised at {call.recorded.place}")
    if call.recorded.inferred:
        _line(console, "(The statuses are read from the response; they are the handler's own claims.)")
    if call.lost:
        _line(console, f"Lost: {call.lost}", "bold red")
    _line(console, "")


def as_sentence(text: str) -> str:
    """Return a reason as a sentence."""
    # A name like batchItemFailures is not capitalized.
    return f"{text[:1].upper()}{text[1:]}." if text.partition(" ")[0].islower() else f"{text}."


def _line(console: Console, text: str, style: str = "") -> None:
    # Text instead of markup, because errors may contain square brackets.
    console.print(Text(visible(text), style=style), soft_wrap=not console.is_terminal, highlight=False)


def _in_brackets(place: str) -> str:
    return f"({place})" if place else ""


def _word(status: str) -> str:
    return status.replace("_", "-")


def _cells(row: Row) -> tuple[str, ...]:
    error = " ".join(f"{row.outcome.error or ''} {_in_brackets(row.outcome.place)}".split())
    texts = (
        str(row.number),
        row.name,
        row.group or "",
        _word(row.outcome.status),
        row.duration,
        row.lambda_action,
        error,
    )
    return tuple(map(visible, texts))


def _show_lines(console: Console, rows: Sequence[Row]) -> None:
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells if rows else ():
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        _line(console, "  ".join(padded).rstrip())


def _show_table(console: Console, rows: Sequence[Row]) -> None:
    shown = (
        rows if len(rows) <= _ROWS_SHOWN else [row for row in rows if row.outcome.status != "succeeded"][:_ROWS_SHOWN]
    )
    if console.width < _NARROW:
        for row in shown:
            _line(console, "  ".join(filter(None, _shortened(row, wide=False))), COLOURS[row.outcome.status])
    elif shown:
        console.print(_table(shown, wide=console.width >= _WIDE))
    skipped = Counter(row.outcome.error for row in rows if row.outcome.status == "skipped" and row.outcome.error)
    for reason, count in skipped.items():
        _line(console, f"{count:,} {reason}", COLOURS["skipped"])
    if len(shown) < len(rows):
        _line(console, f"({len(rows) - len(shown):,} more records; use a pipe or --json to see all of them)", "dim")


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
    # Many records are skipped for the same reason, which is printed once below the table.
    error = "" if row.outcome.status == "skipped" else error
    return (number, name if wide else _middle(name, 18), clip(group, 40 if wide else 18), *others, error)


def _coloured(row: Row, cells: Sequence[str]) -> list[Text]:
    """Colour the status, and mark records that are delivered again although they succeeded."""
    styles = {_word(row.outcome.status): f"bold {COLOURS[row.outcome.status]}"}
    if row.returned and row.outcome.status == "succeeded":
        styles[row.lambda_action] = "yellow"
    return [Text(cell, style=styles.get(cell, "")) for cell in cells]


def _middle(text: str, limit: int) -> str:
    """Shorten a text in the middle, because identifiers differ at their ends."""
    half = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def _show_response(console: Console, call: JudgedCall) -> None:
    lines = json.dumps(call.response, indent=2).splitlines()
    if len(lines) > _LINES_SHOWN or not console.is_terminal:
        lines = [json.dumps(call.response)]
    if console.is_terminal:
        lines = [clip(line, 2_000) for line in lines]
    _line(console, "Response:")
    for line in lines:
        _line(console, line, "dim")
