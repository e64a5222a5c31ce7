"""Apache Kafka: Amazon MSK, self-managed clusters, and both through EventBridge Pipes.

https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html
https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from partialbatch.errors import PayloadError
from partialbatch.sources._detection import PARTITIONS, PIPE, Listed, records_of
from partialbatch.sources._lazy import Kept
from partialbatch.sources._refusal import unrecognized
from partialbatch.sources.record import Record, decode_base64, field, moment
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from datetime import datetime

    from partialbatch.types import Identifier, RawRecord

__all__ = ["KafkaPipeSource", "KafkaRecord", "KafkaSource"]

EVENT_SOURCES = ("aws:kafka", "SelfManagedKafka", "aws:SelfManagedKafka")
"""Lambda writes the first two; the third is found in events made by hand."""


class KafkaRecord(Record):
    """A message of a topic."""

    __slots__ = ("_headers", "_key")

    @property
    def event_source_arn(self) -> str:
        """The ARN of the cluster; empty where the event names none, as a self-managed one's."""
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

    @Kept
    def key(self) -> bytes | None:
        """The message's key, decoded; None where it has none."""
        key = self.raw.get("key")
        return None if key is None else decode_base64(key, "key")

    @property
    def value(self) -> bytes | None:
        """The message's value, decoded; None for a tombstone."""
        return self.payload  # type: ignore[no-any-return]  # the payload is the value

    @Kept
    def headers(self) -> list[tuple[str, bytes]]:
        """The headers in order; Kafka allows a name more than once."""
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
        """The message's time, as ``timestampType`` says: of its creation or of its append."""
        return moment(self.raw.get("timestamp"), "timestamp", per_second=1000)


class KafkaSource(Listed):
    """Messages by topic-partition, each reported by partition and offset.

    Attributes:
        arn: The cluster's, which only the event names and no message; empty where it does not.
    """

    name = "kafka"
    origins = tuple((PARTITIONS, name) for name in EVENT_SOURCES)
    partial_response = True

    def __init__(self, arn: Any = None) -> None:
        self.arn = arn if isinstance(arn, str) else ""

    def records(self, event: Any) -> list[RawRecord]:
        """Return the messages of all topic-partitions, one after another."""
        partitions = event["records"]
        if not isinstance(partitions, dict) or not all(isinstance(batch, list) for batch in partitions.values()):
            raise unrecognized(event)
        records = list(chain.from_iterable(partitions.values()))
        for record in records:
            if not isinstance(record, dict):
                raise unrecognized([record])
        return records

    def identifier(self, raw: RawRecord) -> Identifier:
        """Return topic-partition and offset."""
        # Checked: what is made up of nulls would name no record, and look like an identifier.
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

    def group(self, raw: RawRecord) -> Hashable:
        """Return the topic-partition."""
        return (field(raw, "topic", str), _whole(raw, "partition"))

    def policy(self, records: Sequence[RawRecord]) -> ErrorPolicy:  # noqa: ARG002 - the same for all records
        """Continue: every offset that did not succeed is reported."""
        return ErrorPolicy.CONTINUE


class KafkaPipeSource(KafkaSource):
    """The flat list of a Pipe, which takes no partial response for Kafka."""

    origins = tuple((PIPE, name) for name in EVENT_SOURCES)
    partial_response = False

    def records(self, event: Any) -> list[RawRecord]:
        """See `EventSource.records`."""
        return records_of(event)


def _whole(raw: Any, name: str) -> int:
    """Return a field that holds a whole number; True and False are none."""
    value = field(raw, name, int)
    if isinstance(value, bool):
        raise PayloadError.field(name, "int", value)
    return value


def _signed(name: str, value: Any) -> bytes:
    """Return a header's value: Lambda writes Java's bytes, which are signed."""
    if isinstance(value, list):
        return bytes(byte & 0xFF for byte in value)
    raise PayloadError.field(f"headers.{name}", "a list of bytes", value)


KafkaRecord._default_source = KafkaSource()  # noqa: SLF001 - the view and its source are one unit
