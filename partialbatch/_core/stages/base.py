"""A stage: one optional feature of a handler, called at the same few moments as every other one."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextlib import AbstractContextManager

    from partialbatch._core.batch import BatchState, Pending
    from partialbatch._core.runners.calling import Calling
    from partialbatch.errors import RecordSkipped
    from partialbatch.types import BatchResponse, ErrorPolicy

__all__ = ["Stage", "Stages"]


class Stage:
    """One optional feature. A stage overrides the methods of the moments that it needs; these here do nothing.

    A stage is made with its handler, from the settings, and shared by calls that run at the same time: it keeps
    data of one call in ``batch.memory[self]``.

    The async methods get `calling`: anything that may block goes through ``await calling.call(f, ...)``, so that
    an event loop never waits. `take`, `settle`, `close`, and the function that `rescue` returns may block as
    they are. The others must not.

    Attributes:
        keeps_results: Whether it needs the value and the duration of each record.
        keeps_order: Whether it matters to it which records are of one group.
        collects_iterators: Whether an iterator stands for the items that it gives, which are values of a sink.
        confirms_later: Whether successes are open until `finish`, which calls ``batch.confirm`` for each.
        unused: Names of methods that this stage, with its settings, overrides for nothing: they are not called.
    """

    keeps_results = keeps_order = collects_iterators = confirms_later = False
    unused: frozenset[str] = frozenset()

    def decorated(self, function: Any, owner: object) -> None:
        """Take note of the record function, when the handler is made; `owner` lives as long as the handler."""

    def policy(self, batch: BatchState, derived: ErrorPolicy) -> ErrorPolicy:
        """Return the policy that ``error_policy="derive"`` stands for, given that of the source."""
        return derived

    async def begin(self, batch: BatchState, calling: Calling) -> None:
        """Prepare a batch before its first record: mark records as resumed, for example."""

    async def admit(self, batch: BatchState, index: int, calling: Calling) -> RecordSkipped | None:
        """Return the reason why a record must not start, or None. The policies take it as a failure.

        A stage that learns only now that a record has succeeded before calls ``batch.resume(index)``.
        """

    def around(self, batch: BatchState, index: int) -> AbstractContextManager[None]:
        """Return a context manager that is open while the record function runs."""
        return nullcontext()

    def take(self, batch: BatchState, index: int, value: Any) -> bool:
        """Take the value of a record; True if the record now waits for `settle`."""
        return False

    def rescue(self, batch: BatchState, index: int, error: BaseException) -> Callable[[], bool] | None:
        """Return a function that puts a failed record aside, or None if the failure is not this stage's concern.

        The function returns whether the record now waits for `settle`.
        """
        return None

    def settle(self, batch: BatchState, pending: Pending) -> None:
        """Send everything that is held, and move records between the parts of `pending` by the refusals."""

    def ended(self, batch: BatchState, index: int) -> None:
        """Take note that a record has its final status."""

    async def finish(self, batch: BatchState, calling: Calling) -> None:
        """Act on the statuses of all records before the response is built.

        Also called after an interrupt or a cancel (``batch.was_interrupted``), as long as `begin` was.
        """

    def close(self, batch: BatchState) -> None:
        """Release the sessions of the call, whatever has happened, and whether or not `begin` was called."""

    async def end(self, batch: BatchState, response: BatchResponse | None, calling: Calling) -> None:
        """Act on the response; None if the call raises instead."""


class Stages:
    """The stages of a handler, and their methods by moment: only those that a stage overrides.

    Attributes:
        all: The stages, in their order.
    """

    policy: Sequence[Callable[[BatchState, ErrorPolicy], ErrorPolicy]]
    begin: Sequence[Callable[[BatchState, Calling], Coroutine[Any, Any, None]]]
    admit: Sequence[Callable[[BatchState, int, Any], Coroutine[Any, Any, RecordSkipped | None]]]
    around: Sequence[Callable[[BatchState, int], AbstractContextManager[None]]]
    take: Sequence[Callable[[BatchState, int, Any], bool]]
    rescue: Sequence[Callable[[BatchState, int, BaseException], Callable[[], bool] | None]]
    settle: Sequence[Callable[[BatchState, Pending], None]]
    ended: Sequence[Callable[[BatchState, int], None]]
    finish: Sequence[Callable[[BatchState, Calling], Coroutine[Any, Any, None]]]
    close: Sequence[Callable[[BatchState], None]]
    end: Sequence[Callable[[BatchState, BatchResponse | None, Calling], Coroutine[Any, Any, None]]]

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.all = tuple(stages)
        self.keeps_results = any(stage.keeps_results for stage in stages)
        self.keeps_order = any(stage.keeps_order for stage in stages)
        self.collects_iterators = any(stage.collects_iterators for stage in stages)
        self.confirms_later = any(stage.confirms_later for stage in stages)
        for moment in _MOMENTS:
            setattr(self, moment, tuple(getattr(stage, moment) for stage in stages if _overrides(stage, moment)))


_MOMENTS = tuple(moment for moment in Stages.__annotations__ if hasattr(Stage, moment))


def _overrides(stage: Stage, moment: str) -> bool:
    return getattr(type(stage), moment) is not getattr(Stage, moment) and moment not in stage.unused
