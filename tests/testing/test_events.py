"""Events as the services write them."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from uuid import UUID

import pytest

from partialbatch.errors import ConfigurationError
from partialbatch.producers._serialization import to_text
from partialbatch.testing import (
    SimulatedStream,
    dynamodb_event,
    kafka_event,
    kinesis_event,
    pipes_event,
    simulate,
    sqs_event,
)
from partialbatch.testing._event_layout import group_of, identifier_of, records_of


def decoded(text):
    return base64.b64decode(text, validate=True)


class Size(Enum):
    LARGE = "L"


class Unit(StrEnum):
    KILO = "kg"


@dataclass
class Weight:
    unit: Unit
    value: int


@dataclass
class Order:
    id: str
    weight: Weight


class Rooted:
    """A model of a list, as pydantic's `RootModel`."""

    def model_dump(self, mode):
        return ["x"]


def test_dataclasses_become_json_in_every_event():
    """A dataclass is a body, a message's data, key or value as the producers would write it."""
    order, text = Order("a", Weight(Unit.KILO, 3)), '{"id":"a","weight":{"unit":"kg","value":3}}'
    assert sqs_event([order])["Records"][0]["body"] == text
    assert decoded(kinesis_event([order])["Records"][0]["kinesis"]["data"]).decode() == text
    raw = kafka_event({"orders-0": [(order, order)]}, headers={"h": order})["records"]["orders-0"][0]
    assert decoded(raw["key"]).decode() == decoded(raw["value"]).decode() == text
    assert bytes(raw["headers"][0]["h"]).decode() == text


def test_values_become_json_as_the_producers_write_them():
    """Numbers stay exact, times are ISO 8601, sets sorted arrays; keys of Kafka and headers are written alike."""
    value = {
        "price": Decimal("0.10"),
        "count": Decimal("3.00"),
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "id": UUID(int=1),
        "size": Size.LARGE,
        "tags": {"b", "a"},
    }
    text = (
        '{"price":0.10,"count":3,"at":"2026-01-01T00:00:00+00:00",'
        '"id":"00000000-0000-0000-0000-000000000001","size":"L","tags":["a","b"]}'
    )
    assert sqs_event([value])["Records"][0]["body"] == to_text(value, "body", None) == text
    assert decoded(kinesis_event([value])["Records"][0]["kinesis"]["data"]).decode() == text
    raw = kafka_event({"orders-0": [(value, value)]}, headers={"h": value})["records"]["orders-0"][0]
    assert decoded(raw["key"]) == decoded(raw["value"]) == bytes(raw["headers"][0]["h"]) == text.encode()
    delivery = SimulatedStream([value]).run(lambda event, context: None)
    assert decoded(delivery.records[0].raw["kinesis"]["data"]).decode() == text


def test_dataclasses_are_items_of_a_table():
    """A dataclass becomes an item as the DynamoDB producer writes it; within an item it becomes a map."""
    order = Order("a", Weight(Unit.KILO, 3))
    wire = {"id": {"S": "a"}, "weight": {"M": {"unit": {"S": "kg"}, "value": {"N": "3"}}}}
    for change in (order, (None, order), ({"id": "a"}, {"id": "a", "weight": order.weight})):
        image = dynamodb_event([change])["Records"][0]["dynamodb"]["NewImage"]
        assert image == wire
        assert type(image["weight"]["M"]["unit"]["S"]) is str


def test_simulators_take_dataclasses():
    """The simulators accept the same values as the functions that make events."""
    order = Order("a", Weight(Unit.KILO, 3))
    for records, source in (([order], "sqs"), ([order], "kinesis"), ([order], "dynamodb"), ({"o-0": [order]}, "kafka")):
        assert simulate(lambda event, context: None, records, source).fates == {"deleted": 1}


def test_string_enum_as_a_body_is_its_plain_text():
    """A body that is a `StrEnum` is its plain text."""
    body = sqs_event([Unit.KILO])["Records"][0]["body"]
    assert body == "kg"
    assert type(body) is str


