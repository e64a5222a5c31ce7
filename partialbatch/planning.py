"""Which records of a batch run, in which order, and how many at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from partialbatch.errors import INTERRUPTS, ConfigurationError
from partialbatch.results import SKIPPED
from partialbatch.runners.deadline import Deadline
from partialbatch.runners.run import Run
from partialbatch.runners.schedule import Schedule, successors
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from partialbatch.invocation import Invocation
    from partialbatch.settings import Settings
    from partialbatch.types import EventSource, RawRecord

__all__ = ["Planner", "Work"]

DERIVE, CONTINUE = ErrorPolicy.DERIVE, ErrorPolicy.CONTINUE
STOP, SKIP_GROUP = ErrorPolicy.STOP, ErrorPolicy.SKIP_GROUP
"""Up to Python 3.11 a member is looked up each time by a function: 60 ns, several times a batch."""
NO_GROUP = type("NoGroup", (), {"__repr__": lambda _: "None"})()
WINDOW = "window"
UNKNOWN_GROUP = "the group of a record before it is unknown"

Work = tuple[Run, Schedule, Deadline | None, int]
"""What a runner needs: the run, what may start, until when, and how many at once."""


class Planner:
    """Plans batches by one set of settings.

    Attributes:
        concurrency: How many records may run at once.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # What records give away, groups keep in order.
        self._delivers = settings.sink is not None or settings.dead_letter is not None
        self.concurrency = settings.max_concurrency if settings.max_concurrency > 0 else os.cpu_count() or 1
        # Never past a failure inside a group, where successes behind it are not run again.
        resumes = settings.resume is not None and settings.error_policy is DERIVE
        self._policy = SKIP_GROUP if resumes else settings.error_policy
        self._one_by_one = self.concurrency == 1 and settings.group_by is None and not settings.has_attachments

    def is_plain(self, invocation: Invocation, policy: ErrorPolicy) -> bool:
        """Tell whether a batch can run in event order, with nothing but successes and failures to note."""
        return (
            self._one_by_one
            and invocation.plan.is_plain
            and policy is not SKIP_GROUP
            and (self._settings.max_receive_count is None or policy is not STOP)
        )

    def policy(self, invocation: Invocation) -> ErrorPolicy:
        """Return what a failure means in this batch."""
        if invocation.window is not None:
            return STOP
        if self._policy is not DERIVE or invocation.source is None:
            return self._policy
        derived = invocation.source.policy(invocation.records)
        return derived if derived is CONTINUE or derived is STOP else _member(derived)

    def deadline(self, context: Any) -> Deadline | None:
        """Return until when records may start."""
        return Deadline.of(context, self._settings.deadline_margin)

    def group(self, invocation: Invocation) -> dict[int, BaseException]:
        """Ask for each record's group, where that matters.

        Returns:
            The records whose group is unknown, and why: they can run nowhere.
        """
        run, grouped = invocation.run, self._concurrency_of(invocation) > 1 or self._delivers
        unknown: dict[int, BaseException] = {}
        if not grouped and self._settings.group_by is None and self.policy(invocation) is not SKIP_GROUP:
            return unknown
        if self._settings.group_by is None and _group_by_source(invocation):
            return unknown
        groups: list[Hashable] = [None] * len(run.records)
        group_of = self._grouping(invocation.source)
        for index, raw in enumerate(run.records):
            if index in run.resumed:
                continue
            try:
                group = group_of(raw)
                hash(group)
            except BaseException as error:  # noqa: BLE001, RUF100 - fails its record alone, as in `step`
                unknown[index] = error
                if isinstance(error, INTERRUPTS):
                    run.fail(index, error)
                    raise
            else:
                groups[index] = group
        run.groups = groups
        run.is_ordered = any(group is not None for group in groups)
        return unknown

    def give_up(self, invocation: Invocation, unknown: Mapping[int, BaseException]) -> int:
        """Settle the records whose group is unknown.

        Returns:
            Up to which record the others may run.
        """
        run, goes_on = invocation.run, self.policy(invocation) is CONTINUE
        for index, error in unknown.items():
            # What follows may be of the same group.
            if run.give_up(index, error) and not goes_on:
                run.left_over = UNKNOWN_GROUP
                return index
        return len(run.records)

    def work(self, invocation: Invocation, context: Any, reach: int) -> Work:
        """Plan which records may run when.

        Args:
            invocation: The invocation; its records' groups are known.
            context: Lambda's context object.
            reach: Up to which record they may.
        """
        run, policy = invocation.run, self.policy(invocation)
        runnable = [index for index in range(reach) if run.states[index] == SKIPPED]
        following = [-1] * len(run.records)
        if run.is_ordered or (run.groups and run.on_success is not None):
            groups: list[Hashable] = [None] * len(run.records)
            for index in runnable:
                # A window's state has seen all records before: each is settled before the next one starts.
                groups[index] = WINDOW if run.on_success is not None else run.groups[index]
            following = successors(groups)
        deadline = self.deadline(context)
        schedule = Schedule(runnable, following, policy, deadline, _spared(invocation, policy))
        return run, schedule, deadline, self._concurrency_of(invocation)

    def _concurrency_of(self, invocation: Invocation) -> int:
        return 1 if invocation.window is not None else self.concurrency

    def _grouping(self, source: Any) -> Callable[[RawRecord], Hashable]:
        group_by = self._settings.group_by
        if group_by is None:
            return source.group  # type: ignore[no-any-return]  # an EventSource here
        view = source.view

        def group_of(raw: RawRecord) -> Hashable:
            group = group_by(view(raw))
            return NO_GROUP if group is None else group  # a group like any other here

        return group_of


def _group_by_source(invocation: Invocation) -> bool:
    """Take all groups at once from a source, in a third of the time; False if one is unknown, to find out which."""
    run, source = invocation.run, cast("EventSource", invocation.source)
    try:
        groups = list(map(source.group, run.records))
        run.is_ordered = set(groups) != {None}
    except BaseException:  # noqa: BLE001, RUF100 - raised again in the search
        return False
    run.groups = groups
    return True


def _member(policy: Any) -> ErrorPolicy:
    """Return the member that an event source of the user's own means, by its text say: members are told by identity.

    Raises:
        ConfigurationError: It is no policy.
    """
    for member in (CONTINUE, STOP, SKIP_GROUP):
        if policy == member:
            return member
    raise ConfigurationError.bad_value("EventSource.policy", policy, "'continue', 'stop' or 'skip_group'")


def _spared(invocation: Invocation, policy: ErrorPolicy) -> set[int]:
    """Return what a failure in another message group must not hold back.

    SQS would take a record at its last attempt into the dead-letter queue, unrun. What is behind a
    record of its own group that does hold back waits for it all the same.
    """
    run, source = invocation.run, invocation.source
    spared: set[int] = set()
    if run.holds_back is None or policy is not STOP or source is None:
        return spared
    held: set[Hashable] = set()
    for index, raw in enumerate(run.records):
        try:
            group = source.group(raw)
        except Exception:
            break  # what follows may be of the same group
        if group is not None and (group in held or run.holds_back(raw)):
            held.add(group)
        elif not run.holds_back(raw):
            spared.add(index)
    return spared
