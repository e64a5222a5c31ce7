"""Records that `put` takes, and those that it refuses before anything is sent."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import too_large

from partialbatch import Backoff, DynamoDBRecord
from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers import (
    CloudWatchProducer,
    EventBridgeProducer,
    FirehoseProducer,
    KinesisProducer,
    SNSProducer,
    SQSProducer,
)
from partialbatch.producers._serialization import encoded
from partialbatch.producers.sqs import SQSOptions
from partialbatch.testing import dynamodb_event


class Recorder:
    """A client that keeps its calls and accepts everything."""

    def __init__(self):
        self.calls = []

    def send_message_batch(self, **call):
        self.calls.append(call)
        return {"Successful": [{"Id": entry["Id"]} for entry in call["Entries"]]}

    def publish_batch(self, **call):
        self.calls.append(call)
        return {"Successful": [{"Id": entry["Id"]} for entry in call["PublishBatchRequestEntries"]]}

    def put_records(self, **call):
        self.calls.append(call)
        return {"Records": [{}] * len(call["Records"])}

    def put_record_batch(self, **call):
        self.calls.append(call)
        return {"RequestResponses": [{}] * len(call["Records"])}

    def put_events(self, **call):
        self.calls.append(call)
        return {"Entries": [{}] * len(call["Entries"])}

    def put_metric_data(self, **call):
        self.calls.append(call)


MAKE = {
    "sqs": lambda **o: SQSProducer("https://q/1/plain", **o),
    "fifo": lambda **o: SQSProducer("https://q/1/q.fifo", **o),
    "sns": lambda **o: SNSProducer("arn:aws:sns:r:1:t", **o),
    "topic.fifo": lambda **o: SNSProducer("arn:aws:sns:r:1:t.fifo", **o),
    "kinesis": lambda **o: KinesisProducer("s", **o),
    "firehose": lambda **o: FirehoseProducer("s", **o),
    "events": lambda **o: EventBridgeProducer(source="s", detail_type="d", **o),
    "cloudwatch": lambda **o: CloudWatchProducer("ns", **o),
}
GOOD = {
    "sqs": ("x", {}),
    "fifo": ("x", {"message_group_id": "g"}),
    "sns": ("x", {}),
    "topic.fifo": ("x", {"message_group_id": "g"}),
    "kinesis": ("x", {"partition_key": "k"}),
    "firehose": ("x", {}),
    "events": ({}, {}),
    "cloudwatch": ({"MetricName": "m", "Value": 1}, {}),
}
MIB = 1_048_576
DATUM = {"MetricName": "m"}
ADVICE = "give it as str, bytes, dict, dataclass or pydantic model, or set serializer="
INVALID_NAME = (
    "has an invalid name; a name has 1 to 256 of A-Z a-z 0-9 _ - . and doesn't start with AWS. or Amazon., "
    "start or end with a period, or have two periods in a row"
)
DATA_TYPES = "takes 'String', 'Number' or 'Binary', with '.' and a label of your own if you like"
ILLEGAL = "which isn't allowed; escape it, or send base64"
TOKEN = "it takes 1 to 128 ASCII letters, digits and punctuation marks, no spaces"
NO_FIFO = "on_rejected_group='hold' needs ordering='strict' and a FIFO: a queue_url that ends in .fifo"
CIRCULAR: dict = {}
CIRCULAR["again"] = [CIRCULAR]
BAD = [
    ("sqs", "a" * (MIB + 1), {}, too_large("MessageBody with its attributes", 1048577, 1048576)),
    ("sqs", "é" * (MIB // 2 + 1), {}, too_large("MessageBody with its attributes", 1048578, 1048576)),
    ("sqs", "", {}, "MessageBody: is empty; it takes at least 1 character"),
    (
        "sqs",
        "a\x00",
        {},
        f"MessageBody: contains the character U+0000 at position 1, {ILLEGAL}",
    ),
    (
        "sqs",
        "é\uffff",
        {},
        f"MessageBody: contains the character U+FFFF at position 1, {ILLEGAL}",
    ),
    (
        "sqs",
        "\ud800",
        {},
        f"MessageBody: contains the character U+D800 at position 0, {ILLEGAL}",
    ),
    ("sqs", b"\xff", {}, "MessageBody: isn't UTF-8 at byte 0; encode it as text first, for instance as base64"),
    ("sqs", {"a": math.nan}, {}, re.compile(rf"MessageBody: can't be written as JSON \(Out of range .*\); {ADVICE}")),
    ("sqs", object(), {}, f"MessageBody: can't be written as JSON (object has no JSON form); {ADVICE}"),
    ("sqs", CIRCULAR, {}, "MessageBody: can't be written as JSON, because it is nested too deep or contains itself"),
    (
        "sqs",
        "x",
        {"colour": 1},
        "colour: unknown option; SQSProducer.put takes " + ", ".join(sorted(SQSOptions.__annotations__)),
    ),
    ("sqs", "x", {"delay_seconds": 901}, "delay_seconds: is 901; it takes whole seconds from 0 to 900"),
    ("sqs", "x", {"delay_seconds": True}, "delay_seconds: is True; it takes whole seconds from 0 to 900"),
    (
        "fifo",
        "x",
        {"message_group_id": "g", "delay_seconds": 5},
        "delay_seconds: a FIFO queue takes no delay for a single message; set it on the queue",
    ),
    (
        "sqs",
        "x",
        {"message_attributes": {f"a{n}": "v" for n in range(11)}},
        too_large("message_attributes", 11, 10, "attributes"),
    ),
    ("sqs", "x", {"message_attributes": [1]}, "message_attributes: is of type list; it takes a dict"),
    (
        "sqs",
        "x",
        {"message_attributes": {"AWS.x": "v"}},
        f"message_attributes: {INVALID_NAME}",
    ),
    (
        "sqs",
        "x",
        {"message_attributes": {"a..b": "v"}},
        f"message_attributes: {INVALID_NAME}",
    ),
    (
        "sqs",
        "x",
        {"message_attributes": {"a": ""}},
        "message_attributes.a.StringValue: is missing, empty or of another type; it takes a str",
    ),
    (
        "sqs",
        "x",
        {"message_attributes": {"a": math.inf}},
        "message_attributes.a: is NaN or infinite; it takes a finite number",
    ),
    (
        "sqs",
        "x",
        {"message_attributes": {"a": Decimal("sNaN")}},
        "message_attributes.a: is NaN or infinite; it takes a finite number",
    ),
    (
        "sqs",
        "x",
        {"message_attributes": {"a": None}},
        "message_attributes.a: is of type NoneType; it takes str, int, float, Decimal or bytes",
    ),
    (
        "sns",
        "x",
        {"message_attributes": {"a": [b"x"]}},
        re.compile(r"message_attributes\.a: can't be written as JSON \(.*\)"),
    ),
    (
        "sns",
        "x",
        {"message_attributes": {"a": [math.nan]}},
        re.compile(r"message_attributes\.a: can't be written as JSON \(.*\)"),
    ),
    (
        "sqs",
        "x",
        {"message_attributes": {"a": {"DataType": "Odd"}}},
        f"message_attributes.a.DataType: {DATA_TYPES}",
    ),
    (
        "sqs",
        "x",
        {"message_attributes": {"a": {"DataType": "Binary", "BinaryValue": "x"}}},
        "message_attributes.a.BinaryValue: is missing, empty or of another type; it takes bytes",
    ),
    (
        "sqs",
        "x",
        {"message_attributes": {"a": "\x00"}},
        f"message_attributes.a: contains the character U+0000 at position 0, {ILLEGAL}",
    ),
    (
        "sqs",
        "a" * (MIB - 5),
        {"message_attributes": {"n": "v"}},
        too_large("MessageBody with its attributes", 1048579, 1048576),
    ),
    (
        "sqs",
        "x",
        {"message_deduplication_id": "d"},
        "message_deduplication_id: only FIFOs take one, and this queue_url isn't one",
    ),
    ("fifo", "x", {}, "message_group_id: is missing; this queue_url is a FIFO, so each message needs one"),
    (
        "fifo",
        "x",
        {"message_group_id": "a b"},
        f"message_group_id: has 3 characters; {TOKEN}",
    ),
    (
        "fifo",
        "x",
        {"message_group_id": "a" * 129},
        f"message_group_id: has 129 characters; {TOKEN}",
    ),
    ("fifo", "x", {"message_group_id": 5}, "message_group_id: is of type int; it takes a str"),
    (
        "fifo",
        "x",
        {"message_group_id": "g", "message_deduplication_id": ""},
        f"message_deduplication_id: has 0 characters; {TOKEN}",
    ),
    ("sns", "a" * 262_145, {}, too_large("Message with its attributes and subject", 262145, 262144)),
    ("sns", "", {}, "Message: is empty; it takes at least 1 character"),
    (
        "sns",
        "x",
        {"subject": "a\nb"},
        "subject: takes 1 to 99 printable ASCII characters, and doesn't start with a space",
    ),
    (
        "sns",
        "x",
        {"subject": "a" * 100},
        "subject: takes 1 to 99 printable ASCII characters, and doesn't start with a space",
    ),
    ("sns", "x", {"message_structure": "xml"}, "message_structure: takes only 'json'"),
    ("topic.fifo", "x", {}, "message_group_id: is missing; this topic_arn is a FIFO, so each message needs one"),
    ("kinesis", "x", {}, "partition_key: is missing; it takes a str of 1 to 256 characters"),
    (
        "kinesis",
        "x",
        {"partition_key": "a" * 257},
        "partition_key: has 257 characters; it takes a str of 1 to 256 characters",
    ),
    ("kinesis", "x", {"partition_key": 5}, "partition_key: is of type int; it takes a str of 1 to 256 characters"),
    (
        "kinesis",
        "x",
        {"partition_key": "\ud800"},
        "partition_key: contains a lone surrogate at character 0, which UTF-8 can't encode",
    ),
    (
        "kinesis",
        "x",
        {"partition_key": "k", "explicit_hash_key": "01"},
        "explicit_hash_key: takes the decimal digits of a number below 2**128, as a str",
    ),
    (
        "kinesis",
        "x",
        {"partition_key": "k", "explicit_hash_key": str(2**128)},
        "explicit_hash_key: takes the decimal digits of a number below 2**128, as a str",
    ),
    (
        "kinesis",
        "x",
        {"partition_key": "k", "shard": 1},
        "shard: unknown option; KinesisProducer.put takes explicit_hash_key, partition_key",
    ),
    ("kinesis", b"a" * MIB, {"partition_key": "k"}, too_large("Data with its partition key", 1048577, 1048576)),
    (
        "kinesis",
        "\ud800",
        {"partition_key": "k"},
        "Data: contains a lone surrogate at character 0, which UTF-8 can't encode",
    ),
    ("firehose", b"", {}, "Data: is empty; Firehose takes at least 1 byte"),
    ("firehose", b"a" * 1_024_001, {}, too_large("Data", 1024001, 1024000)),
    ("events", [], {}, "detail: isn't a JSON object, and EventBridge takes nothing else"),
    (
        "events",
        {"a": "a" * 1_000_000},
        {},
        too_large("detail with source, detail_type and resources", 1000010, 1000000),
    ),
    (
        "events",
        {},
        {"source": "aws.ec2"},
        "source: starts with 'aws.', which is reserved for events of AWS; choose another name",
    ),
    ("events", {}, {"source": 5}, "source: is missing or not a str; set it in put, or in the producer for all events"),
    ("events", {}, {"resources": "arn"}, "resources: is of type str; it takes a list"),
    ("events", {}, {"resources": 5}, "resources: is of type int; it takes a list"),
    ("events", {}, {"resources": [5]}, "resources: takes a list of str"),
    ("events", {}, {"time": "today"}, "time: is of type str; it takes a datetime"),
    (
        "events",
        {},
        {"bus": "x"},
        "bus: unknown option; EventBridgeProducer.put takes detail_type, resources, source, time, trace_header",
    ),
    ("cloudwatch", 5, {}, "datum: is of type int; it takes a dict, a dataclass or a pydantic model"),
    (
        "cloudwatch",
        {"MetricName": "m", "Value": 1, "Unit": "a" * 1_000_000},
        {},
        too_large("datum", 1000080, 1000000),
    ),
    ("cloudwatch", {}, {}, "MetricName: is missing, empty or too long; it takes a str of 1 to 255 characters"),
    ("cloudwatch", DATUM, {}, "Value: a datum needs exactly one of Value, Values and StatisticValues, and has 0"),
    (
        "cloudwatch",
        {**DATUM, "Value": 1, "Values": [1]},
        {},
        "Value: a datum needs exactly one of Value, Values and StatisticValues, and has 2",
    ),
    ("cloudwatch", {**DATUM, "Value": math.nan}, {}, "Value: is nan; CloudWatch takes numbers from -2**360 to 2**360"),
    (
        "cloudwatch",
        {**DATUM, "Value": 2.0**361},
        {},
        "Value: is 4.6970851655476665e+108; CloudWatch takes numbers from -2**360 to 2**360",
    ),
    (
        "cloudwatch",
        {**DATUM, "Value": 10**400},
        {},
        f"Value: is 1{'0' * 118}…; CloudWatch takes numbers from -2**360 to 2**360",
    ),
    ("cloudwatch", {**DATUM, "Values": 5}, {}, "Values: is of type int; it takes a list"),
    ("cloudwatch", {**DATUM, "StatisticValues": 5}, {}, "StatisticValues: is of type int; it takes a dict"),
    ("cloudwatch", {**DATUM, "Value": 1, "Dimensions": 5}, {}, "Dimensions: is of type int; it takes a list"),
    ("cloudwatch", {**DATUM, "Value": "1"}, {}, "Value: is of type str; it takes an int or a float"),
    ("cloudwatch", {**DATUM, "Values": [1] * 151}, {}, "Values: has 151 numbers; it takes 1 to 150"),
    (
        "cloudwatch",
        {**DATUM, "Values": [1], "Counts": [1, 2]},
        {},
        "Counts: has 2 numbers; it takes as many as Values has",
    ),
    (
        "cloudwatch",
        {**DATUM, "StatisticValues": {"Sum": 1}},
        {},
        "StatisticValues.SampleCount: is of type NoneType; it takes an int or a float",
    ),
    (
        "cloudwatch",
        {**DATUM, "Value": 1, "Dimensions": [{"Name": "n", "Value": "v"}] * 31},
        {},
        too_large("Dimensions", 31, 30, "dimensions"),
    ),
    (
        "cloudwatch",
        {**DATUM, "Value": 1, "Dimensions": [{"Name": "n"}]},
        {},
        "Dimensions: takes a list of {'Name': ..., 'Value': ...}, each with a str that isn't empty",
    ),
    (
        "cloudwatch",
        {**DATUM, "Value": 1, "Dimensions": ["n"]},
        {},
        "Dimensions: takes a list of {'Name': ..., 'Value': ...}, each with a str that isn't empty",
    ),
    (
        "cloudwatch",
        {**DATUM, "Value": 1, "Dimensions": [{"Name": "shard", "Value": 5}]},
        {},
        "Dimensions: takes a list of {'Name': ..., 'Value': ...}, each with a str that isn't empty",
    ),
]


@pytest.mark.parametrize(("service", "record", "options", "message"), BAD)
def test_invalid_input_is_refused_at_put(service, record, options, message):
    """A ValueError names the field, the problem and a remedy; nothing is sent, and the producer goes on."""
    client = Recorder()
    producer = MAKE[service](client=client)
    good, with_options = GOOD[service]
    producer.put(good, **with_options)
    with pytest.raises(RecordError) as caught:
        producer._sender.add(producer.entry(record, options))
    text = str(caught.value)
    assert message.fullmatch(text) if isinstance(message, re.Pattern) else message == text
    assert isinstance(caught.value, ValueError)
    assert client.calls == []
    producer.put(good, **with_options)
    assert producer.flush() == []
    assert producer.stats.records == 2


@pytest.mark.parametrize("service", ["firehose", "cloudwatch"])
def test_a_service_without_put_options_refuses_any(service):
    """A session's item may have options; a service without any says so."""
    session = MAKE[service](client=Recorder()).open()
    from partialbatch.producers import Item  # for this one

    with pytest.raises(RecordError, match=r"^colour: unknown option; \w+\.put takes no options$"):
        session.put(Item(GOOD[service][0], colour=1))


