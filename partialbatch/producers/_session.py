"""A producer as a `Sink`: one session an invocation, with a buffer of its own."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from partialbatch.producers._entry import Entry, Stats
    from partialbatch.producers._sender import Engine
    from partialbatch.types import Unprocessed

__all__ = ["Item", "Session", "group_name"]


class Item:
    """A record and its put options, for where only one object can be given.

    ::

        return Item(order, partition_key=order.customer)

    Attributes:
        record: The record.
        options: The keyword arguments of the producer's `put`. For DynamoDB,
            ``operation="delete"`` makes the record a key to delete.
    """

    __slots__ = ("options", "record")

    def __init__(self, record: Any, **options: Any) -> None:
        self.record = record
        self.options = options

    def __repr__(self) -> str:
        """Name the options; never the record."""
        return f"Item(<{type(self.record).__name__}>, {', '.join(self.options)})"


class Lender(Protocol):
    """What a session needs of its producer."""

    @property
    def item_options(self) -> Mapping[str, Any]: ...
    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry: ...
    def group_options(self, group: Hashable) -> Mapping[str, Any]: ...


class Session:
    """What `open` of a producer returns."""

    def __init__(self, producer: Lender, engine: Engine, *, ordered: bool) -> None:
        self._producer = producer
        self._engine = engine
        self._ordered = ordered

    @property
    def stats(self) -> Stats:
        """What this session has done so far."""
        return self._engine.stats

    def put(self, item: Any, *, group: Hashable = None) -> None:
        """Take one item: a record, or an `Item` with put options.

        Args:
            item: What comes back as `Unprocessed.record` where it was not accepted.
            group: What it must stay in order with. On FIFO queues and topics it becomes the
                message group, on Kinesis the partition key, where the item names none.

        Raises:
            RecordError: An item that can never be sent; nothing was taken.
        """
        record, options = (item.record, item.options) if isinstance(item, Item) else (item, {})
        implied = {} if group is None else self._producer.group_options(group)
        entry = self._producer.entry(record, {**implied, **options})
        entry.record, entry.options = item, {**self._producer.item_options, **options}
        if self._ordered and entry.key is None:
            entry.key = group
        self._engine.add(entry)

    def flush(self, seconds: float | Callable[[], float] | None = None) -> list[Unprocessed]:
        """Send what is held, and return what was not accepted; each item once.

        Args:
            seconds: A time limit of its own, beside the session's.
        """
        return self._engine.flush(seconds)

    def close(self) -> None:
        """Send nothing more: what no flush has sent is let go of."""
        self._engine.close("the session")


def group_name(group: Hashable, longest: int) -> str:
    """Return a group as printable ASCII without spaces: itself where it is that, else a digest."""
    if isinstance(group, str) and re.fullmatch(r"[!-~]+", group) and len(group) <= longest:
        return group
    return sha256(_steady(group).encode("utf-8", "surrogatepass")).hexdigest()


def _steady(value: Any) -> str:
    """Return a text that is the same in every process, for sets too."""
    if isinstance(value, frozenset):
        return f"frozenset({sorted(map(_steady, value))})"
    if isinstance(value, tuple):
        return f"({', '.join(map(_steady, value))})"
    return repr(value)
