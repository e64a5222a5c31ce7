"""Producers as sinks: sessions share the client and the options, and nothing else."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import CASES, Clock, Scripted

from partialbatch import Backoff
from partialbatch.errors import ClosedError, RecordError
from partialbatch.producers import (
    DynamoDBProducer,
    EventBridgeProducer,
    Item,
    KinesisProducer,
    SNSProducer,
    SQSProducer,
)
from partialbatch.producers._session import group_name


def test_sessions_have_their_own_buffers():
    """The items of one session are neither sent nor returned by another session or by the producer."""
    client = Scripted()
    producer = SQSProducer("q", client=client)
    one, two = producer.open(), producer.open()
    one.put({"n": 1}, group=None)
    two.put({"n": 2}, group=None)
    producer.put({"n": 3})
    assert one.flush() == []
    assert client.accepted == [1]
    assert two.flush() == producer.flush() == []
    assert client.accepted == [1, 2, 3]
    assert (one.stats.records, two.stats.records, producer.stats.records) == (1, 1, 1)


def test_an_item_is_put_with_its_options():
    """Item(record, **options) is put with these options, and comes back as itself."""
    client = Scripted(["r"])
    item = Item({"n": 1}, delay_seconds=3)
    session = SQSProducer("q", client=client).open()
    session.put(item)
    (back,) = session.flush()
    assert back.record is item
    assert back.options == {"delay_seconds": 3}
    assert client.calls[0][0]["DelaySeconds"] == 3
    assert repr(item) == "Item(<dict>, delay_seconds)"


def test_an_item_can_delete_from_dynamodb():
    """operation='delete' makes the record a key to delete."""
    calls = []

    class Client:
        def batch_write_item(self, **call):
            calls.append(call)
            return {}

    session = DynamoDBProducer("t", keys="n", client=Client()).open(ordered=True)
    session.put(Item({"n": 1}, operation="delete"), group="g")
    session.put({"n": 2}, group="g")
    assert session.flush() == []
    assert calls == [
        {
            "RequestItems": {
                "t": [{"DeleteRequest": {"Key": {"n": {"N": "1"}}}}, {"PutRequest": {"Item": {"n": {"N": "2"}}}}]
            }
        }
    ]


def test_unprocessed_items_have_their_operation():
    """Unprocessed items of a DynamoDB session have the operation in .options, as a producer's have."""
    client = Scripted(["throttle"] * 9)
    session = DynamoDBProducer("t", keys="n", client=client, sleep=lambda _: None).open()
    session.put({"n": 1})
    session.put(Item({"n": 2}, operation="delete"))
    assert [entry.options for entry in session.flush(0)] == [{"operation": "put"}, {"operation": "delete"}]


def test_a_misspelt_option_of_an_item_is_refused():
    """Item(key, opration='delete') must not write the key as an item."""
    session = DynamoDBProducer("t", keys="n", client=Scripted()).open()
    with pytest.raises(RecordError, match=r"^opration: unknown option; DynamoDBProducer.put takes operation, table$"):
        session.put(Item({"n": 1}, opration="delete"))


@pytest.mark.parametrize(
    ("producer", "field"),
    [
        (lambda c: SQSProducer("q.fifo", client=c), "MessageGroupId"),
        (lambda c: SNSProducer("t.fifo", client=c), "MessageGroupId"),
    ],
)
def test_the_group_becomes_the_message_group(producer, field):
    """On a FIFO the group is the message group, unless the item has one."""
    client = Scripted()
    session = producer(client).open(ordered=True)
    session.put({"n": 1}, group="customer-7")
    session.put(Item({"n": 2}, message_group_id="own"), group="customer-7")
    session.put({"n": 3}, group=("shard 1", frozenset({"b", "a"})))
    assert session.flush() == []
    names = [entry[field] for entry in client.calls[0]]
    assert names[:2] == ["customer-7", "own"]
    assert len(names[2]) == 64


