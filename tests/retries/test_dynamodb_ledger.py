"""What the DynamoDB ledger asks of its client, and what it makes of odd answers."""

from __future__ import annotations

from time import time

import pytest
from batches import STREAM, kinesis

from partialbatch import batch_handler
from partialbatch.retries import ResumeLedger, _entries
from partialbatch.retries._dynamodb_ledger import DynamoDBLedger


class Table:
    """A client that keeps items in a dict and notes what is called."""

    def __init__(self):
        self.items = {}
        self.calls = []
        self.breaks = None

    def get_item(self, **parameters):
        self.calls.append(("get", parameters))
        if self.breaks == "get":
            raise TimeoutError
        item = self.items.get(parameters["Key"]["id"]["S"])
        return {} if item is None else {"Item": item}

    def put_item(self, **parameters):
        self.calls.append(("put", parameters))
        if self.breaks == "put":
            raise TimeoutError
        self.items[parameters["Item"]["id"]["S"]] = parameters["Item"]


READER = f"{__name__}:handle.<locals>.handler"


@pytest.fixture
def table():
    return Table()


def handle(table, event, fails=(), consumer="orders"):
    ran = []

    @batch_handler(resume=ResumeLedger.dynamodb("ledger", consumer=consumer, client=table))
    def handler(record):
        ran.append(record.text)
        if record.text in fails:
            raise ValueError

    handler.process(event)
    return ran


def test_one_consistent_read_and_no_write_while_all_goes_well(table):
    """A clean batch costs one strongly consistent read of one item."""
    handle(table, kinesis("abc"))
    [(kind, parameters)] = table.calls
    assert kind == "get"
    key = f"orders|{STREAM}/shardId-000000000000|{READER}|0"
    assert parameters == {"TableName": "ledger", "Key": {"id": {"S": key}}, "ConsistentRead": True}


def test_one_write_a_partial_failure(table):
    """The item names the consumer, the stream, the handler and the checkpoint, what is done, and when it may go."""
    handle(table, kinesis("abc"), {"1"})
    assert [kind for kind, _ in table.calls] == ["get", "put"]
    [(name, item)] = table.items.items()
    assert name == f"orders|{STREAM}/shardId-000000000000|{READER}|1"
    assert item["done"] == {"S": '["2"]'}
    assert abs(int(item["expires_at"]["N"]) - time() - 86_400) < 60


def test_the_redelivery_skips_what_is_done(table):
    """Another handler on the same table, another execution environment that is, knows it too."""
    handle(table, kinesis("abc"), {"0"})
    assert handle(table, kinesis("abc")) == ["0"]


def test_two_consumers_of_one_stream_share_nothing(table):
    """What one function has done, the other still has to do."""
    handle(table, kinesis("abc"), {"0"}, consumer="billing")
    assert handle(table, kinesis("abc")) == ["0", "1", "2"]


def test_a_kill_before_the_write_runs_records_again(table, monkeypatch):
    """An environment that ends between its read and its write leaves no entry, or the one before: both are true."""
    handle(table, kinesis("abc"), {"0", "1"})
    monkeypatch.setattr(DynamoDBLedger, "write", lambda *_: None)
    assert handle(table, kinesis("abc"), {"0"}) == ["0", "1"]
    assert handle(table, kinesis("abc")) == ["0", "1"]


def test_entries_that_expired_and_still_are_there_do_not_count(table):
    """DynamoDB removes expired items late."""
    handle(table, kinesis("abc"), {"0"})
    [item] = table.items.values()
    item["expires_at"] = {"N": str(int(time()) - 1)}
    assert handle(table, kinesis("abc")) == ["0", "1", "2"]


@pytest.mark.parametrize("change", [{"done": {"S": "{"}}, {"done": {"L": []}}, {"expires_at": {"S": "soon"}}])
def test_an_item_of_another_shape_is_told_and_not_used(table, change, caplog):
    """A table that something else writes to costs duplicated work, no more."""
    handle(table, kinesis("abc"), {"0"})
    [item] = table.items.values()
    item |= change
    assert handle(table, kinesis("abc")) == ["0", "1", "2"]
    assert "the resume ledger could not be read" in caplog.text


@pytest.mark.parametrize(("breaks", "ran"), [("get", ["0", "1", "2"]), ("put", ["0"])])
def test_a_table_that_fails_changes_nothing_else(table, breaks, ran, caplog):
    """The batch runs as without the ledger, and the log says so."""
    handle(table, kinesis("abc"), {"0"})
    table.breaks = breaks
    assert handle(table, kinesis("abc"), {"0"}) == ran
    assert "the resume ledger could not be" in caplog.text


def test_an_item_stays_under_300_kb(table):
    """Of 10,000 records the last are left out; they run again."""
    numbers = [f"{index:056}" for index in range(10_000)]
    ResumeLedger.dynamodb("ledger", consumer="orders", client=table).remember(STREAM, numbers[0], numbers[1:])
    [item] = table.items.values()
    size = sum(len(name) + sum(map(len, value.values())) for name, value in item.items())
    assert 280_000 < size < 300_000
    assert _entries.decoded(item["done"]["S"]) == frozenset(numbers[1 : 1 + len(_entries.decoded(item["done"]["S"]))])


def test_key_and_ttl_may_have_other_names(table):
    """A table that is there already is used as it is."""
    store = DynamoDBLedger("ledger", "orders", table, "pk", "ttl")
    table.put_item = lambda **parameters: table.calls.append(parameters["Item"])
    store.write("arn", "1", ["2"])
    assert set(table.calls[0]) == {"pk", "done", "ttl"}