def test_sqs_bodies_are_text_or_json():
    """Text stays as it is, other values become JSON, and the MD5 is that of the body."""
    records = sqs_event(["grüezi", {"n": 1}, 3])["Records"]
    assert [raw["body"] for raw in records] == ["grüezi", '{"n":1}', "3"]
    for raw in records:
        assert raw["md5OfBody"] == hashlib.md5(raw["body"].encode()).hexdigest()
        assert raw["eventSourceARN"] == "arn:aws:sqs:eu-west-1:123456789012:orders"
        assert raw["eventSource"] == "aws:sqs"
        assert raw["awsRegion"] == "eu-west-1"
        assert set(raw["attributes"]) == {
            "ApproximateReceiveCount",
            "SentTimestamp",
            "SenderId",
            "ApproximateFirstReceiveTimestamp",
        }
        assert len(raw["attributes"]["SentTimestamp"]) == 13
        assert decoded(raw["receiptHandle"])
    assert len({raw["messageId"] for raw in records}) == 3
    assert len({raw["receiptHandle"] for raw in records}) == 3


def test_equal_arguments_make_equal_events():
    """The same arguments give the same event, and `start` continues the numbers of an earlier one."""
    both = sqs_event(["a", "b"])["Records"]
    assert both == [*sqs_event(["a"])["Records"], *sqs_event(["b"], start=1)["Records"]]
    assert [raw["messageId"][-1] for raw in both] == ["0", "1"]


@pytest.mark.parametrize("options", [{"fifo": True}, {"queue": "orders.fifo"}, {"fifo": True, "queue": "orders.fifo"}])
def test_a_fifo_queue_has_groups_and_sequence_numbers(options):
    """FIFO messages carry group, deduplication id and an increasing 20-digit number."""
    records = sqs_event(["a", "b"], **options)["Records"]
    assert [raw["eventSourceARN"].rpartition(":")[2] for raw in records] == ["orders.fifo"] * 2
    assert [raw["attributes"]["MessageGroupId"] for raw in records] == ["group"] * 2
    assert records[0]["attributes"]["MessageDeduplicationId"] == hashlib.sha256(b"a").hexdigest()
    numbers = [raw["attributes"]["SequenceNumber"] for raw in records]
    assert [len(number) for number in numbers] == [20, 20]
    assert int(numbers[0]) < int(numbers[1])


def test_region_and_account_are_those_of_the_arn():
    """A source may be given by its ARN, and the fields of a record agree with it."""
    queue = "arn:aws:sqs:us-east-1:111122223333:q"
    assert [raw["awsRegion"] for raw in sqs_event(["a"], queue=queue)["Records"]] == ["us-east-1"]
    assert sqs_event(["a"], queue=queue, fifo=True)["Records"][0]["eventSourceARN"] == f"{queue}.fifo"
    stream = "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/s"
    (raw,) = kinesis_event(["a"], stream=stream)["Records"]
    assert (raw["eventSourceARN"], raw["awsRegion"]) == (stream, "cn-north-1")
    assert raw["invokeIdentityArn"].split(":")[4] == "111122223333"
    table = "arn:aws:dynamodb:us-east-1:111122223333:table/t"
    for name in (table, f"{table}/stream/2026-01-01T00:00:00.000"):
        event = dynamodb_event([{"id": 1}], table=name, window={})
        assert event["eventSourceARN"] == f"{table}/stream/2026-01-01T00:00:00.000"
        assert event["Records"][0]["eventSourceARN"] == event["eventSourceARN"]
        assert event["Records"][0]["awsRegion"] == "us-east-1"


def test_each_receive_has_its_own_receipt_handle():
    """A message that was received again has another receipt handle."""
    handles = [sqs_event(["a"], receive_counts=count)["Records"][0]["receiptHandle"] for count in (1, 2, 2)]
    assert handles[0] != handles[1] == handles[2]


