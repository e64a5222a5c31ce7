"""Settle the records that wait for something to be accepted, outside of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partialbatch._core.batch import BatchState
    from partialbatch._core.runners.deadline import Deadline
    from partialbatch._core.runners.schedule import Schedule

__all__ = ["give_up", "rescued", "settle"]


def settle(batch: BatchState, schedule: Schedule, deadline: Deadline | None) -> bool:
    """Send everything that records wait for, and let those behind them start.

    Returns:
        Whether any record waited.
    """
    ended = batch.settle()
    for index, passes in ended:
        schedule.ended(index, passes=passes)
    if ended and deadline is not None:
        deadline.read()
    return bool(ended)


def rescued(batch: BatchState, index: int, error: BaseException) -> bool:
    """Have a stage take a record that failed, if one does; it may wait for a network."""
    for rescue in batch.stages.rescue:
        send = rescue(batch, index, error)
        if send is not None and send():
            return True
    return False


def give_up(batch: BatchState, index: int, error: BaseException) -> bool:
    """Note that a record cannot succeed any more: as a dead letter, if its error is permanent, else as a failure.

    Returns:
        Whether it holds back the records that its error policy names.
    """
    if not rescued(batch, index, error):
        return batch.fail(index, error)
    batch.pending_dead_letters[index] = error
    return not all(passes for _, passes in batch.settle())
