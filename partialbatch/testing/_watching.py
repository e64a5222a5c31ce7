"""Watches a handler made by partialbatch from within, also if decorators stand between it and the caller."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from partialbatch._core.batch import BatchState

    Callback = Callable[[Any, BatchState], None]

__all__ = ["watching"]

# The pipeline that is watched, and the callback, in the current thread or task.
_watched: ContextVar[tuple[Any, Callback] | None] = ContextVar("partialbatch_watched", default=None)
_wrapping = Lock()


@contextmanager
def watching(handler: Any, callback: Callback) -> Iterator[None]:
    """Call back at each invocation of a handler, before its first record runs, while the context is open.

    Args:
        handler: A handler made by partialbatch.
        callback: Called with the event that the handler got, and the state of the batch.
    """
    pipeline = handler._target()[0]  # noqa: SLF001 - the handler has no public way in
    _wrap_prepare(pipeline)
    token = _watched.set((pipeline, callback))
    try:
        yield
    finally:
        _watched.reset(token)


def _wrap_prepare(pipeline: Any) -> None:
    """Make a pipeline call back with each batch that it prepares. Wraps it once only."""
    with _wrapping:
        if "prepare" in vars(pipeline):
            return
        prepare = pipeline.prepare

        def prepare_and_call_back(function: Any, plan: Any, event: Any, context: Any, **options: Any) -> BatchState:
            batch: BatchState = prepare(function, plan, event, context, **options)
            watched = _watched.get()
            if watched is not None and watched[0] is pipeline:
                watched[1](event, batch)
            return batch

        pipeline.prepare = prepare_and_call_back
        pipeline.handle = pipeline.handle_anew  # prepares each batch, which `handle` does for the first one
