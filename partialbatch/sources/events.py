"""The two shapes that records arrive in: ``{"Records": [...]}``, and the bare list of a Pipe."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from partialbatch.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partialbatch.types import RawRecord

__all__ = ["check_uniform", "event_source_of", "is_empty", "records_of"]

_ORIGIN = itemgetter("eventSource", "eventSourceARN")


def records_of(event: Any) -> list[RawRecord]:
    """Return the records of either shape."""
    records: list[RawRecord] = event if isinstance(event, list) else event["Records"]
    return records


def is_empty(event: Any) -> bool:
    """Tell whether an event is a batch without records; a window's last invocation can be one."""
    return event == [] or (isinstance(event, dict) and event.get("Records") == [])


def event_source_of(event: Any, *, pipe: bool) -> object:
    """Return the first record's ``eventSource`` if the event has the shape asked for, else None."""
    if pipe:
        records = event if isinstance(event, list) else None
    else:
        records = event.get("Records") if isinstance(event, dict) else None
    if isinstance(records, list) and records and isinstance(records[0], dict):
        return records[0].get("eventSource")
    return None


def check_uniform(records: Sequence[Any]) -> None:
    """Check that all records come from one source and one ARN: a batch has one event source mapping.

    Raises:
        EventError: They do not, or one of them is no record at all.
    """
    try:
        origins = set(map(_ORIGIN, records))
    except (KeyError, TypeError):
        # An event made by hand may leave the ARN out, in all records or in none.
        for record in records:
            if not isinstance(record, dict):
                raise EventError.unrecognized([record]) from None
        origins = {(record.get("eventSource"), record.get("eventSourceARN")) for record in records}
    if len(origins) > 1:
        raise EventError.mixed(sorted({" ".join(filter(None, map(str, origin))) for origin in origins}))
