"""How a batch is run: in order, in threads, or as tasks. All drive one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partialbatch.runners import sequential, threads

if TYPE_CHECKING:
    from partialbatch.runners.deadline import Deadline
    from partialbatch.runners.run import Run
    from partialbatch.runners.schedule import Schedule

__all__ = ["run_plain"]


def run_plain(run: Run, schedule: Schedule, deadline: Deadline | None, workers: int) -> None:
    """Run a plain record function over what the schedule gives."""
    if workers == 1:
        sequential.drain(run, schedule, deadline)
    else:
        threads.side_by_side(run, schedule, deadline, workers)
