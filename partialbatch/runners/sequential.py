"""One record after another, in the caller's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partialbatch.runners.run import INTERRUPTS, SUCCEEDED, check_value, step
from partialbatch.runners.schedule import DEADLINE, ENDING, STOPPED

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from partialbatch.runners.deadline import Deadline
    from partialbatch.runners.run import Run
    from partialbatch.runners.schedule import Schedule

__all__ = ["drain", "drive", "in_order"]


def in_order(run: Run, deadline: Deadline | None, *, stops: bool) -> None:
    """Run all records in event order, the step inlined: half the time of a call and a coroutine a record.

    Args:
        run: The run of a plain function, whose values and durations nobody asks for.
        deadline: When to stop starting records.
        stops: Whether a failure ends the batch.
    """
    invoke, states, records = run.invoke, run.states, run.records
    left = deadline.left if deadline is not None else 0
    for index, raw in enumerate(records):
        if deadline is not None:
            if index:
                deadline.record_ended(left)
                left = deadline.left
            if not deadline.allows():
                run.left_over = DEADLINE
                break
        try:
            value = invoke(raw)
            if value is not None:
                check_value(value)
            states[index] = SUCCEEDED
        except BaseException as error:  # noqa: B036, RUF100 - as in `step`
            held_back = run.fail(index, error)
            if isinstance(error, INTERRUPTS):
                raise
            if held_back and stops:
                run.left_over = STOPPED
                break


def drain(run: Run, schedule: Schedule, deadline: Deadline | None) -> None:
    """Run what the schedule gives, one record after another, until it gives none."""
    while (index := schedule.take()) >= 0:
        left = deadline.left if deadline is not None else 0
        passes = drive(step(run, index))
        if deadline is not None:
            deadline.record_ended(left)
        if run.interrupt is not None:
            schedule.close(ENDING)
        schedule.ended(index, passes=passes)
    run.left_over = schedule.closed


def drive(coroutine: Coroutine[Any, Any, bool]) -> bool:
    """Run a step to its end without an event loop: a plain function's step never waits."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return bool(ended.value)
    coroutine.close()
    raise RuntimeError("a record function that is not async waited for an event loop")
