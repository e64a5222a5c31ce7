"""Renders the page of ``partialbatch invoke --report``: a single HTML file without scripts or external resources."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from partialbatch.cli.invoke.rendering import as_sentence, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from partialbatch.cli.invoke.rendering import JudgedCall, Row

__all__ = ["render"]

_TICKS = 4
_LEAST = 0.4
"""The smallest width of a bar in percent. The colour of a narrower bar can't be seen."""


def render(handler: str, calls: Sequence[JudgedCall]) -> str:
    """Return an HTML page about the calls of a handler."""
    environment = Environment(
        loader=PackageLoader("partialbatch.cli.invoke", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": format_duration,
        "sentence": as_sentence,
        "words": lambda status: status.replace("_", "-"),
    }
    pages = [_page(number, call) for number, call in enumerate(calls, 1)]
    return environment.get_template("report.html.j2").render(handler=handler, pages=pages)


@dataclass(frozen=True, slots=True)
class _Bar:
    """A record in the timeline, with its position in percent of the call's duration."""

    row: Row
    left: float
    width: float
    worker: str


@dataclass(slots=True)
class _Lane:
    """A line of the timeline, with the records of a group, or a worker's records without a group.

    Attributes:
        name: The name of the group or the worker.
        is_group: Whether it is the line of a group.
        bars: The records that ran.
        idle: The number of records of the group that were not started.
    """

    name: str
    is_group: bool
    bars: list[_Bar] = field(default_factory=list)
    idle: int = 0


def _page(number: int, call: JudgedCall) -> dict[str, Any]:
    """Return the template's variables for a call."""
    rows = call.rows
    total = max([call.recorded.duration, *(row.outcome.span.ended or 0.0 for row in rows if row.outcome.span)]) or 1e-6
    workers = _workers(rows)
    return {
        "number": number,
        "call": call,
        "rows": rows,
        "grouped": any(row.group is not None for row in rows),
        "workers": workers,
        "lanes": _lanes(rows, total, workers),
        "ticks": [(tick * 100 / _TICKS, format_duration(total * tick / _TICKS)) for tick in range(_TICKS + 1)],
        "counts": Counter(row.outcome.status for row in rows).most_common(),
        "response": json.dumps(call.response, indent=2),
        "error": call.recorded.outcome.error,
    }


def _workers(rows: Iterable[Row]) -> dict[str, str]:
    """Return a short name for each worker, in order of their start."""
    spans = sorted((row.outcome.span for row in rows if row.outcome.span), key=lambda span: span.started)
    names = list(dict.fromkeys(span.worker for span in spans))
    return {name: f"w{number}" for number, name in enumerate(names, 1)}


def _lanes(rows: Iterable[Row], total: float, workers: dict[str, str]) -> list[_Lane]:
    """Divide the records into lines, groups first."""
    lanes: dict[tuple[bool, str], _Lane] = {}
    for row in rows:
        span = row.outcome.span
        if row.group is None and span is None:
            continue  # nothing to draw; the record is in the table
        key = (True, row.group) if row.group is not None else (False, span.worker if span else "")
        lane = lanes.setdefault(key, _Lane(key[1], is_group=key[0]))
        if span is None:
            lane.idle += 1
        else:
            left = 100 * span.started / total
            ended = total if span.ended is None else span.ended
            width = max(100 * (ended - span.started) / total, _LEAST)
            lane.bars.append(_Bar(row, min(left, 100 - width), width, workers[span.worker]))
    return sorted(lanes.values(), key=lambda lane: not lane.is_group)
