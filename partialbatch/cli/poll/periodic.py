"""Runs tasks repeatedly in threads, each task at its own times."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from threading import Condition, Thread
from time import monotonic
from typing import TYPE_CHECKING

from partialbatch.worker._transient_errors import is_transient

if TYPE_CHECKING:
    from collections.abc import Callable

    Task = Callable[[], float | None]

__all__ = ["PeriodicTasks"]

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0


@dataclass(order=True, slots=True)
class _Entry:
    """A task and the time of its next run."""

    due: float
    number: int
    task: Task = field(compare=False)
    failures: int = field(default=0, compare=False)
    failing_since: float = field(default=0.0, compare=False)


class PeriodicTasks:
    """Runs tasks. Each run returns the seconds until the task's next run, or None to remove the task.

    If a task raises a transient error, it is run again after increasing pauses, until it has failed for `patience`
    seconds. Any other error stops all tasks.

    Args:
        threads: Number of tasks that run at once.
        patience: Seconds for which a task may fail.
        waiting: Called with a transient error and the seconds until the next attempt.

    Attributes:
        stopping: Whether no further task is started.
        error: The error that stopped the tasks; None if there is none.
    """

    def __init__(self, threads: int, patience: float, waiting: Callable[[BaseException, float], None]) -> None:
        self.stopping = False
        self.error: BaseException | None = None
        self._patience = patience
        self._waiting = waiting
        self._changed = Condition()
        self._heap: list[_Entry] = []
        self._numbers = count()
        self._threads = [Thread(target=self._work, name=f"worker {n + 1}", daemon=True) for n in range(threads)]

    def add(self, task: Task) -> None:
        """Run a task as soon as a thread is free."""
        self._put(_Entry(monotonic(), next(self._numbers), task))

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Start no further task. Running tasks are finished."""
        with self._changed:
            self.stopping = True
            self._changed.notify_all()

    @property
    def running(self) -> bool:
        """Whether a thread is still running."""
        return any(thread.is_alive() for thread in self._threads)

    def _put(self, entry: _Entry) -> None:
        with self._changed:
            heappush(self._heap, entry)
            self._changed.notify()

    def _take(self) -> _Entry | None:
        """Wait for the next task that is due. Return None after `stop`."""
        with self._changed:
            while not self.stopping:
                left = self._heap[0].due - monotonic() if self._heap else None
                if left is not None and left <= 0:
                    return heappop(self._heap)
                self._changed.wait(left)
        return None

    def _work(self) -> None:
        while (entry := self._take()) is not None:
            try:
                pause = entry.task()
                entry.failures = 0
            except (
                BaseException
            ) as error:  # even a handler's KeyboardInterrupt, because nothing above a thread catches it
                pause = self._failed(entry, error)
            if pause is not None:
                entry.due = monotonic() + pause
                self._put(entry)

    def _failed(self, entry: _Entry, error: BaseException) -> float | None:
        now = monotonic()
        if not entry.failures:
            entry.failing_since = now
        if not is_transient(error) or now - entry.failing_since >= self._patience:
            self.error = self.error or error
            self.stop()
            return None
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(entry.failures, 10))
        entry.failures += 1
        self._waiting(error, pause)
        return pause
