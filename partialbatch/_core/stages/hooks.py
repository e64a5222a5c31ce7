"""Hooks: they are told of the batch and of each record, and can change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch._core.hook_calls import HookCalls
from partialbatch._core.outcome import record_result
from partialbatch._core.results import SKIPPED, SUCCEEDED, BatchResult
from partialbatch._core.stages.base import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from partialbatch._core.batch import BatchState
    from partialbatch._core.options import Settings
    from partialbatch._core.results import RecordResult
    from partialbatch._core.runners.calling import Calling
    from partialbatch.types import BatchResponse

__all__ = ["HooksStage", "create"]


def create(settings: Settings) -> Stage:
    """Make the stage."""
    return HooksStage(settings.hooks)


class HooksStage(Stage):
    """Calls the hooks, in the thread and the context of the caller. It remembers views and results of a call."""

    keeps_results = True

    def __init__(self, hooks: Sequence[Any]) -> None:
        self._calls = HookCalls(hooks)
        self._shows_views = self._calls.has("on_batch_start") or self._calls.has("around_record")
        needs = {"around": "around_record", "ended": "on_record_end", "end": "on_batch_end"}
        self.unused = frozenset(method for method, moment in needs.items() if not self._calls.has(moment))

    async def begin(self, batch: BatchState, calling: Calling) -> None:
        """Tell the hooks that a batch begins."""
        views = [batch.view(index) for index in range(len(batch.records))] if self._shows_views else []
        batch.memory[self] = (views, {})
        self._calls.tell("on_batch_start", views, batch.context)

    def around(self, batch: BatchState, index: int) -> AbstractContextManager[None]:
        """Return the context managers of all hooks as one."""
        return self._calls.around(batch.memory[self][0][index])

    def ended(self, batch: BatchState, index: int) -> None:
        """Tell the hooks how a record that was started has ended."""
        if batch.states[index] != SKIPPED and (kept := batch.memory.get(self)) is not None:
            kept[1][index] = result = record_result(batch, index)
            self._calls.tell("on_record_end", result)

    async def end(self, batch: BatchState, response: BatchResponse | None, calling: Calling) -> None:
        """Tell the hooks that a batch that they know of has ended; a batch without records has no beginning."""
        kept = batch.memory.pop(self, None)
        if batch.source is not None and kept is None:
            return
        told = kept[1] if kept is not None else {}
        results = tuple(_result(batch, index, told.get(index)) for index in range(len(batch.states)))
        # Lambda delivers all of it again, as it does for an empty identifier.
        raised: BatchResponse = {"batchItemFailures": [{"itemIdentifier": ""}]}
        self._calls.tell("on_batch_end", BatchResult(results, raised if response is None else response))


def _result(batch: BatchState, index: int, told: RecordResult[Any] | None) -> RecordResult[Any]:
    """Return the result of a record: the one that hooks know, if it is a success and still stands."""
    if told is not None and told.status == "succeeded" and batch.states[index] == SUCCEEDED:
        return told
    return record_result(batch, index)
