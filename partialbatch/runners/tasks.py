"""Groups side by side as asyncio tasks, for async record functions."""

from __future__ import annotations

import asyncio
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from partialbatch.results import FAILED, SUCCEEDED
from partialbatch.runners import settle
from partialbatch.runners.aside import aside
from partialbatch.runners.schedule import DEADLINE, ENDING
from partialbatch.runners.step import is_awaitable, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.runners.deadline import Deadline
    from partialbatch.runners.run import Run
    from partialbatch.runners.schedule import Schedule
    from partialbatch.types import RawRecord

__all__ = ["in_rounds", "side_by_side", "with_timeout"]


async def side_by_side(run: Run, schedule: Schedule, deadline: Deadline | None, workers: int) -> None:
    """Run what the schedule gives as up to `workers` tasks at once.

    Returns only when no task runs any more. At the deadline's margin those that still run are
    cancelled and awaited, and so they are when the caller is cancelled.
    """
    tasks = _Tasks(run, schedule, deadline, workers)
    alarm = None
    if deadline is not None:
        # In an empty context: the loop keeps the context of a timer, cancelled or not, until it is due.
        alarm = asyncio.get_running_loop().call_later(
            max(0.0, deadline.seconds_left), tasks.cancel_at_margin, context=Context()
        )
    cancelled: asyncio.CancelledError | None = None
    tasks.refill()
    while tasks.running:
        try:
            await tasks.idle.wait()
        except asyncio.CancelledError as error:
            cancelled = error
            tasks.cancel(ENDING)
    if alarm is not None:
        alarm.cancel()
    run.left_over = schedule.closed or run.left_over
    if tasks.error is not None:
        raise tasks.error
    if cancelled is not None:
        raise cancelled


async def in_rounds(run: Run, schedule: Schedule, deadline: Deadline | None, workers: int) -> None:
    """Run an async record function over what the schedule gives; in rounds, as `run_plain` does."""
    while True:
        await side_by_side(run, schedule, deadline, workers)
        if run.interrupt is not None or not (run.waiting or run.doomed):
            return
        await aside(settle, run, schedule, deadline, on_cancel=partial(schedule.close, ENDING))


class _Tasks:
    """The running tasks of one batch, each with the record's own context."""

    def __init__(self, run: Run, schedule: Schedule, deadline: Deadline | None, workers: int) -> None:
        self._run = run
        self._schedule = schedule
        self._deadline = deadline
        self._workers = workers
        self._loop = asyncio.get_running_loop()
        self.running: set[asyncio.Task[bool | None]] = set()
        self.error: BaseException | None = None
        self.idle = asyncio.Event()

    def refill(self) -> None:
        """Start tasks as long as there are records that may start, and workers."""
        while len(self.running) < self._workers and (index := self._schedule.take()) >= 0:
            started = self._deadline.now if self._deadline is not None else 0
            task = self._loop.create_task(step(self._run, index))
            self.running.add(task)
            task.add_done_callback(partial(self._ended, index, started))
        if not self.running:
            self.idle.set()

    def _ended(self, index: int, started: float, task: asyncio.Task[bool | None]) -> None:
        self.running.discard(task)
        try:
            if self._run.interrupt is not None:
                self._schedule.close(ENDING)
            # A task that was cancelled before its first step has run nothing: its record stays skipped. One
            # that cancelled itself at its end has succeeded.
            passes = self._run.states[index] == SUCCEEDED if task.cancelled() else task.result()
            self._schedule.ended(index, passes=passes)
            if self._deadline is not None and self._schedule.gives_more:
                self._deadline.record_ended(started)
        except BaseException as error:  # noqa: BLE001, RUF100 - raised once nothing runs; the loop would drop it, and wait for ever
            self.error = error
            self._schedule.close(ENDING)
        self.refill()

    def cancel(self, why: str) -> None:
        """Start nothing any more, and cancel what runs."""
        self._schedule.close(why)
        for task in self.running:
            task.cancel(why)

    def cancel_at_margin(self) -> None:
        """Cancel because the time is up: what was started and has not ended fails, whatever it returns."""
        waiting = len(self._run.waiting) + len(self._run.doomed)
        self._run.cancelled = self._run.states.count(FAILED) - len(self._run.errors) - waiting
        self.cancel(DEADLINE)


def with_timeout(invoke: Callable[[RawRecord], Any], seconds: float) -> Callable[[RawRecord], Any]:
    """Wrap a call so that it is cancelled, and fails with a `TimeoutError`, after some seconds."""

    async def limited(raw: RawRecord) -> Any:
        value: Any = None
        try:
            async with asyncio.timeout(None) as limit:
                # In an empty context, as the alarm above.
                Context().run(limit.reschedule, asyncio.get_running_loop().time() + seconds)
                value = invoke(raw)
                value = await value if is_awaitable(value) else value
        except TimeoutError:
            if not limit.expired():
                raise
        if limit.expired():
            raise TimeoutError(f"the record ran longer than record_timeout={seconds:g} s and was cancelled")
        return value

    return limited
