"""Message attributes, message text and ids, which SQS and SNS check by the same rules."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from partialbatch.errors import RecordError
from partialbatch.producers._serialization import encoded, to_text, utf8_size

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_token", "message_attributes", "message_text"]

_NAME = re.compile(r"(?!(?:aws|amazon)\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.IGNORECASE)
_TYPE = re.compile(r"(?:String|Number|Binary)(?:\..+)?")
# ASCII letters, digits and punctuation:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatchRequestEntry.html
_TOKEN = re.compile(r"[!-~]{1,128}")
# All characters except #x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def message_text(record: Any, field: str, serializer: Callable[[Any], Any] | None) -> tuple[str, int]:
    """Return a record as the text of a message, and its bytes."""
    if type(record) is dict and serializer is None:
        text = encoded(record, field)
        if text.isascii():  # hot: most messages; in JSON, the ASCII characters that SQS refuses are escaped
            return text, len(text)
    else:
        text = to_text(record, field, serializer)
    return text, _text_size(text, field)


def _text_size(text: str, field: str) -> int:
    """Return the bytes of a text; refuse an empty one, and characters that SQS doesn't take."""
    # isprintable first: one pass in C, 5 times as fast as the pattern on 200 characters.
    if text.isascii() and text.isprintable() and text:
        return len(text)
    if not text:
        raise RecordError(field, "is empty; it takes at least 1 character")
    found = _ILLEGAL.search(text)
    if found:
        raise RecordError(
            field,
            f"contains the character U+{ord(found[0]):04X} at position {found.start()}, which isn't allowed; "
            "escape it, or send base64",
        )
    return utf8_size(text, field)


def check_token(value: object, field: str) -> str:
    """Refuse a group or deduplication id that isn't 1 to 128 letters, digits or punctuation marks."""
    if not isinstance(value, str):
        raise RecordError(field, f"is of type {type(value).__name__}; it takes a str")
    if not _TOKEN.fullmatch(value):
        raise RecordError(
            field,
            f"has {len(value)} characters; it takes 1 to 128 ASCII letters, digits and punctuation marks, no spaces",
        )
    return value


def message_attributes(attributes: Any, field: str, most: int | None) -> tuple[dict[str, dict[str, Any]], int]:
    """Return attributes as the service takes them, and their bytes.

    Args:
        attributes: Names to plain values (str, int, float, Decimal, bytes; SNS: list),
            or to boto3's ``{"DataType": ..., "StringValue": ...}``.
        field: The name of the option, for errors.
        most: The most attributes; None for no limit.
    """
    if not isinstance(attributes, Mapping):
        raise RecordError(field, f"is of type {type(attributes).__name__}; it takes a dict")
    if most is not None and len(attributes) > most:
        raise RecordError.too_large(field, len(attributes), most, "attributes")
    wire, size = {}, 0
    for name, value in attributes.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise RecordError(
                field,
                "has an invalid name; a name has 1 to 256 of A-Z a-z 0-9 _ - . and doesn't start with AWS. or Amazon., "
                "start or end with a period, or have two periods in a row",
            )
        attribute = dict(value) if isinstance(value, Mapping) else _typed(value, f"{field}.{name}")
        wire[name] = attribute
        size += len(name) + _size(attribute, f"{field}.{name}")
    return wire, size


def _typed(value: Any, field: str) -> dict[str, Any]:
    """Return a plain value with its data type."""
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"DataType": "Binary", "BinaryValue": bytes(value)}
    if isinstance(value, list | tuple):
        return {"DataType": "String.Array", "StringValue": _array(value, field)}
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise RecordError(field, f"is of type {type(value).__name__}; it takes str, int, float, Decimal or bytes")
    if not _is_finite(value):
        raise RecordError(field, "is NaN or infinite; it takes a finite number")
    return {"DataType": "Number", "StringValue": str(value)}


def _is_finite(value: float | Decimal) -> bool:
    # An int may be too large for a float.
    return isinstance(value, int) or (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value))


def _array(value: Any, field: str) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(field, f"can't be written as JSON ({error})") from None


def _size(attribute: Mapping[str, Any], field: str) -> int:
    kind = attribute.get("DataType")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or len(kind) > 256:  # SQS's limit
        raise RecordError(
            f"{field}.DataType", "takes 'String', 'Number' or 'Binary', with '.' and a label of your own if you like"
        )
    which = "BinaryValue" if kind.startswith("Binary") else "StringValue"
    value = attribute.get(which)
    if not value or not isinstance(value, bytes | bytearray if which == "BinaryValue" else str):
        wanted = "bytes" if which == "BinaryValue" else "a str"
        raise RecordError(f"{field}.{which}", f"is missing, empty or of another type; it takes {wanted}")
    if isinstance(value, str):
        return len(kind) + _text_size(value, field)
    return len(kind) + len(value)
