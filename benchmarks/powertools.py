"""The cases in Powertools for AWS Lambda (Python), written as its documentation does."""

import logging
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import Json

from .models import Order


class OrderRecord(SqsRecordModel):
    """A model of the whole record, which is how Powertools gives you a typed body."""

    body: Json[Order]


def _handler(record_handler: Callable[..., Any], processor: Any) -> Callable[[Any, Any], Any]:
    def handler(event: Any, context: Any) -> Any:
        return process_partial_response(
            event=event, record_handler=record_handler, processor=processor, context=context
        )

    return handler


def body(record: Any) -> Any:
    return record.body


def json_body(record: Any) -> Any:
    return record.json_body


def kinesis_json(record: Any) -> Any:
    return record.kinesis.data_as_json()


def new_image(record: Any) -> Any:
    return record.dynamodb.new_image


def tenth_fails(record: Any) -> Any:
    if record.message_id[-1] == "7":
        raise ValueError("out of stock")
    return record.body


HANDLERS: dict[str, Callable[[Any, Any], Any]] = {
    "view": _handler(body, BatchProcessor(event_type=EventType.SQS)),
    "raw": _handler(body, BatchProcessor(event_type=EventType.SQS)),
    "dict": _handler(json_body, BatchProcessor(event_type=EventType.SQS)),
    "fifo": _handler(body, SqsFifoPartialProcessor()),
    "kinesis": _handler(kinesis_json, BatchProcessor(event_type=EventType.KinesisDataStreams)),
    "dynamodb": _handler(new_image, BatchProcessor(event_type=EventType.DynamoDBStreams)),
    "pydantic": _handler(body, BatchProcessor(event_type=EventType.SQS, model=OrderRecord)),
    "failures": _handler(tenth_fails, BatchProcessor(event_type=EventType.SQS)),
    "logged failures": _handler(
        tenth_fails, BatchProcessor(event_type=EventType.SQS, logger=logging.getLogger(__name__))
    ),
}
