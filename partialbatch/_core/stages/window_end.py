"""The function ``window_end``, which gets the final state of a tumbling window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch._core.stages.base import Stage
from partialbatch._unrun import check_value, is_awaitable

if TYPE_CHECKING:
    from partialbatch._core.batch import BatchState
    from partialbatch._core.options import Settings
    from partialbatch._core.runners.calling import Calling
    from partialbatch.types import BatchResponse

__all__ = ["WindowEndStage", "create"]


def create(settings: Settings) -> Stage:
    """Make the stage."""
    return WindowEndStage(settings.window_end)


class WindowEndStage(Stage):
    """Calls ``window_end`` once no record of a window is left. If it raises, the window's last records come back."""

    def __init__(self, function: Any) -> None:
        self._function = function

    async def end(self, batch: BatchState, response: BatchResponse | None, calling: Calling) -> None:
        """Hand over the state, if the window is at its end and its records are done."""
        window = batch.window
        if response is None or response["batchItemFailures"] or window is None or not window.final:
            return
        returned = self._function(window.lend())
        if is_awaitable(returned):
            returned = await calling.wait_for(returned)
        check_value(returned, "window_end")
