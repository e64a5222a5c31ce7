"""Polling one shard of a Kinesis or DynamoDB stream: checkpoints, splitting, giving up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from partialbatch.worker._event_size import fills, first_event, size_of
from partialbatch.worker._invoking import Silent, invoke
from partialbatch.worker._received_records import arrived, number_of

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

    from partialbatch.types import RawRecord
    from partialbatch.worker._invoking import Handler, Invocation, Observer
    from partialbatch.worker._shard_reader import ShardReader

__all__ = ["GivenUp", "ShardPoller", "StreamMapping"]


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """The settings of an event source mapping for a stream.

    Attributes:
        batch_size: Records an invocation, from 1 to 10,000.
        window: Seconds that a batch which is not full waits for more records.
        timeout: The function's timeout in seconds.
        report: Whether ``ReportBatchItemFailures`` is set.
        bisect: Whether ``BisectBatchOnFunctionError`` is set.
        maximum_retry_attempts: Retries before records are given up; -1: no limit.
        maximum_record_age: Seconds after which a record is given up; -1: no limit.
        on_failure: Told of records that are given up, before the checkpoint passes them.
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
class GivenUp:
    """Stream records whose retries are exhausted, or that are too old.

    Attributes:
        arn: The stream.
        shard_id: The shard.
        records: The raw records, in order; those that never ran are among them.
        invocations: How many invocations they had.
        condition: Why: ``RetryAttemptsExhausted`` or ``RecordAgeExceeded``.
    """

    arn: str
    shard_id: str
    records: Sequence[RawRecord]
    invocations: int
    condition: str = "RetryAttemptsExhausted"

    def message(self) -> dict[str, Any]:
        """Return what an on-failure destination is told: where the records are, not what is in them."""
        first, last = self.records[0], self.records[-1]
        kind = "KinesisBatchInfo" if "kinesis" in first else "DDBStreamBatchInfo"
        return {
            "requestContext": {
                "condition": self.condition,
                "approximateInvokeCount": self.invocations,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(),
            kind: {
                "shardId": self.shard_id,
                "startSequenceNumber": number_of(first),
                "endSequenceNumber": number_of(last),
                "approximateArrivalOfFirstRecord": _time(first),
                "approximateArrivalOfLastRecord": _time(last),
                "batchSize": len(self.records),
                "streamArn": self.arn,
            },
        }


@dataclass(frozen=True, slots=True)
class _Part:
    """A batch, or what is left of one: the records of the next invocation, or, exhausted, to be given up."""

    records: Sequence[RawRecord]
    retries: int = 0
    invocations: int = 0
    exhausted: bool = False


class ShardPoller:
    """Takes batches from one shard, each until it is handled or given up.

    The checkpoint is the last sequence number before which nothing is left to do. It
    moves only after an answer, so that a poller that starts anew repeats work but
    leaves none out.

    Attributes:
        stalls: Invocations in a row after which the first record was still to be done.
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
        self._observer = observer or Silent()
        self._parts: deque[_Part] = deque()
        self._gathered: list[RawRecord] = []
        self._size = 0
        self._since = 0.0
        self.stalls = 0
        reader.seek(checkpoints.get(reader.shard_id))

    @property
    def finished(self) -> bool:
        """Whether the shard is closed, and all of it is handled or given up."""
        return self._reader.closed and self.idle

    @property
    def idle(self) -> bool:
        """Whether the poller holds no record that is still to be handled."""
        return not self._parts and not self._gathered

    @property
    def drained(self) -> bool:
        """Whether the poller has done all that there is for now."""
        return self.idle and (self._reader.at_end or self._reader.closed)

    def step(self) -> bool:
        """Have one batch (or part of one) handled and settle it; return False if there was none."""
        if not self._parts and not self._gather():
            return False
        part = self._parts[0]
        if part.exhausted:  # a destination that was away is told now: the handler has had its last try
            self._give_up_exhausted()
            return True
        if stale := self._stale(part.records):
            self._give_up(part.records[:stale], part.invocations, "RecordAgeExceeded")
            self._parts[0] = replace(part, records=part.records[stale:])
            if not self._parts[0].records:
                self._parts.popleft()
            return True
        invocation = invoke(self._handler, part.records, timeout=self._mapping.timeout, report=self._mapping.report)
        self._observer.invoked(invocation)
        self._settle(part, invocation)
        return True

    def _gather(self) -> bool:
        """Read until the batch is full or the window is over; return whether there is a batch now."""
        if not fills(self._size):  # what one event couldn't hold of the last read is there still
            self._read()
        full = len(self._gathered) >= self._mapping.batch_size or fills(self._size) or self._reader.closed
        if not self._gathered or not (full or monotonic() - self._since >= self._mapping.window):
            return False
        end = first_event(self._gathered)
        self._parts.append(_Part(self._gathered[:end]))
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
        """Count the first records that are too old."""
        longest = self._mapping.maximum_record_age
        if longest < 0:
            return 0
        oldest = time() - longest
        return sum(1 for _ in takewhile(lambda record: arrived(record) < oldest, records))

    def _settle(self, part: _Part, invocation: Invocation) -> None:
        returned = invocation.verdict.returned
        done = returned[0] if returned else len(part.records)
        rest = part.records[done:]
        self.stalls = 0 if done else self.stalls + 1
        if done:
            self._done_up_to(part.records[done - 1])
        follow = self._follow(part, rest, done) if rest else []
        self._parts.popleft()
        self._parts.extendleft(reversed(follow))
        if follow and follow[0].exhausted:
            self._give_up_exhausted()

    def _follow(self, part: _Part, rest: Sequence[RawRecord], done: int) -> list[_Part]:
        """Return what is invoked next; a split uses up no retry."""
        invocations = part.invocations + 1
        if self._mapping.bisect and done:
            return [_Part(rest, part.retries, invocations)]
        if self._mapping.bisect and len(rest) > 1:
            half = len(rest) // 2
            return [_Part(side, part.retries, invocations) for side in (rest[:half], rest[half:])]
        if 0 <= self._mapping.maximum_retry_attempts <= part.retries:
            return [_Part(rest, part.retries, invocations, exhausted=True)]
        return [_Part(rest, part.retries + 1, invocations)]

    def _give_up_exhausted(self) -> None:
        part = self._parts[0]
        self._give_up(part.records, part.invocations, "RetryAttemptsExhausted")
        self._parts.popleft()

    def _give_up(self, records: Sequence[RawRecord], invocations: int, condition: str) -> None:
        given_up = GivenUp(self._reader.arn, self._reader.shard_id, records, invocations, condition)
        if self._mapping.on_failure is not None:
            self._mapping.on_failure(given_up)
        self._done_up_to(given_up.records[-1])
        self._observer.gave_up(given_up)

    def _done_up_to(self, record: RawRecord) -> None:
        self._checkpoints[self._reader.shard_id] = number_of(record)


def _time(record: RawRecord) -> str:
    return datetime.fromtimestamp(arrived(record), UTC).isoformat()
