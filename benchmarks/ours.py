"""The cases in partialbatch."""

import asyncio
from collections.abc import Callable
from typing import Any

from partialbatch import RawRecord, batch_handler

from .models import Order


@batch_handler
def body(record):
    return record.body


@batch_handler
def raw_body(record: RawRecord):
    return record["body"]


@batch_handler
def json_body(order: dict):
    return order


@batch_handler
def json_data(record):
    return record.json()


@batch_handler
def new_image(record):
    return record.new_image


@batch_handler
def validated(order: Order):
    """Drop the order, as the bare loop does."""


@batch_handler
def tenth_fails(record):
    if record.message_id[-1] == "7":
        raise ValueError("out of stock")
    return record.body


@batch_handler(max_concurrency=100)
async def never_awaits(record):
    return record.body


@batch_handler(max_concurrency=100)
async def awaits(record):
    await asyncio.sleep(0)
    return record.body


HANDLERS: dict[str, Callable[[Any, Any], Any]] = {
    "view": body,
    "raw": raw_body,
    "dict": json_body,
    "fifo": body,
    "kinesis": json_data,
    "kinesis dict": json_body,
    "dynamodb": new_image,
    "pydantic": validated,
    "failures": tenth_fails,
    "logged view": body,
    "logged failures": tenth_fails,
    "never awaits": never_awaits,
    "awaits": awaits,
}

lambda_handler = HANDLERS["view"]
