"""A stream (Kinesis, DynamoDB) with a Lambda function behind it, on a virtual clock."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._arns import stream_arn
from partialbatch.testing._event_layout import given_records, source_of
from partialbatch.testing._events import BATCH_LIMIT, dynamodb_records, partition_keys_of
from partialbatch.testing._records import kinesis_record, kinesis_sequence
from partialbatch.testing._shards import Lane, Retrying, drain
from partialbatch.testing._simulation_loop import Engine, Tracked
from partialbatch.testing._validation import bound, seconds, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from partialbatch.testing._delivery import Delivery

__all__ = ["SimulatedStream"]


class SimulatedStream:
    """A stream whose shards hand their records to a handler as Lambda does.

    Args:
        records: Data, as in `kinesis_event` (for DynamoDB changes, as in
            `dynamodb_event`), or raw records, or an event.
        source: ``"kinesis"`` or ``"dynamodb"``.
        partition_keys: Kinesis: one a record (None: it has none) or one for all; without, each has its own.
        keys: DynamoDB: the names of the table's key attributes.
        shards: How many shards share the records, by their partition key.
        batch_size: At most so many records an invocation, 1 to 10,000.
        bisect: ``BisectBatchOnFunctionError``. A failed batch is halved; after a partial
            response it is split at the reported number. Neither uses up a retry. Where
            the number is the batch's first, AWS says nothing: it is halved here.
        maximum_retry_attempts: 0 to 10,000; without (or -1), no limit.
        maximum_record_age: Seconds, 60 to 604,800; without (or -1), the stream's retention.
        parallelization_factor: Batches a shard handles side by side, 1 to 10.
        retention: Seconds after which a record leaves the stream.
        on_failure_destination: Whether given-up records that ran count as dead-lettered;
            real destinations get no more than their batch's metadata.
        report_batch_item_failures: Whether the event source mapping has that setting.
        max_invocations: The bound of a run; without, 1,000 and 10 more a record.
    """

    def __init__(  # the settings of a stream and its mapping
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
        self.longest = seconds("retention", retention, 60, 31_536_000)
        if maximum_record_age not in (None, -1):
            self.longest = min(retention, seconds("maximum_record_age", maximum_record_age, 60, 604_800))
        self.parallelization_factor = whole("parallelization_factor", parallelization_factor, 1, 10)
        self.on_failure_destination = on_failure_destination
        self.report_batch_item_failures = report_batch_item_failures
        # As text: parsed, a record takes three times the memory.
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
        """Deliver until the stream is read to its end, or the bound is hit.

        Args:
            handler: Any callable ``(event, context)``.
            context: Its context; a `LambdaContext` (its timeout counts) starts anew each time.
            succeeded: Raw record -> whether it has succeeded, for handlers that are not
                ours: True, False, or None if this invocation did not run it, which is neither
                a success nor a failure. Asked after each invocation.
        """
        engine = Engine(
            self.source,
            handler,
            context,
            succeeded,
            ordered=True,
            report=self.report_batch_item_failures,
            bound=self.max_invocations,
        )
        tracked = [Tracked.of(text, self.source) for text in self._texts]
        lanes: dict[tuple[int, int], Lane] = {}
        for entry in tracked:
            place = _hash(str(entry.group))
            lane = (_scaled(place, self.shards), place % self.parallelization_factor)
            lanes.setdefault(lane, Lane()).waiting.append(entry)
        drain(engine, lanes.values(), self._retrying())
        return engine.delivery(tracked)

    def _retrying(self) -> Retrying:
        return Retrying(
            batch_size=self.batch_size,
            event=_event,
            returned=lambda verdict, _: verdict.returned,
            retries=self.maximum_retry_attempts,
            longest=self.longest,
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
    """Return the shard whose share of the 128-bit hash range holds `place`, as Kinesis does."""
    return place * shards >> 128


def _raw_records(records: Any, source: str, partition_keys: Any, keys: Any, shards: int) -> Iterable[Any]:
    if source not in ("kinesis", "dynamodb"):
        raise ConfigurationError.bad_value("source", source, "'kinesis' or 'dynamodb'")
    given, are_raw = given_records("records", records, ("kinesis", "dynamodb"))
    if are_raw:
        if partition_keys is not None:
            raise ConfigurationError("partition_keys is for data: raw records have their partitionKey already")
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
