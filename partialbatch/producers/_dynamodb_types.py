"""DynamoDB's types: serializes Python values with the size that DynamoDB counts, and deserializes them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Context, Decimal, Inexact, Overflow, Subnormal, Underflow
from math import isfinite
from typing import TYPE_CHECKING, Any

from partialbatch.errors import RecordError
from partialbatch.producers._serialization import lone_surrogate, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Serialized = tuple[dict[str, Any], int]

__all__ = ["ItemSerializer", "deserialize", "parse_number"]

# 38 digits between 1E-130 and 9.99E+125, and no silent rounding.
_CONTEXT = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, Overflow, Underflow, Subnormal])
_MOST_DIGITS = 10**38
_SAFE_BITS = 126  # integers with fewer bits have at most 38 digits
_CONTAINER_SIZE = 3  # the bytes of an empty list or map


class _PathError(Exception):
    """A value that has no DynamoDB type. Each container adds its part of the path, so only errors pay for paths."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.path: list[str] = []

    def at(self, part: str) -> _PathError:
        """Add the part of the path that leads here."""
        self.path.append(part)
        return self

    def record_error(self) -> RecordError:
        """Return the error for the user, with the path from the attribute to the value."""
        return RecordError("".join(reversed(self.path)).removeprefix(".") or "item", str(self))


