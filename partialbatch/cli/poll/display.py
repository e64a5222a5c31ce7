"""Displays of a run: live on a terminal, as plain lines, or as lines of JSON."""

from __future__ import annotations

import json
import sys
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from partialbatch.cli.output import visible
from partialbatch.cli.poll.clients import describe_error
from partialbatch.errors import listing
from partialbatch.testing._event_layout import identifier_of

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import Console

    from partialbatch.worker import GivenUp, Invocation

__all__ = ["Counts", "CurrentStandardError", "Display", "JsonLines", "Live", "PlainLines"]

_SHOWN = 8
_NARROW, _WIDE = 60, 70  # columns
_SIDE_BY_SIDE = 3
"""Number of figures per line on a narrow terminal."""


@dataclass(slots=True)
class Counts:
    """Counts of a run.

    Attributes:
        invocations: Number of calls of the handler.
        delivered: Number of records delivered; each delivery of a record counts.
        handled: Number of records that are not delivered again.
        returned: Number of records that are delivered again.
        given_up: Number of stream records given up because of their retries or age.
    """

    invocations: int = 0
    delivered: int = 0
    handled: int = 0
    returned: int = 0
    given_up: int = 0

    def text(self) -> str:
        """Return the counts as text."""
        given_up = f", {self.given_up:,} given up" if self.given_up else ""
        calls = "1 invocation" if self.invocations == 1 else f"{self.invocations:,} invocations"
        return f"{calls}, {_records(self.handled)} handled, {self.returned:,} returned{given_up}"


class Display:
    """Keeps the counts and shows nothing. Called from several threads."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._lock = Lock()

    def during(self) -> AbstractContextManager[object]:
        """Show the run while the context is open."""
        return nullcontext()

    def invoked(self, invocation: Invocation) -> None:
        """Count and show an invocation."""
        counts, back = self.counts, len(invocation.verdict.returned)
        with self._lock:
            counts.invocations += 1
            counts.delivered += len(invocation.records)
            counts.handled += len(invocation.records) - back
            counts.returned += back
            self._show("invocation", **_invocation_fields(invocation))

    def gave_up(self, given_up: GivenUp) -> None:
        """Count and show records that are given up."""
        with self._lock:
            self.counts.given_up += len(given_up.records)
            self._show("gave_up", **given_up.message())

    def waiting(self, error: BaseException, seconds: float) -> None:
        """Show that the service is unavailable."""
        self.show_event("waiting", error=describe_error(error), seconds=seconds)

    def show_event(self, kind: str, **fields: Any) -> None:
        """Show any other event."""
        with self._lock:
            self._show(kind, **fields)

    def _show(self, kind: str, **fields: Any) -> None:
        """Show an event. Called by one thread at a time."""


class CurrentStandardError:
    """Writes to the current `sys.stderr`, which a live display replaces in order to print above itself."""

    def write(self, text: str) -> int:
        """Write a text."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush the buffer."""
        sys.stderr.flush()


class JsonLines(Display):
    """Prints one JSON object per event."""

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self._file = file

    def _show(self, kind: str, **fields: Any) -> None:
        document = {"event": kind, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
        if kind == "stopped":
            document |= asdict(self.counts)
        self._file.write(f"{json.dumps(document)}\n")
        self._file.flush()


class PlainLines(Display):
    """Prints one line per event."""

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self._file = file

    def _show(self, kind: str, **fields: Any) -> None:
        clock = datetime.now().astimezone().strftime("%H:%M:%S")
        self._file.write(f"{clock}  {visible(_line(kind, fields, self.counts))}\n")
        self._file.flush()


class LiveDisplay(Display):
    """Shows the counts and the last events on a terminal."""

    def __init__(self, console: Console, title: str) -> None:
        super().__init__()
        self._title = title
        self._console = console
        self._began = monotonic()
        self._lines: deque[Text] = deque(maxlen=_SHOWN)
        self._last = ""
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=4)

    def during(self) -> AbstractContextManager[object]:
        """Draw the display while the context is open."""
        return self._live

    def _show(self, kind: str, **fields: Any) -> None:
        clock = datetime.now().astimezone().strftime("%H:%M:%S")
        line = visible(_line(kind, fields, self.counts))
        text = Text(f"  {clock}  {line}", style=_style(kind, fields), no_wrap=True, overflow="ellipsis")
        if kind == self._last == "waiting":
            self._lines.pop()
        self._last = kind
        self._lines.append(text)

    def _draw(self) -> Group:
        with self._lock:
            seconds = monotonic() - self._began
            minutes, rest = divmod(int(seconds), 60)
            head = Text(f"{self._title}  {minutes}:{rest:02}", style="bold", no_wrap=True, overflow="ellipsis")
            return Group(head, Text(), _table(self.counts, seconds, self._console.width), Text(), *self._lines)


def _table(counts: Counts, seconds: float, width: int) -> Table:
    names = [*(name.replace("_", " ") for name in asdict(counts)), "per second"]
    figures = [*(f"{value:,}" for value in asdict(counts).values()), f"{counts.delivered / max(seconds, 1):,.1f}"]
    table = Table.grid(padding=(0, 3 if width >= _WIDE else 1))
    side = len(names) if width >= _NARROW else _SIDE_BY_SIDE
    for _ in names[:-1][:side]:
        table.add_column(justify="right")
    for start in range(0, len(names), side):
        table.add_row(*names[start : start + side], style="dim")
        table.add_row(*figures[start : start + side], style="bold")
    return table


def _invocation_fields(invocation: Invocation) -> dict[str, Any]:
    event = {"Records": invocation.records}
    return {
        "records": len(invocation.records),
        "verdict": invocation.verdict.kind,
        "reason": invocation.verdict.reason,
        "returned": [identifier_of(event, record) for record in invocation.returned],
        "seconds": round(invocation.duration, 4),
    }


def _line(kind: str, fields: dict[str, Any], counts: Counts) -> str:
    if kind == "invocation":
        returned = fields["returned"]
        problem = f"; {fields['reason']}: returned {listing(returned, 3)}" if returned else ""
        return f"{fields['verdict']:<8}{_records(fields['records'])} in {fields['seconds']:,.3f} s{problem}"
    if kind == "gave_up":
        info = next(value for key, value in fields.items() if key.endswith("BatchInfo"))
        span = f"{info['startSequenceNumber']} to {info['endSequenceNumber']} of {info['shardId']}"
        return f"gave up {_records(info['batchSize'])}, {span}: {fields['requestContext']['condition']}"
    if kind == "waiting":
        return f"waiting {fields['seconds']:g} s: {fields['error']}"
    if kind == "stopped":
        return f"stopped: {counts.text()}"
    return " ".join([kind, *map(str, fields.values())])


def _records(number: int) -> str:
    return "1 record" if number == 1 else f"{number:,} records"


def _style(kind: str, fields: dict[str, Any]) -> str:
    if kind == "gave_up":
        return "bold red"
    named = {"success": "green", "partial": "yellow", "failure": "red"}
    return named.get(fields.get("verdict", ""), "yellow" if kind == "waiting" else "")
