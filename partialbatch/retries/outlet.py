"""Where the items and dead letters of one call go, and which records wait for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from partialbatch.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from partialbatch.types import SinkSession

__all__ = ["Outlet", "items_of"]


class Outlet:
    """The sessions of one call.

    A record that gave something to deliver waits until it was accepted. Workers may call from
    several threads.
    """

    def __init__(self, sink: SinkSession | None, letters: SinkSession | None) -> None:
        self._sink = _Box(sink) if sink is not None else None
        self._letters = _Box(letters) if letters is not None else None
        self._lock = threading.Lock()

    def put(self, index: int, value: Any, group: Hashable) -> bool:
        """Deliver what a record function returned.

        Returns:
            Whether the record waits for it: not if there is nothing to deliver.

        Raises:
            ValueError: An item that can never be sent.
        """
        waits = False
        if self._sink is not None:
            for item in items_of(value):
                with self._lock:
                    self._sink.put(index, item, group)
                waits = True
        return waits

    def bury(self, index: int, letter: dict[str, Any], group: Hashable) -> bool:
        """Deliver a dead letter.

        Returns:
            Whether the record waits for it: not without a dead letter, or where it was refused at once.
        """
        if self._letters is None:
            return False
        with self._lock:
            try:
                self._letters.put(index, letter, group)
            except Exception:
                return False
        return True

    def settle(self) -> dict[int, BaseException]:
        """Send all that is held.

        Returns:
            The records of which something was not accepted, and why.
        """
        refused: dict[int, BaseException] = {}
        for box in (self._sink, self._letters):
            if box is not None:
                with self._lock:
                    refused |= box.flush()
        return refused


class _Box:
    """A session, and which records its items belong to."""

    def __init__(self, session: SinkSession) -> None:
        self._session = session
        # By identity; the items themselves keep their identities from being used again.
        self._owners: dict[int, set[int]] = {}
        self._items: list[Any] = []

    def put(self, index: int, item: Any, group: Hashable) -> None:
        # Noted first: a session that raises may have taken the item all the same.
        self._owners.setdefault(id(item), set()).add(index)
        self._items.append(item)
        self._session.put(item, group=group)

    def flush(self) -> dict[int, BaseException]:
        owners, self._owners, self._items = self._owners, {}, []
        if not owners:
            return {}
        everyone = set().union(*owners.values())
        try:
            unprocessed = list(self._session.flush())
        except Exception as error:
            return dict.fromkeys(everyone, error)
        refused: dict[int, list[Any]] = {}
        for entry in unprocessed:
            # Something that was never put here puts all of it in doubt.
            for index in owners.get(id(entry.record), everyone):
                refused.setdefault(index, []).append(entry)
        return {index: DeliveryError(entries, "items of the record") for index, entries in refused.items()}


def items_of(value: Any) -> Iterable[Any]:
    """Return the items of what a record function returned: none, one, or those of a list, tuple, set or iterator."""
    if value is None:
        return ()
    many = isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields")
    # Models and mappings can be iterated as well, and are one item each.
    return value if many or hasattr(type(value), "__next__") else (value,)
