"""Where records come from: one module an event source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch._unrun import check_value, is_awaitable
from partialbatch.errors import EventError, shape
from partialbatch.sources._detection import PARTITIONS, check_uniform, is_empty, origin_of
from partialbatch.sources._refusal import unrecognized
from partialbatch.sources.dynamodb import DynamoDBPipeSource, DynamoDBRecord, DynamoDBSource
from partialbatch.sources.kafka import KafkaPipeSource, KafkaRecord, KafkaSource
from partialbatch.sources.kinesis import KinesisPipeSource, KinesisRecord, KinesisSource
from partialbatch.sources.record import Record
from partialbatch.sources.sqs import SQSRecord, SQSSource

if TYPE_CHECKING:
    from typing import Literal, Protocol

    from partialbatch.types import EventSource, RawRecord

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


__all__ = ["VIEWS", "Catalogue", "DynamoDBRecord", "KafkaRecord", "KinesisRecord", "Record", "SQSRecord"]

VIEWS: dict[type[Record], str] = {
    SQSRecord: "sqs",
    KinesisRecord: "kinesis",
    DynamoDBRecord: "dynamodb",
    KafkaRecord: "kafka",
}
"""The record views, and the name of the source that each belongs to."""


class Catalogue:
    """The event sources that a handler accepts."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.source_name
        self._custom = None if isinstance(settings.source, str) else settings.source
        built_in = (
            SQSSource(settings.fifo, settings.max_receive_count),
            *(KinesisSource(), DynamoDBSource(), KafkaSource()),
            *(KinesisPipeSource(), DynamoDBPipeSource(), KafkaPipeSource()),
        )
        self._by_origin: dict[Any, EventSource] = {origin: source for source in built_in for origin in source.origins}

    def open(self, event: Any) -> tuple[EventSource | None, list[RawRecord]]:
        """Find out who sent an event, and take its records out.

        Returns:
            The source and the raw records in event order; no source for a batch without records.

        Raises:
            EventError: It is no batch, holds records of several sources, or is not what ``source=`` asks for.
        """
        if self._custom is not None:
            if not self._custom.matches(event):
                raise EventError.other_source(self._wanted, shape(event))
            given: Any = self._custom.records(event)
            if is_awaitable(given):  # a done future of asyncio can be iterated over, and gives nothing
                check_value(given, "the event source's records()", "make it a plain function")
                raise TypeError("the event source's records() returned a future: return its result()")
            records = list(given)  # an iterator would be used up before the first record runs
            return (self._custom, records) if records else (None, [])
        origin = origin_of(event)
        source = self._by_origin.get(origin)
        if source is None:
            if is_empty(event):
                return None, []
            raise unrecognized(event)
        if self._wanted not in ("auto", source.name):
            raise EventError.other_source(self._wanted, source.name)
        records = list(source.records(event))  # a copy: what leaves the event while the batch runs is no success
        if not records:
            return None, []
        if origin is not None and origin[0] == PARTITIONS:
            # Kafka names its source once an event.
            return KafkaSource(event.get("eventSourceArn")), records
        check_uniform(records)
        return source, records
