"""Hooks: they are told of the batch and of each record, and can change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch._core.hook_calls import HookCalls
from partialbatch._core.outcome import batch_result, record_result
from partialbatch._core.results import SKIPPED
from partialbatch._core.stages.base import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from partialbatch._core.batch import BatchState
    from partialbatch._core.options import Settings
    from partialbatch._core.runners.calling import Calling
    from partialbatch.types import BatchResponse

__all__ = ["HooksStage", "create"]


def create(settings: Settings) -> Stage:
    """Make the stage."""
    return HooksStage(settings.hooks)


class HooksStage(Stage):
    """Calls the hooks, in the thread and the context of the caller. It remembers the record views of a call."""

    keeps_results = True

    def __init__(self, hooks: Sequence[Any]) -> None:
        self._calls = HookCalls(hooks)

    async def begin(self, batch: BatchState, calling: Calling) -> None:
        """Tell the hooks that a batch begins."""
        views = [batch.view(index) for index in range(len(batch.records))]
        batch.memory[self] = views
        self._calls.tell("on_batch_start", views, batch.context)

    def around(self, batch: BatchState, index: int) -> AbstractContextManager[None]:
        """Return the context managers of all hooks as one."""
        return self._calls.around(batch.memory[self][index])

    def ended(self, batch: BatchState, index: int) -> None:
        """Tell the hooks how a record that was started has ended."""
        if self in batch.memory and batch.states[index] != SKIPPED:
            self._calls.tell("on_record_end", record_result(batch, index))

    async def end(self, batch: BatchState, response: BatchResponse | None, calling: Calling) -> None:
        """Tell the hooks that a batch that they know of has ended; a batch without records has no beginning."""
        if batch.source is not None and batch.memory.pop(self, None) is None:
            return
        # Lambda delivers all of it again, as it does for an empty identifier.
        raised: BatchResponse = {"batchItemFailures": [{"itemIdentifier": ""}]}
        self._calls.tell("on_batch_end", batch_result(batch, raised if response is None else response))