@dataclass
class Order:
    id: int
    lines: list


class Customer(pydantic.BaseModel):
    name: str
    since: datetime


class Price(pydantic.BaseModel):
    amount: Decimal


class Text(str):
    __slots__ = ()


MODEL = Customer(name="é", since=datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ("plain", "plain"),
        (Text("x"), "x"),
        ("é".encode(), "é"),
        (bytearray(b"b"), "b"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (Order(1, [Order(2, [])]), '{"id":1,"lines":[{"id":2,"lines":[]}]}'),
        (MODEL, '{"name":"é","since":"2026-01-02T00:00:00Z"}'),
        ({"c": MODEL}, '{"c":{"name":"é","since":"2026-01-02T00:00:00Z"}}'),
        (["é\n"], '["é\\n"]'),
        (5, "5"),
    ],
)
def test_text_and_bytes_stay_and_other_values_become_json(record, text):
    """str and bytes stay as they are, and dicts, dataclasses and models become compact JSON."""
    client = Recorder()
    queue, stream = SQSProducer("q", client=client), KinesisProducer("s", client=client)
    queue.put(record)
    stream.put(record, partition_key="é")
    assert queue.flush() == stream.flush() == []
    body, data = client.calls[0]["Entries"][0]["MessageBody"], client.calls[1]["Records"][0]["Data"]
    assert (body, data) == (text, text.encode())
    assert type(data) is bytes
    assert queue.stats.bytes == len(text.encode())
    assert stream.stats.bytes == len(text.encode()) + 2


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=3))
def test_every_message_of_json_has_only_legal_characters(record):
    """A dict is sent as it is, or refused because of a character that SQS doesn't take."""
    client = Recorder()
    producer = SQSProducer("q", client=client)
    legal = not re.search("[\ud800-\udfff\ufffe\uffff]", "".join([*record, *record.values()]))
    try:
        producer.put(record)
    except RecordError:
        assert not legal
        return
    assert producer.flush() == []
    body = client.calls[0]["Entries"][0]["MessageBody"]
    assert legal
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", body)
    assert producer.stats.bytes == len(body.encode())
    assert json.loads(body) == record


