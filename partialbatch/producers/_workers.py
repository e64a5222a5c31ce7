"""Worker threads that send batches, from the first full batch until a flush stops them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Workers"]


class Workers:
    """A group of threads that hold no records themselves: unsent records are in the buffer.

    Args:
        size: The number of threads.
        changed: The sender's condition. Its lock guards everything here.
        ready: Tells whether there is a call to make.
        send: Makes one call.
    """

    def __init__(
        self, size: int, changed: threading.Condition, ready: Callable[[], bool], send: Callable[[], object]
    ) -> None:
        self._size = size
        self._changed = changed
        self._ready = ready
        self._send = send
        self.busy = 0  # workers that are sending; a sleeping worker doesn't count
        self._generation = 0
        self._running = False
        self._error: BaseException | None = None

    def wake(self) -> None:
        """Start the threads if they don't run yet, and let them look for work. Callers must hold the lock."""
        if not self._running:
            self._running = True
            for _ in range(self._size):
                # Daemons, so that a program that never flushes can still exit.
                threading.Thread(target=self._run, args=(self._generation,), name="partialbatch", daemon=True).start()
        self._changed.notify_all()

    def stop(self) -> None:
        """Let each thread end after its current call. Callers must hold the lock."""
        self._generation += 1
        self._running = False
        self._changed.notify_all()

    def raise_error(self) -> None:
        """Raise the exception that ended a thread, if there is one. Callers must hold the lock."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def sleep(self, seconds: float, sleep: Callable[[float], object] | None) -> None:
        """Sleep in a worker. Without the user's own `sleep`, `stop` ends the sleep early."""
        with self._changed:
            generation = self._generation
            self.busy -= 1
            self._changed.notify_all()
            if sleep is None:
                self._changed.wait_for(lambda: self._generation != generation, seconds)
        try:
            if sleep is not None:
                sleep(seconds)
        finally:
            with self._changed:
                self.busy += 1

    def _run(self, generation: int) -> None:
        while self._wait_for_work(generation):
            failed = None
            try:
                self._send()
            except BaseException as error:
                failed = error
            with self._changed:
                self.busy -= 1
                self._changed.notify_all()
                if failed is not None:
                    self._error = failed
                    self.stop()

    def _wait_for_work(self, generation: int) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._generation != generation or self._ready())
            self.busy += self._generation == generation
            return self._generation == generation
