"""Serializes records: text and bytes stay as they are, and other values become JSON."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterable
from datetime import date, time
from decimal import Decimal
from enum import Enum
from os import urandom
from typing import TYPE_CHECKING, Any

from partialbatch.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

__all__ = ["encoded", "listed", "lone_surrogate", "plain", "to_bytes", "to_text", "utf8_size"]

# A constant, because `bytes | bytearray` inside a call is created anew each time, 200 ns.
_BINARY = (bytes, bytearray, memoryview)
_ADVICE = "give it as str, bytes, dict, dataclass or pydantic model, or set serializer="


def plain(value: Any, mode: str = "json") -> Any:
    """Return a dataclass or a pydantic model as a dict. In a dataclass, nested values stay as they are."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    # Found by its method, so that this module never imports pydantic.
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return dump(mode=mode)


def _jsonable(value: Any) -> Any:
    """Return a JSON value for an object that JSON has no type for.

    Raises:
        TypeError: There is no such value, for instance for bytes.
        ValueError: A `Decimal` is NaN or infinite.
    """
    kind = type(value)
    if kind is Decimal or isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if kind is set or kind is frozenset:
        return _sorted(value)
    uuid = sys.modules.get("uuid")  # no import: if nobody has imported it, the value is no UUID
    return str(value) if uuid is not None and isinstance(value, uuid.UUID) else plain(value)


def _number(value: Decimal) -> Any:
    """Return an int if it is exact, or else marked text, from which `encoded` removes the quotes."""
    if not value.is_finite():
        raise ValueError("Decimal NaN and infinity are not JSON compliant")
    if value.adjusted() < _LONGEST_INTEGER and value == value.to_integral_value():
        return int(value)
    return f"{_MARK}{value}"


def _sorted(values: AbstractSet[Any]) -> list[Any]:
    texts = all(isinstance(value, str) for value in values)
    if texts or all(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values):
        return sorted(values)
    raise TypeError("a set has no JSON form unless it contains only text or only numbers")


# The most digits of an integer; longer ones are written with an exponent.
_LONGEST_INTEGER = 400
# No record can contain it: it is random in each process, and is never sent.
_MARK = f"number {urandom(16).hex()} "
_MARKED = re.compile(f'"{_MARK}([^"]*)"')
# Compact and in UTF-8, because the limits are in bytes: "é" takes 2 of them, and 6 as an escape.
# An object that contains itself is found by its depth: a list of all outer objects takes 200 ns for each record.
_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False, default=_jsonable
).encode


def encoded(record: Any, field: str) -> str:
    """Return a record as JSON. A `Decimal` becomes a number with all its digits."""
    try:
        text = _encode(record)
        return _MARKED.sub(r"\1", text) if _MARK in text else text
    except RecursionError:
        raise RecordError(field, "can't be written as JSON, because it is nested too deep or contains itself") from None
    except (TypeError, ValueError) as error:
        # The error's text names types and, for NaN, the number, but never the record.
        raise RecordError(field, f"can't be written as JSON ({error}); {_ADVICE}") from None


def to_text(record: Any, field: str, serializer: Callable[[Any], Any] | None) -> str:
    """Return a record as text."""
    value = record if serializer is None else serializer(record)
    if type(value) is str:
        return value
    if type(value) is dict:
        return encoded(value, field)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, _BINARY):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError as error:
            raise RecordError(
                field, f"isn't UTF-8 at byte {error.start}; encode it as text first, for instance as base64"
            ) from None
    return encoded(value, field)


def to_bytes(record: Any, field: str, serializer: Callable[[Any], Any] | None) -> bytes:
    """Return a record as bytes."""
    value = record if serializer is None else serializer(record)
    if type(value) is bytes:
        return value
    if type(value) is dict:
        return _utf8(encoded(value, field), field)
    if isinstance(value, _BINARY):
        return bytes(value)
    return _utf8(value if isinstance(value, str) else encoded(value, field), field)


def _utf8(text: str, field: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise RecordError(field, lone_surrogate(error)) from None


def lone_surrogate(error: UnicodeEncodeError) -> str:
    """Describe the problem of a text that UTF-8 can't encode."""
    return f"contains a lone surrogate at character {error.start}, which UTF-8 can't encode"


def utf8_size(text: str, field: str) -> int:
    """Return the bytes that a text takes as UTF-8."""
    if text.isascii():
        return len(text)
    return len(_utf8(text, field))


def listed(value: Any, field: str) -> list[Any]:
    """Return the elements of an iterable as a list; refuse text and anything that isn't an iterable."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise RecordError(field, f"is of type {type(value).__name__}; it takes a list")
    return list(value)
