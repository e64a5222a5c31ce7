"""The cases written by hand: a for-loop with try and except.

They are the lower bound, because nothing guards the response, the order or the identifiers.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from .models import Order

if TYPE_CHECKING:
    from collections.abc import Callable

_adapter = TypeAdapter(Order)


def _message_id(record: Any) -> str:
    return record["messageId"]


def _loop(
    work: Callable[[Any], Any], identifier: Callable[[Any], str] = _message_id, *, stop: bool = False
) -> Callable[[Any, Any], Any]:
    def handler(event: Any, _context: Any) -> Any:
        failures = []
        for record in event["Records"]:
            if stop and failures:
                failures.append({"itemIdentifier": identifier(record)})
                continue
            try:
                work(record)
            except Exception:
                failures.append({"itemIdentifier": identifier(record)})
        return {"batchItemFailures": failures}

    return handler


def _plain(value: dict[str, Any]) -> Any:
    """Turn a DynamoDB value of one of the event's types into a Python value, with floats for numbers."""
    ((kind, inner),) = value.items()
    if kind == "M":
        return {name: _plain(entry) for name, entry in inner.items()}
    if kind == "L":
        return [_plain(entry) for entry in inner]
    return float(inner) if kind == "N" else inner


def body(record: Any) -> Any:
    return record["body"]


def json_body(record: Any) -> Any:
    return json.loads(record["body"])


def kinesis_json(record: Any) -> Any:
    return json.loads(base64.b64decode(record["kinesis"]["data"]))


def new_image(record: Any) -> Any:
    return {name: _plain(value) for name, value in record["dynamodb"]["NewImage"].items()}


def validated(record: Any) -> Any:
    return _adapter.validate_json(record["body"])


def tenth_fails(record: Any) -> Any:
    if record["messageId"][-1] == "7":
        raise ValueError("out of stock")
    return record["body"]


HANDLERS: dict[str, Callable[[Any, Any], Any]] = {
    "view": _loop(body),
    "raw": _loop(body),
    "dict": _loop(json_body),
    "fifo": _loop(body, stop=True),
    "kinesis": _loop(kinesis_json, lambda record: record["kinesis"]["sequenceNumber"]),
    "dynamodb": _loop(new_image, lambda record: record["dynamodb"]["SequenceNumber"]),
    "pydantic": _loop(validated),
    "failures": _loop(tenth_fails),
    "logged failures": _loop(tenth_fails),
}
