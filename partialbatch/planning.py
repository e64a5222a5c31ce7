"""Which records of a batch run, in which order, and how many at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from partialbatch.runners.deadline import Deadline
from partialbatch.runners.run import INTERRUPTS, Run
from partialbatch.runners.schedule import Schedule, successors
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from partialbatch.invocation import Invocation
    from partialbatch.settings import Settings
    from partialbatch.types import RawRecord

__all__ = ["Planner", "Work"]

UNKNOWN_GROUP = "the group of a record before it is unknown"

Work = tuple[Run, Schedule, Deadline | None, int]
"""What a runner needs: the run, what may start, until when, and how many at once."""


class Planner:
    """Plans batches by one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # What records give away, groups keep in order.
        self._delivers = settings.sink is not None or settings.dead_letter is not None
        self._concurrency = settings.max_concurrency if settings.max_concurrency > 0 else os.cpu_count() or 1
        self._one_by_one = self._concurrency == 1 and settings.group_by is None and not settings.has_attachments

    def is_plain(self, run: Run, policy: ErrorPolicy) -> bool:
        """Tell whether a batch can run in event order, with nothing but successes and failures to note."""
        return (
            self._one_by_one
            and policy is not ErrorPolicy.SKIP_GROUP
            and not (run.holds_back is not None and policy is ErrorPolicy.STOP)
            and not (run.awaits or run.on_success or run.values is not None)
        )

    def policy(self, invocation: Invocation) -> ErrorPolicy:
        """Return what a failure means in this batch."""
        if invocation.window is not None:
            return ErrorPolicy.STOP
        policy = self._settings.error_policy
        if policy is not ErrorPolicy.DERIVE or invocation.source is None:
            return policy
        if self._settings.resume is not None:
            return ErrorPolicy.SKIP_GROUP  # never past a failure inside a group
        return invocation.source.policy(invocation.run.records)

    def deadline(self, context: Any) -> Deadline | None:
        """Return until when records may start."""
        return Deadline.of(context, self._settings.deadline_margin)

    def work(self, invocation: Invocation, context: Any) -> Work:
        """Plan which records may run when."""
        run, policy = invocation.run, self.policy(invocation)
        workers = 1 if invocation.window is not None else self._concurrency
        runnable: Sequence[int] = [index for index in range(len(run.records)) if index not in run.resumed]
        following = [-1] * len(run.records)
        grouped = workers > 1 or policy is ErrorPolicy.SKIP_GROUP or self._delivers
        if grouped or self._settings.group_by is not None:
            runnable, groups = self._groups(invocation, policy, runnable)
            following = successors(groups)
            run.groups = groups if self._settings.group_by is None else [group and group[0] for group in groups]
            if self._delivers:
                run.is_ordered = self._settings.group_by is not None or any(group is not None for group in groups)
        deadline = self.deadline(context)
        schedule = Schedule(runnable, following, policy, deadline, _spared(run, policy))
        return run, schedule, deadline, workers

    def _groups(
        self, invocation: Invocation, policy: ErrorPolicy, indexes: Sequence[int]
    ) -> tuple[list[int], list[Any]]:
        """Ask for each record's group; a record whose group is unknown fails, and runs nowhere."""
        run = invocation.run
        group_of = self._grouping(invocation.source)
        runnable: list[int] = []
        groups: list[Any] = [None] * len(run.records)
        for index in indexes:
            try:
                group = group_of(run.records[index])
                hash(group)
            except BaseException as error:  # noqa: BLE001, RUF100 - fails its record alone, as in `step`
                held_back = run.fail(index, error)
                if isinstance(error, INTERRUPTS):
                    raise
                # What follows may be of the same group.
                if held_back and policy is not ErrorPolicy.CONTINUE:
                    run.left_over = UNKNOWN_GROUP
                    break
            else:
                runnable.append(index)
                groups[index] = group
        return runnable, groups

    def _grouping(self, source: Any) -> Callable[[RawRecord], Hashable]:
        group_by = self._settings.group_by
        if group_by is None:
            return source.group  # type: ignore[no-any-return]  # an EventSource here
        view = source.view
        # In a tuple, for None is a group like any other here.
        return lambda raw: (group_by(view(raw)),)


def _spared(run: Run, policy: ErrorPolicy) -> frozenset[int]:
    """Return what a stop must not hold back: SQS would take it into the dead-letter queue, unrun.

    Only failures of other message groups hold back a record at its last attempt: within a group
    an earlier one was received at least as often, and so is at its last attempt too.
    """
    if run.holds_back is None or policy is not ErrorPolicy.STOP:
        return frozenset()
    return frozenset(index for index, raw in enumerate(run.records) if not run.holds_back(raw))
