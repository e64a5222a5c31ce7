"""Run groups concurrently in threads, for plain record functions."""

from __future__ import annotations

import os
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING

from partialbatch._core.reasons import ENDING
from partialbatch._core.runners.step import plain_step

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from partialbatch._core.batch import BatchState
    from partialbatch._core.runners.deadline import Deadline
    from partialbatch._core.runners.schedule import Schedule

__all__ = ["side_by_side"]

_pools: dict[int, ThreadPoolExecutor] = {}
# A forked child inherits the pools, but none of their threads.
os.register_at_fork(after_in_child=_pools.clear)


def side_by_side(batch: BatchState, schedule: Schedule, deadline: Deadline | None, workers: int) -> None:
    """Run the records that the schedule gives in up to `workers` threads, the caller's among them.

    The caller works too, so that a batch makes progress whatever else the pool is busy with, a
    nested batch included. The call returns only when no record function runs any more: a thread
    left behind would go on in the next invocation, beside the redelivered record.
    """
    batch_workers = _Workers(batch, schedule, deadline)
    try:
        _start(batch_workers, min(workers, schedule.width) - 1, workers)
        batch_workers.work()
    except BaseException:
        # Only an interrupt that hit this loop, and no record, gets here, or a clock that failed.
        schedule.close(ENDING)
        raise
    finally:
        batch_workers.dismiss()
    batch.left_over = schedule.closed or batch.left_over


class _Workers:
    """The workers of one batch.

    When a record ends, at most one other becomes ready, and the worker that ended it takes it. So a
    worker that finds nothing ready may go: there will never be more for it to do.
    """

    def __init__(self, batch: BatchState, schedule: Schedule, deadline: Deadline | None) -> None:
        self._batch = batch
        self._schedule = schedule
        self._deadline = deadline
        self._lock = threading.Lock()
        self._helper_left = threading.Condition(self._lock)
        self._helpers = 0
        self._over = False
        self._error: BaseException | None = None
        self._context = copy_context()

    def help(self) -> None:
        """Work in a thread of the pool; a helper that comes when the batch is over finds nothing."""
        with self._lock:
            if self._over:
                return
            self._helpers += 1
        try:
            self.work()
        except BaseException as error:  # raised in the caller's thread
            self._error = error
            self._schedule.close(ENDING)
        finally:
            with self._lock:
                self._helpers -= 1
                self._helper_left.notify()

    def work(self) -> None:
        """Run one record after another until none is ready."""
        index = self._take()
        while index >= 0:
            try:
                passes = self._context.copy().run(plain_step, self._batch, index)
            except BaseException as error:  # raised by the step, not by the record function
                passes = not self._batch.fail(index, error)
            index = self._take_after(index, passes)

    def dismiss(self) -> None:
        """Wait until no helper is at work, then let go of the batch.

        Raises:
            BaseException: An error in a helper outside of a record, or in this wait.
        """
        while True:
            try:
                with self._lock:
                    self._over = True
                    self._helper_left.wait_for(lambda: self._helpers == 0)
                break
            except BaseException as error:  # not even a second Ctrl-C leaves a record running
                self._error = error
                self._schedule.close(ENDING)
        # A helper that could not be started may stay in the pool's queue: it must hold nothing of the batch.
        del self._batch, self._schedule, self._deadline, self._context
        if self._error is not None:
            raise self._error

    def _take(self) -> int:
        """Return the first record of a worker, which may have come late: -1 for none."""
        with self._lock:
            if self._deadline is not None and self._schedule.gives_more:
                self._deadline.read()
            return self._schedule.take()

    def _take_after(self, index: int, passes: bool | None) -> int:
        """Note that a record has ended, and return the next one: -1 for none."""
        with self._lock:
            if self._batch.interrupt is not None:
                self._schedule.close(ENDING)
            self._schedule.ended(index, passes=passes)
            if self._deadline is not None and self._schedule.gives_more:
                self._deadline.record_ended(index)
            return self._schedule.take()


def _start(batch_workers: _Workers, count: int, workers: int) -> None:
    """Put helpers to work; a machine that gives no more threads leaves the batch to fewer."""
    if count <= 0:
        return
    pool = _pool(workers)
    try:
        for _ in range(count):
            pool.submit(batch_workers.help)
    except RuntimeError:
        pass  # No thread can be started, and still the helper is in the queue: `help` counts itself.


def _pool(workers: int) -> ThreadPoolExecutor:
    """Return the pool for batches of so many workers; kept for the life of the process."""
    from concurrent.futures import ThreadPoolExecutor  # handlers of one worker need none

    pool = _pools.get(workers)
    if pool is None:
        # Atomic, without a lock that a fork might find taken; a pool that lost the race has no thread yet.
        pool = _pools.setdefault(workers, ThreadPoolExecutor(workers - 1, thread_name_prefix="partialbatch"))
    return pool
