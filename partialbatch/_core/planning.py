"""Which records of a batch run, in which order, and how many at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from partialbatch._core.results import SKIPPED
from partialbatch._core.runners.deadline import Deadline
from partialbatch._core.runners.run import Run
from partialbatch._core.runners.schedule import Schedule, successors
from partialbatch._core.unrun import check_value
from partialbatch._inspection import is_a
from partialbatch.errors import INTERRUPTS, ConfigurationError
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from partialbatch._core.invocation import Invocation
    from partialbatch._core.options import Settings
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
        self._has_own_source = not isinstance(settings.source, str)
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
        # A source of the user's own gets a copy: the order of the list is that of the event.
        records = list(invocation.records) if self._has_own_source else invocation.records
        derived = invocation.source.policy(records)
        return derived if derived is CONTINUE or derived is STOP else _member(derived)

    def deadline(self, context: Any) -> Deadline | None:
        """Return until when records may start."""
        return Deadline.of(context, self._settings.deadline_margin)

    def survey(self, invocation: Invocation) -> None:
        """Take from the records what decides about their order, before code of the user's can change them."""
        run = invocation.run
        run.policy = self.policy(invocation)
        run.spared = _spared(invocation)
        if self._settings.group_by is None and self._needs_groups(invocation) and not self._group_at_once(invocation):
            _take_groups(run, cast("EventSource", invocation.source).group, "the event source's group()")

    def group(self, invocation: Invocation) -> None:
        """Ask ``group_by`` for each record's group; see `survey` for those that the source gives."""
        group_by = self._settings.group_by
        if group_by is None:
            return
        view = cast("EventSource", invocation.source).view

        def group_of(raw: RawRecord) -> Hashable:
            group = group_by(view(raw))
            return NO_GROUP if group is None else group  # a group like any other here

        _take_groups(invocation.run, group_of, "group_by")

    def give_up(self, invocation: Invocation) -> int:
        """Settle the records whose group is unknown.

        Returns:
            Up to which record the others may run, those apart that nothing may hold back.
        """
        run = invocation.run
        reach = len(run.records)
        for index, error in run.unknown.items():
            if index in run.resumed or (index > reach and index not in run.spared):
                continue
            # What follows may be of the same group.
            if run.give_up(index, error) and run.policy is not CONTINUE:
                run.left_over = UNKNOWN_GROUP
                reach = index
        return reach

    def work(self, invocation: Invocation, context: Any, reach: int) -> Work:
        """Plan which records may run when.

        Args:
            invocation: The invocation; its records' groups are known.
            context: Lambda's context object.
            reach: Up to which record they may.
        """
        run = invocation.run
        runnable = [
            index
            for index, state in enumerate(run.states)
            if state == SKIPPED and (index < reach or index in run.spared)
        ]
        folds = run.on_success is not None
        following = [-1] * len(run.records)
        if run.is_ordered or (run.groups and folds):
            lanes: list[Hashable] = [None] * len(run.records)
            for index in runnable:
                # A window's state has seen all records before: each is settled before the next one starts.
                lanes[index] = WINDOW if folds else run.lanes[index]
            following = successors(lanes)
        deadline = self.deadline(context)
        schedule = Schedule(runnable, following, run.policy, deadline, run.spared)
        return run, schedule, deadline, self._concurrency_of(invocation)

    def _needs_groups(self, invocation: Invocation) -> bool:
        """Tell whether it matters which records stay in order with each other."""
        return self._concurrency_of(invocation) > 1 or self._delivers or invocation.run.policy is SKIP_GROUP

    def _group_at_once(self, invocation: Invocation) -> bool:
        """Take all groups from a source in a third of the time; False if one is unknown, to find out which.

        Ours give text, numbers and tuples of them, which can be compared as they are.
        """
        run, source = invocation.run, cast("EventSource", invocation.source)
        if self._has_own_source:
            return False
        try:
            groups = list(map(source.group, run.records))
        except Exception:
            return False
        run.is_ordered = set(groups) != {None}
        run.groups = run.lanes = groups
        return True

    def _concurrency_of(self, invocation: Invocation) -> int:
        return 1 if invocation.window is not None else self.concurrency


def _take_groups(run: Run, group_of: Callable[[RawRecord], Hashable], what: str) -> None:
    """Ask for each record's group, and number the groups: comparing them is code of the user's, done here for good.

    Args:
        run: The run; records whose group is unknown are noted there, with why.
        group_of: Gives the group of a raw record.
        what: What gives it, for errors.
    """
    groups: list[Hashable] = [None] * len(run.records)
    lanes: list[Hashable] = [None] * len(run.records)
    numbers: dict[Hashable, int] = {}
    for index, raw in enumerate(run.records):
        if index in run.resumed:
            continue
        try:
            group = group_of(raw)
            check_value(group, what, "return a plain value")
            if group is not None:
                groups[index], lanes[index] = group, numbers.setdefault(group, len(numbers))
        except BaseException as error:  # fails its record alone, as in `step`
            run.unknown[index] = error
            if is_a(error, INTERRUPTS):
                run.fail(index, error)
                raise
    run.groups, run.lanes = groups, lanes
    run.is_ordered = bool(numbers)


def _member(policy: Any) -> ErrorPolicy:
    """Return the member that an event source of the user's own means, by its text say: members are told by identity.

    Raises:
        ConfigurationError: It is no policy.
    """
    for member in (CONTINUE, STOP, SKIP_GROUP):
        if policy == member:
            return member
    raise ConfigurationError.bad_value("EventSource.policy", policy, "'continue', 'stop' or 'skip_group'")


def _spared(invocation: Invocation) -> set[int]:
    """Return what a failure in another message group must not hold back.

    SQS would take a record at its last attempt into the dead-letter queue, unrun. What is behind a
    record of its own group that does hold back waits for it all the same.
    """
    run, source = invocation.run, invocation.source
    spared: set[int] = set()
    if not run.last_attempts or run.policy is CONTINUE or source is None:
        return spared
    held: set[Hashable] = set()
    for index, raw in enumerate(run.records):
        try:
            group = source.group(raw)
            if group is not None and (group in held or index not in run.last_attempts):
                held.add(group)
            elif index in run.last_attempts:
                spared.add(index)
        except Exception:
            break  # what follows may be of the same group
    return spared
