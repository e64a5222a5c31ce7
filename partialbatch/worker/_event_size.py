"""Cutting records into events that are no larger than Lambda's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from partialbatch.testing._simulation_loop import PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from partialbatch.types import RawRecord

__all__ = ["cut", "fills", "first_event", "size_of"]

_AROUND = len('{"Records": []}')
_BETWEEN = len(", ")


def cut(records: Sequence[RawRecord]) -> list[list[RawRecord]]:
    """Return the records as events of at most 6 MB each, in order; a larger record stands alone."""
    events: list[list[RawRecord]] = []
    rest = list(records)
    while rest:
        end = first_event(rest)
        events.append(rest[:end])
        rest = rest[end:]
    return events


def first_event(records: Sequence[RawRecord]) -> int:
    """Count the first records that fit into one event."""
    size = _AROUND
    for position, record in enumerate(records):
        size += size_of([record])
        if position and size > PAYLOAD_LIMIT:
            return position
    return len(records)


def fills(size: int) -> bool:
    """Tell whether records of this size take all of an event."""
    return _AROUND + size >= PAYLOAD_LIMIT


def size_of(records: Iterable[RawRecord]) -> int:
    """Return the size of records within an event."""
    return sum(len(json.dumps(record)) + _BETWEEN for record in records)
