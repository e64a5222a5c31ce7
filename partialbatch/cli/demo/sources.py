"""The four event sources of the demo: made, filled, and each given its handler and poller."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from partialbatch.cli.demo import handlers
from partialbatch.cli.demo.ledger import ALWAYS, Ledger, id_of, sequence_of
from partialbatch.worker import (
    QueueMapping,
    QueuePoller,
    ShardPoller,
    StreamMapping,
    dynamodb_shards,
    kinesis_shards,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from threading import Event

    from partialbatch.cli.demo.handlers import Handler
    from partialbatch.worker import GivenUp, ShardReader

__all__ = ["Settings", "Source", "make_sources"]

_ORDERS = {f"order-{n:02}": {9: ALWAYS, 27: ALWAYS}.get(n, int(n in {4, 15, 22, 33})) for n in range(1, 41)}
_PAYMENTS = {f"{g}-{n}": {"a-3": 1, "c-2": 1, "d-6": ALWAYS}.get(f"{g}-{n}", 0) for n in range(1, 7) for g in "abcd"}
_CLICKS = {f"click-{n:02}": {17: ALWAYS}.get(n, int(n in {5, 28})) for n in range(1, 41)}
_CUSTOMERS = {f"customer-{n:02}": {11: ALWAYS}.get(n, int(n in {3, 24})) for n in range(1, 31)}

_RECEIVES = 5
_RETRIES = 2
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Settings:
    """How the demo runs.

    Attributes:
        pace: Seconds of pretended work a record.
        report: Whether the event source mappings have ``ReportBatchItemFailures``.
        tell: Called with a source's name and a line on what happened there.
    """

    pace: float
    report: bool
    tell: Callable[[str, str], None]

    def ledger(self, source: str, plan: Mapping[str, int]) -> Ledger:
        """Open the book of one source."""
        return Ledger(source, plan, pace=self.pace, tell=self.tell)


@dataclass(frozen=True, slots=True)
class Source:
    """One source with its pollers.

    Attributes:
        ledger: Its bookkeeping.
        pollers: One for a queue, one for each shard of a stream.
        drained: Tells whether nothing is left to deliver once the pollers find nothing.
        dead_letters: Reads back which records the service gave up.
    """

    ledger: Ledger
    pollers: Sequence[QueuePoller | ShardPoller]
    drained: Callable[[], bool]
    dead_letters: Callable[[], Iterable[str]]

    def run(self, stop: Event) -> None:
        """Poll until nothing is left, or until told to stop."""
        while not stop.is_set():
            busy = [poller.step() for poller in self.pollers]
            if not any(busy):
                if self.drained():
                    return
                stop.wait(_PAUSE)


def make_sources(client: Callable[[str], Any], settings: Settings) -> list[Source]:
    """Make and fill the sources; `client` makes boto3 clients."""
    sqs = client("sqs")
    return [
        _orders(sqs, settings),
        _payments(sqs, settings),
        _clicks(client("kinesis"), sqs, settings),
        _customers(client("dynamodb"), client("dynamodbstreams"), sqs, settings),
    ]


def _orders(sqs: Any, settings: Settings) -> Source:
    ledger = settings.ledger("SQS queue", _ORDERS)
    orders = [{"id": name, "amount": "lots" if times == ALWAYS else 9.5} for name, times in _ORDERS.items()]
    messages = [{"MessageBody": json.dumps(order)} for order in orders]  # "lots" never passes the validation
    return _queue(sqs, settings, ledger, handlers.orders(ledger.work), ("orders", messages))


def _payments(sqs: Any, settings: Settings) -> Source:
    ledger = settings.ledger("SQS FIFO queue", _PAYMENTS)
    messages = [
        {"MessageBody": json.dumps({"id": name}), "MessageGroupId": name[0], "MessageDeduplicationId": name}
        for name in _PAYMENTS
    ]
    return _queue(sqs, settings, ledger, handlers.payments(ledger.work), ("payments.fifo", messages))


def _clicks(kinesis: Any, sqs: Any, settings: Settings) -> Source:
    kinesis.create_stream(StreamName="clicks", ShardCount=2)
    arn = kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]
    records = [{"PartitionKey": name, "Data": json.dumps({"id": name}).encode()} for name in _CLICKS]
    kinesis.put_records(StreamARN=arn, Records=records)
    ledger = settings.ledger("Kinesis stream", _CLICKS)
    return _stream(sqs, settings, ledger, handlers.clicks(ledger.work), lambda: kinesis_shards(kinesis, arn))


def _customers(dynamodb: Any, streams: Any, sqs: Any, settings: Settings) -> Source:
    dynamodb.create_table(
        TableName="customers",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    for visits, name in enumerate(_CUSTOMERS):
        dynamodb.put_item(TableName="customers", Item={"id": {"S": name}, "visits": {"N": str(visits)}})
    arn = dynamodb.describe_table(TableName="customers")["Table"]["LatestStreamArn"]
    ledger = settings.ledger("DynamoDB stream", _CUSTOMERS)
    return _stream(sqs, settings, ledger, handlers.customers(ledger.work), lambda: dynamodb_shards(streams, arn))


def _queue(
    sqs: Any, settings: Settings, ledger: Ledger, handler: Handler, content: tuple[str, list[dict[str, Any]]]
) -> Source:
    name, messages = content
    fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    dead = sqs.create_queue(QueueName=f"dead-{name}", Attributes=fifo)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": _RECEIVES})
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": redrive, **fifo})["QueueUrl"]
    for start in range(0, len(messages), 10):
        entries = [{"Id": str(n), **message} for n, message in enumerate(messages[start : start + 10])]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    mapping = QueueMapping(report=settings.report, give_back_after=0)
    poller = QueuePoller(sqs, url, handler, mapping, ledger)
    return Source(ledger, [poller], poller.drained, lambda: [json.loads(body)["id"] for body in _take(sqs, dead)])


def _stream(
    sqs: Any, settings: Settings, ledger: Ledger, handler: Handler, shards: Callable[[], Iterable[ShardReader]]
) -> Source:
    destination = sqs.create_queue(QueueName=f"on-failure-{ledger.source.split()[0]}")["QueueUrl"]

    def on_failure(given_up: GivenUp) -> None:
        sqs.send_message(QueueUrl=destination, MessageBody=json.dumps(given_up.message()))

    mapping = StreamMapping(
        batch_size=10, report=settings.report, bisect=True, maximum_retry_attempts=_RETRIES, on_failure=on_failure
    )
    checkpoints: dict[str, str] = {}
    pollers = [ShardPoller(shard, handler, mapping, checkpoints, ledger) for shard in shards()]
    # Nobody puts more records: a poller that finds none has come to the end.
    return Source(ledger, pollers, lambda: True, lambda: _pointed_at(_take(sqs, destination), shards()))


def _take(sqs: Any, url: str) -> list[str]:
    """Take every message out of a queue and return the bodies."""
    bodies: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in messages]
    return bodies


def _pointed_at(bodies: Iterable[str], shards: Iterable[ShardReader]) -> list[str]:
    """Read the records again that an on-failure destination points at, as an operator would."""
    batches = [next(value for key, value in json.loads(body).items() if key.endswith("BatchInfo")) for body in bodies]
    found = []
    for shard in shards:
        ranges = [
            range(int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"]) + 1)
            for batch in batches
            if batch["shardId"] == shard.shard_id
        ]
        shard.seek(None)
        records = shard.read(1000)
        found += [id_of(record) for record in records if any(sequence_of(record) in span for span in ranges)]
    return found
