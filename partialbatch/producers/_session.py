"""Sessions, which make a producer a `Sink`: each invocation has its own session with its own buffer."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from partialbatch.producers._entry import Entry, Stats
    from partialbatch.producers._sender import Sender
    from partialbatch.types import Unprocessed

__all__ = ["Item", "Session", "group_name"]


class Item:
    """A record together with its put options, for places that take only one object.

    Return it from your record function if the handler has a producer as ``sink=``:

    >>> from partialbatch.producers import Item
    >>> def handle(order: dict) -> Item:
    ...     return Item(order, partition_key=order["customer"])
    >>> handle({"id": 1, "customer": "c-17"})
    Item(<dict>, partition_key)

    Attributes:
        record: The record.
        options: The keyword arguments for the producer's ``put``. A wrong one raises `RecordError` when the
            item is put. With a `DynamoDBProducer`, ``operation="delete"`` deletes: the record is then a key.
    """

    __slots__ = ("options", "record")

    def __init__(self, record: Any, **options: Any) -> None:
        self.record = record
        self.options = options

    def __repr__(self) -> str:
        """Name the options, never the record."""
        return f"Item({', '.join([f'<{type(self.record).__name__}>', *self.options])})"


class SessionOwner(Protocol):
    """The parts of a producer that its sessions use."""

    @property
    def item_options(self) -> Mapping[str, Any]: ...
    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry: ...
    def group_options(self, group: Hashable) -> Mapping[str, Any]: ...


class Session:
    """A session of a producer, with a buffer of its own. You get it from ``open``."""

    def __init__(self, producer: SessionOwner, sender: Sender, *, ordered: bool) -> None:
        self._producer = producer
        self._sender = sender
        self._ordered = ordered

    @property
    def stats(self) -> Stats:
        """The counts of this session."""
        return self._sender.stats

    def put(self, item: Any, *, group: Hashable = None) -> None:
        """Take one item, and send a batch if one is full.

        Args:
            item: A record, or an `Item` with put options. If it isn't accepted, it comes back as
                ``Unprocessed.record``.
            group: In an ordered session, items of one group keep their order. The group becomes the message
                group of a FIFO queue or topic, or the partition key of a Kinesis record, unless the item has one.

        Raises:
            RecordError: The item can never be sent. Nothing was taken.
            ClosedError: The session is closed.
        """
        record, options = (item.record, item.options) if isinstance(item, Item) else (item, {})
        implied = {} if group is None else self._producer.group_options(group)
        entry = self._producer.entry(record, {**implied, **options})
        entry.record, entry.options = item, {**self._producer.item_options, **options}
        if self._ordered and entry.key is None:
            entry.key = group
        self._sender.add(entry)

    def flush(self, seconds: float | Callable[[], float] | None = None) -> list[Unprocessed]:
        """Send all held items, and return those that were not accepted, each one once.

        Args:
            seconds: A further time limit beside the session's own: seconds, or a callable that returns the
                seconds left.
        """
        return self._sender.flush(seconds)

    def close(self) -> None:
        """Send nothing more. Items that no flush has sent are dropped."""
        self._sender.close("the session")


def group_name(group: Hashable, longest: int) -> str:
    """Return a group as printable ASCII text without spaces: the group itself if it is such a text, or a digest."""
    if isinstance(group, str) and re.fullmatch(r"[!-~]+", group) and len(group) <= longest:
        return group
    return sha256(_stable_text(group).encode("utf-8", "surrogatepass")).hexdigest()


def _stable_text(value: Any) -> str:
    """Return a text that is the same in every process, for sets as well."""
    if isinstance(value, frozenset):
        return f"frozenset({sorted(map(_stable_text, value))})"
    if isinstance(value, tuple):
        return f"({', '.join(map(_stable_text, value))})"
    return repr(value)
