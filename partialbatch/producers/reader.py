"""DynamoDB's other batch call: `BatchGetItem`, each key once.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from partialbatch.errors import ConfigurationError, DeliveryError, RecordError, listing
from partialbatch.producers._base import make_client
from partialbatch.producers._buffer import Buffer
from partialbatch.producers._dynamodb_keys import key_of
from partialbatch.producers._dynamodb_types import Writer, from_wire
from partialbatch.producers._entry import Entry, Fault, Kind, Stats
from partialbatch.producers._options import CommonOptions, Limits, Settings, text
from partialbatch.producers._sender import Engine
from partialbatch.producers.dynamodb import capacity, check_capacity

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from partialbatch.producers._responses import Faults
    from partialbatch.types import Unprocessed

__all__ = ["DynamoDBReader"]

_KEY_ATTRIBUTES = 2
_LONGEST = 2_048  # bytes of a partition key; which of two attributes is that one, nobody says
_LIMITS = Limits(entries=100, bytes=16_000_000)
_ALIAS = "#partialbatch_key{}"
_THROTTLED = Fault(Kind.THROTTLED, message="DynamoDB returned the key as unprocessed")
_CUT = Fault(Kind.CUT, message="DynamoDB returned the key as unprocessed")


class DynamoDBReader:
    """Reads items by their keys.

    Args:
        table: The table's name or ARN.
        consistent_read: Whether reads are strongly consistent.
        projection_expression: Which attributes to read; the keys' own are added.
        expression_attribute_names: The ``#names`` in it.
        return_consumed_capacity: ``"TOTAL"`` or ``"INDEXES"`` feed `stats`.
        **options: See `CommonOptions`; `workers`, `serializer` and `max_bytes` are for producers: DynamoDB
            itself ends a page after 16 MB.
    """

    def __init__(
        self,
        table: str,
        *,
        consistent_read: bool = False,
        projection_expression: str | None = None,
        expression_attribute_names: Mapping[str, str] | None = None,
        return_consumed_capacity: str = "NONE",
        **options: Unpack[CommonOptions],
    ) -> None:
        unknown = options.keys() - (CommonOptions.__annotations__.keys() - {"workers", "serializer", "max_bytes"})
        if unknown:
            raise TypeError(f"DynamoDBReader() got unexpected keyword arguments: {listing(sorted(unknown))}")
        self.stats = Stats()
        if expression_attribute_names and projection_expression is None:
            raise ConfigurationError("expression_attribute_names= needs projection_expression=, which uses the names")
        self._table = text("table", table, "the name or ARN of a table")
        self._consistent = consistent_read
        self._projection = projection_expression
        self._names = dict(expression_attribute_names or {})
        self._extra = check_capacity(return_consumed_capacity)
        self._settings = Settings.checked(_LIMITS, options)
        client = options.get("client")
        self._client = make_client("dynamodb", 0) if client is None else client

    def get(
        self, keys: Iterable[Mapping[str, Any]], *, ordered: bool = False
    ) -> Iterator[tuple[Mapping[str, Any], dict[str, Any] | None]]:
        """Yield each key once with its item, or with None where the table has none.

        Args:
            keys: Dicts of the key attributes; read as the results are taken.
            ordered: Whether results come in the order of the keys; what arrives early is kept.

        Raises:
            RecordError: A key that no table can have.
            DeliveryError: Keys that could not be read, after all others were yielded.
        """
        reading = _Reading(self._client, self._request, self._extra)
        engine = Engine(reading, self._settings, Buffer(self._settings.max_entries, _LIMITS.bytes), self.stats)
        seen: set[Hashable] = set()
        unread: list[Unprocessed] = []
        for entry in _entries(keys):
            if entry.key in seen:
                continue
            seen.add(entry.key)
            if ordered and len(reading.waiting) >= self._settings.max_pending and not engine.is_stuck:
                # One key that DynamoDB holds back must not let all that follow pile up behind it.
                unread += engine.flush()
                yield from reading.remaining()
            reading.waiting[entry.seq] = entry.record
            engine.add(entry)
            yield from reading.results(ordered=ordered)
        unread += engine.flush()
        yield from reading.remaining()
        if unread:
            raise DeliveryError(unread, "keys")

    def _request(self, keys: list[Any]) -> dict[str, Any]:
        """Return the parameters for the one table; a retry is made anew with the same ones."""
        request: dict[str, Any] = {"Keys": keys}
        names = dict(self._names)
        if self._consistent:
            request["ConsistentRead"] = True
        if self._projection is not None:
            # The answer is matched to the keys by their attributes.
            paths = {names.get(path, path) for path in re.split(r"\s*,\s*", self._projection.strip())}
            added = {_ALIAS.format(at): name for at, name in enumerate(keys[0]) if name not in paths}
            names |= added
            request["ProjectionExpression"] = ", ".join([self._projection, *added])
        if names:
            request["ExpressionAttributeNames"] = names
        return {self._table: request}


def _entries(keys: Iterable[Any]) -> Iterator[Entry]:
    """Check and serialise keys."""
    writer = Writer(convert_floats=True)
    names: tuple[tuple[str, int], ...] = ()
    for seq, key in enumerate(keys):
        if not isinstance(key, Mapping) or not 1 <= len(key) <= _KEY_ATTRIBUTES:
            raise RecordError("key", "is no dict of 1 or 2 key attributes")
        wire, _ = writer.item(key)
        names = names or _names(wire)
        if len(wire) > len(names):
            raise RecordError("key", f"has {len(wire)} attributes, and the keys before it have {len(names)}")
        yield Entry(seq, key, {}, wire, 0, key_of(wire, names))


def _names(wire: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return the key attributes in an order of their own: dicts of one `get` may differ in theirs."""
    return tuple((name, _LONGEST) for name in sorted(wire))


