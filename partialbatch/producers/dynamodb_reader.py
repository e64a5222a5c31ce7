"""Reader for DynamoDB: `BatchGetItem`, each key once.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from partialbatch.errors import ConfigurationError, DeliveryError, RecordError, listing
from partialbatch.producers._base import make_client
from partialbatch.producers._buffer import Buffer
from partialbatch.producers._dynamodb_capacity import ReturnConsumedCapacity, capacity_parameters, consumed_capacity
from partialbatch.producers._dynamodb_keys import key_of
from partialbatch.producers._dynamodb_types import ItemSerializer, deserialize
from partialbatch.producers._entry import Entry, Failure, FailureKind, Stats
from partialbatch.producers._options import Limits, ReaderOptions, Settings, check_name
from partialbatch.producers._sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from partialbatch.producers._responses import Failures
    from partialbatch.types import Unprocessed

__all__ = ["DynamoDBReader"]

_KEY_ATTRIBUTES = 2
_LONGEST = 2_048  # bytes of a partition key; a request doesn't say which of two attributes is the partition key
_LIMITS = Limits(entries=100, bytes=16_000_000)
_ALIAS = "#partialbatch_key{}"
_THROTTLED = Failure(FailureKind.THROTTLED, message="DynamoDB returned the key as unprocessed")
_CUT = Failure(FailureKind.CUT, message="DynamoDB returned the key as unprocessed")


class DynamoDBReader:
    """Reads items by their keys, up to 100 in a call (``BatchGetItem``).

    >>> from partialbatch.producers import DynamoDBReader
    >>> class Orders:  # in place of boto3's client
    ...     def batch_get_item(self, RequestItems):
    ...         return {"Responses": {"orders": [{"id": {"N": "1"}, "paid": {"BOOL": True}}]}}
    >>> list(DynamoDBReader("orders", client=Orders()).get([{"id": 1}, {"id": 2}]))
    [({'id': 1}, {'id': Decimal('1'), 'paid': True}), ({'id': 2}, None)]

    DynamoDB ends a response after 16 MB, and the reader asks for the rest:
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html

    Args:
        table: The table's name or ARN.
        consistent_read: Whether reads are strongly consistent. Default: False.
        projection_expression: The attributes to read. The key's own are added. Default: all attributes.
        expression_attribute_names: The ``#names`` in ``projection_expression``.
        return_consumed_capacity: ``"TOTAL"`` or ``"INDEXES"`` adds capacity units to ``stats``. Default:
            ``"NONE"``.
        **options: See `ReaderOptions`.

    Attributes:
        stats: The counts of this reader.

    Raises:
        ConfigurationError: An option has an impossible value.
    """

    def __init__(
        self,
        table: str,
        *,
        consistent_read: bool = False,
        projection_expression: str | None = None,
        expression_attribute_names: Mapping[str, str] | None = None,
        return_consumed_capacity: ReturnConsumedCapacity = "NONE",
        **options: Unpack[ReaderOptions],
    ) -> None:
        unknown = options.keys() - ReaderOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"DynamoDBReader() got unexpected keyword arguments: {listing(sorted(unknown))}")
        self.stats = Stats()
        if expression_attribute_names and projection_expression is None:
            raise ConfigurationError(
                "expression_attribute_names= has no effect without projection_expression=, which uses the names; "
                "set both, or none"
            )
        self._table = check_name("table", table, "the name or ARN of a table")
        self._consistent = consistent_read
        self._projection = projection_expression
        self._names = dict(expression_attribute_names or {})
        self._capacity = capacity_parameters(return_consumed_capacity)
        self._settings = Settings.checked(_LIMITS, options)
        client = options.get("client")
        self._client = make_client("dynamodb", 0) if client is None else client

    def get(
        self, keys: Iterable[Mapping[str, Any]], *, ordered: bool = False
    ) -> Iterator[tuple[Mapping[str, Any], dict[str, Any] | None]]:
        """Yield each key once with its item, or with None if the table has no such item.

        Args:
            keys: Dicts of the key attributes. They are read while you take the results.
            ordered: Whether results come in the order of the keys; earlier results are kept until then.

        Raises:
            RecordError: No table can have such a key.
            DeliveryError: Some keys couldn't be read. All others were yielded before.
        """
        reading = _Reading(self._client, self._request, self._capacity)
        sender = Sender(reading, self._settings, Buffer(self._settings.max_entries, _LIMITS.bytes), self.stats)
        seen: set[Hashable] = set()
        unread: list[Unprocessed] = []
        for entry in _entries(keys):
            if entry.key in seen:
                continue
            seen.add(entry.key)
            if ordered and len(reading.waiting) >= self._settings.max_pending and not sender.has_fatal_failure:
                # One key that DynamoDB leaves unprocessed must not keep back the results of all later keys.
                unread += sender.flush()
                yield from reading.remaining()
            reading.waiting[entry.seq] = entry.record
            sender.add(entry)
            yield from reading.results(ordered=ordered)
        unread += sender.flush()
        yield from reading.remaining()
        if unread:
            raise DeliveryError(unread, "keys")

    def _request(self, keys: list[Any]) -> dict[str, Any]:
        """Return the parameters for the table. They are the same in a retry."""
        request: dict[str, Any] = {"Keys": keys}
        names = dict(self._names)
        if self._consistent:
            request["ConsistentRead"] = True
        if self._projection is not None:
            # Each item in the response is found by its key attributes.
            paths = {names.get(path, path) for path in re.split(r"\s*,\s*", self._projection.strip())}
            added = {_ALIAS.format(at): name for at, name in enumerate(keys[0]) if name not in paths}
            names |= added
            request["ProjectionExpression"] = ", ".join([self._projection, *added])
        if names:
            request["ExpressionAttributeNames"] = names
        return {self._table: request}


def _entries(keys: Iterable[Any]) -> Iterator[Entry]:
    """Check and serialize keys."""
    serializer = ItemSerializer(convert_floats=True)
    names: tuple[tuple[str, int], ...] = ()
    for seq, key in enumerate(keys):
        if not isinstance(key, Mapping) or not 1 <= len(key) <= _KEY_ATTRIBUTES:
            raise RecordError("key", "isn't a dict of 1 or 2 key attributes")
        wire, _ = serializer.item(key)
        names = names or _key_names(wire)
        if len(wire) > len(names):
            raise RecordError("key", f"has {len(wire)} attributes, and the keys before it have {len(names)}")
        yield Entry(seq, key, {}, wire, 0, key_of(wire, names))


def _key_names(wire: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return the key attributes in a fixed order: the keys of one `get` may have them in different orders."""
    return tuple((name, _LONGEST) for name in sorted(wire))


