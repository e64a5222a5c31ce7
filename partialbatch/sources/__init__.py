"""Where records come from: one module an event source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.errors import EventError, shape
from partialbatch.sources.dynamodb import DynamoDBPipeSource, DynamoDBRecord, DynamoDBSource
from partialbatch.sources.events import check_uniform, is_empty
from partialbatch.sources.kafka import KafkaPipeSource, KafkaRecord, KafkaSource
from partialbatch.sources.kinesis import KinesisPipeSource, KinesisRecord, KinesisSource
from partialbatch.sources.record import Record
from partialbatch.sources.sqs import SQSRecord, SQSSource

if TYPE_CHECKING:
    from partialbatch.settings import Settings
    from partialbatch.types import EventSource, RawRecord

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
        if isinstance(settings.source, str):
            built_in: tuple[EventSource, ...] = (
                SQSSource(settings.fifo, settings.max_receive_count),
                KinesisSource(),
                DynamoDBSource(),
                KafkaSource(),
                KinesisPipeSource(),
                DynamoDBPipeSource(),
                KafkaPipeSource(),
            )
            self._sources, self._custom = built_in, False
        else:
            self._sources, self._custom = (settings.source,), True

    def open(self, event: Any) -> tuple[EventSource | None, list[RawRecord]]:
        """Find out who sent an event, and take its records out.

        Returns:
            The source and the raw records in event order; no source for a batch without records.

        Raises:
            EventError: It is no batch, holds records of several sources, or is not what ``source=`` asks for.
        """
        if not self._custom and is_empty(event):
            return None, []
        for source in self._sources:
            if source.matches(event):
                break
        else:
            raise (
                EventError.other_source(self._wanted, shape(event)) if self._custom else EventError.unrecognized(event)
            )
        if self._wanted not in ("auto", source.name):
            raise EventError.other_source(self._wanted, source.name)
        records = source.records(event)
        # Kafka names its source once an event, and a source of the user's own may name it nowhere.
        if not self._custom and (isinstance(event, list) or "Records" in event):
            check_uniform(records)
        return source, records
