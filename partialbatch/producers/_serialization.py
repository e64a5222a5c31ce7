"""Records to text and bytes: str and bytes as they are, all else as JSON."""

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

__all__ = ["encoded", "listed", "plain", "to_bytes", "to_text", "utf8_size"]

# A constant: `bytes | bytearray` in a call is built anew each time, 200 ns.
_BINARY = (bytes, bytearray, memoryview)
_ADVICE = "give it as str, bytes, dict, dataclass or pydantic model, or give serializer="


def plain(value: Any, mode: str = "json") -> Any:
    """Return a dataclass or a pydantic model as a dict; a dataclass one level deep."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    # By its method, so that pydantic is never imported from here.
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return dump(mode=mode)


def _jsonable(value: Any) -> Any:
    """Return what stands in JSON for a value that JSON has no type for; called for nothing else.

    Raises:
        TypeError: Nothing does: bytes, say.
        ValueError: A `Decimal` that is no number.
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
    uuid = sys.modules.get("uuid")  # not imported for this: without it no value is one of its
    return str(value) if uuid is not None and isinstance(value, uuid.UUID) else plain(value)


def _number(value: Decimal) -> Any:
    """Return a number: an int where it is one, else a text that `encoded` takes out of its quotes, exact as it is."""
    if not value.is_finite():
        raise ValueError("Decimal NaN and infinity are not JSON compliant")
    if value.adjusted() < _LONGEST_INTEGER and value == value.to_integral_value():
        return int(value)
    return f"{_MARK}{value}"


def _sorted(values: AbstractSet[Any]) -> list[Any]:
    texts = all(isinstance(value, str) for value in values)
    if texts or all(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values):
        return sorted(values)
    raise TypeError("a set of other things than only text or only numbers has no JSON form")


# Digits; a longer integer is written with an exponent.
_LONGEST_INTEGER = 400
# No record holds it: it is new in each process, and never leaves it.
_MARK = f"number {urandom(16).hex()} "
_MARKED = re.compile(f'"{_MARK}([^"]*)"')
# Compact and as UTF-8: what counts is bytes, and "é" takes 2 of them against 6 as an escape.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_jsonable).encode


def encoded(record: Any, field: str) -> str:
    """Return a record as JSON; a `Decimal` as a number, digit for digit."""
    try:
        text = _encode(record)
        return _MARKED.sub(r"\1", text) if _MARK in text else text
    except (TypeError, ValueError, RecursionError) as error:
        # The error's text names types and, for NaN, the number; never the record.
        raise RecordError(field, f"cannot be written as JSON ({error}): {_ADVICE}") from None


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
            raise RecordError(field, f"is no UTF-8 from byte {error.start} on: encode it as text, base64 say") from None
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
        raise RecordError(field, f"holds a lone surrogate at character {error.start}, which no UTF-8 can say") from None


def utf8_size(text: str, field: str) -> int:
    """Return the bytes that a text takes as UTF-8."""
    if text.isascii():
        return len(text)
    return len(_utf8(text, field))


def listed(value: Any, field: str) -> list[Any]:
    """Return a list of what is given, read once; refuse a text and what is no collection."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise RecordError(field, f"is a {type(value).__name__}, not a list")
    return list(value)
