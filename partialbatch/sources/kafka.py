"""Apache Kafka: Amazon MSK, self-managed clusters, and both through EventBridge Pipes.

https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html
https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from partialbatch.errors import PayloadError
from partialbatch.sources._detection import PARTITIONS, PIPE, Listed, records_of
from partialbatch.sources._lazy import Lazy
from partialbatch.sources._refusal import unrecognized
from partialbatch.sources.record import Record, calling, decode_base64, field, moment
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from datetime import datetime

    from partialbatch.types import Identifier, RawRecord

__all__ = ["KafkaPipeSource", "KafkaRecord", "KafkaSource"]

EVENT_SOURCES = ("aws:kafka", "SelfManagedKafka", "aws:SelfManagedKafka")
"""Lambda writes the first two. The third is common in events made by hand."""


class KafkaRecord(Record):
    """A view of a Kafka message.

    https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html

    >>> from partialbatch import KafkaRecord, batch_handler
    >>> from partialbatch.testing import kafka_event
    >>> @batch_handler
    ... def handler(record: KafkaRecord):
    ...     return record.topic, record.partition, record.offset, record.value
    >>> handler.process(kafka_event({"orders-0": ["A-1"]})).results[0].value
    ('orders', 0, 0, b'A-1')
    """

    __slots__ = ("_headers", "_key")

    @property
    def event_source_arn(self) -> str:
        """The ARN of the cluster, or an empty text: a self-managed cluster has no ARN."""
        return super().event_source_arn or str(getattr(self._origin, "arn", ""))

    @property
    def topic(self) -> str:
        """The topic's name."""
        return field(self.raw, "topic", str)

    @property
    def partition(self) -> int:
        """The partition's number within the topic."""
        return _whole(self.raw, "partition")

    @property
    def offset(self) -> int:
        """The offset within the partition."""
        return _whole(self.raw, "offset")

    @Lazy
    def key(self) -> bytes | None:
        """The message's key, decoded, or None if it has none."""
        key = self.raw.get("key")
        return None if key is None else decode_base64(key, "key")

    @property
    def value(self) -> bytes | None:
        """The message's value, decoded, or None for a tombstone."""
        value: bytes | None = self.payload
        return value

    @Lazy
    def headers(self) -> list[tuple[str, bytes]]:
        """The headers in order. Kafka allows a name more than once."""
        if self.raw.get("headers") is None:
            return []
        entries = field(self.raw, "headers", list)
        try:
            return [(name, _signed(name, value)) for entry in entries for name, value in entry.items()]
        except (AttributeError, TypeError):
            pass
        raise PayloadError.field("headers", "a list of byte arrays by name", entries)

    @property
    def timestamp(self) -> datetime:
        """The time at which the message was created or appended, as ``timestampType`` says, in UTC."""
        return moment(self.raw.get("timestamp"), "timestamp", per_second=1000)


class KafkaSource(Listed):
    """Messages by topic-partition, each reported by partition and offset.

    Attributes:
        arn: The cluster's ARN, which isn't in the messages. Empty if the event doesn't have it either.
    """

    name = "kafka"
    origins = tuple((PARTITIONS, name) for name in EVENT_SOURCES)
    partial_response = True

    def __init__(self, arn: Any = None) -> None:
        self.arn = arn if isinstance(arn, str) else ""

    def records(self, event: Any) -> list[RawRecord]:
        """Return the messages of all topic-partitions in one list."""
        partitions = event["records"]
        if not isinstance(partitions, dict) or not all(isinstance(batch, list) for batch in partitions.values()):
            raise unrecognized(event)
        records = list(chain.from_iterable(partitions.values()))
        for record in records:
            if not isinstance(record, dict):
                raise unrecognized([record])
        return records

    def identifier(self, raw: RawRecord) -> Identifier:
        """Return the topic-partition and the offset."""
        # Checked, because an identifier made from nulls would look like one, and name no record.
        return {
            "partition": f"{field(raw, 'topic', str)}-{_whole(raw, 'partition')}",
            "offset": _whole(raw, "offset"),
        }

    def payload(self, raw: RawRecord) -> bytes | None:
        """Return the value, decoded."""
        value = raw.get("value")
        return None if value is None else decode_base64(value, "value")

    def view(self, raw: RawRecord) -> KafkaRecord:
        """See `EventSource.view`."""
        return KafkaRecord(raw, self)

    def calling(self, function: Callable[[KafkaRecord], Any]) -> Callable[[RawRecord], Any]:
        """Return a function of a raw record that calls `function` with its view."""
        return calling(function, KafkaRecord, self)

    def group(self, raw: RawRecord) -> Hashable:
        """Return the topic-partition."""
        return (field(raw, "topic", str), _whole(raw, "partition"))

    def policy(self, records: Sequence[RawRecord]) -> ErrorPolicy:
        """Continue: each offset that did not succeed is reported."""
        return ErrorPolicy.CONTINUE


class KafkaPipeSource(KafkaSource):
    """The flat list of an EventBridge Pipe, which takes no partial response for Kafka."""

    origins = tuple((PIPE, name) for name in EVENT_SOURCES)
    partial_response = False

    def records(self, event: Any) -> list[RawRecord]:
        """See `EventSource.records`."""
        return records_of(event)


def _whole(raw: Any, name: str) -> int:
    """Return a field with a whole number, which isn't a boolean."""
    value = field(raw, name, int)
    if isinstance(value, bool):
        raise PayloadError.field(name, "int", value)
    return value


def _signed(name: str, value: Any) -> bytes:
    """Return a header's value. Lambda writes Java's bytes, which are signed."""
    if isinstance(value, list):
        return bytes(byte & 0xFF for byte in value)
    raise PayloadError.field(f"headers.{name}", "a list of bytes", value)


KafkaRecord._default_source = KafkaSource()
