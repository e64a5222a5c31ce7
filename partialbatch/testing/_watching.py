"""Watching a handler from within: what becomes of each record, however it is called."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from partialbatch._core.invocation import Invocation

    See = Callable[[Any, Invocation], None]

__all__ = ["watching"]

# The consumer that is watched, and who watches it; of the current thread or task.
_watched: ContextVar[tuple[Any, See] | None] = ContextVar("partialbatch_watched", default=None)
_tapping = Lock()


@contextmanager
def watching(handler: Any, see: See) -> Iterator[None]:
    """Show each invocation of a handler before its first record runs, while the block lasts.

    Args:
        handler: A handler of ours; decorators may stand between it and what is called.
        see: Called with the event, as the handler got it, and the invocation.
    """
    consumer = handler._target()[0]  # noqa: SLF001 - the two make one unit
    _tap(consumer)
    token = _watched.set((consumer, see))
    try:
        yield
    finally:
        _watched.reset(token)


def _tap(consumer: Any) -> None:
    """Have a consumer show what it prepares; done once, and without a cost where nobody watches."""
    with _tapping:
        if "prepare" in vars(consumer):
            return
        prepare = consumer.prepare

        def shown(function: Any, plan: Any, event: Any, context: Any, **options: Any) -> Invocation:
            invocation: Invocation = prepare(function, plan, event, context, **options)
            watched = _watched.get()
            if watched is not None and watched[0] is consumer:
                watched[1](event, invocation)
            return invocation

        consumer.prepare = shown