class Colour(Enum):
    RED = "red"
    ONE = Decimal("1.5")


IDENTITY = UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.10"), "1.10"),
        (Decimal("1.00"), "1"),
        (Decimal("-0.30000000000000000000000000000000000001"), "-0.30000000000000000000000000000000000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "1E-7"),
        (Decimal(12345678901234567890123456789012345678), "12345678901234567890123456789012345678"),
        (Decimal("1E+999999"), "1E+999999"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05+00:00"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (time(3, 4, 5), '"03:04:05"'),
        (IDENTITY, '"12345678-1234-5678-1234-567812345678"'),
        (Colour.RED, '"red"'),
        (Colour.ONE, "1.5"),
        ({"b", "a", "é"}, '["a","b","é"]'),
        (frozenset({3, Decimal("1.5"), 2.0}), "[1.5,2.0,3]"),
        (set(), "[]"),
        (Order(Decimal(7), [Decimal("0.5")]), '{"id":7,"lines":[0.5]}'),
        (Price(amount=Decimal("1.10")), '{"amount":"1.10"}'),
    ],
)
def test_values_without_a_json_type_have_a_json_form(value, text):
    """Decimals become exact numbers, times ISO 8601 and sets sorted arrays; pydantic writes its models."""
    assert encoded(value, "field") == text
    assert encoded({"v": [value]}, "field") == f'{{"v":[{text}]}}'


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"raw", "bytes has no JSON form"),
        ({b"raw"}, "a set has no JSON form unless it contains only text or only numbers"),
        ({True}, "a set has no JSON form"),
        ({1, "a"}, "a set has no JSON form"),
        (timedelta(1), "timedelta has no JSON form"),
        (Decimal("NaN"), "Decimal NaN and infinity"),
        (Decimal("sNaN"), "Decimal NaN and infinity"),
        (Decimal("-Infinity"), "Decimal NaN and infinity"),
        ({Decimal("1.5"): 1}, "keys must be str"),
    ],
)
def test_values_without_a_json_form_are_refused_by_type(value, why):
    """The error names the type."""
    with pytest.raises(RecordError, match=f"^field: can't be written as JSON .*{why}.*; {ADVICE}$"):
        encoded({"v": value}, "field")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(JSON)
