"""The sender: takes records into a buffer, and makes the calls in the caller's thread or in workers.

It knows no AWS service: a `Service` makes each call and reads its response.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ClosedError
from partialbatch.producers._accounting import Accounting, Service
from partialbatch.producers._entry import Entry, Failure, FailureKind, Stats
from partialbatch.producers._failures import classify
from partialbatch.producers._options import countdown
from partialbatch.producers._workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.producers._buffer import Buffer
    from partialbatch.producers._options import Settings
    from partialbatch.producers._responses import Failures
    from partialbatch.types import Unprocessed

__all__ = ["Sender"]

_DEADLINE = Failure(FailureKind.DEADLINE)
_UNSENT = Failure(FailureKind.UNSENT)
_INTERRUPTED = Failure(FailureKind.UNSENT, message="the call was interrupted", ambiguous=True)
# Seconds after which a flush asks for the time left again, while only workers send.
_CHECK_INTERVAL = 0.5


class Sender:
    """Sends one stream of records. You can call it from any thread.

    Args:
        service: Makes the calls.
        settings: The options.
        buffer: Holds the records.
        stats: The counts.
        one_call_at_a_time: Whether a call waits for the one before it, to keep the order.
        seconds_left: A time limit for all calls.
    """

    def __init__(
        self,
        service: Service,
        settings: Settings,
        buffer: Buffer,
        stats: Stats,
        *,
        one_call_at_a_time: bool = False,
        seconds_left: Callable[[], float] | None = None,
    ) -> None:
        self.stats = stats
        self._service = service
        self._settings = settings
        self._buffer = buffer
        self._accounting = Accounting(settings, buffer, stats, service)
        self._one_call_at_a_time = one_call_at_a_time
        self._limit = self._left = countdown(seconds_left, settings.clock)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._flushing = threading.Lock()
        self._workers: Workers | None = None
        if settings.workers:
            self._workers = Workers(settings.workers, self._changed, self._has_call, self._send_batch)
        self._calls_in_flight = 0
        self._flushers = 0  # callers that want batches sent that aren't full
        self._waiting = 0  # callers that wait for other threads' calls
        self._max_held = settings.max_pending  # 0 while no record can be taken at once
        self._closed = ""

    def add(self, entry: Entry) -> None:
        """Take a record, and send a batch if one is full."""
        with self._lock:
            # Hot: one comparison stands for "closed", "fatal failure" and "too many records held".
            full = self._buffer.add(entry) if self._buffer.held < self._max_held else self._add_when_possible(entry)
            if not full:
                return
            if self._workers is not None:
                self._workers.raise_error()
                self._workers.wake()
                return
        while self._send_batch() and self._buffer.has_full_batch():
            pass

    def flush(self, seconds: float | Callable[[], float] | None = None) -> list[Unprocessed]:
        """Send all held records, and return those that were not accepted."""
        left, limit = countdown(seconds, self._settings.clock), self._limit
        with self._flushing:
            with self._lock:
                self._check_open()
                self._left = lambda: min(left(), limit())
                self._flushers += 1
            try:
                self._drain()
            finally:
                with self._lock:
                    self._flushers -= 1
                    self._left = limit
                    if self._workers is not None:
                        self._workers.stop()
            return self._take_failed()

    @property
    def is_closed(self) -> bool:
        """Whether the sender takes no more records."""
        return bool(self._closed)

    @property
    def has_fatal_failure(self) -> bool:
        """Whether no call is made until the next flush, for instance because the table doesn't exist."""
        return self._accounting.fatal is not None

    def close(self, name: str) -> None:
        """Take no more records, and wait for the calls in flight. Errors will use `name`."""
        with self._lock:
            self._closed = name
            self._max_held = 0
            if self._workers is not None:
                self._workers.stop()
            while self._calls_in_flight:
                self._wait()

    def unsent(self) -> list[Unprocessed]:
        """Return all records that no flush has returned, as not sent."""
        with self._lock:
            self._accounting.give_up(_UNSENT)
            for entry in self._accounting.failed:
                entry.give_up(_UNSENT)
        return self._take_failed()

    def _take_failed(self) -> list[Unprocessed]:
        with self._lock:
            if not self._closed:
                self._max_held = self._settings.max_pending
            return [entry.unprocessed() for entry in self._accounting.take_failed()]

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(self._closed)

    def _add_when_possible(self, entry: Entry) -> bool:
        """Take a record as soon as there is room for it. Callers must hold the lock."""
        while True:
            self._check_open()
            if self._accounting.fatal is not None:
                entry.give_up(self._accounting.fatal)
                self._accounting.failed.append(entry)
                return False
            if self._buffer.held < self._settings.max_pending:
                return self._buffer.add(entry)
            self._make_room()

    def _make_room(self) -> None:
        """Send a batch, or wait until other threads have sent one. Callers must hold the lock."""
        self._flushers += 1
        try:
            if self._workers is not None:
                self._workers.wake()
                self._wait()
                self._workers.raise_error()
            elif self._has_call():
                self._lock.release()
                try:
                    self._send_batch()
                finally:
                    self._lock.acquire()
            else:
                self._wait()
        finally:
            self._flushers -= 1

    def _wait(self, seconds: float | None = None) -> None:
        """Wait until another thread's call ends. Callers must hold the lock."""
        self._waiting += 1
        try:
            self._changed.wait(seconds)
        finally:
            self._waiting -= 1

    def _drain(self) -> None:
        """Make calls until nothing is held, or the time is over."""
        while True:
            while self._workers is None and self._send_batch():
                pass
            with self._lock:
                left = self._left()
                if left <= 0:
                    self._accounting.give_up(_DEADLINE)
                if self._workers is not None:
                    self._workers.raise_error()
                    # A busy worker may still raise an error.
                    if not self._buffer.held and not self._workers.busy:
                        return
                    self._workers.wake()
                elif not self._buffer.held:
                    return
                self._check_open()
                # The held records are in flight in another thread, which will notify this one.
                self._wait(min(_CHECK_INTERVAL, left) if left > 0 else _CHECK_INTERVAL)

    def _has_call(self) -> bool:
        # After a close, a thread that slept must not send records that are handed back or dropped.
        if self._closed or (self._one_call_at_a_time and self._calls_in_flight):
            return False
        return self._buffer.has_batch() if self._flushers else self._buffer.has_full_batch()

    def _send_batch(self) -> bool:
        """Make one call, after the wait that is due. Return False if there is nothing to send."""
        wait, slept = None, False
        while True:
            with self._lock:
                self._accounting.end_wait(wait)
                if not self._has_call():
                    return False
                seconds = self._accounting.seconds_to_wait(self._left())
                if seconds is None:
                    self._accounting.give_up(_DEADLINE)
                    self._changed.notify_all()
                    return True
                if not seconds or slept:
                    batch, is_half = self._buffer.take_batch()
                    self._accounting.start_call(batch)
                    self._calls_in_flight += 1
                    break
                wait = self._accounting.start_wait(seconds)
            self._sleep(seconds)
            slept = True
        self._call(batch, is_half=is_half)
        return True

    def _sleep(self, seconds: float) -> None:
        if self._workers is not None:
            self._workers.sleep(seconds, self._settings.sleep)
        else:
            (self._settings.sleep or time.sleep)(seconds)

    def _call(self, batch: list[Entry], *, is_half: bool) -> None:
        """Make the call. Its records are settled, or are back in the buffer, even if it raises."""
        response, failure = None, None
        try:
            response = self._service.call(batch)
        except Exception as error:
            failure = classify(error)
        except BaseException:
            self._settle(batch, _INTERRUPTED, None, is_half=is_half)
            raise
        self._settle(batch, failure, response, is_half=is_half)
        if self._settings.progress is not None:
            self._settings.progress(self.stats)

    def _settle(self, batch: list[Entry], failure: Failure | None, response: Any, *, is_half: bool) -> None:
        with self._lock:
            self._calls_in_flight -= 1
            outcome = self._read(response, batch) if failure is None else failure
            self._accounting.settle(batch, outcome, is_half=is_half)
            if self._accounting.fatal is not None:
                self._max_held = 0
            if self._workers is not None or self._waiting:
                self._changed.notify_all()

    def _read(self, response: Any, batch: list[Entry]) -> Failures | Failure:
        try:
            return self._service.read(response, batch, self.stats)
        except Exception as error:  # a response of an unknown shape acknowledges nothing
            return classify(error)
