"""Creates and fills the four event sources of the demo, each with a handler and pollers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from partialbatch.cli.demo import handlers
from partialbatch.cli.demo.tracking import ALWAYS, SourceTracker, id_of, sequence_of
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

__all__ = ["DemoSettings", "LocalSource", "make_sources"]

_ORDERS = {f"order-{n:02}": {9: ALWAYS, 27: ALWAYS}.get(n, int(n in {4, 15, 22, 33})) for n in range(1, 41)}
_PAYMENTS = {f"{g}-{n}": {"a-3": 1, "c-2": 1, "d-6": ALWAYS}.get(f"{g}-{n}", 0) for n in range(1, 7) for g in "abcd"}
_CLICKS = {f"click-{n:02}": {17: ALWAYS}.get(n, int(n in {5, 28})) for n in range(1, 41)}
_CUSTOMERS = {f"customer-{n:02}": {11: ALWAYS}.get(n, int(n in {3, 24})) for n in range(1, 31)}

_RECEIVES = 5
_RETRIES = 2
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Settings of the demo.

    Attributes:
        work_seconds: Seconds that the work on a record takes.
        report: Whether the event source mappings have ``ReportBatchItemFailures``.
        show_line: Called with a source's name and a line about each event.
    """

    work_seconds: float
    report: bool
    show_line: Callable[[str, str], None]

    def tracker(self, source: str, plan: Mapping[str, int]) -> SourceTracker:
        """Make the tracker of one source."""
        return SourceTracker(source, plan, work_seconds=self.work_seconds, show_line=self.show_line)


@dataclass(frozen=True, slots=True)
class LocalSource:
    """One source with its pollers.

    Attributes:
        tracker: Its counts.
        pollers: One for a queue, one per shard for a stream.
        drained: Called when the pollers find nothing; returns whether nothing is left to deliver.
        dead_letters: Returns the ids of the records that the service gave up.

    """

    tracker: SourceTracker
    pollers: Sequence[QueuePoller | ShardPoller]
    drained: Callable[[], bool]
    dead_letters: Callable[[], Iterable[str]]

    def run(self, stop: Event) -> None:
        """Poll until nothing is left or `stop` is set."""
        while not stop.is_set():
            busy = [poller.step() for poller in self.pollers]
            if not any(busy):
                if self.drained():
                    return
                stop.wait(_PAUSE)


def make_sources(client: Callable[[str], Any], settings: DemoSettings) -> list[LocalSource]:
    """Create and fill the sources. `client` makes boto3 clients."""
    sqs = client("sqs")
    return [
        _orders(sqs, settings),
        _payments(sqs, settings),
        _clicks(client("kinesis"), sqs, settings),
        _customers(client("dynamodb"), client("dynamodbstreams"), sqs, settings),
    ]


def _orders(sqs: Any, settings: DemoSettings) -> LocalSource:
    tracker = settings.tracker("SQS queue", _ORDERS)
    orders = [{"id": name, "amount": "lots" if times == ALWAYS else 9.5} for name, times in _ORDERS.items()]
    messages = [{"MessageBody": json.dumps(order)} for order in orders]  # "lots" never passes the validation
    return _queue(sqs, settings, tracker, handlers.orders(tracker.work), ("orders", messages))


def _payments(sqs: Any, settings: DemoSettings) -> LocalSource:
    tracker = settings.tracker("SQS FIFO queue", _PAYMENTS)
    messages = [
        {"MessageBody": json.dumps({"id": name}), "MessageGroupId": name[0], "MessageDeduplicationId": name}
        for name in _PAYMENTS
    ]
    return _queue(sqs, settings, tracker, handlers.payments(tracker.work), ("payments.fifo", messages))


def _clicks(kinesis: Any, sqs: Any, settings: DemoSettings) -> LocalSource:
    kinesis.create_stream(StreamName="clicks", ShardCount=2)
    arn = kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]
    records = [{"PartitionKey": name, "Data": json.dumps({"id": name}).encode()} for name in _CLICKS]
    kinesis.put_records(StreamARN=arn, Records=records)
    tracker = settings.tracker("Kinesis stream", _CLICKS)
    return _stream(sqs, settings, tracker, handlers.clicks(tracker.work), lambda: kinesis_shards(kinesis, arn))


def _customers(dynamodb: Any, streams: Any, sqs: Any, settings: DemoSettings) -> LocalSource:
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
    tracker = settings.tracker("DynamoDB stream", _CUSTOMERS)
    return _stream(sqs, settings, tracker, handlers.customers(tracker.work), lambda: dynamodb_shards(streams, arn))


def _queue(
    sqs: Any,
    settings: DemoSettings,
    tracker: SourceTracker,
    handler: Handler,
    content: tuple[str, list[dict[str, Any]]],
) -> LocalSource:
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
    poller = QueuePoller(sqs, url, handler, mapping, tracker)
    return LocalSource(
        tracker, [poller], poller.drained, lambda: [json.loads(body)["id"] for body in _receive_all(sqs, dead)]
    )


def _stream(
    sqs: Any,
    settings: DemoSettings,
    tracker: SourceTracker,
    handler: Handler,
    shards: Callable[[], Iterable[ShardReader]],
) -> LocalSource:
    destination = sqs.create_queue(QueueName=f"on-failure-{tracker.source.split()[0]}")["QueueUrl"]

    def on_failure(given_up: GivenUp) -> None:
        sqs.send_message(QueueUrl=destination, MessageBody=json.dumps(given_up.message()))

    mapping = StreamMapping(
        batch_size=10, report=settings.report, bisect=True, maximum_retry_attempts=_RETRIES, on_failure=on_failure
    )
    checkpoints: dict[str, str] = {}
    pollers = [ShardPoller(shard, handler, mapping, checkpoints, tracker) for shard in shards()]
    # No more records are put in, so a poller that finds none is at the end of its shard.
    return LocalSource(
        tracker, pollers, lambda: True, lambda: _records_pointed_at(_receive_all(sqs, destination), shards())
    )


def _receive_all(sqs: Any, url: str) -> list[str]:
    """Receive every message of a queue and return the bodies."""
    bodies: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in messages]
    return bodies


def _records_pointed_at(bodies: Iterable[str], shards: Iterable[ShardReader]) -> list[str]:
    """Read the records that an on-failure destination points at from the stream, as an operator would."""
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
