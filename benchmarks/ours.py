"""The cases in partialbatch.

As in every module of contestants, the record functions read the payload and drop it, as most functions do in the end.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from partialbatch import RawRecord, batch_handler

from .models import Order


@batch_handler
def body(record):
    _ = record.body


@batch_handler
def raw_body(record: RawRecord):
    _ = record["body"]


@batch_handler
def json_body(order: dict):
    """Drop the order."""


@batch_handler
def json_data(record):
    _ = record.json()


@batch_handler
def new_image(record):
    _ = record.new_image


@batch_handler
def validated(order: Order):
    """Drop the order."""


@batch_handler
def tenth_fails(record):
    if record.message_id[-1] == "7":
        raise ValueError("out of stock")
    _ = record.body


@batch_handler(max_concurrency=100)
async def never_awaits(record):
    _ = record.body


@batch_handler(max_concurrency=100)
async def awaits(record):
    await asyncio.sleep(0)
    _ = record.body


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