def test_decimals_keep_all_digits(value):
    """A reader that keeps digits gets the same numbers, wherever they are in the record."""
    assert json.loads(encoded(value, "field"), parse_float=Decimal) == value


def test_an_image_of_a_dynamodb_stream_can_be_sent_on():
    """A producer takes the new image of a DynamoDB stream record."""
    event = dynamodb_event([{"id": 1, "price": Decimal("9.99"), "tags": {"b", "a"}}])
    record = DynamoDBRecord(event["Records"][0])
    client = Recorder()
    producer = SQSProducer("q", client=client)
    producer.put(record.new_image)
    assert producer.flush() == []
    body = client.calls[0]["Entries"][0]["MessageBody"]
    assert json.loads(body) == {"id": 1, "price": 9.99, "tags": ["a", "b"]}


def test_kinesis_records_need_no_key_with_distribution_auto():
    """With distribution='auto', a record may have no partition key, or one of its own."""
    client = Recorder()
    producer = KinesisProducer("s", partition_key=None, distribution="auto", client=client)
    producer.put("a")
    producer.put("b", partition_key=None)
    producer.put("c", partition_key="k")
    producer.put("d", explicit_hash_key="7")
    producer.put("e", partition_key="k", explicit_hash_key=None)
    assert producer.flush() == []
    assert client.calls[0]["Records"] == [
        {"Data": b"a"},
        {"Data": b"b"},
        {"Data": b"c", "PartitionKey": "k"},
        {"Data": b"d", "ExplicitHashKey": "7"},
        {"Data": b"e", "PartitionKey": "k"},
    ]
    assert producer.stats.bytes == 7
    for key in ("", "a" * 257, 5):
        with pytest.raises(RecordError, match=r"partition_key: .*it takes a str of 1 to 256 characters"):
            producer.put("x", partition_key=key)
    with pytest.raises(
        RecordError, match=r"^shard: unknown option; KinesisProducer.put takes explicit_hash_key, partition_key$"
    ):
        producer._sender.add(producer.entry("x", {"shard": 1}))


