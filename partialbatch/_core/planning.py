"""Plan a batch: which records run, in which order, and how many at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from partialbatch._core import logs
from partialbatch._core.reasons import UNKNOWN_GROUP
from partialbatch._core.results import SKIPPED
from partialbatch._core.runners.deadline import Deadline
from partialbatch._core.runners.schedule import Schedule, successors
from partialbatch._core.runners.settling import give_up
from partialbatch._inspection import is_a
from partialbatch._unrun import check_value
from partialbatch.errors import INTERRUPTS, ConfigurationError
from partialbatch.sources.sqs import SQSSource, has_unordered_groups
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from partialbatch._core.batch import BatchState
    from partialbatch._core.options import Settings
    from partialbatch._core.stages.base import Stages
    from partialbatch.types import EventSource, RawRecord

__all__ = ["Planner", "Work"]

DERIVE, CONTINUE = ErrorPolicy.DERIVE, ErrorPolicy.CONTINUE
STOP, SKIP_GROUP = ErrorPolicy.STOP, ErrorPolicy.SKIP_GROUP
"""Up to Python 3.11 a member is looked up each time by a function: 60 ns, several times a batch."""
NO_GROUP = type("NoGroup", (), {"__repr__": lambda _: "None"})()
WINDOW = "window"
UNORDERED_GROUPS = (
    "error_policy='skip_group' holds nothing back here: the messages carry a MessageGroupId, but their queue's ARN "
    "doesn't end in '.fifo', so each of them stands alone; give fifo=True if their groups have an order, "
    "or fifo=False to leave this line out"
)

Work = tuple["BatchState", Schedule, Deadline | None, int]
"""The arguments of a runner: the batch, the records that may start, until when, and how many at once."""


class Planner:
    """Plans batches by one set of settings.

    Attributes:
        concurrency: How many records may run at once.
    """

    def __init__(self, settings: Settings, stages: Stages) -> None:
        self._settings = settings
        self._policy = settings.error_policy
        self._stages = stages
        self._has_own_source = not isinstance(settings.source, str)
        self.concurrency = settings.max_concurrency if settings.max_concurrency > 0 else os.cpu_count() or 1
        self._warns_of_groups = (
            settings.error_policy is SKIP_GROUP and settings.fifo == "auto" and settings.group_by is None
        )
        self._is_simple = self.concurrency == 1 and settings.group_by is None and not stages.all

    def can_run_directly(self, batch: BatchState) -> bool:
        """Tell whether the fast path can run a batch: in event order, with nothing but successes and failures."""
        return (
            self._is_simple
            and batch.plan.is_plain
            and batch.policy is not SKIP_GROUP
            and (self._settings.max_receive_count is None or batch.policy is not STOP)
        )

    def policy(self, batch: BatchState) -> ErrorPolicy:
        """Return the meaning of a failure in this batch."""
        if batch.window is not None:
            return STOP
        if self._policy is not DERIVE or batch.source is None:
            return self._policy
        # A source of the user's own gets a copy: the order of the list is that of the event.
        records = list(batch.records) if self._has_own_source else batch.records
        derived = batch.source.policy(records)
        if derived is not CONTINUE and derived is not STOP:
            derived = _member(derived)
        for policy in self._stages.policy:
            derived = policy(batch, derived)
        return derived

    def deadline(self, batch: BatchState) -> Deadline | None:
        """Return the deadline after which no record starts; None without one."""
        return Deadline.of(batch.context, self._settings.deadline_margin) if batch.context is not None else None

    def survey(self, batch: BatchState) -> None:
        """Read the groups from the records, before code of the user's can change them."""
        batch.spared = _spared(batch)
        if self._warns_of_groups and isinstance(batch.source, SQSSource) and has_unordered_groups(batch.records):
            logs.once("skip_group", UNORDERED_GROUPS)
        if self._settings.group_by is None and self._needs_groups(batch) and not self._group_at_once(batch):
            _take_groups(batch, cast("EventSource", batch.source).group, "the event source's group()")

    def group(self, batch: BatchState) -> None:
        """Ask ``group_by`` for each record's group; see `survey` for those that the source gives."""
        group_by = self._settings.group_by
        if group_by is None:
            return
        view = cast("EventSource", batch.source).view

        def group_of(raw: RawRecord) -> Hashable:
            group = group_by(view(raw))
            return NO_GROUP if group is None else group  # a group like any other here

        _take_groups(batch, group_of, "group_by")

    def give_up(self, batch: BatchState) -> int:
        """Give up the records whose group is unknown.

        Returns:
            Up to which record the others may run, those apart that nothing may hold back.
        """
        reach = len(batch.records)
        for index, error in batch.unknown_groups.items():
            if index in batch.resumed or (index > reach and index not in batch.spared):
                continue
            # The records that follow may be of the same group.
            if give_up(batch, index, error) and batch.policy is not CONTINUE:
                batch.left_over = UNKNOWN_GROUP
                reach = index
        return reach

    def work(self, batch: BatchState, reach: int) -> Work:
        """Plan which records may run when.

        Args:
            batch: The batch; its records' groups are known.
            reach: Up to which record they may.
        """
        runnable = [
            index
            for index, state in enumerate(batch.states)
            if state == SKIPPED and (index < reach or index in batch.spared)
        ]
        folds = batch.window is not None and batch.plan.takes_state
        following = [-1] * len(batch.records)
        if batch.is_ordered or (batch.groups and folds):
            lanes: list[Hashable] = [None] * len(batch.records)
            for index in runnable:
                # A window's state has seen all records before: each is settled before the next one starts.
                lanes[index] = WINDOW if folds else batch.lanes[index]
            following = successors(lanes)
        deadline = self.deadline(batch)
        schedule = Schedule(runnable, following, batch.policy, deadline, batch.spared)
        return batch, schedule, deadline, self.concurrency_of(batch)

    def _needs_groups(self, batch: BatchState) -> bool:
        """Tell whether it matters which records stay in order with each other."""
        return self.concurrency_of(batch) > 1 or self._stages.keeps_order or batch.policy is SKIP_GROUP

    def _group_at_once(self, batch: BatchState) -> bool:
        """Take all groups from a source in a third of the time; False if one is unknown, to find out which.

        Ours give text, numbers and tuples of them, which can be compared as they are.
        """
        source = cast("EventSource", batch.source)
        if self._has_own_source:
            return False
        try:
            groups = list(map(source.group, batch.records))
        except Exception:
            return False
        batch.is_ordered = set(groups) != {None}
        batch.groups = batch.lanes = groups
        return True

    def concurrency_of(self, batch: BatchState) -> int:
        """Return how many records of a batch may run at once: a window's records fold into one state."""
        return 1 if batch.window is not None else self.concurrency


