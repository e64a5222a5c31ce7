"""Producer for DynamoDB: puts and deletes with `BatchWriteItem`.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from partialbatch.errors import RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._buffer import Buffer, KeyedBuffer
from partialbatch.producers._dynamodb_capacity import ReturnConsumedCapacity, capacity_parameters, consumed_capacity
from partialbatch.producers._dynamodb_keys import Tables
from partialbatch.producers._dynamodb_types import ItemSerializer
from partialbatch.producers._entry import Entry, Failure, FailureKind, Stats
from partialbatch.producers._options import CommonOptions, Limits, check_choice
from partialbatch.producers._serialization import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partialbatch.producers._responses import Failures

__all__ = ["DynamoDBOptions", "DynamoDBProducer", "Floats", "OnDuplicate"]

OnDuplicate = Literal["last", "first", "serialize", "error"]
Floats = Literal["refuse", "convert"]

_LIMITS = Limits(entries=25, bytes=16_000_000)
_LARGEST = 409_600
_UNIT = 1_024
_PUT = {"operation": "put"}
_IN_SESSIONS = {"last": "serialize", "first": "skip_if_accepted"}
# The most bytes in a call for each byte by the item-size rules: a list of 10**37 takes
# `{"N": "10...0"}, `, 49 bytes, for 3 each, and a control character takes `\\u0000`, 6 bytes, for 1.
_WIRE_FACTOR = 17
_UNPROCESSED = Failure(FailureKind.THROTTLED, message="DynamoDB returned it as unprocessed")


class DynamoDBOptions(TypedDict, total=False):
    """Options of ``put`` and ``delete`` of a `DynamoDBProducer`.

    Attributes:
        table: The table's name or ARN, as in ``keys``. You need it if the producer has several tables.
    """

    table: str


class DynamoDBProducer(Producer):
    """Puts items into tables and deletes them, up to 25 in a call (``BatchWriteItem``).

    >>> from partialbatch.producers import DynamoDBProducer
    >>> class Tables:  # in place of boto3's client
    ...     def batch_write_item(self, RequestItems):
    ...         print(RequestItems)
    ...         return {"UnprocessedItems": {}}
    >>> with DynamoDBProducer("orders", keys="id", client=Tables()) as producer:
    ...     producer.put({"id": 1, "paid": True})
    {'orders': [{'PutRequest': {'Item': {'id': {'N': '1'}, 'paid': {'BOOL': True}}}}]}

    An item has at most 409,600 bytes by DynamoDB's item-size rules, and a call 16,000,000 bytes:
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html

    Args:
        table: The table's name or ARN. With several tables, leave it out, and name them in ``keys``.
        keys: The name of the partition key, or the names of the partition key and the sort key. With several
            tables, a dict of tables to names.
        on_duplicate: The fate of an operation if another one on the same key is still held. Two operations on a key
            are never in flight together. ``"last"`` (the default): it replaces the held one; in a session it
            is sent after the held one, because a session reports each operation. ``"serialize"``: it is sent
            after the held one. ``"first"``: it is left out; in a session it waits, and is sent if the first
            one is rejected. ``"error"``: ``put`` raises `RecordError`.
        floats: ``"refuse"`` (the default) raises `RecordError` for a float; ``"convert"`` writes it as
            ``Decimal(repr(x))``.
        return_consumed_capacity: ``"TOTAL"`` or ``"INDEXES"`` adds capacity units to ``stats``. Default:
            ``"NONE"``.
        **options: See `CommonOptions`. A `serializer` returns a dict. It is called for items, not for keys
            to delete.

    Raises:
        ConfigurationError: An option has an impossible value.
    """

    service = "dynamodb"
    put_options = frozenset({"table", "operation"})
    item_options = _PUT

    def __init__(
        self,
        table: str | None = None,
        *,
        keys: str | Sequence[str] | Mapping[str, str | Sequence[str]],
        on_duplicate: OnDuplicate = "last",
        floats: Floats = "refuse",
        return_consumed_capacity: ReturnConsumedCapacity = "NONE",
        **options: Unpack[CommonOptions],
    ) -> None:
        self._on_duplicate = check_choice("on_duplicate", on_duplicate, OnDuplicate)
        self._item_serializer = ItemSerializer(convert_floats=check_choice("floats", floats, Floats) == "convert")
        self._capacity = capacity_parameters(return_consumed_capacity)
        self._tables = Tables(table, keys)
        super().__init__(_LIMITS, options)
        # A call of items up to this size can't be too large, so their bytes in the call aren't counted exactly.
        self._small = self._settings.max_bytes // self._settings.max_entries // _WIRE_FACTOR

    def put(self, item: Any, **options: Unpack[DynamoDBOptions]) -> None:
        """Put an item, and send a batch if one is full.

        Args:
            item: A dict, dataclass or pydantic model.
            **options: See `DynamoDBOptions`.

        Raises:
            RecordError: DynamoDB would never take the item.
            ClosedError: The producer is closed.
        """
        self._sender.add(self.entry(item, {**options, "operation": "put"} if options else _PUT))

    def delete(self, key: Any, **options: Unpack[DynamoDBOptions]) -> None:
        """Delete the item with a key, and send a batch if one is full.

        Args:
            key: The key attributes alone, as a dict, dataclass or pydantic model.
            **options: See `DynamoDBOptions`.

        Raises:
            RecordError: The table can't have such a key.
            ClosedError: The producer is closed.
        """
        self._sender.add(self.entry(key, {**options, "operation": "delete"}))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        if options is _PUT:  # hot: a put without options
            table, deletes = self._tables.default, False
        else:
            self._check_put_options(options)
            table, deletes = options.get("table") or self._tables.default, options.get("operation", "put") != "put"
        # A serializer may add attributes, and a key has none but its own.
        item = record if self._serializer is None or deletes else self._serializer(record)
        if type(item) is not dict:
            item = _mapping(item)
        try:
            wire, size = self._item_serializer.item(item)
        except RecursionError:
            raise RecordError("item", "is nested too deep, or contains itself; DynamoDB takes 32 levels") from None
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

    def _make_buffer(self, stats: Stats, *, ordered: bool, for_session: bool) -> Buffer:
        # A session reports each item. An item that was left out in favour of another one, which is then
        # rejected, would seem to be written.
        duplicates = _IN_SESSIONS.get(self._on_duplicate, self._on_duplicate) if for_session else self._on_duplicate
        return KeyedBuffer(self._settings.max_entries, self._settings.max_bytes, stats, duplicates)

    def call(self, entries: Sequence[Entry]) -> Any:
        tables: defaultdict[str, list[Any]] = defaultdict(list)
        for entry in entries:
            table, request, _ = entry.wire
            tables[table].append(request)
        return self._client.batch_write_item(RequestItems=dict(tables), **self._capacity)

    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        stats.consumed_capacity += consumed_capacity(response)
        unprocessed = response.get("UnprocessedItems")
        if not unprocessed:
            return []
        keys = {
            key
            for table, requests in unprocessed.items()
            for request in requests
            for key in self._tables.keys_in_response(table, _item(request))
        }
        return [_UNPROCESSED if entry.key in keys else None for entry in entries]

    def load(self, entries: Sequence[Entry]) -> float:
        """Return the write capacity units: one for each KiB of an item, rounded up."""
        units: list[int] = [-(-entry.wire[2] // _UNIT) for entry in entries]
        return sum(units)

    def size_of(self, entries: Sequence[Entry]) -> int:
        """Return the bytes by DynamoDB's item-size rules."""
        sizes: list[int] = [entry.wire[2] for entry in entries]
        return sum(sizes)


def _mapping(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    try:
        fields: dict[str, Any] = plain(item, "python")
    except TypeError:
        raise RecordError(
            "item", f"is of type {type(item).__name__}; it takes a dict, a dataclass or a pydantic model"
        ) from None
    return fields


def _item(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the item or key of a request."""
    put = request.get("PutRequest")
    item: Mapping[str, Any] = request["DeleteRequest"]["Key"] if put is None else put["Item"]
    return item


def _wire_size(request: dict[str, Any], most: int) -> int:
    size = len(json.dumps(request, default=lambda value: b64encode(value).decode())) + len(", ")
    if size > most:
        raise RecordError.too_large("item in the call", size, most)
    return size