def test_records_without_a_partition_key_get_the_producers():
    """The producer's `partition_key` applies to records that are put without one."""
    client = Recorder()
    producer = KinesisProducer("s", partition_key="all", client=client)
    producer.put("a")
    producer.put("b", partition_key="k")
    assert producer.flush() == []
    assert [entry["PartitionKey"] for entry in client.calls[0]["Records"]] == ["all", "k"]
    for options in ({"partition_key": ""}, {"partition_key": 5}, {"distribution": "AUTO"}):
        with pytest.raises(ConfigurationError, match=f"{next(iter(options))}="):
            KinesisProducer("s", client=client, **options)


def test_a_custom_serializer_comes_first():
    """Its result is sent, and the record itself comes back."""
    client = Recorder()
    producer = KinesisProducer("s", client=client, serializer=lambda record: memoryview(str(record).encode()))
    producer.put(Decimal("1.5"), partition_key="k")
    producer.flush()
    assert client.calls[0]["Records"] == [{"Data": b"1.5", "PartitionKey": "k"}]


def test_sqs_options_become_fields_of_the_entry():
    """Options are boto3's in snake_case, and plain attribute values get their data types."""
    client = Recorder()
    producer = SQSProducer("q", client=client)
    attributes = {"s": "text", "n": 1.5, "b": b"raw", "own": {"DataType": "Number.float", "StringValue": "2"}}
    producer.put(
        "x",
        delay_seconds=5,
        message_attributes=attributes,
        message_group_id="fair",
        message_system_attributes={"AWSTraceHeader": "Root=1"},
    )
    producer.flush()
    assert client.calls[0]["Entries"] == [
        {
            "Id": "0",
            "MessageBody": "x",
            "DelaySeconds": 5,
            "MessageAttributes": {
                "s": {"DataType": "String", "StringValue": "text"},
                "n": {"DataType": "Number", "StringValue": "1.5"},
                "b": {"DataType": "Binary", "BinaryValue": b"raw"},
                "own": {"DataType": "Number.float", "StringValue": "2"},
            },
            "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}},
            "MessageGroupId": "fair",
        }
    ]
    assert producer.stats.bytes == 1 + (1 + 6 + 4) + (1 + 6 + 3) + (1 + 6 + 3) + (3 + 12 + 1)


