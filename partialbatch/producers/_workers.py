"""Threads that run rounds: from the first full call until the flush that ends them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Crew"]


class Crew:
    """Workers that hold nothing themselves: what they could not send is in the buffer.

    Args:
        size: How many.
        changed: The engine's condition; its lock guards all that is here.
        ready: Tells whether there is a call to make.
        step: Makes one call.
    """

    def __init__(
        self, size: int, changed: threading.Condition, ready: Callable[[], bool], step: Callable[[], object]
    ) -> None:
        self._size = size
        self._changed = changed
        self._ready = ready
        self._step = step
        self.busy = 0  # workers amid a step, those that sleep aside
        self._shift = 0
        self._running = False
        self._crash: BaseException | None = None

    def wake(self) -> None:
        """See that the workers run, and look for work; the lock is held."""
        if not self._running:
            self._running = True
            for _ in range(self._size):
                # A daemon: a program that ends without a flush must end.
                threading.Thread(target=self._work, args=(self._shift,), name="partialbatch", daemon=True).start()
        self._changed.notify_all()

    def dismiss(self) -> None:
        """End the workers once their calls are over; the lock is held."""
        self._shift += 1
        self._running = False
        self._changed.notify_all()

    def check(self) -> None:
        """Raise what ended a worker; the lock is held."""
        crash, self._crash = self._crash, None
        if crash is not None:
            raise crash

    def pause(self, seconds: float, sleep: Callable[[float], object] | None) -> None:
        """Sleep in a worker; without a `sleep` of the caller's, not past the end of the shift."""
        with self._changed:
            shift = self._shift
            self.busy -= 1
            self._changed.notify_all()
            if sleep is None:
                self._changed.wait_for(lambda: self._shift != shift, seconds)
        try:
            if sleep is not None:
                sleep(seconds)
        finally:
            with self._changed:
                self.busy += 1

    def _work(self, shift: int) -> None:
        while self._wait_for_work(shift):
            crash = None
            try:
                self._step()
            except BaseException as error:
                crash = error
            with self._changed:
                self.busy -= 1
                self._changed.notify_all()
                if crash is not None:
                    self._crash = crash
                    self.dismiss()

    def _wait_for_work(self, shift: int) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._shift != shift or self._ready())
            self.busy += self._shift == shift
            return self._shift == shift
