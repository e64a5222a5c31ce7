"""The record views, one module for each event source.

>>> from partialbatch.sources import SQSRecord
>>> SQSRecord({"messageId": "m-1", "body": "hello"}).body
'hello'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch._inspection import shape
from partialbatch._unrun import check_value, is_awaitable
from partialbatch.errors import EventError
from partialbatch.sources._detection import PARTITIONS, check_uniform, is_empty, origin_of
from partialbatch.sources._refusal import unrecognized
from partialbatch.sources.dynamodb import DynamoDBPipeSource, DynamoDBRecord, DynamoDBSource
from partialbatch.sources.kafka import KafkaPipeSource, KafkaRecord, KafkaSource
from partialbatch.sources.kinesis import KinesisPipeSource, KinesisRecord, KinesisSource
from partialbatch.sources.record import Record
from partialbatch.sources.sqs import SQSRecord, SQSSource

if TYPE_CHECKING:
    from partialbatch.sources._detection import Listed, Settings
    from partialbatch.types import EventSource, RawRecord


__all__ = ["DynamoDBRecord", "KafkaRecord", "KinesisRecord", "Record", "SQSRecord"]

BUILT_IN: tuple[type[Listed], ...] = (
    SQSSource,
    *(KinesisSource, KinesisPipeSource),
    *(DynamoDBSource, DynamoDBPipeSource),
    *(KafkaSource, KafkaPipeSource),
)
"""The classes of the event sources that each event tells apart, by their `origins`."""

VIEWS: dict[type[Record], str] = {
    SQSRecord: "sqs",
    KinesisRecord: "kinesis",
    DynamoDBRecord: "dynamodb",
    KafkaRecord: "kafka",
}
"""The record views, each with the name of its source."""


class Catalogue:
    """The event sources that a handler accepts."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.source_name
        self._custom = None if isinstance(settings.source, str) else settings.source
        made = [source.create(settings) for source in BUILT_IN]
        self._by_origin: dict[Any, Any] = {origin: source for source in made for origin in source.origins}

    def open(self, event: Any) -> tuple[EventSource | None, list[RawRecord]]:
        """Recognise the source of an event, and return its records.

        Returns:
            The source and the raw records in event order. Without records, there is no source.

        Raises:
            EventError: The event isn't a batch, has records of several sources, or isn't from the ``source=`` that
                the handler asks for.
        """
        if self._custom is not None:
            if not self._custom.matches(event):
                raise EventError(
                    f"the handler has source={self._wanted!r}, and that source doesn't recognise the event "
                    f"({shape(event)}); correct source=, or remove it"
                )
            given: Any = self._custom.records(event)
            if is_awaitable(given):  # iterating over a done future of asyncio gives nothing
                check_value(given, "the event source's records()", "make it a plain function")
                raise TypeError("the event source's records() returned a future: return its result()")
            records = list(given)  # an iterator can be read only once
            return (self._custom, records) if records else (None, [])
        origin = origin_of(event)
        source = self._by_origin.get(origin)
        if source is None:
            if is_empty(event):
                return None, []
            raise unrecognized(event)
        if self._wanted not in ("auto", source.name):
            raise EventError(
                f"the handler has source={self._wanted!r}, and the event is from {source.name}; "
                "correct source=, or remove it"
            )
        records = list(source.records(event))  # a copy: removing a record from the event must not make it a success
        if not records:
            return None, []
        if origin is not None and origin[0] == PARTITIONS:
            # Kafka names its cluster once in each event.
            return KafkaSource(event.get("eventSourceArn")), records
        check_uniform(records)
        return source, records