def test_groups_and_receive_counts_are_one_each_or_one_for_all():
    """A list gives each message its own value, and a single value applies to all."""
    records = sqs_event(["a", "b"], groups=["x", None], receive_counts=[1, 4])["Records"]
    assert [raw["attributes"].get("MessageGroupId") for raw in records] == ["x", None]
    assert [raw["attributes"]["ApproximateReceiveCount"] for raw in records] == ["1", "4"]
    assert [group_of("sqs", raw) for raw in records] == [None, None]
    records = sqs_event(["a", "b"], fifo=True, groups="x", receive_counts=3)["Records"]
    assert [group_of("sqs", raw) for raw in records] == ["x", "x"]
    assert {raw["attributes"]["ApproximateReceiveCount"] for raw in records} == {"3"}


def test_groups_and_keys_are_texts():
    """Numbers as group ids or partition keys become text, as AWS sends them."""
    assert sqs_event(["a"], fifo=True, groups=[7])["Records"][0]["attributes"]["MessageGroupId"] == "7"
    assert kinesis_event(["a"], partition_keys=[7])["Records"][0]["kinesis"]["partitionKey"] == "7"
    assert SimulatedStream(["a"], partition_keys=[7]).run(lambda event, context: None).records[0].group == "7"


def test_a_record_may_have_no_partition_key():
    """None among the partition keys leaves the key out; the record's group is its own sequence number."""
    [keyed, bare] = kinesis_event(["a", "b"], partition_keys=["k", None])["Records"]
    assert keyed["kinesis"]["partitionKey"] == "k"
    assert "partitionKey" not in bare["kinesis"]
    assert group_of("kinesis", bare) == bare["kinesis"]["sequenceNumber"]
    stream = SimulatedStream(["a", "b"], partition_keys=[None, None], shards=4)
    delivery = stream.run(lambda event, context: None)
    assert [record.group for record in delivery.records] == [record.identifier for record in delivery.records]


def test_zeros_do_not_count_as_dynamodb_digits():
    """A number with 38 significant digits is accepted, however many zeros follow them."""
    for number in (10**38 - 1, 10**60):
        assert dynamodb_event([{"id": number}])["Records"][0]["dynamodb"]["Keys"] == {"id": {"N": str(number)}}


def test_message_attributes_carry_type_and_md5():
    """Attributes are written by type, and an MD5 is there if they are."""
    raw = sqs_event(["a"], message_attributes={"s": "x", "n": Decimal("1.5"), "b": b"\x00"})["Records"][0]
    shown = raw["messageAttributes"]
    assert {name: entry["dataType"] for name, entry in shown.items()} == {"s": "String", "n": "Number", "b": "Binary"}
    assert (shown["s"]["stringValue"], shown["n"]["stringValue"], shown["b"]["binaryValue"]) == ("x", "1.5", "AA==")
    assert len(raw["md5OfMessageAttributes"]) == 32
    assert "md5OfMessageAttributes" not in sqs_event(["a"])["Records"][0]


def test_kinesis_records_are_base64_with_56_digits():
    """Data is base64, keys differ by default, sequence numbers rise and have 56 digits."""
    records = kinesis_event([b"\xff", "text", {"n": 1}], shard=3)["Records"]
    assert [decoded(raw["kinesis"]["data"]) for raw in records] == [b"\xff", b"text", b'{"n":1}']
    assert [raw["kinesis"]["partitionKey"] for raw in records] == ["key-0", "key-1", "key-2"]
    numbers = [raw["kinesis"]["sequenceNumber"] for raw in records]
    assert {len(number) for number in numbers} == {56}
    assert sorted(numbers, key=int) == numbers
    assert [raw["eventID"] for raw in records] == [f"shardId-000000000003:{number}" for number in numbers]
    assert {raw["eventName"] for raw in records} == {"aws:kinesis:record"}
    assert isinstance(records[0]["kinesis"]["approximateArrivalTimestamp"], float)


