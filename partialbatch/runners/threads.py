"""Groups side by side in threads, for plain record functions."""

from __future__ import annotations

import os
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING

from partialbatch.runners.run import step
from partialbatch.runners.schedule import ENDING
from partialbatch.runners.sequential import drive

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor
    from contextvars import Context

    from partialbatch.runners.deadline import Deadline
    from partialbatch.runners.run import Run
    from partialbatch.runners.schedule import Schedule

__all__ = ["side_by_side"]

_pools: dict[int, ThreadPoolExecutor] = {}
_pools_lock = threading.Lock()
# A forked child has the pools' books but none of their threads.
os.register_at_fork(after_in_child=_pools.clear)


def side_by_side(run: Run, schedule: Schedule, deadline: Deadline | None, workers: int) -> None:
    """Run what the schedule gives on up to `workers` threads, the caller's among them.

    The caller works too, so that a batch makes progress whatever else the pool is busy with, a
    nested batch included. The call returns only when no record function runs any more: a thread
    left behind would go on in the next invocation, beside the redelivered record.
    """
    team = _Team(run, schedule, deadline)
    helpers = _start(team, min(workers, schedule.width) - 1, workers)
    try:
        team.work()
        _wait(helpers)
    except BaseException:
        # Only an interrupt that hit this loop, and no record, gets here.
        schedule.close(ENDING)
        _wait(helpers)
        raise
    run.left_over = schedule.closed


class _Team:
    """The workers of one batch.

    When a record ends, at most one other becomes ready, and the worker that ended it takes it. So a
    worker that finds nothing ready may go: there will never be more for it to do.
    """

    def __init__(self, run: Run, schedule: Schedule, deadline: Deadline | None) -> None:
        self._run = run
        self._schedule = schedule
        self._deadline = deadline
        self._lock = threading.Lock()
        self._context = copy_context()

    def work(self) -> None:
        """Run one record after another until none is ready."""
        index, started = self._take()
        while index >= 0:
            passes = self._fresh_context().run(drive, step(self._run, index))
            with self._lock:
                if self._deadline is not None:
                    self._deadline.record_ended(started)
                if self._run.interrupt is not None:
                    self._schedule.close(ENDING)
                self._schedule.ended(index, passes=passes)
            index, started = self._take()

    def _fresh_context(self) -> Context:
        return self._context.copy()

    def _take(self) -> tuple[int, float]:
        with self._lock:
            return self._schedule.take(), self._deadline.now if self._deadline is not None else 0


def _start(team: _Team, count: int, workers: int) -> list[Future[None]]:
    """Put helpers to work; a machine that gives no more threads leaves the batch to fewer."""
    helpers: list[Future[None]] = []
    if count > 0:
        pool = _pool(workers)
        try:
            helpers.extend(pool.submit(team.work) for _ in range(count))
        except RuntimeError:
            # No thread can be started; the caller does the work.
            pass
    return helpers


def _pool(workers: int) -> ThreadPoolExecutor:
    """Return the pool for batches of so many workers; kept for the life of the process."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - handlers of one worker need none

    with _pools_lock:
        if workers not in _pools:
            _pools[workers] = ThreadPoolExecutor(workers - 1, thread_name_prefix="partialbatch")
        return _pools[workers]


def _wait(helpers: list[Future[None]]) -> None:
    """Wait until no helper runs; one that has not begun never will."""
    for helper in helpers:
        helper.cancel()
    interrupt: BaseException | None = None
    for helper in helpers:
        while not helper.done():
            try:
                helper.exception()
            except BaseException as error:  # noqa: B036, RUF100 - a second Ctrl-C must not leave a record running
                interrupt = error
    if interrupt is not None:
        raise interrupt
