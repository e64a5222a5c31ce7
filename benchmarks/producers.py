"""Producers: what they cost beside JSON and the call, how many calls they make, and what they hold."""

from __future__ import annotations

import json
import tracemalloc
from functools import partial
from random import Random
from time import process_time

import boto3
from boto3.dynamodb.table import BatchWriter
from boto3.dynamodb.transform import TransformationInjector, copy_dynamodb_params

from partialbatch.producers import DynamoDBProducer, KinesisProducer, SQSProducer
from partialbatch.producers._dynamodb_types import ItemSerializer

from .table import Row, by_key, render

RECORDS = 5_000
ROUNDS = 25
ORDERS = [{"order_id": f"order-{number:06d}", "amount": number, "lines": ["a", "b"]} for number in range(RECORDS)]
ITEMS = [
    {
        "pk": f"customer-{number:06d}", "sk": number, "name": "Jane Doe", "city": "Dublin", "amount": number * 100,
        "paid": True, "note": None, "tags": ["new", "eu"], "address": {"street": "Main Street", "number": 5},
        "updated": "2026-01-02T03:04:05Z", "version": 3,
    }
    for number in range(RECORDS)
]  # fmt: skip
_OWN = {
    "kinesis-500": ("Kinesis, batches of 500", 2.0),
    "kinesis-10": ("Kinesis, batches of 10", 2.0),
    "sqs": ("SQS", 1.7),
    "dynamodb": ("DynamoDB", 2.0),
}
"""The most microseconds that a producer may add to a record, beyond serializing and the call."""

ROWS = (
    *(
        Row(f"producer-{key}", f"{name}: own cost a record", target=1.0, against=f"{most} µs")
        for key, (name, most) in _OWN.items()
    ),
    Row("producer-kinesis-even", "Kinesis: the dearer of both batch sizes", target=1.2, against="the cheaper"),
    Row("producer-dynamodb-writer", "DynamoDB, 11 attributes: a record", target=0.5, against="boto3's batch_writer"),
    Row("producer-dynamodb-item", "DynamoDB, 11 attributes: serializing alone", target=1.0, against="4.5 µs"),
    Row("producer-calls", "calls for 10,000 records, 20 % rejected", "calls", 1.02, "an oracle"),
    Row("producer-memory", "peak memory, 1,000,000 records", "MB", 1.0, "max_pending + a batch"),
)
_ROWS = by_key(ROWS)
encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


# ruff: noqa: ARG002 - the clients take what boto3's take