def test_sequence_numbers_can_start_anywhere():
    """A first sequence number near a power of ten makes texts and numbers sort differently."""
    for event in (
        kinesis_event(["a", "b"], first_sequence_number=9, partition_keys="k"),
        dynamodb_event([{"id": "a"}, {"id": "b"}], first_sequence_number=9),
    ):
        assert [identifier_of(event, raw) for raw in records_of(event)] == ["9", "10"]


@pytest.mark.parametrize("make", [lambda **o: kinesis_event(["a"], **o), lambda **o: dynamodb_event([{"id": 1}], **o)])
def test_window_adds_its_keys_to_the_event(make):
    """A tumbling window's event has state, window and the two flags, and given values take precedence."""
    event = make(window={"state": {"n": 1}, "isFinalInvokeForWindow": True})
    assert event["state"] == {"n": 1}
    assert event["isFinalInvokeForWindow"] is True
    assert event["isWindowTerminatedEarly"] is False
    assert set(event["window"]) == {"start", "end"}
    assert event["eventSourceARN"] == event["Records"][0]["eventSourceARN"]
    assert event["shardId"].startswith("shardId-")
    assert "window" not in make()
    with pytest.raises(ConfigurationError, match="stat"):
        make(window={"stat": 1})


def test_dynamodb_event_name_follows_from_old_and_new_item():
    """An item is an INSERT, a tuple of old and new item decides otherwise, and images are DynamoDB JSON."""
    item = {"id": "a", "n": 1, "f": 1.5, "d": Decimal("2.50"), "b": b"\x00", "t": True, "z": None}
    item |= {"l": [1, ("x",)], "m": {"k": "v"}, "ss": {"x", "y"}, "ns": {2, 1}, "bs": frozenset([b"\x01"])}
    records = dynamodb_event([item, (item, {"id": "a"}), (item, None), (None, {"id": "b"})])["Records"]
    assert [raw["eventName"] for raw in records] == ["INSERT", "MODIFY", "REMOVE", "INSERT"]
    assert records[0]["dynamodb"]["NewImage"] == {
        "id": {"S": "a"},
        "n": {"N": "1"},
        "f": {"N": "1.5"},
        "d": {"N": "2.50"},
        "b": {"B": "AA=="},
        "t": {"BOOL": True},
        "z": {"NULL": True},
        "l": {"L": [{"N": "1"}, {"L": [{"S": "x"}]}]},
        "m": {"M": {"k": {"S": "v"}}},
        "ss": {"SS": ["x", "y"]},
        "ns": {"NS": ["1", "2"]},
        "bs": {"BS": ["AQ=="]},
    }
    assert [("NewImage" in raw["dynamodb"], "OldImage" in raw["dynamodb"]) for raw in records] == [
        (True, False),
        (True, True),
        (False, True),
        (True, False),
    ]
    assert {raw["dynamodb"]["StreamViewType"] for raw in records} == {"NEW_AND_OLD_IMAGES"}
    numbers = [raw["dynamodb"]["SequenceNumber"] for raw in records]
    assert all(21 <= len(number) <= 40 for number in numbers)
    assert sorted(numbers, key=int) == numbers
    assert [raw["dynamodb"]["Keys"] for raw in records][-1] == {"id": {"S": "b"}}
    assert len({raw["eventID"] for raw in records}) == 4
    assert all(raw["dynamodb"]["SizeBytes"] > 0 for raw in records)
    assert json.loads(json.dumps(records)) == records


@pytest.mark.parametrize(
    ("view", "images"),
    [("KEYS_ONLY", set()), ("NEW_IMAGE", {"NewImage"}), ("OLD_IMAGE", {"OldImage"})],
)
def test_view_type_leaves_images_out(view, images):
    """A stream's view type leaves images out."""
    raw = dynamodb_event([({"id": 1}, {"id": 1, "n": 2})], view=view)["Records"][0]
    assert {"NewImage", "OldImage"} & set(raw["dynamodb"]) == images


