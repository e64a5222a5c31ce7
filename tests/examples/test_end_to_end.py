"""The examples that go all the way, over moto's server: what the tables, queues and buses hold in the end."""

from __future__ import annotations

import json
import threading
from collections import Counter
from decimal import Decimal
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from partialbatch import batch_handler
from partialbatch.testing import SimulatedQueue
from partialbatch.worker import (
    QueueMapping,
    QueuePoller,
    ShardPoller,
    StreamMapping,
    dynamodb_shards,
    kinesis_shards,
)


class Cloud:
    """Makes what a template names, and looks into it."""

    def __init__(self):
        self.sqs = boto3.client("sqs")
        self.dynamodb = boto3.client("dynamodb")
        self.kinesis = boto3.client("kinesis")
        self.streams = boto3.client("dynamodbstreams")
        self.events = boto3.client("events")

    def close(self):
        for client in vars(self).values():
            client.close()

    def queue(self, name, **attributes):
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def queue_arn(self, url):
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def redriven(self, name, dead_letters, **attributes):
        """Make a queue that gives five tries."""
        policy = {"deadLetterTargetArn": self.queue_arn(dead_letters), "maxReceiveCount": 5}
        return self.queue(name, RedrivePolicy=json.dumps(policy), **attributes)

    def send(self, url, bodies, groups=None):
        for number, body in enumerate(bodies):
            fifo = {"MessageGroupId": groups[number], "MessageDeduplicationId": str(number)} if groups else {}
            text = body if isinstance(body, str) else json.dumps(body)
            self.sqs.send_message(QueueUrl=url, MessageBody=text, **fifo)

    def bodies(self, url):
        """Take all messages off a queue."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    def deliver(self, url, handler):
        """Do what Lambda does, until the queue is empty."""
        poller = QueuePoller(self.sqs, url, handler, QueueMapping(give_back_after=0))
        while not poller.drained():
            poller.step()

    def table(self, name, key, **options):
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            **options,
        )

    def column(self, table, key, attribute):
        """Return one numeric attribute of all items, by their keys."""
        items = self.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
        return {item[key]["S"]: Decimal(item[attribute].get("N", "NaN")) for item in items}


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def cloud(server, monkeypatch):
    # moto's store belongs to the process: another test may have left something of that name.
    urlopen(Request(f"{server}/moto-api/reset", method="POST")).close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    cloud = Cloud()
    yield cloud
    cloud.close()


def order(number, **changes):
    return {"order_id": f"A-{number}", "quantity": number, "price": "1.50", **changes}


class Orders:
    def __init__(self, cloud, load, monkeypatch):
        self.invalid = cloud.queue("invalid")
        self.dead_letters = cloud.queue("dead")
        self.queue = cloud.redriven("orders", self.dead_letters)
        monkeypatch.setenv("ORDERS_TABLE", "orders")
        monkeypatch.setenv("INVALID_ORDERS_URL", self.invalid)
        self.example = load("orders_to_dynamodb")


@pytest.fixture
def orders(cloud, load, monkeypatch):
    return Orders(cloud, load, monkeypatch)


def test_orders_are_written_and_invalid_ones_set_aside(cloud, orders):
    """The table holds every valid order with its total; the invalid ones are in their queue, with the reason."""
    cloud.table("orders", "order_id")
    cloud.send(orders.queue, [order(number, quantity=0 if number == 7 else number) for number in range(1, 31)] + ["{"])
    cloud.deliver(orders.queue, orders.example.module.handler)
    written = {f"A-{number}": number * Decimal("1.50") for number in range(1, 31) if number != 7}
    assert cloud.column("orders", "order_id", "total") == written
    letters = {letter["record"]["body"]: letter["error"] for letter in cloud.bodies(orders.invalid)}
    assert letters.keys() == {json.dumps(order(7, quantity=0)), "{"}
    assert {error["type"] for error in letters.values()} == {"PayloadError"}
    assert cloud.bodies(orders.dead_letters) == []


def test_an_order_that_the_table_refuses_fails_alone(cloud, orders):
    """A key beyond DynamoDB's limit is retried, then taken by the dead-letter queue; its neighbours are written."""
    cloud.table("orders", "order_id")
    refused = order(2, order_id="A" * 2049)
    cloud.send(orders.queue, [order(1), refused, order(3)])
    cloud.deliver(orders.queue, orders.example.module.handler)
    assert cloud.column("orders", "order_id", "quantity") == {"A-1": 1, "A-3": 3}
    assert cloud.bodies(orders.dead_letters) == [refused]
    assert cloud.bodies(orders.invalid) == []


