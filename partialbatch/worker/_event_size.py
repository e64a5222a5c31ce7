"""Splits records into events within Lambda's size limit of 6 MB."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from partialbatch.testing._limits import PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from partialbatch.types import RawRecord

__all__ = ["first_event", "is_full", "size_of", "split_into_events"]

_ENVELOPE = len('{"Records": []}')
_SEPARATOR = len(", ")


def split_into_events(records: Sequence[RawRecord]) -> list[list[RawRecord]]:
    """Return the records as events of at most 6 MB each, in order. A larger record gets an event of its own."""
    events: list[list[RawRecord]] = []
    rest = list(records)
    while rest:
        end = first_event(rest)
        events.append(rest[:end])
        rest = rest[end:]
    return events


def first_event(records: Sequence[RawRecord]) -> int:
    """Return how many of the first records fit into one event."""
    size = _ENVELOPE
    for position, record in enumerate(records):
        size += size_of([record])
        if position and size > PAYLOAD_LIMIT:
            return position
    return len(records)


def is_full(size: int) -> bool:
    """Tell whether records of this many bytes fill an event."""
    return _ENVELOPE + size >= PAYLOAD_LIMIT


def size_of(records: Iterable[RawRecord]) -> int:
    """Return the bytes that records take within an event."""
    return sum(len(json.dumps(record)) + _SEPARATOR for record in records)
