"""Run groups concurrently as asyncio tasks, for async record functions."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from time import perf_counter
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from partialbatch._core.reasons import DEADLINE, ENDING
from partialbatch._core.results import FAILED
from partialbatch._core.runners.settling import settle
from partialbatch._core.runners.step import step
from partialbatch._core.runners.to_thread import call_in_thread
from partialbatch._unrun import is_awaitable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from partialbatch._core.batch import BatchState
    from partialbatch._core.runners.deadline import Deadline
    from partialbatch._core.runners.schedule import Schedule
    from partialbatch.types import RawRecord

__all__ = ["in_rounds", "side_by_side", "with_timeout"]

T = TypeVar("T")

_TURN = 0.001
"""Seconds after which the loop gets a turn, while no record waits for it."""


async def side_by_side(batch: BatchState, schedule: Schedule, deadline: Deadline | None, workers: int) -> None:
    """Run the records that the schedule gives in up to `workers` tasks, each one record after another.

    Returns only when no task runs any more. At the deadline's margin records that still run are
    cancelled and awaited, and so they are when the caller is cancelled.
    """
    batch_workers = _Workers(batch, schedule, deadline)
    alarm = None
    if deadline is not None:
        # In an empty context: the loop keeps the context of a timer, cancelled or not, until it is due.
        deadline.read()
        alarm = asyncio.get_running_loop().call_later(
            max(0.0, deadline.seconds_left), batch_workers.cancel_at_margin, context=Context()
        )
    cancelled: asyncio.CancelledError | None = None
    batch_workers.start(min(workers, schedule.width))
    while batch_workers.is_at_work:
        try:
            await batch_workers.end()
        except asyncio.CancelledError as error:
            cancelled = error
            batch_workers.cancel(ENDING)
    if alarm is not None:
        alarm.cancel()
    batch.left_over = schedule.closed or batch.left_over
    if batch_workers.error is not None:
        raise batch_workers.error
    if cancelled is not None:
        raise cancelled


async def in_rounds(batch: BatchState, schedule: Schedule, deadline: Deadline | None, workers: int) -> None:
    """Run an async record function over the records that the schedule gives; in rounds, as `run_plain` does."""
    while True:
        await side_by_side(batch, schedule, deadline, workers)
        if batch.interrupt is not None or not (batch.pending_items or batch.pending_dead_letters):
            return
        await call_in_thread(settle, batch, schedule, deadline, on_cancel=partial(schedule.close, ENDING))


class _Workers:
    """The workers of one batch, as in `threads`: one that finds nothing ready may go, there will never be more.

    A task for each record would be simpler, and take twice the time if records hardly wait. Only one worker starts;
    the others do when a record really waits.
    """

    def __init__(self, batch: BatchState, schedule: Schedule, deadline: Deadline | None) -> None:
        self._batch = batch
        self._schedule = schedule
        self._deadline = deadline
        self._context = copy_context()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] | None = None
        self._at_work = self._held_back = 0
        self._turned = perf_counter()
        self.tasks: list[asyncio.Task[None]] = []
        self.error: BaseException | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether a worker runs."""
        return self._at_work > 0

    def start(self, workers: int) -> None:
        """Put one worker to work, and more once a record waits."""
        self._held_back = workers - 1
        if workers:
            self._add()

    async def end(self) -> None:
        """Wait until no worker runs."""
        self._ended = self._loop.create_future()
        await self._ended

    def _add(self) -> None:
        task = self._loop.create_task(self._work())
        self._at_work += 1
        self.tasks.append(task)
        task.add_done_callback(self._note_end)  # a worker that is cancelled before its first step runs no code

    def _note_end(self, _task: asyncio.Task[None]) -> None:
        self._at_work -= 1
        if not self._at_work and self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def note_wait(self) -> None:
        """Put the other workers to work: a record waits for the loop."""
        count, self._held_back = min(self._held_back, self._schedule.width), 0
        for _ in range(count):
            self._add()

    async def _work(self) -> None:
        """Run one record after another until none is ready."""
        batch, schedule, deadline, fresh = self._batch, self._schedule, self._deadline, self._context.copy
        task: Any = asyncio.current_task()
        task.remove_done_callback(self._note_end)  # done below, without a turn of the loop
        try:
            while (index := self._take()) >= 0:
                passes, waited = await _within(fresh(), step(batch, index), self)
                if deadline is not None:
                    deadline.record_ended(index)  # here, for the turn may be a long one
                if batch.interrupt is not None:
                    schedule.close(ENDING)
                if not waited and perf_counter() - self._turned > _TURN:
                    await _turn()
                    self._turned = perf_counter()
                schedule.ended(index, passes=passes)
                if task.cancelling():
                    await _forget_cancels(task)
        except BaseException as error:  # raised once nothing runs; the loop would drop it
            self.error = error
            schedule.close(ENDING)
        finally:
            self._note_end(task)

    def _take(self) -> int:
        """Return the next record, by a reading of its own: since the last one other records ran."""
        if self._deadline is not None and self._schedule.gives_more:
            self._deadline.read()
        return self._schedule.take()

    def cancel(self, why: str) -> None:
        """Start nothing any more, and cancel the records that run."""
        self._schedule.close(why)
        for task in self.tasks:
            task.cancel(why)

    def cancel_at_margin(self) -> None:
        """Cancel because the time is up: records that run now fail, whatever they return."""
        waiting = len(self._batch.pending_items) + len(self._batch.pending_dead_letters)
        self._batch.cancelled = self._batch.states.count(FAILED) - len(self._batch.errors) - waiting
        self.cancel(DEADLINE)


@coroutine
def _within(context: Context, record: Coroutine[Any, Any, T], workers: _Workers) -> Generator[Any, Any, tuple[T, bool]]:
    """Run a record in a context of its own.

    Returns:
        The value of the record, and whether it waited, so that the loop had a turn.
    """
    call, value, waited = record.send, None, False
    while True:
        try:
            awaited = context.run(call, value)
        except StopIteration as end:
            return end.value, waited
        if not waited:
            waited = True
            workers.note_wait()
        try:
            value = yield awaited
            call = record.send
        except BaseException as error:  # for the record to see
            call, value = record.throw, error


@coroutine
def _turn() -> Generator[None, None, None]:
    """Give the loop a turn: or timers would wait for the whole batch."""
    with suppress(asyncio.CancelledError):
        yield


async def _forget_cancels(task: asyncio.Task[Any]) -> None:
    """Keep the cancel of one record (its own code may cancel it) from reaching the next one."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    while task.cancelling():
        task.uncancel()


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
