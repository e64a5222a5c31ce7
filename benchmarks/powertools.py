"""The cases in Powertools for AWS Lambda (Python), written as its documentation does."""

import asyncio
import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    AsyncBatchProcessor,
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    async_process_partial_response,
    process_partial_response,
)
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import Json

from .models import Order

logger = logging.getLogger(__name__)


class OrderRecord(SqsRecordModel):
    """A model of the whole record, which is how Powertools gives you a typed body."""

    body: Json[Order]


@cache
def _own_loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def in_own_loop(prepare: Callable[[], Callable[[], Any]]) -> Callable[[], Callable[[], Any]]:
    """Return what prepares a round, and gives Powertools a loop of its own: it takes the thread's current one."""

    def prepare_with_loop() -> Callable[[], Any]:
        asyncio.set_event_loop(_own_loop())
        return prepare()

    return prepare_with_loop


def _handler(record_handler: Callable[..., Any], processor: Any) -> Callable[[Any, Any], Any]:
    def handler(event: Any, context: Any) -> Any:
        return process_partial_response(
            event=event, record_handler=record_handler, processor=processor, context=context
        )

    return handler


def _async_handler(record_handler: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    processor = AsyncBatchProcessor(event_type=EventType.SQS)

    def handler(event: Any, context: Any) -> Any:
        return async_process_partial_response(
            event=event, record_handler=record_handler, processor=processor, context=context
        )

    return handler


def _logging_handler(record_handler: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Log failures, as Powertools does if it has a logger, and a line at the end, which it leaves to its user."""
    processor = BatchProcessor(event_type=EventType.SQS, logger=logger)
    handle = _handler(record_handler, processor)

    def handler(event: Any, context: Any) -> Any:
        response = handle(event, context)
        failed = len(processor.fail_messages)
        logger.info("%d records, %d failed", len(event["Records"]), failed)
        return response

    return handler


def body(record: Any) -> None:
    _ = record.body


def json_body(record: Any) -> None:
    _ = record.json_body


def kinesis_json(record: Any) -> None:
    _ = record.kinesis.data_as_json()


def new_image(record: Any) -> None:
    _ = record.dynamodb.new_image


def tenth_fails(record: Any) -> None:
    if record.message_id[-1] == "7":
        raise ValueError("out of stock")
    _ = record.body


def validated(record: Any) -> None:
    """Drop the order, as the other contestants do."""


async def never_awaits(record: Any) -> None:
    _ = record.body


async def awaits(record: Any) -> None:
    await asyncio.sleep(0)
    _ = record.body


HANDLERS: dict[str, Callable[[Any, Any], Any]] = {
    "view": _handler(body, BatchProcessor(event_type=EventType.SQS)),
    "raw": _handler(body, BatchProcessor(event_type=EventType.SQS)),
    "dict": _handler(json_body, BatchProcessor(event_type=EventType.SQS)),
    "fifo": _handler(body, SqsFifoPartialProcessor()),
    "kinesis": _handler(kinesis_json, BatchProcessor(event_type=EventType.KinesisDataStreams)),
    "kinesis dict": _handler(kinesis_json, BatchProcessor(event_type=EventType.KinesisDataStreams)),
    "dynamodb": _handler(new_image, BatchProcessor(event_type=EventType.DynamoDBStreams)),
    "pydantic": _handler(validated, BatchProcessor(event_type=EventType.SQS, model=OrderRecord)),
    "failures": _handler(tenth_fails, BatchProcessor(event_type=EventType.SQS)),
    "logged view": _logging_handler(body),
    "logged failures": _logging_handler(tenth_fails),
    "never awaits": _async_handler(never_awaits),
    "awaits": _async_handler(awaits),
}

lambda_handler = HANDLERS["view"]
