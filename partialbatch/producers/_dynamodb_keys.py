"""Tables and keys: which operations are about the same item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers._dynamodb_types import number

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["Tables", "bare_name", "key_of"]

# A partition key has 1 to 2048 bytes, a sort key 1 to 1024:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_KEY_SIZES = (2_048, 1_024)
# Characters that fit into each of them whatever they are: none has more than 4 bytes.
_SHORT = 256


def bare_name(table: str) -> str:
    """Return a table's name, also from its ARN."""
    return table.rpartition(":table/")[2].partition("/")[0]


def key_of(wire: Mapping[str, Any], names: Sequence[tuple[str, int]]) -> tuple[Hashable, ...]:
    """Check an item's key; return what items of one key have in common: 1, 1.0 and 1.00 are one number.

    Args:
        wire: The item on the wire.
        names: The key attributes, each with the most bytes that it may have.

    Raises:
        RecordError: A key attribute that is missing, empty, too long or of another type.
    """
    return tuple([_part(wire, name, most) for name, most in names])


def _part(wire: Mapping[str, Any], name: str, most: int) -> Hashable:
    value = wire.get(name)
    if value is None:
        raise RecordError(name, "is missing, and it is a key attribute of the table")
    text = value.get("S")
    if text:
        return _sized(name, text, len(text.encode()), most)
    digits = value.get("N")
    if digits is not None:
        # An int equals its Decimal, with the same hash, and is made in a fifth of the time.
        return int(digits) if digits.isdecimal() else number(digits)
    raw = text if text is not None else value.get("B")
    if raw is None:
        raise RecordError(name, f"is of type {next(iter(value))}, and a key attribute is a str, a number or bytes")
    return _sized(name, bytes(raw) if raw else b"", len(raw), most)


def _sized(name: str, value: str | bytes, size: int, most: int) -> Hashable:
    if not size:
        raise RecordError(name, "is empty, and a key attribute has at least 1 byte")
    if size > most:
        raise RecordError.too_large(name, size, most)
    return value


def _with_limits(names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Return key attributes with the most bytes that each may have."""
    return tuple(zip(names, _KEY_SIZES, strict=False))


class Tables:
    """The key attributes of each table.

    Args:
        table: The one table, or None.
        keys: The names of its key attributes; for several tables, table to names.
    """

    def __init__(self, table: str | None, keys: Any) -> None:
        named = keys if isinstance(keys, Mapping) else {table: keys}
        if not named or (table is not None and table not in named):
            raise ConfigurationError.bad_value("keys", keys, f"the key attributes of {table or 'each table'}")
        self._keys = {
            name: (one, _with_limits(_names(names)))
            for (name, one), names in zip(_identities(named).items(), named.values(), strict=True)
        }
        self.default = table if table is not None or len(self._keys) > 1 else next(iter(self._keys))

    def key(self, table: str | None, item: Mapping[str, Any], wire: Mapping[str, Any]) -> tuple[Hashable, ...]:
        """Check an item's key; return what operations on one item have in common."""
        try:
            identity, names = self._keys[table]  # type: ignore[index]  # None is no table's name
        except KeyError:
            raise self._unknown(table) from None
        key: list[Hashable] = [identity]
        for name, _ in names:
            value: Any = item.get(name)
            kind = type(value)
            # Nearly all keys: they are as they will be read from the wire, at a third of the cost.
            if (kind is str and 0 < len(value) <= _SHORT) or kind is int:
                key.append(value)
            else:
                return (identity, *key_of(wire, names))
        return tuple(key)

    def _unknown(self, table: str | None) -> RecordError:
        if table is None:
            return RecordError("table", "is missing, and this producer writes to several")
        return RecordError("table", f"{table!r} is not among the tables of keys=: {', '.join(self._keys)}")

    def answered(self, table: str, wire: Mapping[str, Any]) -> list[tuple[Hashable, ...]]:
        """Return the keys that an item in an answer may have: it may name the table by its ARN, or none of ours."""
        same = [table] if table in self._keys else [name for name in self._keys if bare_name(name) == bare_name(table)]
        return [
            (identity, *key_of(wire, names))
            for identity, names in map(self._keys.__getitem__, same)
            if all(name in wire for name, _ in names)
        ]


def _identities(named: Iterable[object]) -> dict[str, str]:
    """Return what stands for each table in keys: its name, or its ARN where other accounts have tables of that name."""
    bare = {_table(name): bare_name(_table(name)) for name in named}
    often = Counter(bare.values())
    for name, short in bare.items():
        if often[short] > 1 and name == short:
            raise ConfigurationError.bad_value("keys", list(bare), f"the ARN of each table that is called {short!r}")
    return {name: short if often[short] == 1 else name for name, short in bare.items()}


def _table(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ConfigurationError.bad_value(
            "table", name, "the name or ARN of a table; with several, keys={table: names}"
        )
    return name


def _names(names: object) -> tuple[str, ...]:
    every = (names,) if isinstance(names, str) else tuple(names) if isinstance(names, Iterable) else ()
    if not 1 <= len(every) <= len(_KEY_SIZES) or not all(isinstance(name, str) and name for name in every):
        raise ConfigurationError.bad_value("keys", names, "the name of the partition key, and of the sort key if any")
    return every
