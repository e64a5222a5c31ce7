"""Run records in rounds: as many as may run, then one settlement of everything that they wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partialbatch._core.runners import sequential, threads
from partialbatch._core.runners.settling import settle

if TYPE_CHECKING:
    from partialbatch._core.batch import BatchState
    from partialbatch._core.runners.deadline import Deadline
    from partialbatch._core.runners.schedule import Schedule

__all__ = ["run_plain"]


def run_plain(
    batch: BatchState, schedule: Schedule, deadline: Deadline | None, workers: int, *, late: bool = False
) -> None:
    """Run a plain record function over the records that the schedule gives.

    In rounds, if records wait for deliveries: as many as may run at all, then one settlement for
    all of them, so that the batches sent are as full as the order within groups allows.

    Args:
        batch: The batch.
        schedule: Gives the records that may start.
        deadline: When to stop starting records.
        workers: How many may run at once.
        late: Whether time may have passed since the deadline's reading: in a thread that had to start first.
    """
    if late and deadline is not None:
        deadline.read()
    while True:
        if workers == 1:
            sequential.drain(batch, schedule, deadline)
        else:
            threads.side_by_side(batch, schedule, deadline, workers)
        if batch.interrupt is not None or not settle(batch, schedule, deadline):
            return
