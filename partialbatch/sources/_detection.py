"""Recognise the layout of an event, and the source that sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from partialbatch._inspection import listing
from partialbatch.errors import EventError
from partialbatch.sources._refusal import unrecognized

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal, Protocol

    from partialbatch.types import EventSource, Identifier, RawRecord

    class Settings(Protocol):
        """The settings that decide which events a handler accepts."""

        @property
        def source(self) -> str | EventSource: ...
        @property
        def source_name(self) -> str: ...
        @property
        def fifo(self) -> bool | Literal["auto"]: ...
        @property
        def max_receive_count(self) -> int | None: ...


__all__ = [
    "PARTITIONS",
    "PIPE",
    "RECORDS",
    "Listed",
    "Origin",
    "check_uniform",
    "is_empty",
    "origin_of",
    "records_of",
]

RECORDS, PIPE, PARTITIONS = "Records", "pipe", "records"
"""``{"Records": [...]}``, the bare list of an EventBridge Pipe, and Kafka's ``{"records": {"topic-0": [...]}}``."""

Origin = tuple[str, str]
"""A layout, and the ``eventSource`` of the records in it."""


class Listed:
    """Base class of the sources whose records arrive in a list.

    Attributes:
        origins: The layouts and event sources that belong to this source.
    """

    origins: tuple[Origin, ...]
    identifier: Callable[[RawRecord], Identifier]

    @classmethod
    def create(cls, settings: Settings) -> Self:
        """Make the source for a handler with these settings, which most sources have no use for."""
        return cls()

    def matches(self, event: Any) -> bool:
        """See `EventSource.matches`."""
        return origin_of(event) in self.origins

    def records(self, event: Any) -> list[RawRecord]:
        """See `EventSource.records`."""
        return records_of(event)

    def identifiers(self, records: list[RawRecord]) -> list[Identifier] | None:
        """Return the records' identifiers; None, or an error, if not all are of this source and the first one's ARN."""
        name, arn, found = self.origins[0][1], records[0]["eventSourceARN"], []
        identify = self.identifier
        for record in records:
            if record["eventSource"] != name or record["eventSourceARN"] != arn:
                return None
            found.append(identify(record))
        return found


def records_of(event: Any) -> list[RawRecord]:
    """Return the records in a list, or under ``Records``."""
    records: list[RawRecord] = event if isinstance(event, list) else event["Records"]
    return records


def is_empty(event: Any) -> bool:
    """Tell whether an event is a batch without records, as the last invocation of a window can be."""
    return event == [] or (isinstance(event, dict) and event.get("Records") == [] and not event.get(PARTITIONS))


def origin_of(event: Any) -> Origin | None:
    """Return the layout of an event and the event source of its first record, or None if it isn't a batch."""
    if isinstance(event, dict):
        shape, records = RECORDS, event.get("Records")
        if PARTITIONS in event:
            if records is None:
                shape, records = PARTITIONS, [event]
            elif event[PARTITIONS]:
                return None  # records in both places: those that were left out would be deleted
    else:
        shape, records = PIPE, event
    first = records[0] if isinstance(records, list) and records else None
    name = first.get("eventSource") if isinstance(first, dict) else None
    return (shape, name) if isinstance(name, str) else None


def check_uniform(records: Sequence[Any]) -> None:
    """Check that all records come from one source and one ARN, because a batch has one event source mapping.

    Samples, and events made by hand, have placeholders or no ARN. Only text that begins with ``arn:`` is an ARN.

    Raises:
        EventError: The records have several sources or ARNs, or one of them isn't a dict.
    """
    try:
        first = records[0]
        name, arn = first["eventSource"], first["eventSourceARN"]
        # This takes a third of the time of building a set of pairs.
        for record in records:
            if record["eventSource"] != name or record["eventSourceARN"] != arn:
                break
        else:
            return
    except (KeyError, TypeError):
        pass
    for record in records:
        if not isinstance(record, dict):
            raise unrecognized([record])
    origins = {(str(record.get("eventSource")), _arn(record)) for record in records}
    names, arns = {name for name, _ in origins}, {arn for _, arn in origins} - {""}
    if len(names) > 1 or len(arns) > 1:
        found = listing(sorted(" ".join(origin).strip() for origin in origins))
        raise EventError(
            f"the event has records from several sources ({found}), and a batch comes from one; "
            "send the records of each source in an event of their own"
        )


def _arn(record: dict[str, Any]) -> str:
    arn = record.get("eventSourceARN")
    return arn if isinstance(arn, str) and arn.startswith("arn:") else ""
