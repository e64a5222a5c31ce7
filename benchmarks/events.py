"""Events of real shape and any size."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "eu-west-1"
ACCOUNT = "123456789012"
MESSAGE_ATTRIBUTES = {
    "kind": {"stringValue": "order", "dataType": "String", "stringListValues": [], "binaryListValues": []}
}


def order(number: int) -> dict[str, Any]:
    """An order with two items: about 150 bytes of JSON."""
    return {
        "order_id": f"order-{number:06d}",
        "customer": f"customer-{number % 97}",
        "amount": number + 0.25,
        "items": [{"sku": "A-1", "quantity": 1}, {"sku": "B-2", "quantity": 2}],
    }


def sqs_record(number: int, body: str, group: str | None = None) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1760000000000",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1760000000500",
    }
    if group is not None:
        attributes |= {
            "MessageGroupId": group,
            "MessageDeduplicationId": f"{number}",
            "SequenceNumber": f"{18849496460467696128 + number}",
        }
    return {
        "messageId": f"059f36b4-87a3-44ab-83d2-{number:012d}",
        "receiptHandle": f"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a-{number}",
        "body": body,
        "attributes": attributes,
        "messageAttributes": MESSAGE_ATTRIBUTES,
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders{'.fifo' if group is not None else ''}",
        "awsRegion": REGION,
    }


def sqs(size: int) -> dict[str, Any]:
    return {"Records": [sqs_record(number, json.dumps(order(number))) for number in range(size)]}


def fifo(size: int, groups: int = 10) -> dict[str, Any]:
    records = [sqs_record(number, json.dumps(order(number)), f"group-{number % groups}") for number in range(size)]
    return {"Records": records}


def kinesis(size: int, payload: Callable[[int], Any] = order) -> dict[str, Any]:
    return {"Records": [_kinesis_record(number, json.dumps(payload(number))) for number in range(size)]}


def _kinesis_record(number: int, data: str) -> dict[str, Any]:
    sequence = f"{49590338271490256608559692538361571095921575989136588898 + number}"
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": f"customer-{number % 97}",
            "sequenceNumber": sequence,
            "data": base64.b64encode(data.encode()).decode(),
            "approximateArrivalTimestamp": 1760000000.5,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000006:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT}:role/lambda-role",
        "awsRegion": REGION,
        "eventSourceARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders",
    }


def dynamodb(size: int) -> dict[str, Any]:
    return {"Records": [_dynamodb_record(number) for number in range(size)]}


def _dynamodb_record(number: int) -> dict[str, Any]:
    line = {"M": {"sku": {"S": "A-1"}, "quantity": {"N": "2"}}}
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "ApproximateCreationDateTime": 1760000000.0,
            "Keys": {"order_id": {"S": f"order-{number}"}},
            "NewImage": {
                "order_id": {"S": f"order-{number}"},
                "customer": {"S": f"customer-{number % 97}"},
                "amount": {"N": f"{number}.25"},
                "paid": {"BOOL": True},
                "tags": {"SS": ["new", "web"]},
                "items": {"L": [line, line]},
            },
            "SequenceNumber": f"{111000000000000000000000 + number}",
            "SizeBytes": 128,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2026-01-01T00:00:00.000",
    }