def test_a_ttl_removal_names_dynamodb_as_its_user():
    """With `ttl`, only a REMOVE has the identity of the service."""
    records = dynamodb_event([({"id": 1}, None), {"id": 2}], ttl=True)["Records"]
    assert records[0]["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert "userIdentity" not in records[1]


def test_composite_key_is_written_whole():
    """A composite key is written whole."""
    event = dynamodb_event([{"pk": "a", "sk": 1}], keys=["pk", "sk"])
    assert event["Records"][0]["dynamodb"]["Keys"] == {"pk": {"S": "a"}, "sk": {"N": "1"}}


def test_kafka_events_hold_several_partitions():
    """Each topic-partition counts its own offsets; keys, tombstones and headers are there."""
    event = kafka_event({"orders-0": ["a", ("k", None)], "my-topic-12": [b"\xff"]}, start=5, headers={"h": b"\xff\x01"})
    assert event["eventSource"] == "aws:kafka"
    assert event["eventSourceArn"].startswith("arn:aws:kafka:")
    first, second = event["records"]["orders-0"]
    other = event["records"]["my-topic-12"][0]
    assert (first["topic"], first["partition"], first["offset"]) == ("orders", 0, 5)
    assert (other["topic"], other["partition"], other["offset"]) == ("my-topic", 12, 5)
    assert second["offset"] == 6
    assert decoded(first["value"]) == b"a"
    assert "key" not in first
    assert decoded(second["key"]) == b"k"
    assert "value" not in second
    assert decoded(other["value"]) == b"\xff"
    assert first["headers"] == [{"h": [-1, 1]}]
    assert kafka_event({"t-0": ["a"]}, headers={"h": "x"})["records"]["t-0"][0]["headers"] == [{"h": [120]}]
    assert first["timestampType"] == "CREATE_TIME"
    own = kafka_event({"orders-0": ["a"]}, self_managed=True)
    assert own["eventSource"] == "SelfManagedKafka"
    assert "eventSourceArn" not in own


def test_pipes_event_is_a_list_of_records():
    """SQS and DynamoDB records keep their layout, and Kinesis and Kafka records become flat."""
    assert pipes_event(sqs_event(["a"])) == sqs_event(["a"])["Records"]
    assert pipes_event(dynamodb_event([{"id": 1}])) == dynamodb_event([{"id": 1}])["Records"]
    kinesis = kinesis_event(["a"])["Records"][0]
    (flat,) = pipes_event(kinesis_event(["a"]))
    assert flat["sequenceNumber"] == kinesis["kinesis"]["sequenceNumber"]
    assert flat["eventID"] == kinesis["eventID"]
    assert "kinesis" not in flat
    (record,) = pipes_event(kafka_event({"orders-3": ["a"]}))
    assert (record["topic"], record["partition"], record["eventSourceKey"]) == ("orders", 3, "orders-3")
    assert record["eventSource"] == "aws:kafka"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sqs_event("abc"), "bodies takes a list with one entry for each record, not a str"),
        (lambda: sqs_event(3), "bodies takes a list"),
        (lambda: sqs_event(["a"] * 11, fifo=True), "from 0 to 10"),
        (lambda: sqs_event(["a"] * 10_001), "from 0 to 10,000"),
        (
            lambda: sqs_event(["a"], groups=["x", "y"]),
            "groups has 2 entries for 1 records: pass one for each, or one for all",
        ),
        (lambda: sqs_event(["a"], receive_counts={"a": 1}), "receive_counts takes a list"),
        (lambda: sqs_event(["a"], receive_counts=0), "receive_counts=0"),
        (lambda: sqs_event(["a"], message_attributes={"urgent": True}), "it takes text, numbers and bytes"),
        (lambda: sqs_event(["a"], message_attributes={"trace": None}), "message_attributes=None"),
        (lambda: sqs_event(["a"], receive_counts=["1"]), "receive_counts='1'"),
        (lambda: sqs_event(["a", "b"], fifo=True, groups=["x", None]), "a group for each message of a FIFO queue"),
        (lambda: kinesis_event(["a"] * 10_001), "from 0 to 10,000"),
        (lambda: kinesis_event(["a"], partition_keys=[]), "partition_keys has 0 entries"),
        (lambda: dynamodb_event([{"n": 1}]), "keys=('id',): item 0 has no attribute 'id'"),
        (lambda: dynamodb_event([{"id": 1}], keys=[]), "the number of keys=0"),
        (lambda: dynamodb_event([{"id": 1}], keys=["id"] * 3), "from 1 to 2"),
        (lambda: dynamodb_event([{"id": 1}], table=""), "table=''"),
        (lambda: kinesis_event(["a"], stream=""), "stream=''"),
        (lambda: sqs_event(["a"], queue=""), "queue=''"),
        (lambda: sqs_event(["a"], queue="arn:aws:sns:eu-west-1:1:topic"), "a name, or an ARN of sqs"),
        (lambda: dynamodb_event([{"id": 1}], view="ALL"), "view='ALL'"),
        (
            lambda: dynamodb_event([(None, None)]),
            "changes takes items, or tuples of old and new item, of which at most one is None",
        ),
        (
            lambda: dynamodb_event(["x"]),
            "DynamoDB has no type for a str: pass str, number, bytes, set, list, dict, dataclass or pydantic model",
        ),
        (lambda: dynamodb_event([Rooted()]), "changes takes items with named attributes, not a Rooted"),
        (
            lambda: sqs_event([b"x"]),
            "pass text, a dict, list, number, dataclass or pydantic model, or bytes if the source takes bytes",
        ),
        (lambda: kinesis_event([{"n": object()}]), "can't be written as JSON (object has no JSON form)"),
        (lambda: kafka_event({"o-0": [({1j}, "v")]}), "can't be written as JSON ("),
        (lambda: sqs_event([{"n": float("nan")}]), "can't be written as JSON (Out of range float values"),
        (lambda: sqs_event(["a\ud800"]), "a lone surrogate at character 1, which UTF-8 can't encode"),
        (lambda: dynamodb_event([{"id": object()}]), "no type for a object"),
        (
            lambda: dynamodb_event([{"id": 1, "s": set()}]),
            "set needs at least one entry, and all of one type: text, number or bytes",
        ),
        (lambda: dynamodb_event([{"id": 1, "s": {1, "a"}}]), "a DynamoDB set needs at least one entry"),
        (lambda: dynamodb_event([{"id": 1, "s": {(1,)}}]), "a DynamoDB set needs at least one entry"),
        (
            lambda: dynamodb_event([{"id": float("nan")}]),
            "can't store the number nan: it takes finite numbers of up to 38 digits",
        ),
        (lambda: dynamodb_event([{"id": 10**38 + 1}]), "can't store the number 1000"),
        (lambda: dynamodb_event([{"id": 1}] * 10_001), "from 0 to 10,000"),
        (lambda: kafka_event(["a"]), "records takes a dict, such as {'orders-0': ['a', 'b']}"),
        (lambda: kafka_event({"orders": ["a"]}), "'<topic>-<number>'"),
        (lambda: kafka_event({"orders-0": "a"}), "takes a list"),
        (
            lambda: kafka_event({"orders-0": [("k", "v", "w")]}),
            "records takes values, or tuples of key and value: this tuple has 3 entries",
        ),
        (lambda: kafka_event({"o-0": ["a"] * 5001, "o-1": ["a"] * 5000}), "from 0 to 10,000"),
    ],
)
def test_events_that_lambda_would_not_deliver_are_refused(make, words):
    """Arguments beyond the limits are refused, and the message names them."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert words in str(caught.value)


def test_unknown_arguments_are_refused():
    """A misspelt argument is Python's own TypeError."""
    with pytest.raises(TypeError, match="fifi"):
        sqs_event([], fifi=True)
