"""Sessions of a sink, and the record that each item put into them belongs to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._inspection import kind_of
from partialbatch._unrun import check_value, is_awaitable
from partialbatch.errors import INTERRUPTS, DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Sequence

    from partialbatch.types import SinkSession

__all__ = ["Session"]

_PLAIN = "make it a plain function"


class Session:
    """A session, opened for the first item, and the records that its items belong to. Several threads may put."""

    def __init__(self, open_: Callable[[], SinkSession]) -> None:
        self._open = open_
        self._session: SinkSession | None = None
        self._lock = threading.Lock()
        # Kept until they are accepted, so that no identity is used again.
        self._held: list[tuple[int, Collection[Any]]] = []

    def put(self, index: int, items: Collection[Any], group: Hashable) -> None:
        """Put the items of a record.

        Raises:
            ValueError: An item that can never be sent.
        """
        with self._lock:
            session = self._session
            if session is None:
                session = self._session = _plain(self._open())
            # Items are known by identity, and a dict's view of pairs makes them anew each time.
            items = tuple(items)
            # Noted first: a session that raises may have taken an item all the same.
            self._held.append((index, items))
            put: Callable[..., Any] = session.put
            for item in items:
                returned = put(item, group=group)
                if returned is not None:  # a check takes longer than the rest of the loop
                    check_value(returned, "the sink's put()", _PLAIN)

    def flush(self) -> dict[int, BaseException]:
        """Return an error for each record that has an item which was not accepted."""
        with self._lock:
            held, self._held = self._held, []
            try:
                return _refused(self._session.flush(), held) if self._session is not None else {}
            except INTERRUPTS:
                raise
            except BaseException as error:
                # Whether anything was accepted is unknown, or the answer of the session is not understood.
                return dict.fromkeys((index for index, _ in held), error)

    def close(self) -> None:
        """End the session; one that cannot be ended is logged, and changes nothing about accepted items."""
        try:
            close = getattr(self._session, "close", None)
            if callable(close):
                check_value(close(), "the sink's close()", _PLAIN)
        except INTERRUPTS:
            raise
        except BaseException as error:
            logs.sink_not_closed(error)


def _plain(session: SinkSession) -> SinkSession:
    """Return a session, unless it is async: items that nobody awaits are lost, and would pass for accepted.

    Raises:
        TypeError: It has an async method.
    """
    check_value(session, "the sink's open()", _PLAIN)
    for name in ("put", "flush"):
        if iscoroutinefunction(getattr(session, name)):
            raise TypeError(f"the session of the sink has an async {name}(), that nobody awaits: make it a plain one")
    return session


def _refused(unprocessed: Any, held: Sequence[tuple[int, Collection[Any]]]) -> dict[int, BaseException]:
    if unprocessed is None:
        raise TypeError("the sink's flush() returned None: return what was not accepted, an empty list if all was")
    # An asyncio future can be iterated over, and one that is done gives nothing, whatever its result.
    if isinstance(unprocessed, str | bytes | Mapping) or is_awaitable(unprocessed):
        check_value(unprocessed, "the sink's flush()", _PLAIN)
        raise TypeError(f"the sink's flush() returned a value of type {kind_of(unprocessed)}, no list")
    try:
        entries = list(unprocessed)  # a generator runs here
    except TypeError:
        check_value(unprocessed, "the sink's flush()", _PLAIN)
        raise
    if not entries:
        return {}
    check_value(entries, "the sink's flush()", _PLAIN)
    owners: dict[int, set[int]] = {}  # by identity
    for index, items in held:
        for item in items:
            owners.setdefault(id(item), set()).add(index)
    everyone = {index for index, _ in held}
    refused: dict[int, list[Any]] = {}
    for entry in entries:
        # Something that was never put here puts all of it in doubt.
        for index in owners.get(id(entry.record), everyone):
            refused.setdefault(index, []).append(entry)
    return {index: DeliveryError(its, "items of the record") for index, its in refused.items()}