class _Reading:
    """One `get`: makes the sender's calls, and keeps the items until they are yielded."""

    def __init__(self, client: Any, request: Callable[[list[Any]], dict[str, Any]], extra: Mapping[str, str]) -> None:
        self.waiting: dict[int, Mapping[str, Any]] = {}
        self._results: dict[int, dict[str, Any] | None] = {}
        self._client = client
        self._request = request
        self._extra = extra

    def results(self, *, ordered: bool) -> Iterator[tuple[Mapping[str, Any], dict[str, Any] | None]]:
        """Yield results that have arrived; with `ordered`, only until the first key that has none yet."""
        if not self._results:
            return
        for seq in list(self.waiting):
            if seq in self._results:
                yield self.waiting.pop(seq), self._results.pop(seq)
            elif ordered:
                return

    def remaining(self) -> Iterator[tuple[Mapping[str, Any], dict[str, Any] | None]]:
        """Yield all results after a flush, which has returned the keys without one."""
        yield from self.results(ordered=False)
        self.waiting.clear()

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.batch_get_item(RequestItems=self._request([entry.wire for entry in entries]), **self._extra)

    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        stats.consumed_capacity += consumed_capacity(response)
        names = _key_names(entries[0].wire)
        found: dict[Hashable, Any] = {
            key_of(item, names): item for items in (response.get("Responses") or {}).values() for item in items
        }
        left = {key_of(key, names) for page in (response.get("UnprocessedKeys") or {}).values() for key in page["Keys"]}
        failure = _CUT if len(left) < len(entries) else _THROTTLED
        failures: Failures = [failure if entry.key in left else None for entry in entries]
        for entry, failed in zip(entries, failures, strict=True):
            if failed is None:
                item = found.get(entry.key)
                self._results[entry.seq] = item and {name: deserialize(value) for name, value in item.items()}
        return failures

    def size_of(self, entries: Sequence[Entry]) -> int:
        return 0  # only the response has a limit in bytes, and DynamoDB reports its capacity units

    def load(self, entries: Sequence[Entry]) -> float:
        return len(entries)
