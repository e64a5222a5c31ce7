"""The state of one call: its records, and the status of each."""

from __future__ import annotations

from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.copies import copied_or_error
from partialbatch._core.results import DEAD_LETTERED, FAILED, SKIPPED, SUCCEEDED
from partialbatch._inspection import is_a
from partialbatch.errors import INTERRUPTS
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Hashable, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from partialbatch._core.function.binding import Window
    from partialbatch._core.function.signature import Plan
    from partialbatch.errors import RecordSkipped
    from partialbatch.types import EventSource, Identifier, RawRecord

    class Stages(Protocol):
        """The methods of a handler's stages that are called for single records (see `stages.base`)."""

        collects_iterators: bool
        confirms_later: bool
        admit: Sequence[Callable[[BatchState, int, Any], Coroutine[Any, Any, RecordSkipped | None]]]
        around: Sequence[Callable[[BatchState, int], AbstractContextManager[None]]]
        take: Sequence[Callable[[BatchState, int, Any], bool]]
        rescue: Sequence[Callable[[BatchState, int, BaseException], Callable[[], bool] | None]]
        settle: Sequence[Callable[[BatchState, Pending], None]]
        ended: Sequence[Callable[[BatchState, int], None]]
        close: Sequence[Callable[[BatchState], None]]


__all__ = ["BatchState", "Pending"]

_ONE_SUCCESS = bytes((SUCCEEDED,))
_NONE: Any = MappingProxyType({})  # for attributes that are only read until `track` is called


class Pending:
    """Records on their way to a final status: stages move them between its parts.

    Attributes:
        items: Values of the records that succeed, unless something of theirs is refused; by index.
        dead_letters: Errors of the records that become dead letters, unless these are refused; by index.
        failures: Errors of the records that fail; by index.
    """

    __slots__ = ("dead_letters", "failures", "items")

    def __init__(self, items: dict[int, Any], dead_letters: dict[int, BaseException]) -> None:
        self.items = items
        self.dead_letters = dead_letters
        self.failures: dict[int, BaseException] = {}


