"""Watching a handler from within: what becomes of each record, however it is called."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from partialbatch._core.batch import BatchState

    See = Callable[[Any, BatchState], None]

__all__ = ["watching"]

# The pipeline that is watched, and who watches it; of the current thread or task.
_watched: ContextVar[tuple[Any, See] | None] = ContextVar("partialbatch_watched", default=None)
_tapping = Lock()


@contextmanager
def watching(handler: Any, see: See) -> Iterator[None]:
    """Show each batch of a handler before its first record runs, while the block lasts.

    Args:
        handler: A handler of ours; decorators may stand between it and what is called.
        see: Called with the event, as the handler got it, and the state of the batch.
    """
    pipeline = handler._target()[0]  # noqa: SLF001 - the two make one unit
    _tap(pipeline)
    token = _watched.set((pipeline, see))
    try:
        yield
    finally:
        _watched.reset(token)


def _tap(pipeline: Any) -> None:
    """Have a pipeline show what it prepares; done once, and without a cost where nobody watches."""
    with _tapping:
        if "prepare" in vars(pipeline):
            return
        prepare = pipeline.prepare

        def shown(function: Any, plan: Any, event: Any, context: Any, **options: Any) -> BatchState:
            batch: BatchState = prepare(function, plan, event, context, **options)
            watched = _watched.get()
            if watched is not None and watched[0] is pipeline:
                watched[1](event, batch)
            return batch

        pipeline.prepare = shown
