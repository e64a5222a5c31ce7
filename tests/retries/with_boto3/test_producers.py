"""Every producer as a sink and as a dead letter: against moto's server, or scripted clients."""

from __future__ import annotations

import json
import socket

import boto3
import pytest
from batches import kinesis, number, reported, sqs
from botocore.config import Config
from moto.server import ThreadedMotoServer

from partialbatch import Reject, batch_handler
from partialbatch._backoff import Backoff
from partialbatch.producers import (
    CloudWatchProducer,
    DynamoDBProducer,
    EventBridgeProducer,
    FirehoseProducer,
    Item,
    KinesisProducer,
    SNSProducer,
    SQSProducer,
)

ONCE = Backoff(0.001, 0.001, max_stalls=1)


def _rejects(record):
    raise Reject("for good")


# Producers against moto's server, over HTTP.


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
def client(moto):
    made = []

    def make(service):
        made.append(
            boto3.client(
                service,
                endpoint_url=f"http://127.0.0.1:{moto}",
                region_name="eu-west-1",
                config=Config(retries={"total_max_attempts": 1}),
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def received(client, url):
    """Return the bodies of a queue, in the order in which they came."""
    bodies = []
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        bodies += [json.loads(message["Body"]) for message in messages]
        for message in messages:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


@pytest.mark.parametrize("workers", [0, 2])
def test_sqs_as_sink_and_dead_letter(client, workers):
    """One producer may be both: each has a session of its own."""
    sqs_client = client("sqs")
    url = sqs_client.create_queue(QueueName=f"out-{workers}")["QueueUrl"]
    producer = SQSProducer(url, client=sqs_client, workers=workers)

    def body(record):
        if number(record) % 5 == 0:
            raise Reject("fives")
        return [{"n": number(record)}] * 2

    handler = batch_handler(body, sink=producer, dead_letter=producer)
    result = handler.process(sqs(25))
    assert len(result.dead_lettered) == 5
    assert len(result.succeeded) == 20
    bodies = received(sqs_client, url)
    assert sorted(entry["n"] for entry in bodies if "n" in entry) == sorted([n for n in range(25) if n % 5] * 2)
    assert {entry["identifier"] for entry in bodies if "record" in entry} == {"m0", "m5", "m10", "m15", "m20"}
    assert producer.flush() == []


def test_fifo_queues_keep_groups_in_order(client):
    """To a FIFO queue the group goes along as the message group, and dead letters of lone records have a name too."""
    sqs_client = client("sqs")
    url = sqs_client.create_queue(
        QueueName="out.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    producer = SQSProducer(url, client=sqs_client)
    groups = "aabababb"
    result = batch_handler(lambda record: {"n": number(record)}, sink=producer, max_concurrency=2).process(
        sqs(8, groups=groups)
    )
    assert len(result.succeeded) == 8
    order = [entry["n"] for entry in received(sqs_client, url)]
    for group in "ab":
        assert [n for n in order if groups[n] == group] == [n for n in range(8) if groups[n] == group]
    assert len(batch_handler(_rejects, dead_letter=producer).process(sqs(2)).dead_lettered) == 2
    assert sorted(entry["identifier"] for entry in received(sqs_client, url)) == ["m0", "m1"]


def test_a_queue_that_is_gone_fails_the_records(client):
    """Nothing passes for sent where there is nothing to send to."""
    producer = SQSProducer("http://127.0.0.1/123456789012/gone", client=client("sqs"), backoff=ONCE)
    handler = batch_handler(number, sink=producer, raise_on_full_failure=False)
    assert len(reported(handler(sqs(12)))) == 12


def test_a_service_that_does_not_answer_fails_the_records():
    """A refused connection accepts nothing, and the dead letter keeps its record on the source."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nobody = boto3.client(
        "sqs",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    producer = SQSProducer("http://127.0.0.1/123456789012/queue", client=nobody, backoff=ONCE)
    result = batch_handler(
        lambda record: _rejects(record) if number(record) else "item", sink=producer, dead_letter=producer
    ).process(sqs(2))
    assert [entry.status for entry in result.results] == ["failed", "failed"]
    nobody.close()


def test_dynamodb_as_sink_and_dead_letter(client):
    """Items and letters are written under their keys; the last write of a key is the last record's."""
    dynamodb = client("dynamodb")
    for table, key in (("sunk_orders", "id"), ("buried_letters", "identifier")):
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    sink = DynamoDBProducer("sunk_orders", keys="id", client=dynamodb)
    letters = DynamoDBProducer("buried_letters", keys="identifier", client=dynamodb, floats="convert")

    def body(record):
        if number(record) == 7:
            raise Reject("seven")
        return {"id": record.group, "n": number(record)}

    result = batch_handler(body, sink=sink, dead_letter=letters).process(kinesis("abcabcabca"))
    assert len(result.dead_lettered) == 1
    rows = {row["id"]["S"]: row["n"]["N"] for row in dynamodb.scan(TableName="sunk_orders")["Items"]}
    assert rows == {"a": "9", "b": "4", "c": "8"}
    (row,) = dynamodb.scan(TableName="buried_letters")["Items"]
    assert row["identifier"] == {"S": "7"}
    assert row["error"]["M"]["text"] == {"S": "seven"}
    assert row["record"]["M"]["kinesis"]["M"]["partitionKey"] == {"S": "b"}


class Table:
    """A DynamoDB client that refuses each put with a marked item, and remembers the others."""

    def __init__(self, refused):
        self.refused = refused
        self.written = []

    def batch_write_item(self, RequestItems):  # noqa: N803 - boto3's name
        left = {}
        for table, requests in RequestItems.items():
            for request in requests:
                n = int(request["PutRequest"]["Item"]["n"]["N"])
                if n in self.refused:
                    left.setdefault(table, []).append(request)
                else:
                    self.written.append(n)
        return {"UnprocessedItems": left}


def test_an_item_that_a_refused_one_replaced_is_no_success():
    """Two records write one key, and the second write is refused: the first record succeeds, and is written."""
    table = Table({1})
    sink = DynamoDBProducer("orders", keys="id", client=table, backoff=ONCE)
    result = batch_handler(lambda record: {"id": "x", "n": number(record)}, sink=sink).process(sqs(2))
    assert [entry.status for entry in result.results] == ["succeeded", "failed"]
    assert table.written == [0]
    refusing = DynamoDBProducer("orders", keys="id", client=Table(set()), on_duplicate="error")
    result = batch_handler(lambda record: {"id": "x", "n": number(record)}, sink=refusing).process(sqs(2))
    assert [entry.status for entry in result.results] == ["succeeded", "failed"]


class Scripted:
    """A client of the other services that accepts all but one entry: the second of the first call."""

    def __init__(self):
        self.calls = []

    def _aligned(self, entries):
        refused = self.calls[0][1]
        return [{"ErrorCode": "InternalFailure"} if entry is refused else {} for entry in entries]

    def put_records(self, Records, **_):  # noqa: N803 - boto3's name
        self.calls.append(Records)
        return {"FailedRecordCount": 1, "Records": self._aligned(Records)}

    def put_record_batch(self, Records, **_):  # noqa: N803 - boto3's name
        self.calls.append(Records)
        return {"FailedPutCount": 1, "RequestResponses": self._aligned(Records)}

    def put_events(self, Entries, **_):  # noqa: N803 - boto3's name
        self.calls.append(Entries)
        return {"FailedEntryCount": 1, "Entries": self._aligned(Entries)}

    def publish_batch(self, PublishBatchRequestEntries, **_):  # noqa: N803 - boto3's name
        entries = PublishBatchRequestEntries
        self.calls.append(entries)
        failed = [{"Id": entry["Id"], "Code": "Invalid", "SenderFault": True} for entry in entries[1:2]]
        return {"Successful": [{"Id": entry["Id"]} for entry in (*entries[:1], *entries[2:])], "Failed": failed}

    def put_metric_data(self, MetricData, **_):  # noqa: N803 - boto3's name
        self.calls.append(MetricData)


PRODUCERS = {
    "kinesis": lambda client: KinesisProducer("stream", client=client, backoff=ONCE),
    "firehose": lambda client: FirehoseProducer("stream", client=client, backoff=ONCE),
    "sns": lambda client: SNSProducer("arn:aws:sns:eu-west-1:123456789012:t", client=client, backoff=ONCE),
    "eventbridge": lambda client: EventBridgeProducer(
        "bus", source="app", detail_type="letter", client=client, backoff=ONCE
    ),
}


@pytest.mark.parametrize("name", PRODUCERS)
def test_every_producer_as_sink(name):
    """What the second entry of a call holds is refused: its record fails, all others succeed."""
    client = Scripted()

    def body(record):
        item = {"n": number(record)}
        return Item(item, partition_key="k") if name == "kinesis" else item

    result = batch_handler(body, sink=PRODUCERS[name](client)).process(sqs(4))
    assert [entry.status for entry in result.results] == ["succeeded", "failed", "succeeded", "succeeded"]


@pytest.mark.parametrize("name", PRODUCERS)
def test_every_producer_as_dead_letter(name):
    """Of two letters the second one is refused: its record fails, the other one is taken off the source."""
    client = Scripted()
    result = batch_handler(_rejects, dead_letter=PRODUCERS[name](client)).process(sqs(2))
    assert [entry.status for entry in result.results] == ["dead_lettered", "failed"]
    assert len(client.calls[0]) == 2


def test_a_metrics_producer_as_sink_takes_a_datum_and_fails_other_items():
    """A producer of metric data takes boto3's dict of a datum; what is none fails its record."""
    client = Scripted()
    sink = CloudWatchProducer("orders", client=client)

    def body(record):
        return {"MetricName": "n", "Value": number(record)} if number(record) else {"Value": 1}

    result = batch_handler(body, sink=sink).process(sqs(3))
    assert [entry.status for entry in result.results] == ["failed", "succeeded", "succeeded"]
    assert isinstance(result.failed[0].error, ValueError)
    assert [len(call) for call in client.calls] == [2]
