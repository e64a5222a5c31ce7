"""Make calls that may block: directly, or in a thread next to the caller's event loop."""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

__all__ = ["Calling", "Direct", "InThread"]

T = TypeVar("T")


def _nothing() -> None:
    """Do nothing on a cancel."""


class Direct:
    """Makes calls in the caller's own thread, which runs no event loop. Its methods never suspend.

    Attributes:
        is_cancelled: False: nobody can cancel a plain call.
        is_late: Whether a call may begin later than it was asked for.
    """

    is_cancelled = is_late = False

    async def call(self, function: Callable[..., T], *arguments: Any, on_cancel: Callable[[], None] = _nothing) -> T:
        """Call a plain function."""
        del on_cancel  # see `is_cancelled`
        return function(*arguments)

    async def run(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """Run an async function in this thread's own loop."""
        from partialbatch._core.runners.event_loop import run_in_loop  # loads asyncio

        return run_in_loop(lambda: function(*arguments))

    async def wait_for(self, awaitable: Awaitable[T]) -> T:
        """Await a value in this thread's own loop."""

        async def wait() -> T:
            return await awaitable

        try:
            return await self.run(wait)
        finally:
            if isinstance(awaitable, CoroutineType):
                awaitable.close()  # under a running loop it was not begun, and Python would warn of that too

    def refuse_running_loop(self, what: str) -> None:
        """Check that an async function can be driven from here.

        Raises:
            RuntimeError: A loop runs in this thread already.
        """
        from partialbatch._core.runners.event_loop import refuse_running_loop  # loads asyncio

        refuse_running_loop(what)


class InThread:
    """Makes calls for a caller in an event loop, which must not wait for a network or a record function.

    Attributes:
        is_late: See `Direct`.
    """

    is_late = True

    @property
    def is_cancelled(self) -> bool:
        """Whether the caller's task was cancelled: a `CancelledError` may be the user's own instead."""
        from asyncio import current_task  # loaded by now

        task = current_task()
        return task is not None and task.cancelling() > 0

    async def call(self, function: Callable[..., T], *arguments: Any, on_cancel: Callable[[], None] = _nothing) -> T:
        """Call a plain function in a thread; a cancelled caller waits until it has ended."""
        from partialbatch._core.runners.to_thread import call_in_thread  # loads asyncio

        return await call_in_thread(function, *arguments, on_cancel=on_cancel)

    async def run(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """Run an async function."""
        return await function(*arguments)

    async def wait_for(self, awaitable: Awaitable[T]) -> T:
        """Await a value."""
        return await awaitable

    def refuse_running_loop(self, what: str) -> None:
        """Accept the caller's loop: async functions run in it."""


Calling = Direct | InThread
