"""Tests of the order of shards and the end of a stream."""

from __future__ import annotations

import time
from base64 import b64encode

import pytest
from botocore.exceptions import EndpointConnectionError

from partialbatch._backoff import Backoff
from partialbatch.cli.poll import polled_sources
from partialbatch.cli.poll.checkpoints import SHARD_END, Checkpoints
from partialbatch.cli.poll.display import Display
from partialbatch.cli.poll.periodic import PeriodicTasks
from partialbatch.cli.poll.polled_sources import StreamSource
from partialbatch.worker import ShardReader, StreamMapping

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/s"


class Stream:
    """A stream in memory, whose shards can be split: no emulator ends a shard with records in it."""

    def __init__(self):
        self.shards = {}
        self.listed = []
        self.listings = 0

    def add(self, shard_id, records=(), parent=None, *, closed=False):
        self.shards[shard_id] = (list(records), closed)
        self.listed.append({"ShardId": shard_id} | ({"ParentShardId": parent} if parent else {}))

    def readers(self):
        self.listings += 1
        for shard in list(self.listed):
            yield ShardReader(
                ARN,
                shard,
                iterator=lambda after: str(int(after or 0)),
                fetch=lambda iterator, limit, shard_id=shard["ShardId"]: self._fetch(shard_id, int(iterator), limit),
                convert=lambda record, _arn, _shard: record,
            )

    def _fetch(self, shard_id, start, limit):
        records, closed = self.shards[shard_id]
        end = min(start + limit, len(records))
        made = [self._record(shard_id, number, records[number]) for number in range(start, end)]
        over = closed and end == len(records)
        return {"Records": made, "NextShardIterator": None if over else str(end), "MillisBehindLatest": 0}

    def _record(self, shard_id, number, body):
        return {
            "eventSource": "aws:kinesis",
            "eventID": f"{shard_id}:{number + 1}",
            "eventSourceARN": ARN,
            "kinesis": {
                "sequenceNumber": str(number + 1),
                "partitionKey": "k",
                "data": b64encode(body.encode()).decode(),
                "approximateArrivalTimestamp": time.time(),
            },
        }


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(polled_sources, "_IDLE", 0.02)
    monkeypatch.setattr(polled_sources, "_DISCOVERY", 0.05)
    monkeypatch.setattr(polled_sources, "_BEHIND", 0.01)


@pytest.fixture
def run():
    """Polls a stream until something is true."""
    started = []

    def start(stream, handler, condition, checkpoints=None, mapping=None, backoff=None, threads=2):  # a test's settings
        display = Display()
        tasks = PeriodicTasks(threads, 5, display.waiting)
        started.append(tasks)
        checkpoints = Checkpoints(None, "s") if checkpoints is None else checkpoints
        source = StreamSource(stream.readers, handler, mapping or StreamMapping(batch_size=2), checkpoints, backoff)
        source.add_tasks(tasks, display)
        tasks.start()
        ends = time.monotonic() + 10
        while not condition(source) and tasks.error is None:
            assert time.monotonic() < ends
            time.sleep(0.005)
        tasks.stop()
        while tasks.running:
            time.sleep(0.005)
        assert tasks.error is None
        return checkpoints

    yield start
    for tasks in started:
        tasks.stop()


def drained(source):
    return source.drained()


def test_a_child_shard_is_read_after_its_parent(run, scripted_bodies):
    """A child's records are delivered only when the parent's are done, also where those fail first."""
    stream = Stream()
    stream.add("parent", ["a", "b", "c"], closed=True)
    stream.add("left", ["d"], "parent")
    stream.add("right", ["e"], "parent")
    handler = scripted_bodies({"c": 3, "a": 1})
    checkpoints = run(stream, handler, drained)
    assert handler.handled[:-2] == ["b", "a", "b", "c"]
    assert sorted(handler.handled[-2:]) == ["d", "e"]
    assert dict(checkpoints) == {"parent": SHARD_END, "left": "1", "right": "1"}


