"""Raw records of real shape, as factories."""

from __future__ import annotations

import base64

import pytest

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
CLUSTER = "arn:aws:kafka:eu-west-1:123456789012:cluster/orders/abc"
SEQUENCE = "49590338271490256608559692538361571095921575989136588898"


def sqs_record(number=1, body="body", *, fifo=False, group=None, **fields):
    attributes = {
        "ApproximateReceiveCount": "2",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    }
    if group is not None:
        attributes["MessageGroupId"] = group
    return {
        "messageId": f"m-{number}",
        "receiptHandle": "AQEB",
        "body": body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE + (".fifo" if fifo else ""),
        "awsRegion": "eu-west-1",
        **fields,
    }


def kinesis_record(number=1, data=b"data", key="k", **fields):
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": key,
            "sequenceNumber": str(int(SEQUENCE) + number),
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1545084650.987,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000006:{int(SEQUENCE) + number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/handler",
        "awsRegion": "eu-west-1",
        "eventSourceARN": STREAM,
        **fields,
    }


def kinesis_pipe_record(number=1, data=b"data", key="k", **fields):
    nested = kinesis_record(number, data, key)
    return {**nested.pop("kinesis"), **nested, **fields}


def dynamodb_record(number=1, name="MODIFY", new=None, old=None, **fields):
    change = {
        "ApproximateCreationDateTime": 1479499740,
        "Keys": {"id": {"N": str(number)}},
        "SequenceNumber": str(4421584500000000017450439091 + number),
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if new is not None:
        change["NewImage"] = new
    if old is not None:
        change["OldImage"] = old
    return {
        "eventID": f"e{number}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": change,
        "eventSourceARN": TABLE,
        **fields,
    }


def kafka_record(offset=15, value=b"value", key=b"key", topic="orders", partition=0, **fields):
    return {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": 1545084650987,
        "timestampType": "CREATE_TIME",
        "key": None if key is None else base64.b64encode(key).decode(),
        "value": None if value is None else base64.b64encode(value).decode(),
        "headers": [{"trace": [104, 101, -1]}, {"trace": []}],
        **fields,
    }


def kafka_event(*records, source="aws:kafka"):
    partitions = {}
    for record in records:
        partitions.setdefault(f"{record['topic']}-{record['partition']}", []).append(record)
    return {
        "eventSource": source,
        "eventSourceArn": CLUSTER,
        "bootstrapServers": "b-1.orders.kafka.eu-west-1.amazonaws.com:9092",
        "records": partitions,
    }


@pytest.fixture
def sqs():
    """Make raw SQS messages."""
    return sqs_record


@pytest.fixture
def kinesis():
    """Make raw Kinesis records."""
    return kinesis_record


@pytest.fixture
def kinesis_pipe():
    """Make the flat Kinesis records of a Pipe."""
    return kinesis_pipe_record


@pytest.fixture
def dynamodb():
    """Make raw stream records of a table."""
    return dynamodb_record


@pytest.fixture
def kafka():
    """Make raw Kafka records."""
    return kafka_record


@pytest.fixture
def of_kafka():
    """Make a Kafka event."""
    return kafka_event
