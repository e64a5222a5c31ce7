"""Producer for Kinesis Data Streams: `PutRecords`.

Limits: botocore's model of the call. A record of more than 1 MiB needs a higher limit of the stream itself:
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._entry import Entry, FailureKind, Stats
from partialbatch.producers._failures import kind_of_code
from partialbatch.producers._options import CommonOptions, Limits, check_choice, check_int, check_name
from partialbatch.producers._responses import Failures, failures_by_position
from partialbatch.producers._serialization import to_bytes, utf8_size
from partialbatch.producers._session import group_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

__all__ = ["Distribution", "KinesisOptions", "KinesisProducer"]

Distribution = Literal["key", "auto"]

_MIB = 1_048_576
_LIMITS = Limits(entries=500, bytes=10 * _MIB)
_LONGEST_KEY = 256
_KEYS = f"a str of 1 to {_LONGEST_KEY} characters"
_HASH_KEY = re.compile(r"0|[1-9][0-9]{0,38}")


class KinesisOptions(TypedDict, total=False):
    """Put options of a `KinesisProducer`.

    Attributes:
        partition_key: 1 to 256 characters. Records with the same key go to the same shard, in order.
        explicit_hash_key: The decimal digits of a number below 2**128, which selects the shard in place of
            the partition key.
    """

    partition_key: str | None
    explicit_hash_key: str | None


class KinesisProducer(Producer):
    """Writes records to a stream, up to 500 in a call (``PutRecords``).

    >>> from partialbatch.producers import KinesisProducer
    >>> class Kinesis:  # in place of boto3's client
    ...     def put_records(self, StreamName, Records):
    ...         print(StreamName, Records)
    ...         return {"Records": [{"SequenceNumber": "1"} for record in Records]}
    >>> with KinesisProducer("clicks", client=Kinesis()) as producer:
    ...     producer.put({"page": "/"}, partition_key="visitor-1")
    clicks [{'Data': b'{"page":"/"}', 'PartitionKey': 'visitor-1'}]

    A call has at most 10 MiB, and a record 1 MiB unless you raise ``max_record_bytes``; keys count too:
    https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html

    Args:
        stream: The stream's name or ARN.
        distribution: ``"key"`` (the default), or ``"auto"`` for a stream with record distribution ``AUTO``,
            whose records need no partition key and have no order.
        partition_key: The partition key of records that are put without one, 1 to 256 characters.
        max_record_bytes: The stream's own limit for a record with its partition key, in bytes, from 1 to
            10,485,760. Default: 1,048,576.
        **options: See `CommonOptions`.

    Raises:
        ConfigurationError: An option has an impossible value.
    """

    service = "kinesis"
    put_options = frozenset(KinesisOptions.__annotations__)

    def __init__(
        self,
        stream: str,
        *,
        distribution: Distribution = "key",
        partition_key: str | None = None,
        max_record_bytes: int = _MIB,
        **options: Unpack[CommonOptions],
    ) -> None:
        check_name("stream", stream, "the name or ARN of a stream")
        self._needs_key = check_choice("distribution", distribution, Distribution) == "key"
        if partition_key is not None and not _is_key(partition_key):
            raise ConfigurationError.bad_value("partition_key", partition_key, f"{_KEYS}, or None")
        self._key = partition_key
        check_int("max_record_bytes", max_record_bytes, 1, _LIMITS.bytes)
        self._target = {"StreamARN" if stream.startswith("arn:") else "StreamName": stream}
        super().__init__(_LIMITS, options)
        self._largest = min(max_record_bytes, self._settings.max_bytes)

    def put(self, record: Any, **options: Unpack[KinesisOptions]) -> None:
        """Take a record, and send a batch if one is full.

        Args:
            record: `bytes`, `str`, or a value that becomes JSON.
            **options: See `KinesisOptions`. The names are boto3's in snake_case. You need ``partition_key``
                unless the producer has one, or ``distribution="auto"``.

        Raises:
            RecordError: Kinesis would never take the record.
            ClosedError: The producer is closed.
        """
        self._sender.add(self.entry(record, options))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        data = to_bytes(record, "Data", self._serializer)
        key = options.get("partition_key")
        if key is None:
            key = self._key
        wire: dict[str, Any] = {"Data": data}
        size = len(data)
        if key is not None or self._needs_key:
            # The code of `_is_key` again: a call would take 60 ns for each record.
            if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
                raise RecordError("partition_key", f"{_problem(key)}; it takes {_KEYS}")
            wire["PartitionKey"] = key
            size += utf8_size(key, "partition_key")
        if options and (len(options) > 1 or "partition_key" not in options):
            self._check_put_options(options)
            if options.get("explicit_hash_key") is not None:
                wire["ExplicitHashKey"] = _hash_key(options["explicit_hash_key"])
        if size > self._largest:
            raise RecordError.too_large("Data with its partition key", size, self._largest)
        return Entry(self._next(), record, options, wire, size)

    def group_options(self, group: Hashable) -> Mapping[str, Any]:
        return {"partition_key": group_name(group, _LONGEST_KEY)}

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.put_records(Records=[entry.wire for entry in entries], **self._target)

    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        return failures_by_position(response.get("Records"), entries, _kind)


def _is_key(key: object) -> bool:
    return isinstance(key, str) and 0 < len(key) <= _LONGEST_KEY


def _problem(key: object) -> str:
    if key is None:
        return "is missing"
    return f"has {len(key)} characters" if isinstance(key, str) else f"is of type {type(key).__name__}"


def _hash_key(value: object) -> str:
    if not isinstance(value, str) or not _HASH_KEY.fullmatch(value) or int(value) >= 2**128:
        raise RecordError("explicit_hash_key", "takes the decimal digits of a number below 2**128, as a str")
    return value


def _kind(code: str) -> FailureKind:
    """Retry every record: an invalid record fails its whole call, so a single failed entry is never invalid."""
    return FailureKind.THROTTLED if kind_of_code(code) is FailureKind.THROTTLED else FailureKind.TRANSIENT
