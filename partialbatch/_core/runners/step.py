"""The step that handles one record: the same for all runners, which differ in how they drive it."""

from __future__ import annotations

from contextlib import nullcontext
from time import perf_counter
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from partialbatch._core.results import FAILED
from partialbatch._core.unrun import PLAIN, check_value, is_awaitable
from partialbatch._inspection import is_a
from partialbatch.errors import INTERRUPTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch._core.runners.run import Run

__all__ = ["step"]

_NOTHING = nullcontext()


async def step(run: Run, index: int) -> bool | None:
    """Handle one record.

    Returns:
        Whether the record holds nothing back: it succeeded, or failed for the last time; None while
        it waits for its deliveries.
    """
    started = perf_counter() if run.durations is not None else 0.0
    # A worker that dies in mid-record leaves it as failed, never as skipped.
    run.states[index] = FAILED
    try:
        if run.around is None:  # a `nullcontext` instead would take twice as long as the extra call
            value, waits = await _outcome(run, index)
        else:
            with run.around(index):
                value, waits = await _outcome(run, index)
    except BaseException as error:  # a CancelledError fails its record alone; interrupts are raised at the end
        run.note_duration(index, started)
        return await _fail(run, index, error)
    if run.durations is not None:
        run.note_duration(index, started)
    if waits:
        run.waiting[index] = value
        return None
    run.succeed(index, value)
    return True


async def _outcome(run: Run, index: int) -> tuple[Any, bool]:
    """Run the record function.

    Returns:
        What it returned, and whether that waits for its delivery.
    """
    value = run.invoke(run.records[index])
    if run.awaits and (type(value) is CoroutineType or is_awaitable(value)):
        value = await value
        if run.cancelled:
            raise TimeoutError(
                "the record was cancelled at the deadline's margin (deadline_margin), and went on: "
                "re-raise the CancelledError after cleaning up"
            )
    if value is None:
        return value, False
    if type(value) not in PLAIN:
        if run.collects and hasattr(type(value), "__next__"):
            value = list(value)  # all of it before any of it is sent: it may raise half-way
        check_value(value)
    deliveries = run.deliveries
    if deliveries is None or not deliveries.takes_values:
        return value, False
    if run.awaits:
        return value, await _beside(run, deliveries.put, index, value)
    return value, deliveries.put(index, value)


async def _fail(run: Run, index: int, error: BaseException) -> bool | None:
    """Note a failure, or that a dead letter is on its way.

    Returns:
        What `step` does.
    """
    # What the deadline has cut short is not at fault.
    if run.deliveries is not None and not run.cancelled:
        try:
            if run.deliveries.is_permanent(error) and await _beside(run, run.deliveries.bury, index, error):
                run.doomed[index] = error
                return None
        except BaseException as struck:  # as in `step`
            if is_a(struck, INTERRUPTS):
                error = struck
    return not run.fail(index, error)


async def _beside(run: Run, function: Callable[..., bool], *arguments: Any) -> bool:
    """Call what may wait for a network; beside the loop, if there is one."""
    if not run.awaits:
        return function(*arguments)
    from partialbatch._core.runners.to_thread import aside  # loads asyncio

    return await aside(function, *arguments)
