"""The record views, one module for each event source.

>>> from partialbatch.sources import SQSRecord
>>> SQSRecord({"messageId": "m-1", "body": "hello"}).body
'hello'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch._inspection import shape
from partialbatch.errors import EventError
from partialbatch.sources._detection import PARTITIONS, check_uniform, is_empty, origin_of
from partialbatch.sources._refusal import unrecognized
from partialbatch.sources.dynamodb import DynamoDBPipeSource, DynamoDBRecord, DynamoDBSource
from partialbatch.sources.kafka import KafkaPipeSource, KafkaRecord, KafkaSource
from partialbatch.sources.kinesis import KinesisPipeSource, KinesisRecord, KinesisSource
from partialbatch.sources.record import Record
from partialbatch.sources.sqs import NO_GROUPS, SQSRecord, SQSSource, has_unordered_groups
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, Protocol

    from partialbatch.types import EventSource, RawRecord

    class _Settings(Protocol):
        @property
        def source(self) -> str | EventSource: ...
        @property
        def source_name(self) -> str: ...
        @property
        def fifo(self) -> bool | Literal["auto"]: ...
        @property
        def max_receive_count(self) -> int | None: ...
        @property
        def error_policy(self) -> ErrorPolicy: ...
        @property
        def group_by(self) -> Any: ...


__all__ = ["DynamoDBRecord", "KafkaRecord", "KinesisRecord", "Record", "SQSRecord"]

VIEWS: dict[type[Record], str] = {
    SQSRecord: "sqs",
    KinesisRecord: "kinesis",
    DynamoDBRecord: "dynamodb",
    KafkaRecord: "kafka",
}
"""The record views, each with the name of its source."""


class Catalogue:
    """The event sources that a handler accepts.

    Args:
        settings: The handler's settings.
        warn: Takes a topic and a text that the user should read once in each process.
    """

    def __init__(self, settings: _Settings, warn: Callable[[str, str], None] | None = None) -> None:
        self._warn = warn
        self._wanted = settings.source_name
        self._custom = None if isinstance(settings.source, str) else settings.source
        built_in = (
            SQSSource(settings.fifo, settings.max_receive_count),
            *(KinesisSource(), DynamoDBSource(), KafkaSource()),
            *(KinesisPipeSource(), DynamoDBPipeSource(), KafkaPipeSource()),
        )
        self._expects_groups = (
            settings.error_policy is ErrorPolicy.SKIP_GROUP and settings.fifo == "auto" and settings.group_by is None
        )
        self._by_origin: dict[Any, EventSource] = {origin: source for source in built_in for origin in source.origins}

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
            records = list(self._custom.records(event))  # an iterator can be read only once
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
        if self._warn is not None and self._expects_groups and source.name == "sqs" and has_unordered_groups(records):
            self._warn("skip_group", NO_GROUPS)
        return source, records
