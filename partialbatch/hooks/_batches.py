"""Notes of a hook for each batch: one that begins while another runs, nested in it say, has notes of its own."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Generic, TypeVar

__all__ = ["Batches"]

Note = TypeVar("Note")


class _Batch(Generic[Note]):
    """What is noted of one batch, and the batch that it is nested in."""

    def __init__(self, around: _Batch[Note] | None, size: int) -> None:
        self.size = size
        self.around = around
        self.note: Note | None = None


class Batches(Generic[Note]):
    """The batches that run in the current context, the innermost first.

    In a context variable, for threads and tasks may run batches at once.
    """

    def __init__(self, name: str) -> None:
        self._innermost: ContextVar[_Batch[Note] | None] = ContextVar(name, default=None)

    def begin(self, size: int) -> None:
        """Begin a batch of so many records, before anything that may fail: what is ended is then what was begun."""
        self._innermost.set(_Batch(self._innermost.get(), size))

    def note(self, note: Note) -> None:
        """Note something of the innermost batch."""
        batch = self._innermost.get()
        if batch is not None:
            batch.note = note

    @property
    def current(self) -> Note | None:
        """What was noted of the innermost batch."""
        batch = self._innermost.get()
        return None if batch is None else batch.note

    def end(self, size: int) -> Note | None:
        """End the innermost batch, and return what was noted of it.

        Args:
            size: Its number of records. A batch without records may never have begun, and ends no other.
        """
        batch = self._innermost.get()
        if batch is None or batch.size != size:
            return None
        self._innermost.set(batch.around)
        return batch.note