def test_orders_outlive_a_missing_table(cloud, orders):
    """While the table is away all orders come back; once it is there it gets them all."""
    cloud.send(orders.queue, [order(number) for number in range(1, 6)])
    poller = QueuePoller(cloud.sqs, orders.queue, orders.example.module.handler, QueueMapping(give_back_after=0))
    poller.step()
    poller.step()
    cloud.table("orders", "order_id")
    cloud.deliver(orders.queue, orders.example.module.handler)
    assert cloud.column("orders", "order_id", "quantity") == {f"A-{number}": number for number in range(1, 6)}
    assert cloud.bodies(orders.dead_letters) == []


def test_orders_event(cloud, orders):
    """The events beside the handler: the invalid order is done with too, as its dead letter was taken."""
    cloud.table("orders", "order_id")
    assert orders.example.run() == {"batchItemFailures": []}
    assert orders.example.run("event_failing") == {"batchItemFailures": []}
    assert len(cloud.column("orders", "order_id", "total")) == 3
    assert len(cloud.bodies(orders.invalid)) == 1


VISITS = {"ada": ["/home", "/cart", "/pay"], "bob": ["/home", "/pay"], "eve": ["/home"]}
CLICKS = [{"page": page, "user": user} for _ in range(4) for user, pages in VISITS.items() for page in pages]
COUNTS = Counter(click["page"] for click in CLICKS)


@pytest.fixture
def counter(cloud, load, monkeypatch):
    cloud.table("counts", "page")
    cloud.table("ledger", "id")
    monkeypatch.setenv("COUNTS_TABLE", "counts")
    monkeypatch.setenv("LEDGER_TABLE", "ledger")
    monkeypatch.setenv("INVALID_CLICKS_URL", cloud.queue("invalid"))
    return load("click_counter")


def count_with_a_broken_counter(cloud, handler):
    """Deliver all clicks, while for three deliveries the counter of one page takes nothing."""
    cloud.kinesis.create_stream(StreamName="clicks", ShardCount=1)
    arn = cloud.kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]
    records = [{"Data": json.dumps(click).encode(), "PartitionKey": click["user"]} for click in CLICKS]
    cloud.kinesis.put_records(StreamName="clicks", Records=records)
    cloud.dynamodb.put_item(TableName="counts", Item={"page": {"S": "/cart"}, "clicks": {"S": "broken"}})
    (shard,) = kinesis_shards(cloud.kinesis, arn)
    poller = ShardPoller(shard, handler, StreamMapping(), {})
    for _ in range(3):
        poller.step()
    cloud.dynamodb.delete_item(TableName="counts", Key={"page": {"S": "/cart"}})
    while poller.step():
        pass
    return cloud.column("counts", "page", "clicks")


def test_each_click_counts_once(cloud, counter):
    """While one page's counter fails, those of the others count no click twice, though all are delivered again."""
    assert count_with_a_broken_counter(cloud, counter.module.handler) == COUNTS


def test_clicks_would_count_twice_without_the_ledger(cloud, counter):
    """The same without `resume`: what follows the failure is counted in each delivery."""
    counts = count_with_a_broken_counter(cloud, batch_handler(counter.module.handler.__wrapped__))
    assert counts["/home"] > 3 * COUNTS["/home"]
    assert counts["/cart"] == COUNTS["/cart"]


def test_clicks_event(cloud, counter):
    """The events beside the handler: a click without a page holds up nothing, and is kept with the reason."""
    assert counter.run() == {"batchItemFailures": []}
    assert counter.run("event_failing") == {"batchItemFailures": []}
    assert cloud.column("counts", "page", "clicks") == {"/home": 4, "/cart": 1, "/pay": 2}
    (letter,) = cloud.bodies(cloud.queue("invalid"))
    assert letter["error"]["type"] == "PayloadError"
    assert letter["record"] == counter.event("event_failing")["Records"][1]