def _take_groups(batch: BatchState, group_of: Callable[[RawRecord], Hashable], what: str) -> None:
    """Ask for each record's group, and number the groups: comparing them is code of the user's, done here for good.

    Args:
        batch: The batch; records whose group is unknown are noted there, with the reason.
        group_of: Gives the group of a raw record.
        what: The name of its origin, for errors.
    """
    groups: list[Hashable] = [None] * len(batch.records)
    lanes: list[Hashable] = [None] * len(batch.records)
    numbers: dict[Hashable, int] = {}
    for index, raw in enumerate(batch.records):
        if index in batch.resumed:
            continue
        try:
            group = group_of(raw)
            check_value(group, what, "return a plain value")
            if group is not None:
                groups[index], lanes[index] = group, numbers.setdefault(group, len(numbers))
        except BaseException as error:  # fails its record alone, as in `step`
            batch.unknown_groups[index] = error
            if is_a(error, INTERRUPTS):
                batch.fail(index, error)
                raise
    batch.groups, batch.lanes = groups, lanes
    batch.is_ordered = bool(numbers)


def _member(policy: Any) -> ErrorPolicy:
    """Return the member that an event source of the user's own means, by its text say: members are told by identity.

    Raises:
        ConfigurationError: It is no policy.
    """
    for member in (CONTINUE, STOP, SKIP_GROUP):
        if policy == member:
            return member
    raise ConfigurationError.bad_value("EventSource.policy", policy, "'continue', 'stop' or 'skip_group'")


def _spared(batch: BatchState) -> set[int]:
    """Return the records that a failure in another message group must not hold back.

    SQS would take a record at its last attempt into the dead-letter queue, unrun. A record waits all
    the same for one of its own group that does hold back.
    """
    source = batch.source
    spared: set[int] = set()
    if not batch.last_attempts or batch.policy is CONTINUE or source is None:
        return spared
    held: set[Hashable] = set()
    for index, raw in enumerate(batch.records):
        try:
            group = source.group(raw)
            if group is not None and (group in held or index not in batch.last_attempts):
                held.add(group)
            elif index in batch.last_attempts:
                spared.add(index)
        except Exception:
            break  # records that follow may be of the same group
    return spared
