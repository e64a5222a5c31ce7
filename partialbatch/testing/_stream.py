"""The simulator of a Kinesis or DynamoDB stream with a Lambda function, on a simulated clock."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._arns import stream_arn
from partialbatch.testing._event_layout import given_records, source_of
from partialbatch.testing._event_records import dynamodb_records, partition_keys_of
from partialbatch.testing._limits import BATCH_LIMIT
from partialbatch.testing._records import kinesis_record, kinesis_sequence
from partialbatch.testing._shards import RetrySettings, Shard, drain
from partialbatch.testing._simulation_loop import SimulationLoop, TrackedRecord
from partialbatch.testing._validation import bound, seconds, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from partialbatch.testing._delivery import Delivery

__all__ = ["SimulatedStream"]


class SimulatedStream:
    """A stream that delivers the records of its shards to a handler as Lambda does.

    Args:
        records: For Kinesis data, as in `kinesis_event`; for DynamoDB changes, as in `dynamodb_event`. For
            both also raw records, or an event.
        source: ``"kinesis"`` or ``"dynamodb"``.
        partition_keys: For Kinesis, one key for each record (None: it has no key), or one for all. By
            default, each record has its own.
        keys: For DynamoDB, the names of the table's key attributes.
        shards: The number of shards, which share the records by partition key: 1 to 10,000.
        batch_size: The largest number of records in one invocation: 1 to 10,000.
        bisect: ``BisectBatchOnFunctionError``. A failed batch is halved; after a partial response it is split
            at the reported sequence number. Neither uses up a retry. If the reported record is the first of
            the batch, the batch is halved; AWS doesn't document this case.
        maximum_retry_attempts: The largest number of retries: 0 to 10,000. By default (or -1), no limit.
        maximum_record_age: The age in seconds at which a record is given up: 60 to 604,800. By default
            (or -1), the stream's retention.
        parallelization_factor: The number of batches that a shard handles at the same time: 1 to 10.
        retention: The seconds after which a record leaves the stream: 60 to 31,536,000.
        on_failure_destination: Whether records that ran and were given up count as dead-lettered. A real
            destination gets only the metadata of their batch.
        report_batch_item_failures: Whether the event source mapping has that setting.
        max_invocations: The largest number of invocations in a run. By default, 1,000 and 10 for each record.

    Raises:
        ConfigurationError: A setting is out of its range, or the records don't fit the source.

    Example:
        >>> from partialbatch import batch_handler
        >>> from partialbatch.testing import SimulatedStream
        >>> @batch_handler(error_policy="stop", raise_on_full_failure=False)
        ... def handler(record):
        ...     if record.data == b"harp":
        ...         raise ValueError("sold out")
        >>> delivery = SimulatedStream(["tea", "harp", "jam"], maximum_retry_attempts=2).run(handler)
        >>> [record.fate for record in delivery.records]
        ['deleted', 'expired', 'discarded_unrun']
    """

    def __init__(
        self,
        records: Iterable[Any],
        *,
        source: str = "kinesis",
        partition_keys: str | Sequence[str | None] | None = None,
        keys: str | Sequence[str] = "id",
        shards: int = 1,
        batch_size: int = 100,
        bisect: bool = False,
        maximum_retry_attempts: int | None = None,
        maximum_record_age: float | None = None,
        parallelization_factor: int = 1,
        retention: float = 86_400,
        on_failure_destination: bool = False,
        report_batch_item_failures: bool = True,
        max_invocations: int | None = None,
    ) -> None:
        self.shards = whole("shards", shards, 1, 10_000)
        self.batch_size = whole("batch_size", batch_size, 1, BATCH_LIMIT)
        self.bisect = bisect
        self.maximum_retry_attempts = _retries(maximum_retry_attempts)
        self._maximum_age = seconds("retention", retention, 60, 31_536_000)
        if maximum_record_age not in (None, -1):
            self._maximum_age = min(retention, seconds("maximum_record_age", maximum_record_age, 60, 604_800))
        self.parallelization_factor = whole("parallelization_factor", parallelization_factor, 1, 10)
        self.on_failure_destination = on_failure_destination
        self.report_batch_item_failures = report_batch_item_failures
        # Kept as text, because a parsed record takes three times the memory.
        raws = _raw_records(records, source, partition_keys, keys, shards)
        self._texts = [json.dumps(raw) for raw in raws]
        self.source = source_of([json.loads(self._texts[0])]) if self._texts else source
        self.max_invocations = bound(max_invocations, len(self._texts))

    def run(
        self,
        handler: Callable[[Any, Any], Any],
        context: Any = None,
        succeeded: Callable[[Any], bool | None] | None = None,
    ) -> Delivery:
        """Deliver until the stream is read to its end, or until ``max_invocations``.

        Args:
            handler: Any callable ``(event, context)``.
            context: The second argument of the handler. A `LambdaContext` starts anew for each invocation,
                and its timeout applies. By default, a new one with its own clock.
            succeeded: For handlers not made by partialbatch. Takes each raw record after each invocation, and
                returns True, False, or None for a record that this invocation didn't run.

        Raises:
            ConfigurationError: The handler or ``succeeded`` can't be called, or ``succeeded`` returns
                another value.
        """
        loop = SimulationLoop(
            self.source,
            handler,
            context,
            succeeded,
            ordered=True,
            report=self.report_batch_item_failures,
            bound=self.max_invocations,
        )
        tracked = [TrackedRecord.of(text, self.source) for text in self._texts]
        shards: dict[tuple[int, int], Shard] = {}
        for entry in tracked:
            place = _hash(str(entry.group))
            key = (_scaled(place, self.shards), place % self.parallelization_factor)
            shards.setdefault(key, Shard()).waiting.append(entry)
        drain(loop, shards.values(), self._retry_settings())
        return loop.delivery(tracked)

    def _retry_settings(self) -> RetrySettings:
        return RetrySettings(
            batch_size=self.batch_size,
            event=_event,
            returned=lambda verdict, _: verdict.returned,
            retries=self.maximum_retry_attempts,
            maximum_age=self._maximum_age,
            bisect=self.bisect,
            destination=self.on_failure_destination,
        )


def _event(texts: Iterable[str]) -> dict[str, Any]:
    return {"Records": [json.loads(text) for text in texts]}


def _retries(value: int | None) -> int | None:
    return None if value in (None, -1) else whole("maximum_retry_attempts", value, -1, 10_000)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest(), "big")


def _scaled(place: int, shards: int) -> int:
    """Return the number of the shard whose part of the 128-bit hash range holds `place`, as in Kinesis."""
    return place * shards >> 128


def _raw_records(records: Any, source: str, partition_keys: Any, keys: Any, shards: int) -> Iterable[Any]:
    if source not in ("kinesis", "dynamodb"):
        raise ConfigurationError.bad_value("source", source, "'kinesis' or 'dynamodb'")
    given, are_raw = given_records("records", records, ("kinesis", "dynamodb"))
    if are_raw:
        if partition_keys is not None:
            raise ConfigurationError("partition_keys is for data: raw records already have their partitionKey")
        return given
    if source == "kinesis":
        arn = stream_arn("orders")
        own = zip(given, partition_keys_of(partition_keys, len(given)), strict=True)
        return (
            kinesis_record(
                number, data, arn=arn, key=key, shard=_scaled(_hash(key or kinesis_sequence(number)), shards)
            )
            for number, (data, key) in enumerate(own)
        )
    return dynamodb_records(given, keys=keys)
