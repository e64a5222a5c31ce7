"""The accounts of an engine: what each answer changes. Its lock is held in all of this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from partialbatch.producers._entry import Entry, Fault, Kind, Stats
from partialbatch.producers._rate import Pacer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from partialbatch.producers._buffer import Buffer
    from partialbatch.producers._options import Settings
    from partialbatch.producers._responses import Faults

__all__ = ["Books", "Service"]

Gate = tuple[float, float]
"""A wait that is due: the time at which it ends, and its length, in seconds."""


class Service(Protocol):
    """What the engine needs of a service."""

    def call(self, entries: Sequence[Entry]) -> Any:
        """Make one call."""
        ...

    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        """Tell from the answer what was not accepted; the engine's lock is held."""
        ...

    def measure(self, entries: Sequence[Entry]) -> int:
        """Return the bytes of some entries."""
        ...

    def weigh(self, entries: Sequence[Entry]) -> float:
        """Return the load of some entries: records, or capacity units."""
        ...


class Books:
    """Settles calls, and says how long to wait before the next one.

    Attributes:
        fault: What makes further calls pointless, until the next flush.
        failed: Records to hand back.
    """

    def __init__(self, settings: Settings, buffer: Buffer, stats: Stats, service: Service) -> None:
        self.fault: Fault | None = None
        self.failed: list[Entry] = []
        self._settings = settings
        self._buffer = buffer
        self._stats = stats
        self._service = service
        self._level = 0
        self._stalls = 0
        self._refused_before = False  # whether the service throttled most of the last call
        self._requeued = 0  # about so many are to be sent again: saves looking for them
        self._gate: Gate | None = None
        self._pacer: Pacer | None = None

    def pause(self, left: float) -> float | None:
        """Return the seconds to wait before the next call; None: there is no time for it."""
        if left <= 0:
            return None
        if self._gate is not None:
            until, wait = self._gate
            # Not past `wait`: the sum of a large clock and a small wait is rounded.
            pause = min(wait, until - self._settings.clock())
            if pause > 0:
                return pause if pause < left else None
            self._gate = None
        if self._pacer is None:
            return 0.0
        pause = self._pacer.pause(self._settings.clock())
        return pause if pause < left else 0.0

    def waits(self, pause: float) -> Gate | None:
        """Count a pause that is about to be made; return the gate that it is for."""
        if self._gate is None:
            self._stats.paced += 1
        else:
            self._stats.waits += 1
            self._stats.waited += pause
        return self._gate

    def passed(self, gate: Gate | None) -> None:
        """Note that a wait was made; another one may have fallen due meanwhile."""
        if self._gate is gate:
            self._gate = None

    def begin(self, batch: list[Entry]) -> None:
        """Count a call that is about to be made."""
        self._stats.calls += 1
        self._stats.bytes += self._service.measure(batch)
        if self._requeued:
            again = len([entry for entry in batch if entry.attempts])
            self._requeued -= again
            self._stats.retries += again

    def settle(self, batch: list[Entry], outcome: Faults | Fault, *, suspect: bool) -> None:
        """Book one call: `outcome` has a fault for the whole call, or one a record."""
        if isinstance(outcome, Fault):
            self._refused(batch, outcome, suspect=suspect)
        elif outcome:
            self._mixed(batch, outcome)
        else:
            self._accept(batch)
            self._round(batch, accepted=batch)
        if self.fault is not None:
            self.give_up(self.fault)
        elif self._stalls >= self._settings.backoff.max_stalls:
            self._stalls = 0
            self.give_up(next(entry.fault for entry in batch if entry.fault is not None))

    def give_up(self, fault: Fault) -> None:
        """Hand back all that is queued."""
        queued = self._buffer.clear()
        self._requeued = 0
        for entry in queued:
            entry.give_up(fault)
        self.failed += queued
        # What is put next would overtake them.
        self._buffer.hold(queued)

    def report(self) -> list[Entry]:
        """Return what is to be handed back, each record once, and start anew."""
        entries = sorted(self.failed + self._buffer.returned, key=lambda entry: entry.seq)
        self.failed.clear()
        self._buffer.returned.clear()
        self._buffer.forget()
        self.fault = None
        self._stats.unprocessed += len(entries)
        return entries

    def _accept(self, entries: list[Entry]) -> None:
        self._buffer.release(entries, accepted=True)
        self._stats.records += len(entries)
        if entries:
            self._stalls = 0

    def _mixed(self, batch: list[Entry], faults: Faults) -> None:
        accepted: list[Entry] = []
        rejected: list[Entry] = []
        again: list[Entry] = []
        kinds: set[Kind] = set()
        for entry, fault in zip(batch, faults, strict=True):
            if fault is None:
                accepted.append(entry)
                continue
            entry.fail(fault)
            (rejected if fault.kind is Kind.REJECTED else again).append(entry)
            kinds.add(fault.kind)
        if not accepted and not rejected:
            self._stalls += 1
        self._again(again, suspect=False)
        self._reject(rejected)
        self._accept(accepted)
        self._round(batch, accepted=accepted, kinds=kinds)

    def _refused(self, batch: list[Entry], fault: Fault, *, suspect: bool) -> None:
        """Book a call that failed as a whole."""
        poisoned = fault.kind is Kind.POISON
        if poisoned and len(batch) == 1:
            fault = Fault(Kind.REJECTED, fault.code, fault.message)
        for entry in batch:
            entry.fail(fault)
        if fault.kind is Kind.UNSENT:
            # An exception ended the call: no answer, so no round either.
            self._again(batch, suspect=suspect)
            return
        if fault.kind is Kind.FATAL:
            self.fault = fault
            self._buffer.release(batch)
            self.failed += batch
        elif fault.kind is Kind.REJECTED:
            self._reject(batch)
        elif poisoned:
            self._requeued += len(batch)
            self._buffer.split(batch)
        else:
            self._stalls += 1
            self._again(batch, suspect=suspect)
        self._round(batch, accepted=(), kinds={fault.kind})

    def _again(self, entries: list[Entry], *, suspect: bool) -> None:
        self._requeued += len(entries)
        if suspect:
            # Among fresh records the poison would have to be found once more.
            self._buffer.splits.append(entries)
        else:
            self._buffer.requeue(entries)

    def _reject(self, entries: list[Entry]) -> None:
        self._buffer.hold(entries)
        self._buffer.release(entries)
        self.failed += entries

    def _round(self, batch: list[Entry], *, accepted: Sequence[Entry], kinds: Collection[Kind] = ()) -> None:
        """Set the wait before the next call, and learn the rate.

        Args:
            batch: What was sent.
            accepted: What of it the service took.
            kinds: What befell the rest.
        """
        settings = self._settings
        waits = Kind.THROTTLED in kinds or Kind.TRANSIENT in kinds
        # A service that takes most of each call is waited for each time, but not longer and longer.
        mostly_refused = waits and 2 * len(accepted) < len(batch)
        refused = mostly_refused and Kind.THROTTLED in kinds
        # Once may be chance; twice in a row, or at the rate that is kept to, it is the rate.
        throttled = refused and (self._refused_before or self._stats.rate is not None)
        self._refused_before = refused
        if waits:
            now, wait = settings.clock(), settings.backoff.wait(self._level, settings.random)
            self._gate = (now + wait, wait)
            self._level += mostly_refused
            if throttled and self._pacer is None:
                # At this rate a full call is due once in the longest wait.
                self._pacer = Pacer(now, settings.max_entries / settings.backoff.cap)
        elif self._level and not kinds:
            self._level -= 1
        if self._pacer is not None:
            # Timeouts and the like tell nothing of a rate.
            self._pacer.note(settings.clock(), self._service.weigh(accepted), throttled=throttled, recovers=not waits)
            self._stats.rate = self._pacer.rate
