"""One event loop a thread, kept for the life of the execution environment.

A lock, client or session that a module makes in its first invocation belongs to the loop of that
invocation; it works in the second, and in another handler, because the loop is the same.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import os
import signal
import sys
import threading
from contextvars import copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from partialbatch.types import RawRecord

__all__ = ["completed", "refuse_running_loop", "run_in_loop"]

T = TypeVar("T")

_signals: Any = sys.modules.get("_signal", signal)
"""The module under `signal`, whose functions look up members of enums: 12 µs a batch."""

_SIGINT = int(signal.SIGINT)


class _ThreadLoop:
    """A thread's runner, closed when the thread ends."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.loop = self.runner.get_loop()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Do the same as `asyncio.Runner.run`, in half the time."""
        task = self.loop.create_task(coroutine, context=copy_context())
        interrupts = _Interrupts(self.loop, task)
        is_set = interrupts.handle()
        try:
            return self.loop.run_until_complete(task)
        except asyncio.CancelledError:
            if interrupts.count > 0 and task.uncancel() == 0:
                raise KeyboardInterrupt from None
            raise
        finally:
            if is_set:
                interrupts.release()

    def __del__(self) -> None:
        # Not by `Runner.close`: to wait for the loop's executor it starts a thread, which a thread
        # or an interpreter that is ending cannot. Calls in the executor are joined at exit.
        # Code of the user's own may have closed the loop that it found current.
        if not self.loop.is_closed():
            self.loop.run_until_complete(_cancel_tasks())
            self.loop.close()


class _Interrupts:
    """Handles Ctrl-C while a task runs in the main thread: the first one cancels the task, the next one raises."""

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self._loop = loop
        self._task = task
        self._handler = self._cancel_or_raise  # one object, to find it again
        self.count = 0

    def handle(self) -> bool:
        """Take Ctrl-C over from Python's own handler; False if it isn't ours to take."""
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or _signals.getsignal(_SIGINT) is not signal.default_int_handler:
            return False
        try:
            _signals.signal(_SIGINT, self._handler)
        except ValueError:  # a main thread without signals, of an interpreter in another program
            return False
        return True

    def release(self) -> None:
        """Give Ctrl-C back, unless the user's code has taken it meanwhile."""
        if _signals.getsignal(_SIGINT) is self._handler:
            _signals.signal(_SIGINT, signal.default_int_handler)

    def _cancel_or_raise(self, _signal: int, _frame: object) -> None:
        self.count += 1
        if self.count > 1 or self._task.done():
            raise KeyboardInterrupt
        self._task.cancel()
        self._loop.call_soon_threadsafe(_nothing)  # wakes the loop up


def _nothing() -> None:
    """Do nothing."""


async def _cancel_tasks() -> None:
    """Cancel and await tasks that the user's code left running, and close its generators."""
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()


_threads = threading.local()


def refuse_running_loop(what: str) -> None:
    """Check that an async function can be driven from here.

    Raises:
        RuntimeError: A loop runs in this thread already.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return  # as it should be; nothing is run from here, or this error would be the context of every other
    raise RuntimeError(
        f"{what} cannot be driven from inside a running event loop: "
        "write `await handler.aprocess(event, context)` there"
    )


def run_in_loop(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function to its end in this thread's loop, in a fresh copy of the context.

    Raises:
        RuntimeError: A loop runs in this thread already.
    """
    refuse_running_loop("an async record function")
    kept, coroutine = _kept(), main()
    try:
        return kept.run(coroutine)
    finally:
        # An interrupt in a task of the user's own, a second Ctrl-C, or `loop.stop()` ends the loop's
        # run with records in flight, which would go on in the next invocation: closing ends them.
        if inspect.getcoroutinestate(coroutine) != inspect.CORO_CLOSED:
            kept.runner.close()


def completed(invoke: Callable[[RawRecord], Any]) -> Callable[[RawRecord], Any]:
    """Let a call that may give a coroutine, of an async function under a plain wrapper, run it to its end."""

    def call(raw: RawRecord) -> Any:
        value = invoke(raw)
        if type(value) is not CoroutineType:
            return value
        try:
            return run_in_loop(lambda: value)
        finally:
            value.close()  # under a running loop it was not begun, and Python would warn of that too

    return call


def _kept() -> _ThreadLoop:
    kept: _ThreadLoop | None = getattr(_threads, "kept", None)
    if kept is None or kept.loop.is_closed():
        kept = _threads.kept = _ThreadLoop()
    return kept


def _close() -> None:
    """Close this thread's loop."""
    vars(_threads).clear()


def _forget() -> None:
    """Leave a forked child without its parent's loop.

    Closing it would take the wake-up socket out of the selector that both share, and the parent would
    sleep for ever; so nobody closes it, nor does its own finalizer.
    """
    kept = vars(_threads).pop("kept", None)
    if kept is not None:
        kept.loop.is_closed = lambda: True
        _inherited.append(kept)


_inherited: list[_ThreadLoop] = []
atexit.register(_close)
os.register_at_fork(after_in_child=_forget)
