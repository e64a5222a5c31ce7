"""Watches a handler made by partialbatch from within, also if decorators stand between it and the caller."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from partialbatch._core.invocation import Invocation

    Callback = Callable[[Any, Invocation], None]

__all__ = ["watching"]

# The consumer that is watched, and the callback, in the current thread or task.
_watched: ContextVar[tuple[Any, Callback] | None] = ContextVar("partialbatch_watched", default=None)
_wrapping = Lock()


@contextmanager
def watching(handler: Any, callback: Callback) -> Iterator[None]:
    """Call back at each invocation of a handler, before its first record runs, while the context is open.

    Args:
        handler: A handler made by partialbatch.
        callback: Called with the event that the handler got, and the invocation.
    """
    consumer = handler._target()[0]  # noqa: SLF001 - the handler has no public way in
    _wrap_prepare(consumer)
    token = _watched.set((consumer, callback))
    try:
        yield
    finally:
        _watched.reset(token)


def _wrap_prepare(consumer: Any) -> None:
    """Make a consumer call back with each invocation that it prepares. Wraps it once only."""
    with _wrapping:
        if "prepare" in vars(consumer):
            return
        prepare = consumer.prepare

        def prepare_and_call_back(function: Any, plan: Any, event: Any, context: Any, **options: Any) -> Invocation:
            invocation: Invocation = prepare(function, plan, event, context, **options)
            watched = _watched.get()
            if watched is not None and watched[0] is consumer:
                watched[1](event, invocation)
            return invocation

        consumer.prepare = prepare_and_call_back
