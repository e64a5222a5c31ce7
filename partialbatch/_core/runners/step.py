"""The step that handles one record, for async and for plain record functions. Runners differ in how they drive it."""

from __future__ import annotations

from time import perf_counter
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from partialbatch._core.results import FAILED
from partialbatch._core.runners.calling import Direct, InThread
from partialbatch._core.runners.without_loop import drive
from partialbatch._inspection import is_a
from partialbatch._unrun import PLAIN, check_value, is_awaitable
from partialbatch.errors import INTERRUPTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from partialbatch._core.batch import BatchState

__all__ = ["plain_step", "step"]

_DIRECT, _IN_THREAD = Direct(), InThread()


async def step(batch: BatchState, index: int) -> bool | None:
    """Handle one record.

    Returns:
        Whether the record holds nothing back: it succeeded, or failed for the last time; None while
        it waits for its deliveries.
    """
    # A worker that dies in mid-record leaves it as failed, never as skipped.
    batch.states[index] = FAILED
    stages = batch.stages
    if stages.admit and (passes := await _turned_away(batch, index)) is not None:
        return passes
    started = perf_counter() if batch.durations is not None else 0.0
    try:
        if stages.around:
            value, waits = await _surrounded(batch, index, stages.around)
        else:
            value, waits = await _outcome(batch, index)
    except BaseException as error:  # a CancelledError fails its record alone; interrupts are raised at the end
        if batch.durations is not None:
            batch.durations[index] = perf_counter() - started
        return await _fail(batch, index, error)
    if batch.durations is not None:
        batch.durations[index] = perf_counter() - started
    if waits:
        batch.pending_items[index] = value
        return None
    batch.succeed(index, value)
    return True


def plain_step(batch: BatchState, index: int) -> bool | None:
    """Do the same as `step` for a plain record function, in half the time: without a coroutine for each part."""
    stages, durations = batch.stages, batch.durations
    if stages.admit or stages.around:
        return drive(step(batch, index))
    batch.states[index] = FAILED
    waits, started = False, perf_counter() if durations is not None else 0.0
    try:
        value = batch.invoke(batch.records[index])
        if value is not None:
            if type(value) not in PLAIN:
                value = _checked(batch, value)
            for take in stages.take:
                waits = take(batch, index, value) or waits
    except BaseException as error:  # as in `step`
        if durations is not None:
            durations[index] = perf_counter() - started
        return drive(_fail(batch, index, error))
    if durations is not None:
        durations[index] = perf_counter() - started
    if waits:
        batch.pending_items[index] = value
        return None
    batch.succeed(index, value)
    return True


async def _turned_away(batch: BatchState, index: int) -> bool | None:
    """Ask the stages whether a record may start.

    Returns:
        None if it may; else whether it holds nothing back.
    """
    calling = _IN_THREAD if batch.awaits else _DIRECT
    try:
        for admit in batch.stages.admit:
            reason = await admit(batch, index, calling)
            if reason is not None:
                return not batch.skip(index, reason)
            if index in batch.resumed:
                batch.confirm(index)
                return True
    except BaseException as error:  # in doubt the record comes back
        return not batch.fail(index, error)
    return None


async def _surrounded(
    batch: BatchState, index: int, managers: Sequence[Callable[[BatchState, int], AbstractContextManager[None]]]
) -> tuple[Any, bool]:
    """Run the record function inside the stages' context managers, the first one outermost."""
    if not managers:
        return await _outcome(batch, index)
    with managers[0](batch, index):
        return await _surrounded(batch, index, managers[1:])


async def _outcome(batch: BatchState, index: int) -> tuple[Any, bool]:
    """Run the record function.

    Returns:
        Its value, and whether the record waits until something of it is accepted.
    """
    value = batch.invoke(batch.records[index])
    if batch.awaits and (type(value) is CoroutineType or is_awaitable(value)):
        value = await value
        if batch.cancelled:
            raise TimeoutError(
                "the record was cancelled at the deadline's margin (deadline_margin), and went on: "
                "re-raise the CancelledError after cleaning up"
            )
    if value is None:
        return value, False
    if type(value) not in PLAIN:
        value = _checked(batch, value)
    waits = False
    for take in batch.stages.take:
        waits = await _call(batch, take, batch, index, value) or waits
    return value, waits


def _checked(batch: BatchState, value: Any) -> Any:
    """Return the items of an iterator for a sink; refuse a value that shows that code has not run."""
    if batch.stages.collects_iterators and hasattr(type(value), "__next__"):
        value = list(value)  # all of it before any of it is sent: it may raise half-way
    check_value(value)
    return value


async def _fail(batch: BatchState, index: int, error: BaseException) -> bool | None:
    """Note a failure, or that a dead letter is on its way.

    Returns:
        The same as `step`.
    """
    # A record that the deadline has cut short is not at fault.
    if not batch.cancelled:
        try:
            for rescue in batch.stages.rescue:
                send = rescue(batch, index, error)
                if send is not None and await _call(batch, send):
                    batch.pending_dead_letters[index] = error
                    return None
        except BaseException as struck:  # as in `step`
            if is_a(struck, INTERRUPTS):
                error = struck
    return not batch.fail(index, error)


async def _call(batch: BatchState, function: Callable[..., bool], *arguments: Any) -> bool:
    """Make a call that may wait for a network; an async record function's loop must not wait with it."""
    if not batch.awaits:
        return function(*arguments)
    return await _IN_THREAD.call(function, *arguments)
