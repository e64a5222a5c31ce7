"""One event loop a thread, kept for the life of the execution environment.

A lock, client or session that a module makes in its first invocation belongs to the loop of that
invocation; it works in the second, and in another handler, because the loop is the same.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["run_in_loop"]

T = TypeVar("T")


class _Kept:
    """A thread's runner, closed when the thread ends."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()

    def close(self) -> None:
        loop = self.runner.get_loop()
        if not loop.is_closed():
            self.runner.close()

    __del__ = close


_threads = threading.local()


def run_in_loop(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function to its end in this thread's loop, in a fresh copy of the context.

    Raises:
        RuntimeError: A loop runs in this thread already.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass  # as it should be; not run from here, or this error would be the context of every other
    else:
        raise RuntimeError(
            "an async record function cannot be driven from inside a running event loop: "
            "write `await handler.aprocess(event, context)` there"
        )
    return _runner().run(main(), context=copy_context())


def _runner() -> asyncio.Runner:
    kept: _Kept | None = getattr(_threads, "kept", None)
    # Code of the user's own may have closed the loop that it found current.
    if kept is None or kept.runner.get_loop().is_closed():
        kept = _threads.kept = _Kept()
    return kept.runner


def _close() -> None:
    """Close this thread's loop."""
    vars(_threads).clear()


def _forget() -> None:
    """Leave a forked child without its parent's loop; closing it would take the parent's selector along."""
    _inherited.append(vars(_threads).pop("kept", None))


_inherited: list[_Kept | None] = []
atexit.register(_close)
os.register_at_fork(after_in_child=_forget)
