"""Tables and their keys, to find out which operations concern the same item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers._dynamodb_types import parse_number

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["Tables", "key_of", "table_name"]

# A partition key has 1 to 2048 bytes, and a sort key 1 to 1024:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_KEY_SIZES = (2_048, 1_024)
# A text of so many characters fits into each of them: no character has more than 4 bytes.
_SHORT = 256


def table_name(table: str) -> str:
    """Return the name of a table that is given by its name or ARN."""
    return table.rpartition(":table/")[2].partition("/")[0]


def key_of(wire: Mapping[str, Any], names: Sequence[tuple[str, int]]) -> tuple[Hashable, ...]:
    """Check an item's key, and return its values. Equal numbers are the same: 1, 1.0 and 1.00.

    Args:
        wire: The serialized item.
        names: The key attributes, each with the most bytes that it may have.

    Raises:
        RecordError: A key attribute is missing, empty, too long or of another type.
    """
    return tuple([_key_value(wire, name, most) for name, most in names])


def _key_value(wire: Mapping[str, Any], name: str, most: int) -> Hashable:
    value = wire.get(name)
    if value is None:
        raise RecordError(name, "is missing; it's a key attribute of the table")
    text = value.get("S")
    if text:
        return _check_size(name, text, len(text.encode()), most)
    digits = value.get("N")
    if digits is not None:
        # An int equals the Decimal and has the same hash, and is created in a fifth of the time.
        return int(digits) if digits.isdecimal() else parse_number(digits)
    raw = text if text is not None else value.get("B")
    if raw is None:
        raise RecordError(name, f"is of DynamoDB's type {next(iter(value))}; a key attribute is a str, number or bytes")
    return _check_size(name, bytes(raw) if raw else b"", len(raw), most)


def _check_size(name: str, value: str | bytes, size: int, most: int) -> Hashable:
    if not size:
        raise RecordError(name, "is empty; a key attribute has at least 1 byte")
    if size > most:
        raise RecordError.too_large(name, size, most)
    return value


class Tables:
    """The key attributes of each table.

    Args:
        table: The name of the only table, or None.
        keys: The names of its key attributes; with several tables, a mapping of tables to names.

    Attributes:
        default: The table of operations that name none; None if there are several tables.
    """

    def __init__(self, table: str | None, keys: Any) -> None:
        named = keys if isinstance(keys, Mapping) else {table: keys}
        if not named or (table is not None and table not in named):
            raise ConfigurationError.bad_value("keys", keys, f"the key attributes of {table or 'each table'}")
        self._keys = {
            name: (identity, tuple(zip(_key_names(names), _KEY_SIZES, strict=False)))
            for (name, identity), names in zip(_identities(named).items(), named.values(), strict=True)
        }
        self.default = table if table is not None or len(self._keys) > 1 else next(iter(self._keys))

    def key(self, table: str | None, item: Mapping[str, Any], wire: Mapping[str, Any]) -> tuple[Hashable, ...]:
        """Check an item's key, and return the table and the key's values, which identify the item."""
        if table is None:
            raise RecordError(
                "table", "is missing; this producer writes to several tables, so each operation needs one"
            )
        try:
            identity, names = self._keys[table]
        except KeyError:
            raise RecordError("table", f"{table!r} isn't one of the tables in keys=: {', '.join(self._keys)}") from None
        key: list[Hashable] = [identity]
        for name, _ in names:
            value: Any = item.get(name)
            kind = type(value)
            # Hot: nearly all keys equal their serialized values, and take a third of the time as they are.
            if kind is not int and (kind is not str or not 0 < len(value) <= _SHORT):
                return (identity, *key_of(wire, names))
            key.append(value)
        return tuple(key)

    def keys_in_response(self, table: str, wire: Mapping[str, Any]) -> list[tuple[Hashable, ...]]:
        """Return the keys that an item in a response may have. Its table may be an ARN, or unknown."""
        name = table_name(table)
        same = [table] if table in self._keys else [known for known in self._keys if table_name(known) == name]
        return [
            (identity, *key_of(wire, names))
            for identity, names in map(self._keys.__getitem__, same)
            if all(attribute in wire for attribute, _ in names)
        ]


def _identities(named: Iterable[object]) -> dict[str, str]:
    """Map each table to its name, or to its ARN if another account has a table of the same name."""
    short_names = {_check_table(table): table_name(_check_table(table)) for table in named}
    often = Counter(short_names.values())
    for table, short in short_names.items():
        if often[short] > 1 and table == short:
            raise ConfigurationError.bad_value(
                "keys", list(short_names), f"ARNs if several tables are called {short!r}"
            )
    return {table: short if often[short] == 1 else table for table, short in short_names.items()}


def _check_table(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ConfigurationError.bad_value(
            "table", name, "the name or ARN of a table; with several, keys={table: names}"
        )
    return name


def _key_names(names: object) -> tuple[str, ...]:
    every = (names,) if isinstance(names, str) else tuple(names) if isinstance(names, Iterable) else ()
    if not 1 <= len(every) <= len(_KEY_SIZES) or not all(isinstance(name, str) and name for name in every):
        raise ConfigurationError.bad_value("keys", names, "the name of the partition key, and of the sort key if any")
    return every
