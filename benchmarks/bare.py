"""The cases as you would write them by hand.

`HANDLERS` are for-loops with try and except, the floor: nothing guards the response, the order or the identifiers.
`fail_closed` is the loop of a careful author: a record that isn't seen to succeed is reported.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from .models import Order

if TYPE_CHECKING:
    from collections.abc import Callable

MARGIN = 500
"""Milliseconds before the deadline at which `fail_closed` starts nothing more."""

logger = logging.getLogger(__name__)
_adapter = TypeAdapter(Order)


def _message_id(record: Any) -> str:
    return record["messageId"]


def _loop(
    work: Callable[[Any], Any],
    identifier: Callable[[Any], str] = _message_id,
    *,
    stop: bool = False,
    logs: bool = False,
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
                if logs:
                    logger.exception("record %s failed", identifier(record))
                failures.append({"itemIdentifier": identifier(record)})
        if logs:
            logger.info("%d records, %d failed", len(event["Records"]), len(failures))
        return {"batchItemFailures": failures}

    return handler


def _plain(value: dict[str, Any]) -> Any:
    """Turn a DynamoDB value into a Python one: the few types of the event, floats for numbers."""
    ((kind, inner),) = value.items()
    if kind == "M":
        return {name: _plain(entry) for name, entry in inner.items()}
    if kind == "L":
        return [_plain(entry) for entry in inner]
    return float(inner) if kind == "N" else inner


def body(record: Any) -> None:
    _ = record["body"]


def json_body(record: Any) -> None:
    json.loads(record["body"])


def kinesis_json(record: Any) -> None:
    json.loads(base64.b64decode(record["kinesis"]["data"]))


def new_image(record: Any) -> None:
    _ = {name: _plain(value) for name, value in record["dynamodb"]["NewImage"].items()}


def validated(record: Any) -> None:
    _adapter.validate_json(record["body"])


def tenth_fails(record: Any) -> None:
    if record["messageId"][-1] == "7":
        raise ValueError("out of stock")
    _ = record["body"]


def fail_closed(event: Any, context: Any) -> Any:
    """Report every record that isn't seen to succeed; start none shortly before the deadline."""
    records = event["Records"]
    unproven = dict.fromkeys([record["messageId"] for record in records])
    if len(unproven) != len(records) or not all(unproven):
        raise ValueError("a message without an identifier, or two with the same: none can be reported")
    failed = False
    for record in records:
        if context.get_remaining_time_in_millis() < MARGIN:
            break
        try:
            body(record)
        except Exception:
            failed = True
            logger.exception("message %s failed", record["messageId"])
        else:
            del unproven[record["messageId"]]
    if failed and len(unproven) == len(records):
        raise RuntimeError("no message succeeded")
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in unproven]}


HANDLERS: dict[str, Callable[[Any, Any], Any]] = {
    "view": _loop(body),
    "raw": _loop(body),
    "dict": _loop(json_body),
    "fifo": _loop(body, stop=True),
    "kinesis": _loop(kinesis_json, lambda record: record["kinesis"]["sequenceNumber"]),
    "kinesis dict": _loop(kinesis_json, lambda record: record["kinesis"]["sequenceNumber"]),
    "dynamodb": _loop(new_image, lambda record: record["dynamodb"]["SequenceNumber"]),
    "pydantic": _loop(validated),
    "failures": _loop(tenth_fails),
    "logged view": _loop(body, logs=True),
    "logged failures": _loop(tenth_fails, logs=True),
}

lambda_handler = HANDLERS["view"]
