"""What records give away before they have ended: the items of a sink, and dead letters."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from partialbatch.errors import DeliveryError, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from partialbatch.types import SinkSession

__all__ = ["Deliveries", "items_of"]


class Deliveries:
    """The sessions of one call. A record that gave something away waits until it was accepted.

    Attributes:
        takes_values: Whether what record functions return goes to a sink.
    """

    def __init__(
        self,
        sink: SinkSession | None,
        letters: SinkSession | None,
        permanent: tuple[type[BaseException], ...],
        letter: Callable[[int, BaseException], dict[str, Any]],
    ) -> None:
        """Take the sessions of a call.

        Args:
            sink: Where values go; None: nowhere.
            letters: Where dead letters go; None: no error is permanent.
            permanent: The exceptions that no retry cures, beside `Reject`.
            letter: Makes the dead letter of a record, by index.
        """
        self.takes_values = sink is not None
        self._sink = _Box(sink) if sink is not None else None
        self._letters = _Box(letters) if letters is not None else None
        self._permanent = (*permanent, Reject)
        self._letter = letter

    async def put(self, index: int, value: Any, group: Hashable, *, awaits: bool) -> bool:
        """Deliver what a record function returned.

        Args:
            index: The record.
            value: None, one item, or a list, tuple, set or iterator of items.
            group: What the items must stay in order with.
            awaits: Whether an event loop runs, which must not wait for a network.

        Returns:
            Whether the record waits for it: not if there is nothing to deliver.

        Raises:
            ValueError: An item that can never be sent.
        """
        if self._sink is None or value is None:
            return False
        return await _aside(awaits, self._sink.put, index, items_of(value), group)

    async def bury(self, index: int, error: BaseException, group: Hashable, *, awaits: bool) -> bool:
        """Deliver a record's dead letter, if its error is permanent.

        Returns:
            Whether the record waits for it: not if a retry may cure the error, or the dead letter was refused.
        """
        if self._letters is None or not isinstance(error, self._permanent):
            return False
        try:
            return await _aside(awaits, self._letters.put, index, (self._letter(index, error),), group)
        except Exception:
            return False

    def settle(self) -> dict[int, BaseException]:
        """Send all that is held.

        Returns:
            The records of which something was not accepted, and why.
        """
        refused: dict[int, BaseException] = {}
        for box in (self._sink, self._letters):
            if box is not None:
                refused |= box.flush()
        return refused


class _Box:
    """A session, and which records its items belong to; workers put from several threads."""

    def __init__(self, session: SinkSession) -> None:
        self._session = session
        self._lock = threading.Lock()
        # By identity; the items are kept, so that no identity is used again.
        self._owners: dict[int, set[int]] = {}
        self._items: list[Any] = []

    def put(self, index: int, items: Iterable[Any], group: Hashable) -> bool:
        some = False
        for item in items:
            some = True
            with self._lock:
                # Noted first: a session that raises may have taken the item all the same.
                self._owners.setdefault(id(item), set()).add(index)
                self._items.append(item)
                self._session.put(item, group=group)
        return some

    def flush(self) -> dict[int, BaseException]:
        with self._lock:
            owners, self._owners, self._items = self._owners, {}, []
            everyone = set().union(*owners.values())
            if not everyone:
                return {}
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


async def _aside(awaits: bool, function: Callable[..., bool], *arguments: Any) -> bool:  # noqa: FBT001 - private
    """Call a function that may wait for a network: beside the event loop, if there is one."""
    if not awaits:
        return function(*arguments)
    import asyncio  # noqa: PLC0415 - loaded long ago where there is a loop

    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])  # nothing of a call goes on behind it
        raise


def items_of(value: Any) -> Iterable[Any]:
    """Return the items of what a record function returned: one, or those of a list, tuple, set or iterator."""
    many = isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields")
    # Models and mappings can be iterated as well, and are one item each.
    return value if many or hasattr(type(value), "__next__") else (value,)
