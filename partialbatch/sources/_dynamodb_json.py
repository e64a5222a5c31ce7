"""Convert DynamoDB's JSON to plain Python.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from partialbatch.errors import PayloadError
from partialbatch.sources.record import decode_base64

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["to_python"]


def to_python(attributes: Any) -> dict[str, Any]:
    """Convert a map of attribute values, with `Decimal` for numbers, `set` for sets and `bytes` for binaries.

    Raises:
        PayloadError: A value doesn't have the form of its type.
    """
    try:
        return _map(attributes)
    except PayloadError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation, RecursionError) as error:
        kind = type(error).__name__
    raise PayloadError(f"the record's image isn't DynamoDB JSON ({kind})")


def _map(attributes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, attribute in attributes.items():
        ((kind, value),) = attribute.items()
        # Most values are strings or numbers. Without a call for each of them, an image takes two thirds of the time.
        if kind == "S" and type(value) is str:
            plain[name] = value
        elif kind == "N" and type(value) is str:
            plain[name] = Decimal(value)
        else:
            plain[name] = _CONVERT[kind](value)
    return plain


def _value(attribute: dict[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    return _CONVERT[kind](value)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise PayloadError.field("S", "text", value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise PayloadError.field("BOOL", "true or false", value)


def _binary(value: Any) -> bytes:
    return decode_base64(value, "B")


def _number(value: Any) -> Decimal:
    # DynamoDB writes numbers as text. Decimal would also take tuples and booleans.
    if isinstance(value, str):
        return Decimal(value)
    raise PayloadError.field("N", "text", value)


def _list(values: Any, kind: str = "L") -> list[Any]:
    if isinstance(values, list):
        return values
    raise PayloadError.field(kind, "a list", values)


def _set(kind: str, convert: Callable[[Any], Any]) -> Callable[[Any], set[Any]]:
    return lambda values: {convert(value) for value in _list(values, kind)}


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": lambda _: None,
    "M": _map,
    "L": lambda values: [_value(value) for value in _list(values)],
    "SS": lambda values: {value if type(value) is str else _string(value) for value in _list(values, "SS")},
    "NS": _set("NS", _number),
    "BS": _set("BS", _binary),
}