class AtOnce:
    """A client of all services, which accepts everything at once."""

    def send_message_batch(self, QueueUrl, Entries):
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def put_records(self, StreamName, Records):
        return {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1"}] * len(Records)}

    def batch_write_item(self, RequestItems):
        return {"UnprocessedItems": {}}


class Transforming(AtOnce):
    """The same for boto3's `batch_writer`, whose client serialises what it is given."""

    def __init__(self):
        session = boto3.session.Session()
        client = session.client(
            "dynamodb", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.model = client.meta.service_model.operation_model("BatchWriteItem")
        self.inject = TransformationInjector().inject_attribute_value_input

    def batch_write_item(self, RequestItems):
        # As boto3's resource does, which must not change the caller's items.
        self.inject(copy_dynamodb_params({"RequestItems": RequestItems}), self.model)
        return {"UnprocessedItems": {}}


class Rejecting(AtOnce):
    """A client that throttles a fifth of all entries, at random."""

    def __init__(self, seed):
        self.random = Random(seed).random
        self.calls = 0

    def send_message_batch(self, QueueUrl, Entries):
        self.calls += 1
        answer = {"Successful": [], "Failed": []}
        for entry in Entries:
            failed = self.random() < 0.2
            answer["Failed" if failed else "Successful"].append(
                {"Id": entry["Id"], "Code": "RequestThrottled", "SenderFault": True}
            )
        return answer


def fastest(contestants):
    """Return the least seconds of each contestant; in turns, in CPU time: other work on the machine is not ours."""
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(ROUNDS):
        for name, work in contestants.items():
            start = process_time()
            work()
            best[name] = min(best[name], process_time() - start)
    return best


def kinesis(batch):
    producer = KinesisProducer("stream", client=AtOnce(), max_entries=batch)
    for order in ORDERS:
        producer.put(order, partition_key="key")
    assert producer.flush() == []


def kinesis_floor(batch):
    """The JSON and the calls, from a list."""
    client = AtOnce()
    for start in range(0, RECORDS, batch):
        client.put_records("stream", [encode(order).encode() for order in ORDERS[start : start + batch]])


def sqs():
    producer = SQSProducer("queue", client=AtOnce())
    for order in ORDERS:
        producer.put(order)
    assert producer.flush() == []


def sqs_floor():
    client, known = AtOnce(), [{"Id": str(number)} for number in range(10)]
    for start in range(0, RECORDS, 10):
        for order in ORDERS[start : start + 10]:
            encode(order)
        client.send_message_batch("queue", known)


def dynamodb():
    producer = DynamoDBProducer("table", keys=("pk", "sk"), client=AtOnce())
    for item in ITEMS:
        producer.put(item)
    assert producer.flush() == []


def dynamodb_floor():
    """Serialising and the calls."""
    client, write = AtOnce(), ItemSerializer(convert_floats=False).item
    for start in range(0, RECORDS, 25):
        client.batch_write_item([write(item) for item in ITEMS[start : start + 25]])


def dynamodb_items():
    write = ItemSerializer(convert_floats=False).item
    for item in ITEMS:
        write(item)


def batch_writer(client):
    with BatchWriter("table", client, overwrite_by_pkeys=["pk", "sk"]) as writer:
        for item in ITEMS:
            writer.put_item(item)


def speed():
    times = fastest(
        {
            "kinesis 500": partial(kinesis, 500), "floor 500": partial(kinesis_floor, 500),
            "kinesis 10": partial(kinesis, 10), "floor 10": partial(kinesis_floor, 10),
            "sqs": sqs, "sqs floor": sqs_floor, "dynamodb": dynamodb, "dynamodb floor": dynamodb_floor,
            "batch_writer": partial(batch_writer, Transforming()), "dynamodb item": dynamodb_items,
        }
    )  # fmt: skip
    each = {name: seconds / RECORDS * 1e6 for name, seconds in times.items()}
    own = {
        "kinesis-500": (each["kinesis 500"], each["floor 500"]),
        "kinesis-10": (each["kinesis 10"], each["floor 10"]),
        "sqs": (each["sqs"], each["sqs floor"]),
        "dynamodb": (each["dynamodb"], each["dynamodb floor"]),
    }
    rows = [
        _ROWS[f"producer-{key}"].measured(total - floor, _OWN[key][1], floor) for key, (total, floor) in own.items()
    ]
    cheaper, dearer = sorted(rows[at]["ours"] for at in (0, 1))
    rows.append(_ROWS["producer-kinesis-even"].measured(dearer, cheaper))
    rows.append(
        _ROWS["producer-dynamodb-writer"].measured(each["dynamodb"], each["batch_writer"], each["dynamodb floor"])
    )
    rows.append(_ROWS["producer-dynamodb-item"].measured(each["dynamodb item"], 4.5))
    return rows


def oracle(count, batch, seed):
    """Count the calls of one who knows no record, and fills each round."""
    random, calls = Random(seed).random, 0
    while count:
        sent = min(batch, count)
        count -= sum(random() >= 0.2 for _ in range(sent))
        calls += 1
    return calls


def calls():
    made = best = 0
    for seed in range(5):
        client = Rejecting(seed)
        producer = SQSProducer("queue", client=client, sleep=lambda _: None)
        for number in range(10_000):
            producer.put(str(number))
        assert producer.flush() == []
        made += client.calls
        best += oracle(10_000, 10, seed)
    return [_ROWS["producer-calls"].measured(made / 5, best / 5)]


def peak(work):
    """Return the most MB that a piece of work had allocated at a time."""
    tracemalloc.start()
    kept = work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del kept
    return most / 1e6


def memory():
    """A million records from a generator, against as many as may be held and one batch more."""
    producer = KinesisProducer("stream", client=AtOnce(), max_pending=1_000)

    def send():
        for number in range(1_000_000):
            producer.put(b"%064d" % number, partition_key="key")
        assert producer.flush() == []

    def hold():
        return [producer.entry(b"%064d" % number, {"partition_key": "key"}) for number in range(1_000 + 500)]

    bound = peak(hold)
    return [_ROWS["producer-memory"].measured(peak(send), bound)]


def run(wanted):
    keys = {row.key for row in wanted}
    parts = {"producer-calls": calls, "producer-memory": memory}
    rows = speed() if keys - set(parts) else []
    for key, part in parts.items():
        rows += part() if key in keys else []
    return [entry for entry in rows if entry["key"] in keys]


if __name__ == "__main__":
    print(render(run(ROWS)))
