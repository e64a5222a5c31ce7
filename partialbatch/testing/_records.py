"""Makes single raw records with every field that the services write."""

from __future__ import annotations

import base64
import hashlib
import json
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.testing._arns import account_of, region_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "EPOCH",
    "attribute_value",
    "dynamodb_record",
    "fields_of",
    "kafka_record",
    "kinesis_record",
    "kinesis_sequence",
    "receipt_handle",
    "sqs_record",
    "text_of",
]

EPOCH = 1_767_225_600.0
"""The time of the first record: 2026-01-01, in seconds since 1970."""

# As long as real ones: 56 digits in Kinesis, 21 to 40 in DynamoDB Streams, 20 in SQS FIFO.
_KINESIS_SEQUENCE = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
_DYNAMODB_SEQUENCE = 4_421_584_500_000_000_017_450_439_091
_FIFO_SEQUENCE = 18_849_496_460_467_696_128
_DYNAMODB_DIGITS = 38  # boto3 refuses to read more


def text_of(value: Any) -> str:
    """Return text as it is, and any other value as the JSON that producers write."""
    if isinstance(value, str):
        return str.__str__(value)
    from partialbatch.producers._serialization import encoded  # the producers take a while to import

    try:
        return encoded(value, "record")
    except RecordError as error:
        raise ConfigurationError(
            f"a record can't be written as JSON ({error.__context__}): pass text, a dict, list, number, "
            "dataclass or pydantic model, or bytes if the source takes bytes"
        ) from None


def _base64(value: Any) -> str:
    return base64.b64encode(_encoded(value)).decode()


def _encoded(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return text_of(value).encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"a record's text has a lone surrogate at character {error.start}, which UTF-8 can't encode"
        ) from None


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def sqs_record(
    number: int, body: Any, *, arn: str, group: str | None, receives: int, attributes: Mapping[str, Any]
) -> Any:
    """Return message `number` of a queue."""
    text, sent = text_of(body), int((EPOCH + number) * 1000)
    encoded = _encoded(text)
    system = {
        "ApproximateReceiveCount": str(receives),
        "SentTimestamp": str(sent),
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": str(sent + 50),
    }
    if group is not None:
        system["MessageGroupId"] = str(group)
    if arn.endswith(".fifo"):
        system["SequenceNumber"] = str(_FIFO_SEQUENCE + 256 * number)
        # As SQS derives it with content-based deduplication.
        system["MessageDeduplicationId"] = hashlib.sha256(encoded).hexdigest()
    identifier = f"00000000-0000-4000-8000-{number:012d}"
    record = {
        "messageId": identifier,
        "receiptHandle": receipt_handle(arn, identifier, receives),
        "body": text,
        "attributes": system,
        "messageAttributes": {name: _message_attribute(value) for name, value in attributes.items()},
        "md5OfBody": _md5(encoded),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": region_of(arn),
    }
    if attributes:
        record["md5OfMessageAttributes"] = _md5(b"".join(_digestible(*entry) for entry in sorted(attributes.items())))
    return record


def receipt_handle(arn: str, identifier: str, receives: int) -> str:
    """Return the receipt handle of one receive of a message. SQS makes a new one each time."""
    return _base64(hashlib.sha512(f"{arn}/{identifier}/{receives}".encode()).digest() * 3)


def _message_attribute(value: Any) -> dict[str, Any]:
    lists: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    kind = _kind(value)
    if kind == "Binary":
        return {"binaryValue": _base64(value), **lists, "dataType": kind}
    return {"stringValue": str(value), **lists, "dataType": kind}


def _kind(value: Any) -> str:
    for types, kind in ((bytes, "Binary"), (str, "String"), ((int, float, Decimal), "Number")):
        if isinstance(value, types) and not isinstance(value, bool):
            return kind
    raise ConfigurationError.bad_value("message_attributes", value, "text, numbers and bytes")


def _digestible(name: str, value: Any) -> bytes:
    """Encode an attribute for the MD5 of all attributes (SQS developer guide, sqs-message-metadata)."""
    kind = _kind(value)
    binary = kind == "Binary"
    parts = [name.encode(), kind.encode(), value if binary else str(value).encode()]
    first, second, third = (len(part).to_bytes(4, "big") + part for part in parts)
    return first + second + (b"\x02" if binary else b"\x01") + third


