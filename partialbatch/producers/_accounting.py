"""Accounting for the sender: settles each call, and says how long to wait before the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from partialbatch.producers._entry import Entry, Failure, FailureKind, Stats
from partialbatch.producers._rate import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from partialbatch.producers._buffer import Buffer
    from partialbatch.producers._options import Settings
    from partialbatch.producers._responses import Failures

__all__ = ["Accounting", "Service"]

PendingWait = tuple[float, float]
"""A wait that is due: the clock's reading at its end, and its length in seconds."""


class Service(Protocol):
    """The calls and rules of one AWS service, as the sender needs them."""

    def call(self, entries: Sequence[Entry]) -> Any:
        """Make one call, and return its response."""
        ...

    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        """Find the failed entries in a response. Callers hold the sender's lock."""
        ...

    def size_of(self, entries: Sequence[Entry]) -> int:
        """Return the bytes of some entries."""
        ...

    def load(self, entries: Sequence[Entry]) -> float:
        """Return the load of some entries: records, or capacity units."""
        ...


class Accounting:
    """Accounting for the sender. Callers must hold its lock.

    Attributes:
        fatal: The failure that makes further calls pointless until the next flush.
        failed: Records to hand back.
    """

    def __init__(self, settings: Settings, buffer: Buffer, stats: Stats, service: Service) -> None:
        self.fatal: Failure | None = None
        self.failed: list[Entry] = []
        self._settings = settings
        self._buffer = buffer
        self._stats = stats
        self._service = service
        self._level = 0
        self._stalls = 0
        self._throttled_before = False  # whether the service throttled most of the last call
        self._retries_queued = 0  # at least as many as the buffer holds: without any, no batch is searched for them
        self._pending_wait: PendingWait | None = None
        self._limiter: RateLimiter | None = None

    def seconds_to_wait(self, left: float) -> float | None:
        """Return the seconds to wait before the next call; None if there isn't enough time left."""
        if left <= 0:
            return None
        if self._pending_wait is not None:
            end, wait = self._pending_wait
            # At most `wait`: the sum of a large clock reading and a short wait is rounded.
            seconds = min(wait, end - self._settings.clock())
            if seconds > 0:
                return seconds if seconds < left else None
            self._pending_wait = None
        if self._limiter is None:
            return 0.0
        seconds = self._limiter.seconds_to_wait(self._settings.clock())
        return seconds if seconds < left else 0.0

    def start_wait(self, seconds: float) -> PendingWait | None:
        """Count a wait that is about to start, and return the pending wait that it is for."""
        if self._pending_wait is None:
            self._stats.paced += 1
        else:
            self._stats.waits += 1
            self._stats.waited += seconds
        return self._pending_wait

    def end_wait(self, wait: PendingWait | None) -> None:
        """Clear a pending wait that is over, unless another call has set a new one."""
        if self._pending_wait is wait:
            self._pending_wait = None

    def start_call(self, batch: list[Entry]) -> None:
        """Count a call that is about to be made."""
        self._stats.calls += 1
        self._stats.bytes += self._service.size_of(batch)
        if self._retries_queued:
            retries = len([entry for entry in batch if entry.attempts])
            self._retries_queued -= retries
            self._stats.retries += retries

    def settle(self, batch: list[Entry], outcome: Failures | Failure, *, is_half: bool) -> None:
        """Settle a call: `outcome` is one failure for the whole call, or a list with one for each record."""
        if isinstance(outcome, Failure):
            self._settle_failed_call(batch, outcome, is_half=is_half)
        elif outcome:
            self._settle_each(batch, outcome)
        else:
            self._accept(batch)
            self._schedule_next_call(batch, accepted=batch)
        if self.fatal is not None:
            self.give_up(self.fatal)
        elif self._stalls >= self._settings.backoff.max_stalls:
            self._stalls = 0
            self.give_up(next(entry.failure for entry in batch if entry.failure is not None))

    def give_up(self, failure: Failure) -> None:
        """Hand back all queued records."""
        queued = self._buffer.clear()
        self._retries_queued = 0
        for entry in queued:
            entry.give_up(failure)
        self.failed += queued
        # Later records of a group would overtake these.
        self._buffer.block(queued)

    def take_failed(self) -> list[Entry]:
        """Return the records to hand back, each one once, and start anew."""
        entries = sorted(self.failed + self._buffer.returned, key=lambda entry: entry.seq)
        self.failed.clear()
        self._buffer.returned.clear()
        self._buffer.unblock()
        self.fatal = None
        self._stats.unprocessed += len(entries)
        return entries

    def _accept(self, entries: list[Entry]) -> None:
        self._buffer.release(entries, accepted=True)
        self._stats.records += len(entries)
        if entries:
            self._stalls = 0

    def _settle_each(self, batch: list[Entry], failures: Failures) -> None:
        accepted: list[Entry] = []
        rejected: list[Entry] = []
        retried: list[Entry] = []
        kinds: set[FailureKind] = set()
        for entry, failure in zip(batch, failures, strict=True):
            if failure is None:
                accepted.append(entry)
                continue
            entry.fail(failure)
            (rejected if failure.kind is FailureKind.REJECTED else retried).append(entry)
            kinds.add(failure.kind)
        if not accepted and not rejected:
            self._stalls += 1
        self._retry(retried, is_half=False)
        self._reject(rejected)
        self._accept(accepted)
        self._schedule_next_call(batch, accepted=accepted, kinds=kinds)

    def _settle_failed_call(self, batch: list[Entry], failure: Failure, *, is_half: bool) -> None:
        if failure.kind is FailureKind.INVALID_CALL and len(batch) == 1:
            failure = Failure(FailureKind.REJECTED, failure.code, failure.message)
        for entry in batch:
            entry.fail(failure)
        if failure.kind is FailureKind.UNSENT:
            # An exception interrupted the call. There is no response to learn a wait or a rate from.
            self._retry(batch, is_half=is_half)
            return
        if failure.kind is FailureKind.FATAL:
            self.fatal = failure
            self._buffer.release(batch)
            self.failed += batch
        elif failure.kind is FailureKind.REJECTED:
            self._reject(batch)
        elif failure.kind is FailureKind.INVALID_CALL:
            self._retries_queued += len(batch)
            self._buffer.bisect(batch)
        else:
            self._stalls += 1
            self._retry(batch, is_half=is_half)
        self._schedule_next_call(batch, accepted=(), kinds={failure.kind})

    def _retry(self, entries: list[Entry], *, is_half: bool) -> None:
        self._retries_queued += len(entries)
        if is_half:
            # Together with fresh records, the search for the invalid record would start again.
            self._buffer.halves.append(entries)
        else:
            self._buffer.requeue(entries)

    def _reject(self, entries: list[Entry]) -> None:
        self._buffer.block(entries)
        self._buffer.release(entries)
        self.failed += entries

    def _schedule_next_call(
        self, batch: list[Entry], *, accepted: Sequence[Entry], kinds: Collection[FailureKind] = ()
    ) -> None:
        """Set the wait before the next call, and adapt the rate limit.

        Args:
            batch: The records of the call.
            accepted: Those that the service accepted.
            kinds: The kinds of failure of the others.
        """
        if not kinds and not self._level and self._limiter is None:
            # Hot: nearly all calls. There is no wait to set and no rate to adapt.
            self._throttled_before = False
            return
        waits = FailureKind.THROTTLED in kinds or FailureKind.TRANSIENT in kinds
        # If the service accepts most of each call, the waits don't get longer.
        mostly_failed = waits and 2 * len(accepted) < len(batch)
        mostly_throttled = mostly_failed and FailureKind.THROTTLED in kinds
        # One throttled call may be chance. Two in a row, or one while the limit holds, show the rate.
        throttled = mostly_throttled and (self._throttled_before or self._stats.rate is not None)
        self._throttled_before = mostly_throttled
        if waits:
            self._set_wait(grows=mostly_failed, throttled=throttled)
        elif self._level and not kinds:
            self._level -= 1
        if self._limiter is not None:
            # Only throttling tells something about the rate; timeouts and other failures don't.
            now, load = self._settings.clock(), self._service.load(accepted)
            self._limiter.observe(now, load, throttled=throttled, recovers=not waits)
            self._stats.rate = self._limiter.rate

    def _set_wait(self, *, grows: bool, throttled: bool) -> None:
        settings = self._settings
        now, wait = settings.clock(), settings.backoff.wait(self._level, settings.random)
        self._pending_wait = (now + wait, wait)
        self._level += grows
        if throttled and self._limiter is None:
            # The lowest rate: one full call in the longest wait.
            self._limiter = RateLimiter(now, settings.max_entries / settings.backoff.cap)