def test_a_child_of_an_expired_shard_is_read(run, scripted_bodies):
    """A child whose parent is no longer listed starts; the parent's checkpoint is dropped and not read again."""
    stream = Stream()
    stream.add("child", ["d"], "parent")
    checkpoints = Checkpoints(None, "s")
    checkpoints["parent"] = SHARD_END
    handler = scripted_bodies()
    assert dict(run(stream, handler, drained, checkpoints)) == {"child": "1"}
    assert handler.handled == ["d"]


def test_finished_shard_is_not_read_again(run, scripted_bodies):
    """A shard that was done in an earlier run stays done, and its children start."""
    stream = Stream()
    stream.add("parent", ["a"], closed=True)
    stream.add("child", ["b"], "parent")
    checkpoints = Checkpoints(None, "s")
    checkpoints["parent"] = SHARD_END
    handler = scripted_bodies()
    run(stream, handler, drained, checkpoints)
    assert handler.handled == ["b"]


def test_new_shards_are_found(run, scripted_bodies):
    """Shards that appear while the poller runs are read, each by one poller only."""
    stream = Stream()
    stream.add("first", ["a"])
    handler = scripted_bodies()

    def condition(_source):
        if handler.handled == ["a"] and "second" not in stream.shards:
            stream.add("second", ["b"])
        return stream.listings > 4 and len(handler.handled) >= 2

    run(stream, handler, condition)
    assert handler.handled == ["a", "b"]


def test_an_empty_closed_shard_is_finished_at_once(run, scripted_bodies):
    """A closed shard without records is finished at once."""
    stream = Stream()
    stream.add("parent", closed=True)
    stream.add("child", ["a"], "parent")
    handler = scripted_bodies()
    checkpoints = run(stream, handler, drained)
    assert checkpoints["parent"] == SHARD_END
    assert handler.handled == ["a"]


def test_a_failed_listing_at_the_end_of_a_shard_is_repeated(run, scripted_bodies):
    """If listing fails at the end of a shard, it is repeated, and nothing is delivered twice."""
    stream = Stream()
    stream.add("parent", ["a"], closed=True)
    stream.add("child", ["b"], "parent")
    listed = stream.readers

    def readers():
        if stream.listings == 1:
            stream.listings += 1
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        return listed()

    stream.readers = readers
    handler = scripted_bodies()
    run(stream, handler, drained)
    assert handler.handled == ["a", "b"]


def test_not_drained_before_the_first_listing(scripted_bodies):
    """A stream whose shards are not known yet does not count as read to its end."""
    source = StreamSource(Stream().readers, scripted_bodies(), StreamMapping(), Checkpoints(None, "s"), None)
    assert not source.drained()


def test_a_partial_batch_waits_for_its_window(run, scripted_bodies):
    """A partial batch waits for its window, and is then delivered with the records that arrived since."""
    stream = Stream()
    stream.add("s", ["a"])
    handler = scripted_bodies()

    def condition(source):
        if len(stream.shards["s"][0]) == 1:
            assert not handler.batches
            stream.shards["s"][0].append("b")
        return source.drained()

    run(stream, handler, condition, mapping=StreamMapping(batch_size=9, window=0.3))
    assert handler.batches == [["a", "b"]]


def test_retries_without_progress_have_growing_pauses(run, scripted_bodies, monkeypatch):
    """Retries without progress have growing pauses; progress resets them."""
    pauses = []
    monkeypatch.setattr(Backoff, "wait", lambda self, level, random: pauses.append(level) or 0.0)
    stream = Stream()
    stream.add("s", ["a", "b"])
    handler = scripted_bodies({"a": 3, "b": 5})
    run(stream, handler, drained, backoff=Backoff(0.1, 1.0))
    assert pauses == [0, 1, 2, 0]


def test_a_failed_batch_is_not_repeated_at_once(run, scripted_bodies):
    """The pause is real: a batch that failed is not repeated at once."""
    stream = Stream()
    stream.add("s", ["a"])
    handler, times = scripted_bodies({"a": 1}), []

    def timed(event, context):
        times.append(time.monotonic())
        return handler(event, context)

    class Whole(Backoff):
        def wait(self, level, random):
            return self.ceiling(level)

    run(stream, timed, drained, backoff=Whole(0.2, 1.0))
    assert times[1] - times[0] >= 0.2