def kinesis_record(number: int, data: Any, *, arn: str, key: str | None, shard: int, first: int | None = None) -> Any:
    """Return record `number` of a data stream. `first` is the sequence number of record 0."""
    sequence = kinesis_sequence(number, first)
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            **({} if key is None else {"partitionKey": key}),
            "sequenceNumber": sequence,
            "data": _base64(data),
            "approximateArrivalTimestamp": EPOCH + number / 1000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-{shard:012d}:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{account_of(arn)}:role/lambda-role",
        "awsRegion": region_of(arn),
        "eventSourceARN": arn,
    }


def kinesis_sequence(number: int, first: int | None = None) -> str:
    """Return the sequence number of record `number`."""
    return str((_KINESIS_SEQUENCE if first is None else first) + number)


def attribute_value(value: Any) -> dict[str, Any]:
    """Return a plain value as DynamoDB JSON in the form that events have: bytes are base64."""
    for types, write in _ATTRIBUTES:
        if isinstance(value, types):
            return write(value)
    return attribute_value(fields_of(value))


def fields_of(value: Any) -> Any:
    """Return a dataclass or a model as a dict, as the DynamoDB producer takes it."""
    from partialbatch.producers._serialization import plain  # the producers take a while to import

    try:
        return plain(value, "python")
    except TypeError:
        raise ConfigurationError(
            f"DynamoDB has no type for a {type(value).__name__}: "
            "pass str, number, bytes, set, list, dict, dataclass or pydantic model"
        ) from None


def _number(value: Any) -> str:
    number = Decimal(str(value))
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if not number.is_finite() or len(digits) > _DYNAMODB_DIGITS:
        raise ConfigurationError(f"DynamoDB can't store the number {value}: it takes finite numbers of up to 38 digits")
    return str(number)


def _set(value: Any) -> dict[str, Any]:
    entries = [attribute_value(entry) for entry in value]
    kinds = {kind for entry in entries for kind in entry}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise ConfigurationError("a DynamoDB set needs at least one entry, and all of one type: text, number or bytes")
    kind = kinds.pop()
    return {f"{kind}S": sorted(entry[kind] for entry in entries)}


_ATTRIBUTES: tuple[tuple[Any, Callable[[Any], dict[str, Any]]], ...] = (
    (NoneType, lambda _: {"NULL": True}),
    (bool, lambda value: {"BOOL": value}),  # before int, because bool is a subclass
    (str, lambda value: {"S": str.__str__(value)}),  # str.__str__, because an enum has its own
    ((int, float, Decimal), lambda value: {"N": _number(value)}),
    (bytes, lambda value: {"B": _base64(value)}),
    (dict, lambda value: {"M": {name: attribute_value(entry) for name, entry in value.items()}}),
    ((list, tuple), lambda value: {"L": [attribute_value(entry) for entry in value]}),
    ((set, frozenset), _set),
)


def dynamodb_record(
    number: int,
    old: Any,
    new: Any,
    *,
    arn: str,
    keys: tuple[str, ...],
    view: str,
    ttl: bool,
    first: int | None = None,
) -> Any:
    """Return record `number` of a table's stream. `first` is the sequence number of record 0."""
    sequence = str((_DYNAMODB_SEQUENCE if first is None else first) + number)
    image = old if new is None else new
    missing = [name for name in keys if name not in image]
    if missing:
        raise ConfigurationError(f"keys={keys!r}: item {number} has no attribute {missing[0]!r}")
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": EPOCH + number,
        "Keys": {name: attribute_value(image[name]) for name in keys},
        "SequenceNumber": sequence,
        "StreamViewType": view,
    }
    if new is not None and view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        change["NewImage"] = attribute_value(new)["M"]
    if old is not None and view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
        change["OldImage"] = attribute_value(old)["M"]
    change["SizeBytes"] = len(json.dumps([change.get(name) for name in ("Keys", "NewImage", "OldImage")]))
    record = {
        "eventID": _md5(f"{arn}/{sequence}".encode()),
        "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": region_of(arn),
        "dynamodb": change,
        "eventSourceARN": arn,
    }
    if ttl and new is None:
        record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return record


def kafka_record(topic: str, partition: int, offset: int, message: Any, headers: Mapping[str, Any]) -> Any:
    """Return the record at an offset. `message` is a value, a tuple of key and value, or None for a tombstone."""
    key, value = message if isinstance(message, tuple) else (None, message)
    record = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": int(EPOCH * 1000) + offset,
        "timestampType": "CREATE_TIME",
        "headers": [
            # Signed bytes, as in Java.
            {name: [byte - 256 if byte > 127 else byte for byte in _encoded(entry)]}
            for name, entry in headers.items()
        ],
    }
    if key is not None:
        record["key"] = _base64(key)
    if value is not None:
        record["value"] = _base64(value)
    return record
