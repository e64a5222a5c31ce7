"""How a batch is run: in order, in threads, or as tasks. All drive one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partialbatch._core.runners import sequential, threads

if TYPE_CHECKING:
    from partialbatch._core.runners.deadline import Deadline
    from partialbatch._core.runners.run import Run
    from partialbatch._core.runners.schedule import Schedule

__all__ = ["run_plain", "settle"]


def run_plain(run: Run, schedule: Schedule, deadline: Deadline | None, workers: int, *, late: bool = False) -> None:
    """Run a plain record function over what the schedule gives.

    In rounds, where records wait for deliveries: as many as may run at all, then one settlement for
    all of them, so that the batches sent are as full as the order within groups allows.

    Args:
        run: The batch.
        schedule: Gives the records that may start.
        deadline: When to stop starting records.
        workers: How many may run at once.
        late: Whether time may have passed since the deadline's reading: in a thread that had to start first.
    """
    if late and deadline is not None:
        deadline.read()
    while True:
        if workers == 1:
            sequential.drain(run, schedule, deadline)
        else:
            threads.side_by_side(run, schedule, deadline, workers)
        if run.interrupt is not None or not settle(run, schedule, deadline):
            return


def settle(run: Run, schedule: Schedule, deadline: Deadline | None) -> bool:
    """Send what records wait for, and let those behind them start.

    Returns:
        Whether any record waited.
    """
    ended = run.settle()
    for index, passes in ended:
        schedule.ended(index, passes=passes)
    if ended and deadline is not None:
        deadline.read()
    return bool(ended)
