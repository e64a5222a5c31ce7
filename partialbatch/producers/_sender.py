"""The one engine: rounds of calls over a buffer, run by the caller or by workers.

It knows no service: `Service` makes a call and reads the answer. A round is one call.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ClosedError
from partialbatch.producers._accounting import Books, Service
from partialbatch.producers._entry import Entry, Fault, Kind, Stats
from partialbatch.producers._failures import classify
from partialbatch.producers._options import deadline
from partialbatch.producers._workers import Crew

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.producers._buffer import Buffer
    from partialbatch.producers._options import Settings
    from partialbatch.producers._responses import Faults
    from partialbatch.types import Unprocessed

__all__ = ["Engine"]

_DEADLINE = Fault(Kind.DEADLINE)
_UNSENT = Fault(Kind.UNSENT)
_INTERRUPTED = Fault(Kind.UNSENT, message="the call was interrupted", ambiguous=True)
# Seconds between two looks at a caller's clock while only workers send.
_LOOK = 0.5


class Engine:
    """One stream of records; any thread may call it.

    Args:
        service: Makes the calls.
        settings: The options.
        buffer: Where records wait.
        stats: What is counted.
        serial: Whether one call at a time is made, for the order.
        seconds_left: A time limit that holds for all calls.
    """

    def __init__(
        self,
        service: Service,
        settings: Settings,
        buffer: Buffer,
        stats: Stats,
        *,
        serial: bool = False,
        seconds_left: Callable[[], float] | None = None,
    ) -> None:
        self.stats = stats
        self._service = service
        self._settings = settings
        self._buffer = buffer
        self._books = Books(settings, buffer, stats, service)
        self._serial = serial
        self._limit = self._left = deadline(seconds_left, settings.clock)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._flushing = threading.Lock()
        self._crew: Crew | None = None
        if settings.workers:
            self._crew = Crew(settings.workers, self._changed, self._sendable, self._round)
        self._calls = 0  # in flight
        self._urgent = 0  # callers that want calls sent which are not full
        self._waiting = 0  # callers that wait for calls of other threads
        self._room = settings.max_pending
        self._closed = ""

    def add(self, entry: Entry) -> None:
        """Take a record, and send where a call is full."""
        with self._lock:
            # Hot: one comparison stands for closed, fatal and too much held.
            full = self._buffer.add(entry) if self._buffer.held < self._room else self._admit(entry)
            if not full:
                return
            if self._crew is not None:
                self._crew.check()
                self._crew.wake()
                return
        while self._round() and self._buffer.full():
            pass

    def flush(self, seconds: float | Callable[[], float] | None = None) -> list[Unprocessed]:
        """Send what is held, and return what was not accepted."""
        left, limit = deadline(seconds, self._settings.clock), self._limit
        with self._flushing:
            with self._lock:
                self._check_open()
                self._left = lambda: min(left(), limit())
                self._urgent += 1
            try:
                self._drain()
            finally:
                with self._lock:
                    self._urgent -= 1
                    self._left = limit
                    if self._crew is not None:
                        self._crew.dismiss()
            return self._report()

    @property
    def is_closed(self) -> bool:
        """Whether nothing is taken any more."""
        return bool(self._closed)

    @property
    def is_stuck(self) -> bool:
        """Whether no call is made any more until the next flush: a table is missing, say."""
        return self._books.fault is not None

    def close(self, what: str) -> None:
        """Take nothing more; wait for the calls that are in flight."""
        with self._lock:
            self._closed = what
            self._room = 0
            if self._crew is not None:
                self._crew.dismiss()
            while self._calls:
                self._wait()

    def unsent(self) -> list[Unprocessed]:
        """Hand back all that no flush has returned, as not sent."""
        with self._lock:
            self._books.give_up(_UNSENT)
            for entry in self._books.failed:
                entry.give_up(_UNSENT)
        return self._report()

    def _report(self) -> list[Unprocessed]:
        with self._lock:
            if not self._closed:
                self._room = self._settings.max_pending
            return [entry.unprocessed() for entry in self._books.report()]

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(self._closed)

    def _admit(self, entry: Entry) -> bool:
        """Take a record once there is room for it."""
        while True:
            self._check_open()
            if self._books.fault is not None:
                entry.give_up(self._books.fault)
                self._books.failed.append(entry)
                return False
            if self._buffer.held < self._settings.max_pending:
                return self._buffer.add(entry)
            self._make_room()

    def _make_room(self) -> None:
        """Send, or wait until others have sent; the lock is held."""
        self._urgent += 1
        try:
            if self._crew is not None:
                self._crew.wake()
                self._wait()
                self._crew.check()
            elif self._sendable():
                self._lock.release()
                try:
                    self._round()
                finally:
                    self._lock.acquire()
            else:
                self._wait()
        finally:
            self._urgent -= 1

    def _wait(self, seconds: float | None = None) -> None:
        """Wait for another thread's call to end; the lock is held."""
        self._waiting += 1
        try:
            self._changed.wait(seconds)
        finally:
            self._waiting -= 1

    def _drain(self) -> None:
        """Run rounds until nothing is held, or the time is over."""
        while True:
            while self._crew is None and self._round():
                pass
            with self._lock:
                left = self._left()
                if left <= 0:
                    self._books.give_up(_DEADLINE)
                if self._crew is not None:
                    self._crew.check()
                    # A worker amid a step may still have an error to tell.
                    if not self._buffer.held and not self._crew.busy:
                        return
                    self._crew.wake()
                elif not self._buffer.held:
                    return
                self._check_open()
                # What is held is in flight in another thread, which will say so.
                self._wait(min(_LOOK, left) if left > 0 else _LOOK)

    def _sendable(self) -> bool:
        # Closed: one that slept meanwhile must not send what is handed back, or let go of.
        if self._closed or (self._serial and self._calls):
            return False
        return self._buffer.any() if self._urgent else self._buffer.full()

    def _round(self) -> bool:
        """Make one call, after the wait that is due; False: there was nothing to send."""
        gate, slept = None, False
        while True:
            with self._lock:
                self._books.passed(gate)
                if not self._sendable():
                    return False
                pause = self._books.pause(self._left())
                if pause is None:
                    self._books.give_up(_DEADLINE)
                    self._changed.notify_all()
                    return True
                if not pause or slept:
                    batch, suspect = self._buffer.take()
                    self._books.begin(batch)
                    self._calls += 1
                    break
                gate = self._books.waits(pause)
            self._sleep(pause)
            slept = True
        self._send(batch, suspect=suspect)
        return True

    def _sleep(self, seconds: float) -> None:
        if self._crew is not None:
            self._crew.pause(seconds, self._settings.sleep)
        else:
            (self._settings.sleep or time.sleep)(seconds)

    def _send(self, batch: list[Entry], *, suspect: bool) -> None:
        """Make the call; whatever happens, its records are settled or back in the buffer."""
        answer, fault = None, None
        try:
            answer = self._service.call(batch)
        except Exception as error:
            fault = classify(error)
        except BaseException:
            self._settle(batch, _INTERRUPTED, None, suspect=suspect)
            raise
        self._settle(batch, fault, answer, suspect=suspect)
        if self._settings.progress is not None:
            self._settings.progress(self.stats)

    def _settle(self, batch: list[Entry], fault: Fault | None, answer: Any, *, suspect: bool) -> None:
        with self._lock:
            self._calls -= 1
            self._books.settle(batch, self._read(answer, batch) if fault is None else fault, suspect=suspect)
            if self._books.fault is not None:
                self._room = 0
            if self._crew is not None or self._waiting:
                self._changed.notify_all()

    def _read(self, answer: Any, batch: list[Entry]) -> Faults | Fault:
        try:
            return self._service.read(answer, batch, self.stats)
        except Exception as error:  # an answer of no known shape acknowledges nothing
            return classify(error)
