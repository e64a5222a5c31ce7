"""Tables and keys: which operations are about the same item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers.items import number

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Tables", "bare_name", "check_key", "identity"]

# A partition key has 1 to 2048 bytes, a sort key 1 to 1024:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_KEY_SIZES = (2_048, 1_024)
_KEY_TYPES = frozenset("SNB")


def bare_name(table: str) -> str:
    """Return a table's name, also from its ARN."""
    return table.rpartition(":table/")[2].partition("/")[0]


def identity(wire: Mapping[str, Any], names: Iterable[str]) -> Hashable:
    """Return what two items of one key have in common: 1, 1.0 and 1.00 are one number."""
    key = []
    for name in names:
        ((kind, value),) = wire[name].items()
        key.append(value if kind == "S" else bytes(value) if kind == "B" else _number(value))
    return tuple(key)


def _number(text: str) -> Hashable:
    # An int equals its Decimal, with the same hash, and is made in a fifth of the time.
    return int(text) if text.isdecimal() else number(text)


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
        self._keys = {_table(name): _names(names) for name, names in named.items()}
        self.default = table if table is not None or len(self._keys) > 1 else next(iter(self._keys))

    def names(self, table: str) -> tuple[str, ...]:
        """Return the names of a table's key attributes."""
        if table not in self._keys:
            raise RecordError("table", f"{table!r} is not among the tables of keys=: {', '.join(self._keys)}")
        return self._keys[table]

    def find(self, answered: str) -> tuple[str, ...]:
        """Return the key attributes of a table that an answer names, by name or ARN."""
        for table, names in self._keys.items():
            if bare_name(table) == bare_name(answered):
                return names
        return ()


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


def check_key(wire: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Refuse an item whose key attributes are missing, empty, too long or of another type."""
    for name, most in zip(names, _KEY_SIZES, strict=False):
        if name not in wire:
            raise RecordError(name, "is missing, and it is a key attribute of the table")
        ((kind, value),) = wire[name].items()
        if kind not in _KEY_TYPES:
            raise RecordError(name, f"is of type {kind}, and a key attribute is a str, a number or bytes")
        if kind != "N":
            size = len(value) if isinstance(value, bytes) or value.isascii() else len(value.encode())
            if not 0 < size <= most:
                raise (
                    RecordError.too_large(name, size, most) if size else RecordError(name, "is empty: at least 1 byte")
                )
