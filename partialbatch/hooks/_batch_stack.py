"""State that a hook keeps for each batch, also if one batch runs inside another."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Generic, TypeVar

__all__ = ["BatchStack"]

State = TypeVar("State")


class _Batch(Generic[State]):
    """The state of one batch, and the batch that it runs inside."""

    def __init__(self, outer: _Batch[State] | None, size: int) -> None:
        self.size = size
        self.outer = outer
        self.state: State | None = None


class BatchStack(Generic[State]):
    """The batches that run in the current context, the innermost first.

    They are kept in a context variable, because threads and tasks may run batches at the same time.

    Args:
        name: The name of the context variable.
    """

    def __init__(self, name: str) -> None:
        self._innermost: ContextVar[_Batch[State] | None] = ContextVar(name, default=None)

    def begin(self, size: int) -> None:
        """Begin a batch with this many records. Call it first, so that `end` finds this batch even after an error."""
        self._innermost.set(_Batch(self._innermost.get(), size))

    def keep(self, state: State) -> None:
        """Keep the state of the innermost batch."""
        batch = self._innermost.get()
        if batch is not None:
            batch.state = state

    @property
    def current(self) -> State | None:
        """The state of the innermost batch, or None."""
        batch = self._innermost.get()
        return None if batch is None else batch.state

    def end(self, size: int) -> State | None:
        """End the innermost batch, and return its state.

        Args:
            size: The number of its records. If it differs, the batch never began, and no batch is ended.
        """
        batch = self._innermost.get()
        if batch is None or batch.size != size:
            return None
        self._innermost.set(batch.outer)
        return batch.state
