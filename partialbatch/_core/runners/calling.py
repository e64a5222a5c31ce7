"""Where the parts of a batch run that may wait: in the caller's thread, or beside the caller's event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Beside", "Here"]

T = TypeVar("T")


def _nothing() -> None:
    """Stand for what need not be done."""


class Here:
    """For a caller without a loop: nothing ever waits for one.

    Attributes:
        is_cancelled: False: nobody can.
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


class Beside:
    """For a caller in an event loop, which must not wait for a network, or for a record function.

    Attributes:
        is_late: See `Here`.
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
        from partialbatch._core.runners.to_thread import aside  # loads asyncio

        return await aside(function, *arguments, on_cancel=on_cancel)

    async def run(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """Run an async function."""
        return await function(*arguments)
