"""DynamoDB: puts and deletes with `BatchWriteItem`.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from partialbatch.errors import RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._buffer import Buffer, Lanes
from partialbatch.producers._dynamodb_keys import Tables
from partialbatch.producers._dynamodb_types import Writer
from partialbatch.producers._entry import Entry, Fault, Kind, Stats
from partialbatch.producers._options import CommonOptions, Limits, one_of
from partialbatch.producers._serialization import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partialbatch.producers._responses import Faults

__all__ = ["DynamoDBOptions", "DynamoDBProducer", "capacity", "check_capacity"]

_LIMITS = Limits(entries=25, bytes=16_000_000)
_LARGEST = 409_600
_UNIT = 1_024
_PUT = {"operation": "put"}
_IN_SESSIONS = {"last": "serialize", "first": "standby"}
# No item takes more on the wire than this many times DynamoDB's measure: a list of 10**37 takes
# `{"N": "10...0"}, `, 49 bytes, for 3 each; a control character is `\\u0000`, 6 for 1.
_WIRE_FACTOR = 17
_UNPROCESSED = Fault(Kind.THROTTLED, message="DynamoDB returned it as unprocessed")


class DynamoDBOptions(TypedDict, total=False):
    """What `put` and `delete` take beside the item or key."""

    table: str


class DynamoDBProducer(Producer):
    """Writes items to tables, and deletes them.

    Args:
        table: The table's name or ARN; with several tables, name them in `keys`.
        keys: The names of the key attributes; for several tables, table to names.
        on_duplicate: What a further operation on a key means while one is held: ``"last"``
            it takes the other's place (in a session it is sent after it, for the fate of each
            is told), ``"serialize"`` it is sent after it, ``"first"`` it is left out (in a session it
            waits, and is sent if the first is rejected), ``"error"`` it is refused. Two of one key are
            never in flight together.
        floats: ``"convert"`` writes a float as ``Decimal(repr(x))``; ``"refuse"`` raises.
        return_consumed_capacity: ``"TOTAL"`` or ``"INDEXES"`` feed `stats`.
        **options: See `CommonOptions`; `serializer` returns a dict, for items that are put: keys to
            delete are given as they are.
    """

    service = "dynamodb"
    put_options = frozenset({"table", "operation"})
    item_options = _PUT

    def __init__(
        self,
        table: str | None = None,
        *,
        keys: str | Sequence[str] | Mapping[str, str | Sequence[str]],
        on_duplicate: str = "last",
        floats: str = "refuse",
        return_consumed_capacity: str = "NONE",
        **options: Unpack[CommonOptions],
    ) -> None:
        self._on_duplicate = one_of("on_duplicate", on_duplicate, ("last", "first", "serialize", "error"))
        self._writer = Writer(convert_floats=one_of("floats", floats, ("refuse", "convert")) == "convert")
        self._extra = check_capacity(return_consumed_capacity)
        self._tables = Tables(table, keys)
        super().__init__(_LIMITS, options)
        # Below this the exact bytes on the wire cannot matter, and are not counted.
        self._small = self._settings.max_bytes // self._settings.max_entries // _WIRE_FACTOR

    def put(self, item: Any, **options: Unpack[DynamoDBOptions]) -> None:
        """Write an item; send where a batch is full.

        Args:
            item: A dict, dataclass or pydantic model.
            **options: ``table``, where the producer has several.

        Raises:
            RecordError: An item that DynamoDB would never take.
        """
        self._engine.add(self.entry(item, {**options, "operation": "put"} if options else _PUT))

    def delete(self, key: Any, **options: Unpack[DynamoDBOptions]) -> None:
        """Delete the item of a key; send where a batch is full.

        Args:
            key: The key attributes alone, as a dict, dataclass or pydantic model.
            **options: ``table``, where the producer has several.

        Raises:
            RecordError: A key that the table cannot have.
        """
        self._engine.add(self.entry(key, {**options, "operation": "delete"}))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        if options is not _PUT and options:
            self._check(options)
        table = self._tables.default if options is _PUT else options.get("table") or self._tables.default
        deletes = options is not _PUT and options.get("operation", "put") != "put"
        # What makes an item of a record adds to it, and a key has its own attributes alone.
        item = record if self._serializer is None or deletes else self._serializer(record)
        if type(item) is not dict:
            item = _mapping(item)
        try:
            wire, size = self._writer.item(item)
        except RecursionError:
            raise RecordError("item", "is nested too deep, or holds itself: DynamoDB takes 32 levels") from None
        key = self._tables.key(table, item, wire)
        if size > _LARGEST:
            raise RecordError.too_large("item", size, _LARGEST)
        request = self._delete(options["operation"], wire, len(key) - 1) if deletes else {"PutRequest": {"Item": wire}}
        bytes_ = size * _WIRE_FACTOR if size <= self._small else _wire_size(request, self._settings.max_bytes)
        return Entry(self._next(), record, options, (table, request, size), bytes_, key)

    def _delete(self, operation: Any, wire: dict[str, Any], key_attributes: int) -> dict[str, Any]:
        if operation != "delete":
            raise RecordError("operation", f"is {operation!r}; it takes 'put' or 'delete'")
        if len(wire) > key_attributes:
            raise RecordError("key", f"has {len(wire)} attributes, and the table's key has {key_attributes}")
        return {"DeleteRequest": {"Key": wire}}

    def _buffer(self, stats: Stats, *, ordered: bool, lent: bool) -> Buffer:
        # In a session each item's fate is asked for: one that was left out for another one, which is then
        # refused, would pass for written.
        duplicates = _IN_SESSIONS.get(self._on_duplicate, self._on_duplicate) if lent else self._on_duplicate
        return Lanes(self._settings.max_entries, self._settings.max_bytes, stats, duplicates)

    def call(self, entries: Sequence[Entry]) -> Any:
        tables: defaultdict[str, list[Any]] = defaultdict(list)
        for entry in entries:
            table, request, _ = entry.wire
            tables[table].append(request)
        return self._client.batch_write_item(RequestItems=dict(tables), **self._extra)

    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        stats.consumed_capacity += capacity(answer)
        unprocessed = answer.get("UnprocessedItems")
        if not unprocessed:
            return []
        left = {
            key
            for table, requests in unprocessed.items()
            for request in requests
            for key in self._tables.answered(table, _item(request))
        }
        return [_UNPROCESSED if entry.key in left else None for entry in entries]

    def weigh(self, entries: Sequence[Entry]) -> float:
        """Return the write capacity units, one a KiB begun."""
        units: list[int] = [-(-entry.wire[2] // _UNIT) for entry in entries]
        return sum(units)

    def measure(self, entries: Sequence[Entry]) -> int:
        """Return the bytes by DynamoDB's item-size rules."""
        sizes: list[int] = [entry.wire[2] for entry in entries]
        return sum(sizes)


def _mapping(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    try:
        return plain(item, "python")  # type: ignore[no-any-return] # a dict, by what a model promises
    except TypeError:
        raise RecordError(
            "item", f"is a {type(item).__name__}: a dict, dataclass or pydantic model is possible"
        ) from None


def _item(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the item or key of a request."""
    put = request.get("PutRequest")
    return request["DeleteRequest"]["Key"] if put is None else put["Item"]  # type: ignore[no-any-return] # a dict


def _wire_size(request: dict[str, Any], most: int) -> int:
    size = len(json.dumps(request, default=lambda value: b64encode(value).decode())) + len(", ")
    if size > most:
        raise RecordError.too_large("item on the wire", size, most)
    return size


def check_capacity(value: str) -> dict[str, str]:
    """Return the parameter that asks for the consumed capacity."""
    one_of("return_consumed_capacity", value, ("NONE", "TOTAL", "INDEXES"))
    return {} if value == "NONE" else {"ReturnConsumedCapacity": value}


def capacity(answer: Mapping[str, Any]) -> float:
    """Return the capacity units that a call consumed, in all its tables."""
    return sum(row.get("CapacityUnits") or 0.0 for row in answer.get("ConsumedCapacity") or ())
