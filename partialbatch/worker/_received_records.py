"""Turns the messages and records that boto3 returns into the raw records of a Lambda event."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import TYPE_CHECKING, Any

from partialbatch.testing._event_layout import sequence_number

if TYPE_CHECKING:
    from partialbatch.types import RawRecord

__all__ = ["arrival_time", "dynamodb_record", "kinesis_record", "region_of", "sequence_number_of", "sqs_record"]

_ACCOUNT = 4
_REGION = 3


def region_of(arn: str) -> str:
    """Return the region that an ARN names."""
    return arn.split(":")[_REGION]


def arrival_time(record: RawRecord) -> float:
    """Return the time at which a stream record arrived, in seconds since the epoch."""
    if "kinesis" in record:
        return float(record["kinesis"]["approximateArrivalTimestamp"])
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


def sequence_number_of(record: RawRecord) -> str:
    """Return the sequence number of a stream record."""
    return str(sequence_number(record["eventSource"].removeprefix("aws:"), record))


def sqs_record(message: dict[str, Any], arn: str) -> dict[str, Any]:
    """Turn a message of ``ReceiveMessage`` into a record of an SQS event."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: _message_attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": region_of(arn),
    }


def kinesis_record(record: dict[str, Any], arn: str, shard_id: str) -> dict[str, Any]:
    """Turn a record of Kinesis' ``GetRecords`` into a record of a Kinesis event."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            # On a stream with record distribution AUTO, a record may have no partition key.
            **({"partitionKey": record["PartitionKey"]} if record.get("PartitionKey") else {}),
            "sequenceNumber": record["SequenceNumber"],
            "data": _base64(record["Data"]),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{arn.split(':')[_ACCOUNT]}:role/local",
        "awsRegion": region_of(arn),
        "eventSourceARN": arn,
    }


def dynamodb_record(record: dict[str, Any], arn: str, _shard_id: str) -> dict[str, Any]:
    """Turn a record of DynamoDB Streams' ``GetRecords`` into a record of its event."""
    made = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": record["eventVersion"],
        "eventSource": "aws:dynamodb",
        "awsRegion": region_of(arn),
        "dynamodb": _plain(record["dynamodb"]),
        "eventSourceARN": arn,
    }
    if "userIdentity" in record:  # a deletion by time to live
        identity = record["userIdentity"]
        made["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
    return made


def _message_attribute(value: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        made["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        made["binaryValue"] = _base64(value["BinaryValue"])
    return made


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _plain(value: Any) -> Any:
    """Undo boto3's parsing: bytes become base64 again, and times become seconds since the epoch."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, datetime):
        return value.timestamp()
    return _base64(value) if isinstance(value, bytes) else value