def test_deduplication_ids_are_random_unless_given_or_left_to_the_queue():
    """Your own deduplication id is kept, and with content-based deduplication there is none."""
    client = Recorder()
    producer = SQSProducer("q.fifo", client=client, random=lambda: 0.5)
    producer.put("a", message_group_id="1")
    producer.put("a", message_group_id="2")
    producer.put("a", message_group_id="3", message_deduplication_id="own")
    producer.flush()
    tokens = [entry["MessageDeduplicationId"] for entry in client.calls[0]["Entries"]]
    assert tokens == ["10000000000000-0", "10000000000000-1", "own"]
    content = SQSProducer("q.fifo", client=client, content_based_deduplication=True)
    content.put("a", message_group_id="1")
    content.flush()
    assert "MessageDeduplicationId" not in client.calls[1]["Entries"][0]


def test_sns_options_become_fields_of_the_entry():
    """Subject, structure and attributes are sent, and a list is a String.Array."""
    client = Recorder()
    producer = SNSProducer("arn:t.fifo", client=client, max_record_bytes=MIB)
    producer.put(
        "y" * 300_000,
        subject="News!",
        message_structure="json",
        message_attributes={"l": ["a", 1]},
        message_group_id="g",
        message_deduplication_id="d",
    )
    producer.flush()
    (entry,) = client.calls[0]["PublishBatchRequestEntries"]
    del entry["Message"]
    assert entry == {
        "Id": "0",
        "Subject": "News!",
        "MessageStructure": "json",
        "MessageGroupId": "g",
        "MessageDeduplicationId": "d",
        "MessageAttributes": {"l": {"DataType": "String.Array", "StringValue": '["a", 1]'}},
    }


