"""One batch in flight: a slot a record, and the step that fills it."""

from __future__ import annotations

import types
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

from partialbatch import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch.types import RawRecord

__all__ = ["DEAD_LETTERED", "FAILED", "SKIPPED", "SUCCEEDED", "Run", "check_value", "step"]

# What a slot holds. Every record starts as skipped: only an observed success changes that.
SKIPPED, SUCCEEDED, FAILED, DEAD_LETTERED = 0, 1, 2, 3

_ONE_SUCCESS = bytes((SUCCEEDED,))
INTERRUPTS = (SystemExit, KeyboardInterrupt)
_PLAIN = frozenset((bool, int, str, float, bytes, dict, list, tuple, set))


class Run:
    """The state of one call; each record writes its own slots only.

    Attributes:
        source: The event source's name, for logs.
        records: The raw records in event order.
        identifiers: What names them in the response; None where a record has none.
        invoke: Calls the record function for a raw record.
        awaits: Whether what `invoke` gives must be awaited.
        holds_back: Whether the failure of a raw record holds others back; None: each does.
        on_success: What is told of each value; None: nothing.
        states: A slot a record: skipped, succeeded or failed.
        errors: Why records failed, by index.
        values: What the record function returned, by index; None unless asked for.
        durations: Seconds, by index; None unless asked for.
        interrupt: What must be raised once running records have ended.
        cancelled: How many records were cancelled at the deadline's margin: all that still ran.
        left_over: Why the records that no policy held back were not started; empty if all were.
    """

    __slots__ = (
        *("source", "records", "identifiers", "invoke", "awaits", "holds_back"),
        *("states", "errors", "values", "durations", "interrupt", "cancelled", "left_over", "on_success"),
    )

    def __init__(
        self,
        source: str,
        records: Sequence[RawRecord],
        identifiers: Sequence[Any],
        invoke: Callable[[RawRecord], Any],
        awaits: bool,  # noqa: FBT001 - by position: keywords cost a third of the time of a small batch's run
        keep: bool,  # noqa: FBT001 - as above
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
        self.holds_back: Callable[[RawRecord], bool] | None = None
        self.on_success: Callable[[Any], None] | None = None

    def succeed(self, index: int, value: Any) -> None:
        """Note a success."""
        self.states[index] = SUCCEEDED
        if self.values is not None:
            self.values[index] = value
        if self.on_success is not None:
            self.on_success(value)

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
        if isinstance(error, INTERRUPTS) and self.interrupt is None:
            self.interrupt = error
        with suppress(Exception):  # a logging filter that raises must not cost other records their results
            logs.record_failed(self, index, error)
        return self.holds_back is None or self.holds_back(self.records[index])


async def step(run: Run, index: int) -> bool:
    """Handle one record: the same for all runners, which differ in how they drive it.

    Returns:
        Whether the record holds nothing back: it succeeded, or failed for the last time.
    """
    started = perf_counter() if run.durations is not None else 0.0
    # A worker that dies in mid-record leaves it as failed, never as skipped.
    run.states[index] = FAILED
    try:
        value = run.invoke(run.records[index])
        if run.awaits and is_awaitable(value):
            value = await value
            if run.cancelled:
                raise TimeoutError(
                    "the record was cancelled at the deadline's margin (deadline_margin), and went on: "
                    "re-raise the CancelledError after cleaning up"
                )
        check_value(value)
    except BaseException as error:  # noqa: BLE001, RUF100 - a CancelledError fails its record alone; interrupts are raised at the end
        return not run.fail(index, error)
    finally:
        if run.durations is not None:
            run.durations[index] = perf_counter() - started
    run.succeed(index, value)
    return True


def is_awaitable(value: object) -> bool:
    """Tell whether a value must be awaited."""
    return hasattr(type(value), "__await__")


def check_value(value: object) -> None:
    """Refuse a value that shows that the record function's code has not run.

    Raises:
        TypeError: It is a coroutine, or another awaitable, or a generator.
    """
    if value is None or type(value) in _PLAIN:
        return
    if is_awaitable(value):
        if isinstance(value, types.CoroutineType):
            value.close()  # or Python warns that it was never awaited: the error below says so
        raise TypeError(
            f"the record function returned an awaitable ({type(value).__name__}) that nobody awaits, "
            "so its work was not done: write `async def`, or await it"
        )
    if isinstance(value, types.GeneratorType | types.AsyncGeneratorType):
        raise TypeError(
            f"the record function returned a generator ({type(value).__name__}), whose code has not run: "
            "return its items as a list"
        )
