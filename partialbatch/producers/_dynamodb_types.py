"""DynamoDB's types: Python values to the wire and back, with the size that DynamoDB counts.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Context, Decimal, Inexact, Overflow, Subnormal, Underflow
from math import isfinite
from typing import TYPE_CHECKING, Any

from partialbatch.errors import RecordError
from partialbatch.producers._serialization import plain, utf8_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Written = tuple[dict[str, Any], int]

__all__ = ["Writer", "from_wire", "number"]

# 38 digits between 1E-130 and 9.99E+125, and no silent rounding.
_CONTEXT = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, Overflow, Underflow, Subnormal])
_SAFE = 10**38
_MARKUP = 3  # what a list or a map costs by itself


class Writer:
    """Writes items.

    Args:
        convert_floats: Write a float as ``Decimal(repr(x))`` rather than refuse it.
    """

    def __init__(self, *, convert_floats: bool) -> None:
        self._floats = convert_floats
        self._by_type: dict[type, Callable[[Any, str], Written]] = {
            bool: lambda value, _: ({"BOOL": value}, 1),
            type(None): lambda _, __: ({"NULL": True}, 1),
            int: _int,
            Decimal: _decimal,
            float: self._float,
            bytes: lambda value, _: ({"B": value}, len(value)),
            dict: self._map,
            list: self._list,
            set: self._set,
        }

    def item(self, item: Mapping[str, Any]) -> Written:
        """Return the attributes of an item on the wire, and their bytes in DynamoDB's measure."""
        wire, size, by_type = {}, 0, self._by_type
        for name, value in item.items():
            if type(name) is not str or not name:
                what = "an empty str" if name == "" else f"a {type(name).__name__}, not a str"
                raise RecordError("item", f"has an attribute name that is {what}")
            kind = type(value)
            # Inline: half of all attributes are text, and a call takes 80 ns.
            if kind is str and value.isascii():
                wire[name] = {"S": value}
                size += len(value)
            else:
                wire[name], more = by_type.get(kind, self._other)(value, name)
                size += more
            size += len(name) if name.isascii() else utf8_size(name, "item")
        return wire, size

    def _other(self, value: Any, path: str) -> Written:
        """Write subclasses and lookalikes of the types that DynamoDB knows."""
        if isinstance(value, str):
            text = str.__str__(value)
            return {"S": text}, utf8_size(text, path)
        if isinstance(value, bytes | bytearray | memoryview):
            return {"B": bytes(value)}, len(value)
        for kind in (int, Decimal, float, Mapping, AbstractSet):
            if isinstance(value, kind):
                return self._by_type[_WRITTEN_AS.get(kind, kind)](value, path)
        if isinstance(value, list | tuple):
            return self._list(value, path)
        if type(value).__name__ == "Binary" and isinstance(getattr(value, "value", None), bytes | bytearray):
            return {"B": bytes(value.value)}, len(value.value)  # boto3's own wrapper
        try:
            return self._map(plain(value, "python"), path)
        except TypeError:
            raise RecordError(path, f"is a {type(value).__name__}, for which DynamoDB has no type") from None

    def _float(self, value: float, path: str) -> Written:
        if not self._floats and isfinite(value):
            raise RecordError(
                path, "is a float, which DynamoDB cannot keep exactly: give a Decimal or floats='convert'"
            )
        return _decimal(Decimal(repr(float(value))), path)

    def _map(self, value: Mapping[Any, Any], path: str) -> Written:
        wire, size = {}, _MARKUP
        for name, inner in value.items():
            if not isinstance(name, str):
                raise RecordError(path, f"has a key that is a {type(name).__name__}, not a str")
            where = f"{path}.{name}"
            wire[name], more = self._by_type.get(type(inner), self._other)(inner, where)
            size += more + utf8_size(name, where) + 1
        return {"M": wire}, size

    def _list(self, value: Iterable[Any], path: str) -> Written:
        wire, size = [], _MARKUP
        for index, inner in enumerate(value):
            written, more = self._by_type.get(type(inner), self._other)(inner, f"{path}[{index}]")
            wire.append(written)
            size += more + 1
        return {"L": wire}, size

    def _set(self, value: AbstractSet[Any], path: str) -> Written:
        written = [self._by_type.get(type(inner), self._other)(inner, path) for inner in value]
        kinds = {kind for wire, _ in written for kind in wire}
        if not kinds:
            raise RecordError(path, "is an empty set, which DynamoDB does not take: leave the attribute out")
        if len(kinds) > 1 or not kinds <= {"S", "N", "B"}:
            raise RecordError(path, "is a set of other things than only str, only numbers or only bytes")
        kind = kinds.pop()
        return {kind + "S": [wire[kind] for wire, _ in written]}, sum(size for _, size in written)


_WRITTEN_AS: dict[type, type] = {Mapping: dict, AbstractSet: set}


def _number_size(text: str) -> int:
    """Return what a number takes: a byte for two digits and one more, and one for a minus."""
    # Zeros at both ends are not kept.
    return (len(text.strip("-0")) + 1) // 2 + 1 + (text[0] == "-")


def _int(value: int, path: str) -> Written:
    if not -_SAFE < value < _SAFE:
        return _decimal(Decimal(value), path)
    text = int.__repr__(value)
    return {"N": text}, _number_size(text)


def _decimal(value: Decimal, path: str) -> Written:
    if not value.is_finite():
        raise RecordError(path, f"is {value}: DynamoDB takes no NaN and no infinity")
    try:
        text = str(_CONTEXT.create_decimal(value))
    except (Inexact, Overflow, Underflow, Subnormal):
        raise RecordError(
            path, "does not fit a DynamoDB number: 38 digits, from 1E-130 to 9.99E+125: round it, or give a str"
        ) from None
    return {"N": text}, _number_size(text.partition("E")[0].replace(".", ""))


def number(text: str) -> Decimal:
    """Read a number."""
    return _CONTEXT.create_decimal(text)


_READERS: dict[str, Callable[[Any], Any]] = {
    "S": lambda value: value,
    "N": number,
    "B": lambda value: value,
    "BOOL": lambda value: value,
    "NULL": lambda _: None,
    "M": lambda value: {name: from_wire(inner) for name, inner in value.items()},
    "L": lambda value: [from_wire(inner) for inner in value],
    "SS": set,
    "NS": lambda value: {number(text) for text in value},
    "BS": set,
}


def from_wire(value: Mapping[str, Any]) -> Any:
    """Return a value of the wire as Python: numbers as `Decimal`, binaries as `bytes`."""
    ((kind, inner),) = value.items()
    return _READERS[kind](inner)