class ItemSerializer:
    """Serializes items.

    Args:
        convert_floats: Write a float as ``Decimal(repr(x))`` instead of refusing it.
    """

    def __init__(self, *, convert_floats: bool) -> None:
        self._convert_floats = convert_floats
        self._by_type: dict[type, Callable[[Any], Serialized]] = {
            str: _str,
            bool: lambda value: ({"BOOL": value}, 1),
            type(None): lambda _: ({"NULL": True}, 1),
            int: _int,
            Decimal: _decimal,
            float: self._float,
            bytes: lambda value: ({"B": value}, len(value)),
            dict: self._map,
            list: self._list,
            set: self._set,
        }

    def item(self, item: Mapping[str, Any]) -> Serialized:
        """Return the attributes of an item as DynamoDB takes them, and their bytes by its item-size rules."""
        try:
            wire, size = self._attributes(item)
        except _PathError as error:
            raise error.record_error() from None
        if "" in wire:
            raise RecordError("item", "has an attribute name that is empty; a name has at least 1 character")
        return wire, size

    def _attributes(self, named: Mapping[str, Any]) -> Serialized:
        """Serialize the attributes of an item or a map."""
        wire, size, name = {}, _names_size(named), ""
        try:
            for name, value in named.items():
                kind = type(value)
                # Hot: the frequent types are handled here, because a call takes 100 ns.
                if kind is str and value.isascii():
                    wire[name] = {"S": value}
                    size += len(value)
                elif kind is int and value.bit_length() < _SAFE_BITS:
                    text = repr(value)
                    wire[name] = {"N": text}
                    size += (len(text.strip("-0")) + (5 if value < 0 else 3)) // 2
                elif kind is bool:
                    wire[name] = {"BOOL": value}
                    size += 1
                else:
                    wire[name], more = self._by_type.get(kind, self._other)(value)
                    size += more
        except _PathError as error:
            raise error.at(f".{name}") from None
        return wire, size

    def _other(self, value: Any) -> Serialized:
        """Serialize subclasses of the types that DynamoDB knows, and similar types."""
        if isinstance(value, str):
            return _str(str.__str__(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return {"B": bytes(value)}, len(value)
        for kind in (int, Decimal, float, Mapping, AbstractSet):
            if isinstance(value, kind):
                return self._by_type[_SERIALIZED_AS.get(kind, kind)](value)
        if isinstance(value, list | tuple):
            return self._list(value)
        if type(value).__name__ == "Binary" and isinstance(getattr(value, "value", None), bytes | bytearray):
            return {"B": bytes(value.value)}, len(value.value)  # boto3's own wrapper
        try:
            fields = plain(value, "python")
        except TypeError:
            raise _PathError(f"is of type {type(value).__name__}, which DynamoDB has no type for") from None
        return self._map(fields)

    def _float(self, value: float) -> Serialized:
        if not self._convert_floats and isfinite(value):
            raise _PathError("is a float, which DynamoDB can't store exactly; give a Decimal, or set floats='convert'")
        return _decimal(Decimal(repr(float(value))))

    def _map(self, value: Mapping[Any, Any]) -> Serialized:
        wire, size = self._attributes(value)
        return {"M": wire}, size + len(wire) + _CONTAINER_SIZE

    def _list(self, value: Iterable[Any]) -> Serialized:
        wire: list[dict[str, Any]] = []
        size = _CONTAINER_SIZE
        try:
            for inner in value:
                kind = type(inner)
                if kind is str and inner.isascii():  # hot, as above
                    wire.append({"S": inner})
                    size += len(inner) + 1
                    continue
                written, more = self._by_type.get(kind, self._other)(inner)
                wire.append(written)
                size += more + 1
        except _PathError as error:
            raise error.at(f"[{len(wire)}]") from None
        return {"L": wire}, size

    def _set(self, value: AbstractSet[Any]) -> Serialized:
        written = [self._by_type.get(type(inner), self._other)(inner) for inner in value]
        kinds = {kind for wire, _ in written for kind in wire}
        if not kinds:
            raise _PathError("is an empty set, which DynamoDB doesn't take; leave the attribute out")
        if len(kinds) > 1 or not kinds <= {"S", "N", "B"}:
            raise _PathError("is a set of mixed or other types; DynamoDB takes only str, only numbers or only bytes")
        kind = kinds.pop()
        return {kind + "S": [wire[kind] for wire, _ in written]}, sum(size for _, size in written)


_SERIALIZED_AS: dict[type, type] = {Mapping: dict, AbstractSet: set}


def _names_size(named: Mapping[Any, Any]) -> int:
    """Return the bytes of all names. Joined, they are checked in three calls, however many there are."""
    try:
        names = "".join(named)
        return len(names) if names.isascii() else len(names.encode())
    except TypeError:
        kind = next(type(name).__name__ for name in named if not isinstance(name, str))
        raise _PathError(f"has an attribute name of type {kind}; it takes a str") from None
    except UnicodeEncodeError:
        raise _PathError("has an attribute name with a lone surrogate, which UTF-8 can't encode") from None


def _str(value: str) -> Serialized:
    if value.isascii():
        return {"S": value}, len(value)
    try:
        return {"S": value}, len(value.encode())
    except UnicodeEncodeError as error:
        raise _PathError(lone_surrogate(error)) from None


def _number_size(text: str) -> int:
    """Return the bytes of a number: one for two digits, one more, and one for a minus sign."""
    # Zeros at both ends don't count.
    return (len(text.strip("-0")) + 1) // 2 + 1 + (text[0] == "-")


def _int(value: int) -> Serialized:
    if not -_MOST_DIGITS < value < _MOST_DIGITS:
        return _decimal(Decimal(value))
    text = int.__repr__(value)
    return {"N": text}, _number_size(text)


def _decimal(value: Decimal) -> Serialized:
    if not value.is_finite():
        raise _PathError(f"is {value}; DynamoDB takes only finite numbers")
    try:
        text = str(_CONTEXT.create_decimal(value))
    except (Inexact, Overflow, Underflow, Subnormal):
        raise _PathError(
            "doesn't fit a DynamoDB number: at most 38 digits, from 1E-130 to 9.99E+125; round it, or give a str"
        ) from None
    return {"N": text}, _number_size(text.partition("E")[0].replace(".", ""))


def parse_number(text: str) -> Decimal:
    """Return a number of DynamoDB as `Decimal`."""
    return _CONTEXT.create_decimal(text)


_DESERIALIZERS: dict[str, Callable[[Any], Any]] = {
    "S": lambda value: value,
    "N": parse_number,
    "B": lambda value: value,
    "BOOL": lambda value: value,
    "NULL": lambda _: None,
    "M": lambda value: {name: deserialize(inner) for name, inner in value.items()},
    "L": lambda value: [deserialize(inner) for inner in value],
    "SS": set,
    "NS": lambda value: {parse_number(text) for text in value},
    "BS": set,
}


def deserialize(value: Mapping[str, Any]) -> Any:
    """Return a value of DynamoDB as Python: numbers as `Decimal`, binaries as `bytes`."""
    ((kind, inner),) = value.items()
    return _DESERIALIZERS[kind](inner)
