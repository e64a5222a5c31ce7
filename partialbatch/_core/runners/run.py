"""One batch in flight: a slot a record."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.results import DEAD_LETTERED, FAILED, SUCCEEDED
from partialbatch._inspection import is_a
from partialbatch.errors import INTERRUPTS
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from partialbatch.types import RawRecord

    class Deliveries(Protocol):
        """What takes values and permanent errors off the records of a run (see `retries.deliveries`)."""

        @property
        def takes_values(self) -> bool: ...
        def put(self, index: int, value: Any) -> bool: ...
        def is_permanent(self, error: BaseException) -> bool: ...
        def bury(self, index: int, error: BaseException) -> bool: ...
        def settle(
            self, waiting: Collection[int], doomed: Mapping[int, BaseException]
        ) -> tuple[Mapping[int, BaseException], Mapping[int, BaseException]]: ...
        def close(self) -> None: ...


__all__ = ["Run"]

_ONE_SUCCESS = bytes((SUCCEEDED,))


class Run:
    """The state of one call; each record writes its own slots only.

    Attributes:
        source: The event source's name, for logs.
        records: The raw records in event order.
        identifiers: What names them in the response; None where a record has none.
        invoke: Calls the record function for a raw record.
        awaits: Whether what `invoke` gives must be awaited.
        policy: What a failure means in this batch.
        last_attempts: The records that their source takes away if they fail: their failure holds nothing back.
        spared: The records that no failure in another message group may hold back.
        on_success: What is told of each value; None: nothing.
        states: A slot a record: skipped, succeeded, failed or dead-lettered.
        errors: Why records failed, by index.
        values: What the record function returned, by index; None unless asked for.
        durations: Seconds, by index; None unless asked for.
        interrupt: What must be raised once running records have ended.
        cancelled: How many records were cancelled at the deadline's margin: all that still ran.
        left_over: Why the records that no policy held back were not started; empty if all were.
        groups: What records stay in order with, by index; empty unless it matters.
        lanes: What stands for the groups where they are compared: no code of the user's runs for that.
        unknown: The records whose group is unknown, and why.
        delivered: Copies of the records as delivered, where an option needs them; else the records.
        entry: What names the stream and its reader in the resume ledger.
        is_ordered: Whether what records give away must arrive in the order of their groups.
        deliveries: Takes values and permanent errors off the records; None: there are none.
        buried: Why records are dead letters, by index.
        waiting: What the records returned that wait for their items to be accepted, by index.
        doomed: Why the records failed that wait for their dead letters to be accepted, by index.
        collects: Whether an iterator is no value but the items of one, for a sink.
        resumed: The records that had succeeded in an earlier invocation.
        untold: The types of the errors that were not logged one by one.
        around: Gives what is open while a record runs; None: nothing.
        on_end: What is told that a record has ended; None: nothing.
    """

    __slots__ = (
        *("source", "records", "identifiers", "invoke", "awaits", "policy", "last_attempts", "spared"),
        *("states", "errors", "values", "durations", "interrupt", "cancelled", "left_over", "on_success"),
        *(
            "groups",
            "lanes",
            "unknown",
            "delivered",
            "entry",
            "is_ordered",
            "deliveries",
            "buried",
            "waiting",
            "doomed",
            "collects",
            "resumed",
            "untold",
            "around",
            "on_end",
        ),
    )

    def __init__(  # what a run is made of
        self,
        source: str,
        records: Sequence[RawRecord],
        identifiers: Sequence[Any],
        invoke: Callable[[RawRecord], Any],
        awaits: bool,
        keep: bool,
    ) -> None:
        self.source = source
        self.records = records
        self.identifiers = identifiers
        self.invoke = invoke
        self.awaits = awaits
        self.states = bytearray(len(records))
        self.errors: dict[int, BaseException] = {}
        self.values: list[Any] | None = [None] * len(records) if keep else None
        self.durations: list[float | None] | None = [None] * len(records) if keep else None
        self.interrupt: BaseException | None = None
        self.cancelled = 0
        self.left_over = ""
        self.policy = ErrorPolicy.CONTINUE
        self.last_attempts: Collection[int] = ()
        self.spared: Collection[int] = ()
        self.on_success: Callable[[Any], None] | None = None
        self.groups: Sequence[Hashable] = ()
        self.lanes: Sequence[Hashable] = ()
        self.unknown: dict[int, BaseException] = {}
        self.delivered: Sequence[Any] = records
        self.entry = ""
        self.is_ordered = False
        self.deliveries: Deliveries | None = None
        self.buried: dict[int, BaseException] = {}
        self.waiting: dict[int, Any] = {}
        self.doomed: dict[int, BaseException] = {}
        self.collects = False
        self.resumed: frozenset[int] = frozenset()
        self.untold: list[str] = []
        self.around: Callable[[int], AbstractContextManager[None]] | None = None
        self.on_end: Callable[[int], None] | None = None

    def succeed(self, index: int, value: Any) -> None:
        """Note a success."""
        self.states[index] = SUCCEEDED
        if self.values is not None:
            self.values[index] = value
        if self.on_success is not None:
            self.on_success(value)
        if self.on_end is not None:
            self.on_end(index)

    def succeed_up_to(self, reached: int) -> None:
        """Note that all records before an index have run, and succeeded where they have no error."""
        self.states[:reached] = _ONE_SUCCESS * reached
        for index in self.errors:
            self.states[index] = FAILED

    def fail(self, index: int, error: BaseException) -> bool:
        """Note a failure and log it.

        Returns:
            Whether it holds back what its error policy says; False only for a record that its
            source takes away after this attempt.
        """
        self.states[index] = FAILED
        self.errors[index] = error
        if self.values is not None:
            self.values[index] = None  # a bulk step may take a success back
        if is_a(error, INTERRUPTS):
            self._note_interrupt(error)
        self._log(index, error)
        if self.on_end is not None:
            self.on_end(index)
        return index not in self.last_attempts

    def lane(self, index: int) -> Hashable:
        """Return what stands for a record's group, where that matters."""
        return self.lanes[index] if self.lanes else None

    def _note_interrupt(self, error: BaseException) -> None:
        """Note what must be raised once running records have ended: the first one."""
        if self.interrupt is None:
            self.interrupt = error

    def _log(self, index: int, error: BaseException, how: str = "failed") -> None:
        """Write a line; whatever raises while it does must not cost other records their results."""
        try:
            logs.record_failed(self, index, error, how)
        except INTERRUPTS as interrupt:  # raised once running records have ended
            self._note_interrupt(interrupt)
        except BaseException:  # noqa: S110 - an exception that raises when looked at, or a filter
            pass

    def note_duration(self, index: int, started: float) -> None:
        """Note how long a record took."""
        if self.durations is not None:
            self.durations[index] = perf_counter() - started

    def bury(self, index: int, error: BaseException) -> None:
        """Note that a dead letter was accepted."""
        self.states[index] = DEAD_LETTERED
        self.buried[index] = error
        self._log(index, error, "is a dead letter")
        if self.on_end is not None:
            self.on_end(index)

    def give_up(self, index: int, error: BaseException) -> bool:
        """Note that a record cannot be run at all: as a dead letter, if its error is permanent, else as a failure.

        Returns:
            What `fail` does.
        """
        if self.deliveries is not None and self.deliveries.bury(index, error):
            self.doomed[index] = error
            return not all(passes for _, passes in self.settle())
        return self.fail(index, error)

    def settle(self) -> list[tuple[int, bool]]:
        """Send what records wait for.

        Returns:
            The records that waited, and whether each holds nothing back.
        """
        waiting, self.waiting = self.waiting, {}
        doomed, self.doomed = self.doomed, {}
        if self.deliveries is None or not (waiting or doomed):
            return []
        refused, buried = self.deliveries.settle(waiting, doomed)
        if not (refused or buried):
            for index, value in waiting.items():
                self.succeed(index, value)
            return [(index, True) for index in waiting]
        ended: list[tuple[int, bool]] = []
        for index in sorted([*waiting, *doomed]):
            passes = True
            if index in buried:
                self.bury(index, buried[index])
            elif index in refused:
                passes = not self.fail(index, refused[index])
            else:
                self.succeed(index, waiting[index])
            ended.append((index, passes))
        return ended

    def close(self) -> None:
        """Let go of what belongs to the call; sessions send nothing more."""
        try:
            if self.deliveries is not None:
                self.deliveries.close()
        except INTERRUPTS as error:
            self._note_interrupt(error)
        self.deliveries = self.around = self.on_end = None