class _Reading:
    """One `get`: the engine's service, which keeps what was read until it is yielded."""

    def __init__(self, client: Any, request: Callable[[list[Any]], dict[str, Any]], extra: Mapping[str, str]) -> None:
        self.waiting: dict[int, Mapping[str, Any]] = {}
        self._results: dict[int, dict[str, Any] | None] = {}
        self._client = client
        self._request = request
        self._extra = extra

    def results(self, *, ordered: bool) -> Iterator[tuple[Mapping[str, Any], dict[str, Any] | None]]:
        """Yield what was read; with `ordered` only what nothing before it is waited for."""
        if not self._results:
            return
        for seq in list(self.waiting):
            if seq in self._results:
                yield self.waiting.pop(seq), self._results.pop(seq)
            elif ordered:
                return

    def remaining(self) -> Iterator[tuple[Mapping[str, Any], dict[str, Any] | None]]:
        """Yield all that was read, after a flush: what is without a result was handed back by that."""
        yield from self.results(ordered=False)
        self.waiting.clear()

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.batch_get_item(RequestItems=self._request([entry.wire for entry in entries]), **self._extra)

    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        stats.consumed_capacity += capacity(answer)
        names = _names(entries[0].wire)
        found: dict[Hashable, Any] = {
            key_of(item, names): item for items in (answer.get("Responses") or {}).values() for item in items
        }
        left = {key_of(key, names) for page in (answer.get("UnprocessedKeys") or {}).values() for key in page["Keys"]}
        fault = _CUT if len(left) < len(entries) else _THROTTLED
        faults: Faults = [fault if entry.key in left else None for entry in entries]
        for entry, failed in zip(entries, faults, strict=True):
            if failed is None:
                item = found.get(entry.key)
                self._results[entry.seq] = item and {name: from_wire(value) for name, value in item.items()}
        return faults

    def measure(self, entries: Sequence[Entry]) -> int:
        return 0  # what counts is the answer, and DynamoDB says its capacity

    def weigh(self, entries: Sequence[Entry]) -> float:
        return len(entries)