class Accounts:
    def __init__(self, cloud, load, monkeypatch):
        self.cloud = cloud
        cloud.table("accounts", "account")
        for name in ("acc-1", "acc-2"):
            item = {"account": {"S": name}, "balance": {"N": "0"}, "last_entry": {"N": "0"}}
            cloud.dynamodb.put_item(TableName="accounts", Item=item)
        monkeypatch.setenv("ACCOUNTS_TABLE", "accounts")
        self.example = load("fifo_ledger")

    @property
    def balances(self):
        return self.cloud.column("accounts", "account", "balance")


@pytest.fixture
def accounts(cloud, load, monkeypatch):
    return Accounts(cloud, load, monkeypatch)


ENTRIES = [(1, 100), (1, 40), (2, -150), (2, -10), (3, 80), (3, -30)]
GROUPS = ["acc-1", "acc-2"] * 3


def bodies():
    return [{"number": number, "cents": cents} for number, cents in ENTRIES]


def test_an_uncovered_entry_holds_up_its_account_alone(cloud, accounts):
    """The dead-letter queue gets the entry that is never covered, and none of those that waited behind it."""
    dead_letters = cloud.queue("dead.fifo", FifoQueue="true")
    url = cloud.redriven("entries.fifo", dead_letters, FifoQueue="true")
    cloud.send(url, bodies(), GROUPS)
    poller = QueuePoller(cloud.sqs, url, accounts.example.module.handler, QueueMapping(give_back_after=0))
    poller.step()
    assert accounts.balances == {"acc-1": 100, "acc-2": 0}
    cloud.deliver(url, accounts.example.module.handler)
    assert accounts.balances == {"acc-1": 180, "acc-2": 0}
    assert cloud.bodies(dead_letters) == [{"number": 2, "cents": -150}]


def test_entries_are_booked_in_order_and_once(accounts):
    """In every delivery an account's entries run in order, and one that is delivered again books nothing."""
    queue = SimulatedQueue(bodies(), fifo=True, groups=GROUPS, max_receive_count=5)
    delivery = queue.run(accounts.example.module.handler)
    delivery.assert_dead_lettered([delivery.records[2].identifier])
    delivery.assert_in_order()
    assert [len(record.invocations) for record in delivery.records] == [1, 1, 5, 1, 5, 1]
    queue.run(accounts.example.module.handler)
    assert accounts.balances == {"acc-1": 180, "acc-2": 0}


def test_accounts_are_worked_on_side_by_side(accounts):
    """Entries of two accounts are booked at the same time: here each waits for one of the other account."""
    met = threading.Barrier(2, timeout=20)

    def meet(**_):
        met.wait()

    accounts.example.module.dynamodb.meta.events.register("before-call.dynamodb.UpdateItem", meet)
    assert accounts.example.run() == {"batchItemFailures": []}
    assert accounts.balances == {"acc-1": 7_500, "acc-2": 4_000}


def test_an_entry_waits_for_its_money(cloud, accounts):
    """Covered before its last delivery, an entry is booked, and those behind it after it."""
    url = cloud.redriven("entries.fifo", cloud.queue("dead.fifo", FifoQueue="true"), FifoQueue="true")
    cloud.send(url, bodies(), GROUPS)
    poller = QueuePoller(cloud.sqs, url, accounts.example.module.handler, QueueMapping(give_back_after=0))
    poller.step()
    poller.step()
    cloud.dynamodb.update_item(
        TableName="accounts",
        Key={"account": {"S": "acc-1"}},
        UpdateExpression="ADD balance :gift",
        ExpressionAttributeValues={":gift": {"N": "50"}},
    )
    cloud.deliver(url, accounts.example.module.handler)
    assert accounts.balances == {"acc-1": 80, "acc-2": 0}
    assert cloud.column("accounts", "account", "last_entry") == {"acc-1": 3, "acc-2": 3}


def test_entries_event(accounts):
    """The events beside the handler: an entry that is not covered comes back with the one behind it."""
    event = accounts.example.event("event_failing")
    assert accounts.example.run("event_failing") == {
        "batchItemFailures": [{"itemIdentifier": event["Records"][number]["messageId"]} for number in (1, 3)]
    }
    assert accounts.example.run() == {"batchItemFailures": []}
    assert accounts.balances == {"acc-1": 7_500, "acc-2": 4_000}


