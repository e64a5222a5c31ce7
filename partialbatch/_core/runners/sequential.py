"""One record after another, in the caller's thread."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING

from partialbatch._core.reasons import ENDING
from partialbatch._core.runners.driving import drive
from partialbatch._core.runners.step import step

if TYPE_CHECKING:
    from partialbatch._core.batch import BatchState
    from partialbatch._core.runners.deadline import Deadline
    from partialbatch._core.runners.schedule import Schedule

__all__ = ["drain"]


def drain(batch: BatchState, schedule: Schedule, deadline: Deadline | None) -> None:
    """Run the records that the schedule gives, one after another, until it gives none."""
    while (index := schedule.take()) >= 0:
        passes = copy_context().run(drive, step(batch, index))
        if batch.interrupt is not None:
            schedule.close(ENDING)
        schedule.ended(index, passes=passes)
        if deadline is not None and schedule.gives_more:
            deadline.record_ended(index)
    batch.left_over = schedule.closed or batch.left_over