def test_kinesis_and_firehose_options_reach_the_call():
    """An ARN, a hash key, a larger record and a delimiter are sent as given."""
    client = Recorder()
    stream = KinesisProducer("arn:aws:kinesis:r:1:stream/s", client=client, max_record_bytes=10 * MIB)
    stream.put(b"a" * 2 * MIB, partition_key="k", explicit_hash_key="0")
    stream.flush()
    assert client.calls[0]["StreamARN"] == "arn:aws:kinesis:r:1:stream/s"
    assert client.calls[0]["Records"][0]["ExplicitHashKey"] == "0"
    hose = FirehoseProducer("s", client=client, delimiter=b"\n")
    hose.put({"a": 1})
    hose.flush()
    assert client.calls[1]["Records"] == [{"Data": b'{"a":1}\n'}]


def test_the_size_of_an_event_includes_its_time_and_resources():
    """The size follows the documented rule: 14 for a time, and the bytes of all text."""
    client = Recorder()
    producer = EventBridgeProducer("bus", client=client)
    when = datetime(2026, 1, 1, tzinfo=UTC)
    producer.put({"a": 1}, source="me", detail_type="é", resources=("arn:x",), time=when, trace_header="Root=1")
    producer.flush()
    assert client.calls[0]["Entries"] == [
        {
            "Source": "me",
            "DetailType": "é",
            "Detail": '{"a":1}',
            "EventBusName": "bus",
            "Resources": ["arn:x"],
            "Time": when,
            "TraceHeader": "Root=1",
        }
    ]
    assert producer.stats.bytes == 14 + 2 + 2 + 7 + 5


def test_each_event_option_works_alone():
    """An option of an event needs no other one."""
    client = Recorder()
    producer = EventBridgeProducer(source="s", detail_type="d", client=client)
    for options in ({"resources": ["r"]}, {"trace_header": "Root=1"}, {"time": datetime(2026, 1, 1, tzinfo=UTC)}):
        producer.put({}, **options)
    producer.flush()
    keys = [set(entry) - {"Source", "DetailType", "Detail", "EventBusName"} for entry in client.calls[0]["Entries"]]
    assert keys == [{"Resources"}, {"TraceHeader"}, {"Time"}]


def test_resources_may_be_a_generator():
    """The checks don't use up a generator of resources."""
    client = Recorder()
    producer = EventBridgeProducer(source="s", detail_type="d", client=client)
    producer.put({}, resources=(name for name in ("a", "b")))
    producer.flush()
    assert client.calls[0]["Entries"][0]["Resources"] == ["a", "b"]


def test_none_in_a_datum_is_left_out():
    """Optional fields of a model are None, which boto3 doesn't take."""
    client = Recorder()
    producer = CloudWatchProducer("ns", client=client)
    producer.put({"MetricName": "m", "Value": 1, "Values": None, "Unit": None, "Dimensions": None})
    producer.flush()
    assert client.calls[0]["MetricData"] == [{"MetricName": "m", "Value": 1}]


def test_an_attribute_may_be_a_number_of_any_size():
    """An int that is too large for a float is sent as it is."""
    client = Recorder()
    producer = SQSProducer("q", client=client)
    producer.put("x", message_attributes={"n": 10**400, "d": Decimal("1.50")})
    producer.flush()
    attributes = client.calls[0]["Entries"][0]["MessageAttributes"]
    assert [len(attributes["n"]["StringValue"]), attributes["d"]["StringValue"]] == [401, "1.50"]