class BatchState:
    """The records of one call, and everything known about them. Workers write to their own record's index only.

    Few batches set the attributes that have a value in the class; others go without, for speed.

    Attributes:
        source: The event's source; None for a batch without records.
        records: The raw records in event order.
        identifiers: The identifiers for the response; None for a record that has none.
        invoke: Calls the record function for a raw record.
        plan: How the record function is called.
        awaits: Whether the result of `invoke` must be awaited.
        window: The tumbling window that the event belongs to, if any.
        context: Lambda's context object.
        stages: The handler's stages.
        started: The time at which the call began.
        states: The status of each record: skipped, succeeded, failed or dead-lettered.
        errors: Errors of the records that failed, by index.
        dead_lettered: Errors of the records that are dead letters, by index.
        skips: Reasons given by stages for records that they did not let start, by index.
        pending_items: Values of the records whose items are not accepted yet, by index.
        pending_dead_letters: Errors of the records whose dead letters are not accepted yet, by index.
        unlogged_error_types: The types of the errors that were not logged one by one.
        memory: Data that a stage keeps during this call, by stage.
        resumed: The records that had succeeded in an earlier invocation.
        values: Return values by index; None unless someone asks for them.
        durations: Seconds by index; None unless someone asks for them.
        interrupt: The interrupt to raise once running records have ended.
        is_cut_short: Whether running the records raised.
        cancelled: How many records were still running at the deadline's margin, and were cancelled.
        left_over: Why the records that no policy held back were not started; empty if all were.
        policy: The meaning of a failure for the records behind it.
        last_attempts: The records that their source takes away if they fail: their failure holds nothing back.
        spared: The records that no failure in another message group may hold back.
        groups: The group of each record, to keep order in; empty unless it matters.
        lanes: Stand-ins for the groups, compared without running the user's code.
        unknown_groups: Errors of the records whose group could not be found out, by index.
        is_ordered: Whether the records' items must arrive in the order of their groups.
    """

    dead_lettered: dict[int, BaseException] = _NONE
    skips: dict[int, RecordSkipped] = _NONE
    pending_items: dict[int, Any] = _NONE
    pending_dead_letters: dict[int, BaseException] = _NONE
    unknown_groups: dict[int, BaseException] = _NONE
    memory: dict[Any, Any] = _NONE
    resumed: Collection[int] = frozenset()
    values: list[Any] | None = None
    durations: list[float | None] | None = None
    interrupt: BaseException | None = None
    is_cut_short = False
    cancelled = 0
    left_over = ""
    policy = ErrorPolicy.CONTINUE
    last_attempts: Collection[int] = ()
    spared: Collection[int] = ()
    groups: Sequence[Hashable] = ()
    lanes: Sequence[Hashable] = ()
    is_ordered = False
    _copies: Sequence[Any] | None = None

    def __init__(
        self,
        plan: Plan,
        source: EventSource | None,
        records: Sequence[RawRecord],
        identifiers: Sequence[Identifier | None],
        invoke: Callable[[RawRecord], Any],
        window: Window | None,
        context: Any,
        stages: Stages,
    ) -> None:
        self.plan = plan
        self.awaits = plan.awaits
        self.source = source
        self.records = records
        self.identifiers = identifiers
        self.invoke = invoke
        self.window = window
        self.context = context
        self.stages = stages
        self.states = bytearray(len(records))
        self.errors: dict[int, BaseException] = {}
        self.unlogged_error_types: list[str] = []
        self.started = perf_counter()

    def track(self) -> None:
        """Make room for everything that a direct batch has no use for."""
        self.dead_lettered, self.skips, self.unknown_groups = {}, {}, {}
        self.pending_items, self.pending_dead_letters, self.memory = {}, {}, {}
        # Read for each record, and read faster from the object than from its class.
        self.values, self.durations, self.interrupt = self.values, self.durations, self.interrupt

    @property
    def source_name(self) -> str:
        """The source's name, for logs."""
        return self.source.name if self.source is not None else "empty"

    def keep_results(self) -> None:
        """Keep the value and the duration of each record."""
        self.values = [None] * len(self.records)
        self.durations = [None] * len(self.records)

    def keep_delivered(self) -> None:
        """Copy the records as delivered, before the user's code can change them; once, if several stages ask."""
        if self._copies is None:
            self._copies = list(map(copied_or_error, self.records))

    @property
    def delivered(self) -> Sequence[Any]:
        """The copies made by `keep_delivered`, or for a record that cannot be copied the error; else the records."""
        return self.records if self._copies is None else self._copies

    @property
    def was_interrupted(self) -> bool:
        """Whether the call will raise, whatever the statuses are."""
        return self.is_cut_short or self.interrupt is not None

    def view(self, index: int) -> Any:
        """Return a record's view; None if the user's own source cannot make it: its record failed for that."""
        try:
            return self.source.view(self.records[index]) if self.source is not None else None
        except INTERRUPTS:
            raise
        except BaseException:  # a `CancelledError` say, which cancels nothing here
            return None

    def lane(self, index: int) -> Hashable:
        """Return the stand-in for a record's group; None if groups don't matter."""
        return self.lanes[index] if self.lanes else None

    def resume(self, index: int) -> None:
        """Note that a record had succeeded in an earlier invocation."""
        self.states[index] = SUCCEEDED
        if not isinstance(self.resumed, set):
            self.resumed = set()
        self.resumed.add(index)

    def skip(self, index: int, reason: RecordSkipped) -> bool:
        """Note that a stage did not let a record start.

        Returns:
            The same as `fail`.
        """
        self.states[index] = SKIPPED
        self.skips[index] = reason
        self.confirm(index)
        return index not in self.last_attempts

    def succeed(self, index: int, value: Any) -> None:
        """Note a success."""
        self.states[index] = SUCCEEDED
        if self.values is not None:
            self.values[index] = value
        if self.window is not None:
            self.window.advance()
        stages = self.stages
        if stages.ended and not stages.confirms_later:
            self.confirm(index)

    def succeed_up_to(self, end: int) -> None:
        """Note that all records before an index have run, and succeeded if they have no error."""
        self.states[:end] = _ONE_SUCCESS * end
        for index in self.errors:
            self.states[index] = FAILED

    def fail(self, index: int, error: BaseException) -> bool:
        """Note a failure and log it.

        Returns:
            Whether it holds back others: False only for a record that its source takes away after this attempt.
        """
        self.states[index] = FAILED
        self.errors[index] = error
        if self.values is not None:
            self.values[index] = None  # a bulk sink may take a success back
        if is_a(error, INTERRUPTS):
            self.note_interrupt(error)
        self._log(index, error)
        self.confirm(index)
        return index not in self.last_attempts

    def put_aside(self, index: int, error: BaseException) -> None:
        """Note that a record's dead letter was accepted."""
        self.states[index] = DEAD_LETTERED
        self.dead_lettered[index] = error
        self._log(index, error, "is a dead letter")
        self.confirm(index)

    def confirm(self, index: int) -> None:
        """Tell the stages that a record has its final status."""
        for ended in self.stages.ended:
            ended(self, index)

    def note_interrupt(self, error: BaseException) -> None:
        """Keep the first interrupt, to raise once running records have ended."""
        if self.interrupt is None:
            self.interrupt = error

    def settle(self) -> list[tuple[int, bool]]:
        """Have the stages send the items and dead letters that records wait for.

        Returns:
            The records that waited, and whether each holds nothing back.
        """
        pending = Pending(self.pending_items, self.pending_dead_letters)
        waited = sorted([*pending.items, *pending.dead_letters])
        self.pending_items, self.pending_dead_letters = {}, {}
        if waited:
            for settle in self.stages.settle:
                settle(self, pending)
        return [(index, self._end_pending(index, pending)) for index in waited]

    def _end_pending(self, index: int, pending: Pending) -> bool:
        if index in pending.items:
            self.succeed(index, pending.items[index])
            return True
        if index in pending.dead_letters:
            self.put_aside(index, pending.dead_letters[index])
            return True
        return not self.fail(index, pending.failures[index])

    def close(self) -> None:
        """Have the stages release their sessions; nothing more is sent."""
        for close in self.stages.close:
            try:
                close(self)
            except INTERRUPTS as error:
                self.note_interrupt(error)

    def _log(self, index: int, error: BaseException, how: str = "failed") -> None:
        """Write a line; whatever raises meanwhile must not cost other records their results."""
        try:
            logs.record_failed(self, index, error, how)
        except INTERRUPTS as interrupt:
            self.note_interrupt(interrupt)
        except BaseException:  # an exception that raises when looked at, or a filter
            return
