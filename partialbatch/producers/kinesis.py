"""Kinesis Data Streams: `PutRecords`.

Limits: botocore's model of the call; a record of more than 1 MiB needs the stream's
own limit raised: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._entry import Entry, Kind, Stats
from partialbatch.producers._failures import by_code
from partialbatch.producers._options import CommonOptions, Limits, one_of, text, whole
from partialbatch.producers._responses import Faults, aligned
from partialbatch.producers._serialization import to_bytes, utf8_size
from partialbatch.producers._session import group_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

__all__ = ["KinesisOptions", "KinesisProducer"]

_MIB = 1_048_576
_LIMITS = Limits(entries=500, bytes=10 * _MIB)
_LONGEST_KEY = 256
_KEYS = f"a str of 1 to {_LONGEST_KEY} characters"
_HASH_KEY = re.compile(r"0|[1-9][0-9]{0,38}")


class KinesisOptions(TypedDict, total=False):
    """What `KinesisProducer.put` takes beside the record."""

    partition_key: str | None
    explicit_hash_key: str | None


class KinesisProducer(Producer):
    """Writes records to a stream.

    Args:
        stream: The stream's name or ARN.
        distribution: ``"key"``, or ``"auto"`` for a stream with record distribution ``AUTO``: its records
            need no partition key, and have no order by one.
        partition_key: The key of records that are put without one.
        max_record_bytes: What the stream takes a record, partition key included.
        **options: See `CommonOptions`.
    """

    service = "kinesis"
    put_options = frozenset(KinesisOptions.__annotations__)

    def __init__(
        self,
        stream: str,
        *,
        distribution: str = "key",
        partition_key: str | None = None,
        max_record_bytes: int = _MIB,
        **options: Unpack[CommonOptions],
    ) -> None:
        text("stream", stream, "the name or ARN of a stream")
        self._needs_key = one_of("distribution", distribution, ("key", "auto")) == "key"
        if partition_key is not None and not _is_key(partition_key):
            raise ConfigurationError.bad_value("partition_key", partition_key, f"{_KEYS}, or None")
        self._key = partition_key
        whole("max_record_bytes", max_record_bytes, 1, _LIMITS.bytes)
        self._target = {"StreamARN" if stream.startswith("arn:") else "StreamName": stream}
        super().__init__(_LIMITS, options)
        self._largest = min(max_record_bytes, self._settings.max_bytes)

    def put(self, record: Any, **options: Unpack[KinesisOptions]) -> None:
        """Take a record; send where a batch is full.

        Args:
            record: `bytes`, `str`, or what JSON can say.
            **options: ``partition_key``, which is needed unless the producer has one or
                ``distribution="auto"``, and ``explicit_hash_key``.

        Raises:
            RecordError: A record that Kinesis would never take.
        """
        self._engine.add(self.entry(record, options))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        data = to_bytes(record, "Data", self._serializer)
        key = options.get("partition_key")
        if key is None:
            key = self._key
        wire: dict[str, Any] = {"Data": data}
        size = len(data)
        if key is not None or self._needs_key:
            # Not by `_is_key`: a call takes 60 ns for each record.
            if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
                raise RecordError("partition_key", f"{_said(key)}; it takes {_KEYS}")
            wire["PartitionKey"] = key
            size += utf8_size(key, "partition_key")
        if options and (len(options) > 1 or "partition_key" not in options):
            self._check(options)
            if options.get("explicit_hash_key") is not None:
                wire["ExplicitHashKey"] = _hash_key(options["explicit_hash_key"])
        if size > self._largest:
            raise RecordError.too_large("Data with its partition key", size, self._largest)
        return Entry(self._next(), record, options, wire, size)

    def group_options(self, group: Hashable) -> Mapping[str, Any]:
        return {"partition_key": group_name(group, _LONGEST_KEY)}

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.put_records(Records=[entry.wire for entry in entries], **self._target)

    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        return aligned(answer.get("Records"), entries, _kind)


def _is_key(key: object) -> bool:
    return isinstance(key, str) and 0 < len(key) <= _LONGEST_KEY


def _said(key: object) -> str:
    if key is None:
        return "is missing"
    return f"has {len(key)} characters" if isinstance(key, str) else f"is a {type(key).__name__}"


def _hash_key(value: object) -> str:
    if not isinstance(value, str) or not _HASH_KEY.fullmatch(value) or int(value) >= 2**128:
        raise RecordError("explicit_hash_key", "takes the decimal digits of a number below 2**128, as a str")
    return value


def _kind(code: str) -> Kind:
    """Retry all: a record that is wrong fails its whole call, so no entry is."""
    return Kind.THROTTLED if by_code(code) is Kind.THROTTLED else Kind.TRANSIENT
