"""The sink: items that record functions return are sent, and a record succeeds once its items were accepted."""

from __future__ import annotations

from collections import deque
from collections.abc import MappingView
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from partialbatch._core.runners.deadline import seconds_left
from partialbatch._core.runners.settling import rescued
from partialbatch._core.stages._sessions import Session
from partialbatch._core.stages.base import Stage

if TYPE_CHECKING:
    from collections.abc import Collection

    from partialbatch._core.batch import BatchState, Pending
    from partialbatch._core.options import Settings
    from partialbatch._core.runners.calling import Calling
    from partialbatch.types import Sink

__all__ = ["SinkStage", "create", "items_of"]

_ONE = frozenset((dict, str, bytes))  # asking the abstract classes below takes 0.5 µs
_MANY = (list, tuple, AbstractSet, deque, MappingView)


def create(settings: Settings) -> Stage | None:
    """Make the stage; None if the sink is a callable, which `bulk_sink` calls."""
    return SinkStage(settings.sink, settings.deadline_margin) if hasattr(settings.sink, "open") else None


class SinkStage(Stage):
    """Puts the items of each record into a session of the sink. A record that gave an item waits for it."""

    keeps_order = collects_iterators = True

    def __init__(self, sink: Sink, margin: float | None) -> None:
        self._sink = sink
        self._margin = margin

    async def begin(self, batch: BatchState, calling: Calling) -> None:
        """Prepare the session, which is opened for the first item."""
        left = seconds_left(batch.context, self._margin)
        batch.memory[self] = Session(lambda: self._sink.open(ordered=batch.is_ordered, seconds_left=left))

    def take(self, batch: BatchState, index: int, value: Any) -> bool:
        """Put the items of a record.

        Returns:
            Whether the record waits for them: not if there are none.

        Raises:
            ValueError: An item that can never be sent.
        """
        items = items_of(value)
        if not items:
            return False
        batch.memory[self].put(index, items, batch.groups[index] if batch.groups else None)
        return True

    def settle(self, batch: BatchState, pending: Pending) -> None:
        """Flush the session; a record with an item that can never be sent may be a dead letter."""
        if not pending.items:
            return
        for index, error in batch.memory[self].flush().items():
            if index in pending.items:
                del pending.items[index]
                (pending.dead_letters if rescued(batch, index, error) else pending.failures)[index] = error

    def close(self, batch: BatchState) -> None:
        """End the session: items of failed records that it still holds are not sent."""
        session = batch.memory.pop(self, None)
        if session is not None:
            session.close()


def items_of(value: Any) -> Collection[Any]:
    """Return the items in a value: itself, or those of a list, tuple, set, deque or view."""
    if type(value) in _ONE:
        return (value,)
    many = isinstance(value, _MANY) and not hasattr(value, "_fields")
    # Models, mappings and texts can be iterated as well, and are one item each.
    return value if many else (value,)
