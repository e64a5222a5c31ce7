"""Calls that wait, made beside an event loop."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["aside"]

T = TypeVar("T")


def _nothing() -> None:
    """Stand for what need not be done."""


async def aside(function: Callable[..., T], *arguments: Any, on_cancel: Callable[[], None] = _nothing) -> T:
    """Call what may wait in a thread; a cancelled caller, however often, waits until it has ended.

    Args:
        function: The function.
        arguments: Its arguments.
        on_cancel: Called when the caller is cancelled, to bring the end nearer.
    """
    # A future, not a task: a loop that ends cancels all tasks, and the thread would go on unawaited.
    work = asyncio.get_running_loop().run_in_executor(None, copy_context().run, function, *arguments)
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    if cancelled is not None:
        raise cancelled
    return work.result()