class Bus:
    """A bus whose events all go to a queue, and the stream of a table."""

    def __init__(self, cloud, load, monkeypatch):
        self.cloud = cloud
        self.heard = cloud.queue("heard")
        self.given_up = []
        self.change_ids = []
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        cloud.table("orders", "order_id", StreamSpecification=stream)
        monkeypatch.setenv("EVENT_BUS", "shop")
        self.example = load("dynamodb_to_eventbridge")

    def create(self):
        self.cloud.events.create_event_bus(Name="shop")
        pattern = json.dumps({"source": ["shop.orders"]})
        self.cloud.events.put_rule(Name="all", EventBusName="shop", EventPattern=pattern)
        target = {"Id": "heard", "Arn": self.cloud.queue_arn(self.heard)}
        self.cloud.events.put_targets(Rule="all", EventBusName="shop", Targets=[target])

    def put(self, order_id, status=None, **more):
        item = {"order_id": order_id, "status": status, **more}
        typed = {name: {"S": value} for name, value in item.items() if value is not None}
        self.cloud.dynamodb.put_item(TableName="orders", Item=typed)

    def poller(self):
        arn = self.cloud.dynamodb.describe_table(TableName="orders")["Table"]["LatestStreamArn"]
        (shard,) = dynamodb_shards(self.cloud.streams, arn)
        mapping = StreamMapping(bisect=True, maximum_retry_attempts=2, on_failure=self.given_up.append)
        return ShardPoller(shard, self.example.module.handler, mapping, {})

    def events(self):
        """Return what was heard of each order, in the order of arrival."""
        heard = {}
        for event in self.cloud.bodies(self.heard):
            detail = event["detail"]
            self.change_ids.append(detail["change_id"])
            heard.setdefault(detail["order_id"], []).append((event["detail-type"], detail.get("status")))
        return heard


@pytest.fixture
def bus(cloud, load, monkeypatch):
    return Bus(cloud, load, monkeypatch)


CHANGED, REMOVED = "OrderStatusChanged", "OrderRemoved"


def test_changes_become_events(cloud, bus):
    """Every change of a status is heard of once, in order; other changes are not."""
    bus.create()
    for number in range(12):
        bus.put(f"A-{number}", "placed")
        bus.put(f"A-{number}", "placed", note="by the gate")
        bus.put(f"A-{number}", "shipped")
        cloud.dynamodb.delete_item(TableName="orders", Key={"order_id": {"S": f"A-{number}"}})
    poller = bus.poller()
    while poller.step():
        pass
    story = [(CHANGED, "placed"), (CHANGED, "shipped"), (REMOVED, None)]
    assert bus.events() == {f"A-{number}": story for number in range(12)}
    assert len(set(bus.change_ids)) == 36


def test_a_change_that_fails_holds_up_its_order_alone(bus):
    """Behind a change that cannot be read the same order's wait; those of others are published at once."""
    bus.create()
    bus.put("A-2")
    for status in ("placed", "shipped"):
        bus.put("A-2", status)
        bus.put("A-1", status)
    poller = bus.poller()
    poller.step()
    assert bus.events() == {"A-1": [(CHANGED, "placed"), (CHANGED, "shipped")]}
    while poller.step():
        pass
    assert bus.events()["A-2"] == [(CHANGED, "shipped")]
    given_up = [record["dynamodb"]["Keys"]["order_id"]["S"] for batch in bus.given_up for record in batch.records]
    assert given_up == ["A-2", "A-2"]


def test_changes_wait_for_the_bus(bus):
    """While there is no bus every change comes back; then all are published, in order."""
    for status in ("placed", "packed", "shipped"):
        bus.put("A-1", status)
    poller = bus.poller()
    poller.step()
    bus.create()
    while poller.step():
        pass
    assert bus.events() == {"A-1": [(CHANGED, "placed"), (CHANGED, "packed"), (CHANGED, "shipped")]}
    assert bus.given_up == []


def test_changes_event(bus):
    """The events beside the handler: what cannot be read is reported, with the same order's next changes."""
    bus.create()
    assert bus.example.run() == {"batchItemFailures": []}
    event = bus.example.event("event_failing")
    assert bus.example.run("event_failing") == {
        "batchItemFailures": [
            {"itemIdentifier": event["Records"][number]["dynamodb"]["SequenceNumber"]} for number in (1, 3, 5)
        ]
    }
    story = [(CHANGED, "placed"), (CHANGED, "shipped"), (REMOVED, None)]
    assert bus.events() == {"A-1001": story * 2, "A-1002": [(CHANGED, "placed")]}
