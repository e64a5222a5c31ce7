"""The poller of one shard of a Kinesis or DynamoDB stream: checkpoints, retries, splitting, giving up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import takewhile
from time import monotonic, time
from typing import TYPE_CHECKING

from partialbatch.worker._event_size import first_event, is_full, size_of
from partialbatch.worker._given_up import GivenUp
from partialbatch.worker._handler_call import invoke
from partialbatch.worker._observer import NullObserver
from partialbatch.worker._received_records import arrival_time, sequence_number_of

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

    from partialbatch.types import RawRecord
    from partialbatch.worker._handler_call import Handler, Invocation
    from partialbatch.worker._observer import Observer
    from partialbatch.worker._shard_reader import ShardReader

__all__ = ["ShardPoller", "StreamMapping"]


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """The settings of an event source mapping for a stream.

    Attributes:
        batch_size: The largest number of records in one invocation: 1 to 10,000.
        window: The seconds to wait for more records while a batch isn't full. Default 0.
        timeout: The function's timeout in seconds. A later answer counts as a failure.
        report: Whether the mapping has ``ReportBatchItemFailures``. Without it, the response is ignored.
        bisect: Whether the mapping has ``BisectBatchOnFunctionError``, which splits a failed batch.
        maximum_retry_attempts: The number of retries before records are given up. By default (-1), no limit.
        maximum_record_age: The age in seconds at which a record is given up. By default (-1), no limit.
        on_failure: Called with records that are given up, before the checkpoint passes them. If it raises,
            the checkpoint stays, and the next step calls it again.

    Example:
        >>> from partialbatch.worker import StreamMapping
        >>> StreamMapping(bisect=True, maximum_retry_attempts=3).batch_size
        100
    """

    batch_size: int = 100
    window: float = 0.0
    timeout: float = 30.0
    report: bool = True
    bisect: bool = False
    maximum_retry_attempts: int = -1
    maximum_record_age: float = -1
    on_failure: Callable[[GivenUp], None] | None = None


@dataclass(frozen=True, slots=True)
class _PendingBatch:
    """Records for the next invocation. If their retries are exhausted, they are to be given up instead."""

    records: Sequence[RawRecord]
    retries: int = 0
    invocations: int = 0
    exhausted: bool = False


class ShardPoller:
    """Reads batches from one shard, and repeats each until it is handled or given up.

    The checkpoint is the sequence number of the last record that needs no more work. It moves only
    after the handler has answered: a poller that starts again may repeat records, but leaves none out.

    Args:
        reader: The shard. The poller moves it to the checkpoint.
        handler: Any callable ``(event, context)``.
        mapping: The settings of the event source mapping.
        checkpoints: Holds the checkpoint of each shard, by its id; the poller reads it once and then updates it.
        observer: Told about each call of the handler and about records that are given up.

    Attributes:
        stalls: The number of invocations in a row after which the checkpoint did not move.

    Example:
        >>> import boto3
        >>> from moto import mock_aws
        >>> from partialbatch.worker import ShardPoller, StreamMapping, kinesis_shards
        >>> def handler(event, context):
        ...     print(len(event["Records"]), "record")
        >>> with mock_aws():
        ...     kinesis = boto3.client("kinesis", "eu-west-1")
        ...     created = kinesis.create_stream(StreamName="orders", ShardCount=1)
        ...     arn = kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamARN"]
        ...     put = kinesis.put_record(StreamARN=arn, Data=b"tea", PartitionKey="anna")
        ...     [shard] = kinesis_shards(kinesis, arn)
        ...     checkpoints = {}
        ...     poller = ShardPoller(shard, handler, StreamMapping(), checkpoints)
        ...     poller.step(), checkpoints == {shard.shard_id: put["SequenceNumber"]}
        1 record
        (True, True)
    """

    def __init__(
        self,
        reader: ShardReader,
        handler: Handler,
        mapping: StreamMapping,
        checkpoints: MutableMapping[str, str],
        observer: Observer | None = None,
    ) -> None:
        self._reader = reader
        self._handler = handler
        self._mapping = mapping
        self._checkpoints = checkpoints
        self._observer = observer or NullObserver()
        self._pending: deque[_PendingBatch] = deque()
        self._gathered: list[RawRecord] = []
        self._size = 0
        self._since = 0.0
        self.stalls = 0
        reader.seek(checkpoints.get(reader.shard_id))

    @property
    def finished(self) -> bool:
        """Whether the shard is closed, and each of its records is handled or given up."""
        return self._reader.closed and self.idle

    @property
    def idle(self) -> bool:
        """Whether the poller holds no record that still needs work."""
        return not self._pending and not self._gathered

    @property
    def drained(self) -> bool:
        """Whether each record that is in the shard now is handled or given up."""
        return self.idle and (self._reader.at_end or self._reader.closed)

    def step(self) -> bool:
        """Handle one batch, or the rest of one, and settle it; return False if there was no record.

        Raises:
            ClientError: The service refuses a call.
            KeyboardInterrupt: The user stops the poller. The checkpoint hasn't moved then.
        """
        if not self._pending and not self._gather():
            return False
        batch = self._pending[0]
        if batch.exhausted:  # its on_failure raised: call that again, but not the handler
            self._give_up_exhausted()
            return True
        if stale := self._stale(batch.records):
            self._give_up(batch.records[:stale], batch.invocations, "RecordAgeExceeded")
            self._pending[0] = replace(batch, records=batch.records[stale:])
            if not self._pending[0].records:
                self._pending.popleft()
            return True
        invocation = invoke(self._handler, batch.records, timeout=self._mapping.timeout, report=self._mapping.report)
        self._observer.invoked(invocation)
        self._settle(batch, invocation)
        return True

    def _gather(self) -> bool:
        """Read until the batch is full or its window has passed; return whether there is a batch now."""
        if not is_full(self._size):  # records of the last read that one event couldn't hold come first
            self._read()
        full = len(self._gathered) >= self._mapping.batch_size or is_full(self._size) or self._reader.closed
        if not self._gathered or not (full or monotonic() - self._since >= self._mapping.window):
            return False
        end = first_event(self._gathered)
        self._pending.append(_PendingBatch(self._gathered[:end]))
        self._gathered = self._gathered[end:]
        self._size, self._since = size_of(self._gathered), monotonic()
        return True

    def _read(self) -> None:
        more = self._reader.read(self._mapping.batch_size - len(self._gathered))
        if more and not self._gathered:
            self._since = monotonic()
        self._gathered += more
        self._size += size_of(more)

    def _stale(self, records: Sequence[RawRecord]) -> int:
        """Return how many of the first records are too old."""
        longest = self._mapping.maximum_record_age
        if longest < 0:
            return 0
        oldest = time() - longest
        return sum(1 for _ in takewhile(lambda record: arrival_time(record) < oldest, records))

    def _settle(self, batch: _PendingBatch, invocation: Invocation) -> None:
        returned = invocation.verdict.returned
        done = returned[0] if returned else len(batch.records)
        rest = batch.records[done:]
        self.stalls = 0 if done else self.stalls + 1
        if done:
            self._move_checkpoint(batch.records[done - 1])
        retries = self._retries(batch, rest, done) if rest else []
        self._pending.popleft()
        self._pending.extendleft(reversed(retries))
        if retries and retries[0].exhausted:
            self._give_up_exhausted()

    def _retries(self, batch: _PendingBatch, rest: Sequence[RawRecord], done: int) -> list[_PendingBatch]:
        """Return the next batches made of the rest of one. Splitting uses up no retry."""
        invocations = batch.invocations + 1
        if self._mapping.bisect and done:
            return [_PendingBatch(rest, batch.retries, invocations)]
        if self._mapping.bisect and len(rest) > 1:
            half = len(rest) // 2
            return [_PendingBatch(side, batch.retries, invocations) for side in (rest[:half], rest[half:])]
        if 0 <= self._mapping.maximum_retry_attempts <= batch.retries:
            return [_PendingBatch(rest, batch.retries, invocations, exhausted=True)]
        return [_PendingBatch(rest, batch.retries + 1, invocations)]

    def _give_up_exhausted(self) -> None:
        batch = self._pending[0]
        self._give_up(batch.records, batch.invocations, "RetryAttemptsExhausted")
        self._pending.popleft()

    def _give_up(self, records: Sequence[RawRecord], invocations: int, condition: str) -> None:
        given_up = GivenUp(self._reader.arn, self._reader.shard_id, records, invocations, condition)
        if self._mapping.on_failure is not None:
            self._mapping.on_failure(given_up)
        self._move_checkpoint(given_up.records[-1])
        self._observer.gave_up(given_up)

    def _move_checkpoint(self, record: RawRecord) -> None:
        self._checkpoints[self._reader.shard_id] = sequence_number_of(record)
