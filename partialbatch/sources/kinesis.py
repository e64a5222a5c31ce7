"""Amazon Kinesis Data Streams, and its flat records from EventBridge Pipes.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from partialbatch.sources._detection import PIPE, RECORDS, Listed
from partialbatch.sources.record import Record, calling, decode_base64, field, moment
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from datetime import datetime

    from partialbatch.types import Identifier, RawRecord

__all__ = ["KinesisPipeSource", "KinesisRecord", "KinesisSource"]


class KinesisRecord(Record):
    """A view of a Kinesis record.

    https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html

    >>> from partialbatch import KinesisRecord, batch_handler
    >>> from partialbatch.testing import kinesis_event
    >>> @batch_handler
    ... def handler(record: KinesisRecord):
    ...     return record.data, record.partition_key, record.shard_id
    >>> handler.process(kinesis_event(["A-1"])).results[0].value
    (b'A-1', 'key-0', 'shardId-000000000000')
    """

    __slots__ = ()

    @property
    def partition_key(self) -> str | None:
        """The key that selects the shard. Records with the same key are in order.

        None if the producer gave none, which streams with record distribution ``AUTO`` allow.
        """
        return key_of(stream_part(self.raw))

    @property
    def sequence_number(self) -> str:
        """The number within the shard, of up to 56 digits. Compare it as an integer."""
        return field(stream_part(self.raw), "sequenceNumber", str)

    @property
    def arrived_at(self) -> datetime:
        """The approximate time at which the record arrived in the stream, in UTC."""
        return moment(stream_part(self.raw).get("approximateArrivalTimestamp"), "approximateArrivalTimestamp")

    @property
    def shard_id(self) -> str:
        """The shard's name, from ``eventID``."""
        return field(self.raw, "eventID", str).partition(":")[0]


def _sequence_number(raw: Any) -> Identifier:
    """Return the sequence number, unchecked: the response is checked."""
    number: Identifier = raw["kinesis"]["sequenceNumber"]
    return number


sequence_number: Callable[[Any], Identifier] = _sequence_number
event_id: Callable[[Any], Identifier] = itemgetter("eventID")


class KinesisSource(Listed):
    """Records of a stream, each reported by its sequence number."""

    name = "kinesis"
    origins = ((RECORDS, "aws:kinesis"),)
    partial_response = True
    identifier = staticmethod(sequence_number)

    def payload(self, raw: RawRecord) -> bytes:
        """Return the data, decoded."""
        part = raw.get("kinesis")
        return decode_base64((part if type(part) is dict else stream_part(raw)).get("data"), "data")

    def view(self, raw: RawRecord) -> KinesisRecord:
        """See `EventSource.view`."""
        return KinesisRecord(raw, self)

    def calling(self, function: Callable[[KinesisRecord], Any]) -> Callable[[RawRecord], Any]:
        """Return a function of a raw record that calls `function` with its view."""
        return calling(function, KinesisRecord, self)

    def group(self, raw: RawRecord) -> Hashable:
        """Return the partition key, or the sequence number if there is none: that record stands alone."""
        part = stream_part(raw)
        return key_of(part) or field(part, "sequenceNumber", str)

    def policy(self, records: Sequence[RawRecord]) -> ErrorPolicy:
        """Continue: Lambda starts again at the lowest sequence number that is reported."""
        return ErrorPolicy.CONTINUE


class KinesisPipeSource(KinesisSource):
    """The flat records of an EventBridge Pipe, each reported by its event id."""

    origins = ((PIPE, "aws:kinesis"),)
    identifier = staticmethod(event_id)


KinesisRecord._default_source = KinesisSource()


def key_of(part: dict[str, Any]) -> str | None:
    """Return the partition key, or None if it is missing, null or empty."""
    key = part.get("partitionKey")
    return field(part, "partitionKey", str) if key is not None and key != "" else None


def stream_part(raw: Any) -> dict[str, Any]:
    """Return the part with the stream's fields: ``kinesis``, or the record itself in a Pipe."""
    return field(raw, "kinesis", dict) if "kinesis" in raw else raw
