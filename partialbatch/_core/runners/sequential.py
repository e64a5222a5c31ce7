"""One record after another, in the caller's thread."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from partialbatch._core.reasons import DEADLINE, ENDING, STOPPED
from partialbatch._core.results import SKIPPED
from partialbatch._core.runners.deadline import measure
from partialbatch._core.runners.step import plain_step
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from partialbatch._core.batch import BatchState
    from partialbatch._core.runners.deadline import Deadline
    from partialbatch._core.runners.schedule import Schedule

__all__ = ["can_run_in_order", "drain", "run_in_order"]

_STOP, _SKIP_GROUP = ErrorPolicy.STOP, ErrorPolicy.SKIP_GROUP  # looking up a member takes 60 ns on Python 3.11


def drain(batch: BatchState, schedule: Schedule, deadline: Deadline | None) -> None:
    """Run the records that the schedule gives, one after another, until it gives none."""
    while (index := schedule.take()) >= 0:
        passes = copy_context().run(plain_step, batch, index)
        if batch.interrupt is not None:
            schedule.close(ENDING)
        schedule.ended(index, passes=passes)
        if deadline is not None and schedule.gives_more:
            deadline.record_ended(index)
    batch.left_over = schedule.closed or batch.left_over


def can_run_in_order(batch: BatchState) -> bool:
    """Tell whether a batch of one worker needs no schedule: no record waits for another one to be settled."""
    stages = batch.stages
    return not (
        batch.awaits
        or batch.unknown_groups
        or batch.last_attempts
        or ((stages.take or stages.rescue) and (batch.is_ordered or batch.window is not None))
    )


def run_in_order(batch: BatchState, margin: float | None) -> None:
    """Run the records of a batch in event order, as `rounds.run_plain` does with a schedule, and settle them.

    Args:
        batch: A batch that `can_run_in_order`.
        margin: Seconds to keep free before the function's timeout; None without a deadline.
    """
    states, lanes, policy = batch.states, batch.lanes, batch.policy
    skips_groups, stops = policy is _SKIP_GROUP and bool(lanes), policy is _STOP
    held: set[Any] = set()
    clock, started, slowest, end, read = None, 0.0, 0.0, 0.0, False
    if batch.context is not None and (measured := measure(batch.context, margin)) is not None:
        clock, started, end = measured
    for index in range(len(states)):
        if states[index] != SKIPPED or (held and lanes[index] in held):
            continue  # it is resumed, or behind a failure
        if clock is not None:
            now = clock() if read else started  # the reading just before is the first record's
            slowest, started, read = max(slowest, now - started), now, True
            if now + slowest > end:
                batch.left_over = DEADLINE
                break
        passes = copy_context().run(plain_step, batch, index)
        if batch.interrupt is not None:
            batch.left_over = ENDING
            return
        if passes is False and stops:
            batch.left_over = STOPPED
            break
        if passes is False and skips_groups and lanes[index] is not None:
            held.add(lanes[index])
    if batch.pending_items or batch.pending_dead_letters:
        batch.settle()
