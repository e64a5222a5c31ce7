"""Data Firehose: `PutRecordBatch`.

Limits: botocore's model of the call, and
https://docs.aws.amazon.com/firehose/latest/dev/limits.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._entry import Entry, Kind, Stats
from partialbatch.producers._failures import by_code
from partialbatch.producers._options import CommonOptions, Limits, text
from partialbatch.producers._responses import Faults, aligned
from partialbatch.producers._serialization import to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FirehoseProducer"]

_LIMITS = Limits(entries=500, bytes=4_000_000)
_LARGEST = 1_024_000


class FirehoseProducer(Producer):
    """Writes records to a Firehose stream.

    Args:
        stream: The stream's name.
        delimiter: What is added to each record; Firehose itself puts nothing between them,
            and most readers want a newline.
        **options: See `CommonOptions`.
    """

    service = "firehose"

    def __init__(self, stream: str, *, delimiter: bytes = b"", **options: Unpack[CommonOptions]) -> None:
        self._stream = text("stream", stream, "the name of a Firehose stream")
        if not isinstance(delimiter, bytes):
            raise ConfigurationError.bad_value("delimiter", delimiter, "bytes")
        self._delimiter = delimiter
        super().__init__(_LIMITS, options)
        self._largest = min(_LARGEST, self._settings.max_bytes)

    def put(self, record: Any) -> None:
        """Take a record; send where a batch is full.

        Args:
            record: `bytes`, `str`, or what JSON can say.

        Raises:
            RecordError: A record that Firehose would never take.
        """
        self._engine.add(self.entry(record, {}))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        data = to_bytes(record, "Data", self._serializer) + self._delimiter
        if options:
            self._check(options)
        if not data:
            raise RecordError("Data", "is empty, and Firehose takes 1 byte at the least")
        if len(data) > self._largest:
            raise RecordError.too_large("Data", len(data), self._largest)
        return Entry(self._next(), record, options, {"Data": data}, len(data))

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.put_record_batch(DeliveryStreamName=self._stream, Records=[entry.wire for entry in entries])

    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        return aligned(answer.get("RequestResponses"), entries, _kind)


def _kind(code: str) -> Kind:
    """Retry all; ServiceUnavailableException is how Firehose says that it throttles."""
    unavailable = code == "ServiceUnavailableException" or by_code(code) is Kind.THROTTLED
    return Kind.THROTTLED if unavailable else Kind.TRANSIENT
