"""Make calls that may block in a thread next to an event loop."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["call_in_thread"]

T = TypeVar("T")

_idle: list[ThreadPoolExecutor] = []
"""Threads that have nothing to do: a pool for each, which Python joins when it ends.

Not the loop's own executor, whose threads are few: calls that wait for other calls would take all of
them, and wait for ever. A thread is made when none is idle, and kept for the life of the process.
"""
# A forked child inherits the pools, but none of their threads.
os.register_at_fork(after_in_child=_idle.clear)


def _nothing() -> None:
    """Do nothing on a cancel."""


async def call_in_thread(function: Callable[..., T], *arguments: Any, on_cancel: Callable[[], None] = _nothing) -> T:
    """Call a function in a thread; a cancelled caller, however often, waits until it has ended.

    Args:
        function: The function.
        arguments: Its arguments.
        on_cancel: Called when the caller is cancelled, to bring the end nearer.
    """
    try:
        thread = _idle.pop()
    except IndexError:
        thread = ThreadPoolExecutor(1, thread_name_prefix="partialbatch-call")

    def call() -> T:
        try:
            return copied.run(function, *arguments)
        finally:
            _idle.append(thread)

    copied = copy_context()
    # A future, not a task: a loop that ends cancels all tasks, and the thread would go on unawaited.
    work = asyncio.get_running_loop().run_in_executor(thread, call)
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