def test_the_group_becomes_the_partition_key():
    """On Kinesis the group is the partition key; on a standard queue it has no effect."""
    client = Scripted()
    client.put_records = lambda **call: client.calls.append(call["Records"]) or {"Records": [{}] * len(call["Records"])}
    session = KinesisProducer("s", client=client).open()
    session.put({"n": 1}, group="g")
    assert session.flush() == []
    assert client.calls[0][0]["PartitionKey"] == "g"
    plain = SQSProducer("q", client=client).open()
    plain.put({"n": 1}, group="g")
    plain.flush()
    assert "MessageGroupId" not in client.calls[1][0]


def test_events_of_a_session_get_the_producers_defaults():
    """The source and the detail type of the producer apply to a session's events."""
    client = Scripted()
    session = EventBridgeProducer(source="s", detail_type="d", client=client).open()
    session.put({"n": 1})
    assert session.flush() == []
    assert client.calls[0][0]["Source"] == "s"


@pytest.mark.parametrize("case", [case for case in CASES if case.name not in {"kinesis", "dynamodb"}], ids=repr)
@given(script=st.lists(st.sampled_from(["ok", "throttle"]), max_size=6), workers=st.sampled_from([0, 2]))
def test_ordered_sessions_keep_each_group_in_order(case, script, workers):
    """With ordered=True the items of a group arrive in the order of the puts, on every service."""
    client = Scripted(script)
    session = case.make(client=client, workers=workers, sleep=lambda _: None).open(ordered=True, seconds_left=None)
    for number in range(20):
        session.put({"n": number}, group=number % 3)
    assert session.flush() == []
    for group in range(3):
        mine = [number for number in client.accepted if number % 3 == group]
        assert mine == list(range(group, 20, 3))


def test_an_ordered_session_overrides_batch_ordering():
    """In an ordered session, ordering='batch' still sends only one message of a group at a time."""
    client = Scripted()
    session = SQSProducer("q.fifo", ordering="batch", client=client).open(ordered=True)
    for number in range(4):
        session.put({"n": number}, group=str(number % 2))
    assert session.flush() == []
    assert [len(call) for call in client.calls] == [2, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_session_sends_nothing_after_its_deadline(workers):
    """seconds_left applies to puts and to flush."""
    clock = Clock()
    client = Scripted()
    left = [5.0]
    session = SQSProducer("q", client=client, clock=clock, workers=workers).open(seconds_left=lambda: left[0])
    for number in range(10):
        session.put({"n": number})
    if workers:
        assert session.flush() == []
    left[0] = 0.0
    for number in range(10, 25):
        session.put({"n": number})
    back = session.flush(100.0)
    assert {entry.reason for entry in back} == {"deadline"}
    assert sorted(client.accepted + [entry.record["n"] for entry in back]) == list(range(25))
    assert len(client.calls) == 1


def test_group_names_are_the_same_in_every_process():
    """A short printable group stays as it is; any other one becomes a digest of its content."""
    assert group_name("a-b", 128) == "a-b"
    assert group_name("a b", 128) != "a b"
    assert len(group_name("x" * 200, 128)) == 64
    assert group_name("x" * 200, 256) == "x" * 200
    assert group_name(frozenset({"a", "b"}), 128) == group_name(frozenset({"b", "a"}), 128)
    assert group_name((1, "a"), 128) != group_name((1, "b"), 128)
    assert group_name("\ud800", 128)


def test_a_session_gives_up_after_max_stalls():
    """max_stalls applies to sessions too."""
    client = Scripted(["throttle"] * 9)
    session = SQSProducer("q", client=client, backoff=Backoff(0.1, 1, 2), sleep=lambda _: None).open()
    session.put({"n": 1})
    (back,) = session.flush()
    assert (back.reason, back.attempts) == ("throttled", 2)


def test_a_closed_producer_opens_no_session():
    """A handler that still has a closed producer as its sink gets a ClosedError."""
    producer = SQSProducer("q", client=Scripted())
    producer.close()
    with pytest.raises(ClosedError, match="SQSProducer is closed"):
        producer.open()


def test_a_closed_session_sends_nothing_more():
    """Items that were put and not flushed are dropped, and the workers end."""
    client = Scripted()
    session = SQSProducer("q", client=client, workers=2).open()
    before = threading.active_count()
    for number in range(11):  # a full call, and one record more
        session.put({"n": number})
    session.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
    with pytest.raises(ClosedError):
        session.put({"n": 12})
    assert 10 not in client.accepted