def test_a_datum_is_copied():
    """The datum is sent as it was put, although it was changed since."""
    client = Recorder()
    producer = CloudWatchProducer("ns", client=client)
    datum = {
        "MetricName": "m",
        "Values": [1, 2],
        "Counts": [1, 1],
        "Dimensions": [{"Name": "n", "Value": "v"}],
        "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
    }
    producer.put(datum)
    producer.put({"MetricName": "m", "StatisticValues": dict.fromkeys(("SampleCount", "Sum", "Minimum", "Maximum"), 1)})
    datum["Values"].append(3)
    datum["Dimensions"][0]["Value"] = "changed"
    producer.flush()
    assert client.calls[0]["MetricData"][0]["Values"] == [1, 2]
    assert client.calls[0]["MetricData"][0]["Dimensions"] == [{"Name": "n", "Value": "v"}]


OPTIONS = [
    ("sqs", {"max_entries": 11}, r"max_entries=11 .* a whole number from 1 to 10"),
    ("sqs", {"max_entries": True}, "max_entries=True"),
    ("sqs", {"max_bytes": 0}, "max_bytes=0"),
    ("sqs", {"max_pending": 9}, "max_pending=9 .* a whole number from 10"),
    ("sqs", {"workers": -1}, "workers=-1"),
    ("sqs", {"backoff": 5}, "backoff=5"),
    ("sqs", {"progress": 5}, "progress=5 .* a callable"),
    ("sqs", {"ordering": "loose"}, "ordering='loose' .* 'strict' or 'batch'"),
    (
        "sqs",
        {"on_rejected_group": "hold"},
        NO_FIFO,
    ),
    ("fifo", {"on_rejected_group": "drop"}, "on_rejected_group='drop'"),
    ("sns", {"max_record_bytes": MIB + 1}, "max_record_bytes=1048577"),
    ("kinesis", {"max_record_bytes": 0}, "max_record_bytes=0"),
    ("firehose", {"delimiter": "x"}, "delimiter='x' .* bytes"),
]


@pytest.mark.parametrize(("service", "options", "message"), OPTIONS)
def test_options_that_cannot_work_are_refused(service, options, message):
    """A ConfigurationError names the option, the value and the allowed values."""
    with pytest.raises(ConfigurationError, match=message):
        MAKE[service](client=Recorder(), **options)


@pytest.mark.parametrize(
    "make", [SQSProducer, SNSProducer, KinesisProducer, FirehoseProducer, EventBridgeProducer, CloudWatchProducer]
)
def test_an_empty_target_and_an_unknown_option_are_refused(make):
    """Each producer needs the name of its target, and takes only its own options."""
    with pytest.raises(ConfigurationError):
        make("", client=Recorder())
    with pytest.raises(TypeError, match="unexpected keyword arguments: colour"):
        make("x", client=Recorder(), colour=1)


def test_aws_namespaces_are_refused():
    """Namespaces that start with AWS/ are for AWS's own services."""
    with pytest.raises(ConfigurationError, match="namespace"):
        CloudWatchProducer("AWS/Lambda", client=Recorder())


@pytest.mark.parametrize("seconds", [True, math.nan, "5"])
def test_a_time_limit_must_be_a_number(seconds):
    """flush(True) is a mistake, not one second."""
    with pytest.raises(ConfigurationError, match="seconds="):
        SQSProducer("q", client=Recorder()).flush(seconds)


def test_importing_producers_loads_neither_boto3_nor_pydantic():
    """A producer with a client of your own needs no boto3."""
    code = (
        "import sys; from partialbatch.producers import SQSProducer as P; P('q', client=object()); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"boto3", "botocore", "pydantic", "asyncio"} & set(loaded)


def test_the_default_client_leaves_retries_to_the_producer(monkeypatch):
    """boto3's own retries would wait without knowing the deadline."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    producer = SQSProducer("q", workers=20)
    assert producer.client.meta.service_model.service_name == "sqs"
    assert producer.client.meta.config.retries["total_max_attempts"] == 1
    assert producer.client.meta.config.max_pool_connections == 20


def test_progress_gets_the_stats_after_each_call():
    """`progress` is called with the current counts."""
    seen = []
    producer = SQSProducer("q", client=Recorder(), progress=lambda stats: seen.append(stats.records), backoff=Backoff())
    for number in range(25):
        producer.put(str(number))
    producer.flush()
    assert seen == [10, 20, 25]
    assert json.dumps(seen)
