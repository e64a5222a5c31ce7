"""Producer for Data Firehose: `PutRecordBatch`.

Limits: botocore's model of the call, and
https://docs.aws.amazon.com/firehose/latest/dev/limits.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._entry import Entry, FailureKind, Stats
from partialbatch.producers._failures import kind_of_code
from partialbatch.producers._options import CommonOptions, Limits, check_name
from partialbatch.producers._responses import Failures, failures_by_position
from partialbatch.producers._serialization import to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FirehoseProducer"]

_LIMITS = Limits(entries=500, bytes=4_000_000)
_LARGEST = 1_024_000


class FirehoseProducer(Producer):
    r"""Writes records to a Firehose stream, up to 500 in a call (``PutRecordBatch``).

    >>> from partialbatch.producers import FirehoseProducer
    >>> class Firehose:  # in place of boto3's client
    ...     def put_record_batch(self, DeliveryStreamName, Records):
    ...         print(Records)
    ...         return {"RequestResponses": [{"RecordId": "1"} for record in Records]}
    >>> with FirehoseProducer("clicks", delimiter=b"\n", client=Firehose()) as producer:
    ...     producer.put({"page": "/"})
    [{'Data': b'{"page":"/"}\n'}]

    A record has at most 1,024,000 bytes, and a call 4,000,000:
    https://docs.aws.amazon.com/firehose/latest/dev/limits.html

    Args:
        stream: The stream's name.
        delimiter: Bytes that are added to each record. Default: none. Firehose itself puts nothing between
            records, and most readers expect a newline.
        **options: See `CommonOptions`.

    Raises:
        ConfigurationError: An option has an impossible value.
    """

    service = "firehose"

    def __init__(self, stream: str, *, delimiter: bytes = b"", **options: Unpack[CommonOptions]) -> None:
        self._stream = check_name("stream", stream, "the name of a Firehose stream")
        if not isinstance(delimiter, bytes):
            raise ConfigurationError.bad_value("delimiter", delimiter, "bytes")
        self._delimiter = delimiter
        super().__init__(_LIMITS, options)
        self._largest = min(_LARGEST, self._settings.max_bytes)

    def put(self, record: Any) -> None:
        """Take a record, and send a batch if one is full.

        Args:
            record: `bytes`, `str`, or a value that becomes JSON.

        Raises:
            RecordError: Firehose would never take the record.
            ClosedError: The producer is closed.
        """
        self._sender.add(self.entry(record, {}))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        data = to_bytes(record, "Data", self._serializer) + self._delimiter
        if options:
            self._check_put_options(options)
        if not data:
            raise RecordError("Data", "is empty; Firehose takes at least 1 byte")
        if len(data) > self._largest:
            raise RecordError.too_large("Data", len(data), self._largest)
        return Entry(self._next(), record, options, {"Data": data}, len(data))

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.put_record_batch(DeliveryStreamName=self._stream, Records=[entry.wire for entry in entries])

    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        return failures_by_position(response.get("RequestResponses"), entries, _kind)


def _kind(code: str) -> FailureKind:
    """Retry every record. Firehose says ServiceUnavailableException when it throttles."""
    throttled = code == "ServiceUnavailableException" or kind_of_code(code) is FailureKind.THROTTLED
    return FailureKind.THROTTLED if throttled else FailureKind.TRANSIENT
