"""Records to text and bytes: str and bytes as they are, all else as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from partialbatch.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

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


# Compact and as UTF-8: what counts is bytes, and "é" takes 2 of them against 6 as an escape.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=plain).encode


def encoded(record: Any, field: str) -> str:
    """Return a record as JSON."""
    try:
        return _encode(record)
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
