"""The sources of the demo: when their polling ends, and how dead letters are found."""

from __future__ import annotations

import json
from threading import Event, Timer

import pytest

from partialbatch.cli.demo.local_sources import LocalSource, _records_pointed_at
from partialbatch.cli.demo.tracking import SourceTracker
from partialbatch.worker import GivenUp, dynamodb_shards, kinesis_shards


class Poller:
    """Finds batches as scripted."""

    def __init__(self, found):
        self.found = iter(found)
        self.steps = 0

    def step(self):
        self.steps += 1
        return next(self.found)


def source(pollers, drained):
    answers = iter(drained)
    tracker = SourceTracker("test", {}, work_seconds=0, show_line=print)
    return LocalSource(tracker, pollers, lambda: next(answers), list)


def test_polling_ends_when_nothing_is_left():
    """Polling goes on while any poller finds something or something is in flight."""
    one, two = Poller([True, False, False, False]), Poller([True, True, False, False])
    source([one, two], [False, True]).run(Event())
    assert (one.steps, two.steps) == (4, 4)


def test_polling_ends_when_stop_is_set():
    """Polling ends between two batches once `stop` is set."""
    stop = Event()
    Timer(0.05, stop.set).start()
    poller = Poller(iter(lambda: stop.wait(0.01) or True, None))
    source([poller], []).run(stop)
    assert 1 <= poller.steps < 50


@pytest.mark.parametrize("count", [1, 2, 3])
def test_records_of_a_destinations_message_are_read_from_the_stream(services, count):
    """The records of a message's range are found again by reading the stream, and no others."""
    name, arn = services.table()
    for key in "abcd":
        services.dynamodb.put_item(TableName=name, Item={"id": {"S": key}})
    (shard,) = dynamodb_shards(services.dynamodbstreams, arn)
    shard.seek(None)
    records = shard.read(10)[1 : 1 + count]
    message = GivenUp(arn, shard.shard_id, records, 3).message()
    found = _records_pointed_at([json.dumps(message)], dynamodb_shards(services.dynamodbstreams, arn))
    assert found == list("bcd")[:count]


def test_each_shard_has_its_own_numbers(services):
    """A range of one shard says nothing about another, where the same numbers may stand."""
    arn = services.stream(shards=2)
    names = [f"click-{number}" for number in range(12)]
    data = [{"Data": json.dumps({"id": name}).encode(), "PartitionKey": name} for name in names]
    services.kinesis.put_records(StreamARN=arn, Records=data)
    shards = list(kinesis_shards(services.kinesis, arn))
    shards[1].seek(None)
    record = shards[1].read(10)[0]
    message = GivenUp(arn, shards[1].shard_id, [record], 1).message()
    assert _records_pointed_at([json.dumps(message)], shards) == [record["kinesis"]["partitionKey"]]
