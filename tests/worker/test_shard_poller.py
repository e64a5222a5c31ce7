"""The poller of a shard, after each kind of answer."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from partialbatch.testing import SimulatedStream
from partialbatch.testing._limits import PAYLOAD_LIMIT
from partialbatch.worker import ShardPoller, StreamMapping, _event_size, dynamodb_shards, kinesis_shards


def run(services, arn, handler, mapping, observer=None):
    checkpoints = {}
    for reader in kinesis_shards(services.kinesis, arn):
        poller = ShardPoller(reader, handler, mapping, checkpoints, observer)
        while poller.step():
            pass
    return checkpoints


def filled(services, bodies):
    arn = services.stream()
    services.put(arn, bodies)
    return arn


def given_up(notes):
    return [record["kinesis"]["partitionKey"] for given in notes.given_up for record in given.records]


def test_batches_follow_the_checkpoint(services, scripted):
    """Batches go forward without gap or overlap, and the checkpoint is the last record."""
    arn = filled(services, "abcde")
    handler = scripted()
    checkpoints = run(services, arn, handler, StreamMapping(batch_size=2))
    assert handler.batches == [["a", "b"], ["c", "d"], ["e"]]
    assert checkpoints == {"shardId-000000000000": "5"}


def test_lowest_reported_number_is_the_checkpoint(services, scripted):
    """All records from the lowest reported number on are delivered again, including those that succeeded."""
    arn = filled(services, "abcde")
    handler = scripted({"b": 1, "d": 1})
    run(services, arn, handler, StreamMapping())
    assert handler.batches == [list("abcde"), list("bcde")]
    assert handler.handled == list("acebcde")


def test_full_failure_repeats_the_batch_and_then_gives_it_up(services, failing, notes):
    """After an error or a malformed response, the batch is repeated, then given up whole, and the shard moves on."""
    arn = filled(services, "abc")
    told = []
    mapping = StreamMapping(batch_size=2, maximum_retry_attempts=1, on_failure=told.append)
    checkpoints = run(services, arn, failing, mapping, notes)
    assert [len(invocation.records) for invocation in notes.invocations] == [2, 2, 1, 1]
    assert given_up(notes) == ["a", "b", "c"]
    assert told == notes.given_up
    assert checkpoints == {"shardId-000000000000": "3"}


def test_full_success_moves_the_checkpoint_past_the_batch(services, succeeding, notes):
    """An answer that reports nothing moves the checkpoint past the batch."""
    arn = filled(services, "abc")
    run(services, arn, succeeding, StreamMapping(), notes)
    assert len(notes.invocations) == 1


def test_without_report_failures_are_passed_over(services, scripted):
    """Without ReportBatchItemFailures, a reported record isn't delivered again."""
    arn = filled(services, "abc")
    handler = scripted({"a": 9})
    run(services, arn, handler, StreamMapping(report=False))
    assert handler.batches == [["a", "b", "c"]]


def test_batch_is_repeated_until_it_succeeds_without_a_limit(services, scripted):
    """With no limit a batch is repeated until it succeeds."""
    arn = filled(services, "a")
    handler = scripted({"a": 25})
    run(services, arn, handler, StreamMapping())
    assert len(handler.batches) == 26


def test_zero_retries_give_up_after_the_first_failure(services, scripted, notes):
    """With 0 retries, the rest of a batch is given up after its first failure, including records that never ran."""
    arn = filled(services, "abcd")
    handler = scripted({"b": 1}, stop=True)
    run(services, arn, handler, StreamMapping(maximum_retry_attempts=0), notes)
    assert handler.batches == [list("abcd")]
    assert given_up(notes) == list("bcd")


def test_bisect_halves_a_failed_batch(services, notes):
    """With bisect, a failed batch is halved until the bad record is alone; splitting uses up no retry."""
    arn = filled(services, "abcd")
    batches = []

    def handler(event, context):
        batches.append([record["kinesis"]["partitionKey"] for record in event["Records"]])
        if "c" in batches[-1]:
            raise ValueError

    run(services, arn, handler, StreamMapping(bisect=True, maximum_retry_attempts=1), notes)
    assert batches == [list("abcd"), list("ab"), list("cd"), ["c"], ["c"], ["d"]]
    assert given_up(notes) == ["c"]
    assert notes.given_up[0].invocations == 4


def test_bisect_splits_at_the_reported_number(services, scripted, notes):
    """With bisect, a partial response splits the batch, and only the rest is delivered again."""
    arn = filled(services, "abcdef")
    handler = scripted({"c": 9}, stop=True)
    run(services, arn, handler, StreamMapping(bisect=True, maximum_retry_attempts=0), notes)
    assert handler.batches == [list("abcdef"), list("cdef"), list("cd"), ["c"], ["d"], ["e", "f"]]
    assert given_up(notes) == ["c"]


def test_bisect_leaves_all_retries(services, scripted, notes):
    """A record that is alone after splits still has all its retries."""
    arn = filled(services, "abc")
    handler = scripted({"c": 9}, stop=True)
    run(services, arn, handler, StreamMapping(bisect=True, maximum_retry_attempts=1), notes)
    assert handler.batches == [list("abc"), ["c"], ["c"]]
    assert given_up(notes) == ["c"]


def test_new_poller_goes_on_at_the_checkpoint(services, scripted):
    """A new poller with a checkpoint repeats no record before it."""
    arn = filled(services, "abcd")
    handler = scripted()
    (reader,) = kinesis_shards(services.kinesis, arn)
    ShardPoller(reader, handler, StreamMapping(), {reader.shard_id: "2"}).step()
    assert handler.batches == [["c", "d"]]


def test_destination_that_fails_holds_the_shard(services, scripted):
    """If the destination fails, the checkpoint stays, and no record is passed over."""
    arn = filled(services, "ab")

    def away(_given_up):
        raise ConnectionError

    checkpoints = {}
    mapping = StreamMapping(maximum_retry_attempts=0, on_failure=away)
    (reader,) = kinesis_shards(services.kinesis, arn)
    poller = ShardPoller(reader, scripted({"a": 9}), mapping, checkpoints)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            poller.step()
    assert checkpoints == {}


def test_handler_is_not_called_while_the_destination_fails(services, scripted, notes):
    """While the destination fails, the handler isn't called beyond its retries."""
    answers = iter([ConnectionError(), ConnectionError(), None])

    def away_at_first(_given_up):
        if error := next(answers):
            raise error

    checkpoints = {}
    mapping = StreamMapping(maximum_retry_attempts=0, on_failure=away_at_first)
    (reader,) = kinesis_shards(services.kinesis, filled(services, "abc"))
    handler = scripted({"b": 9})
    poller = ShardPoller(reader, handler, mapping, checkpoints, notes)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            poller.step()
        assert checkpoints == {reader.shard_id: "1"}
    assert poller.step()
    assert handler.batches == [["a", "b", "c"]]
    assert (given_up(notes), checkpoints) == (["b", "c"], {reader.shard_id: "3"})
    assert not poller.step()


@pytest.mark.parametrize("source", ["kinesis", "dynamodb"])
def test_destination_gets_the_place_of_the_records_but_no_data(services, scripted, notes, source):
    """The message holds stream, shard, range, times and count, and no body."""
    if source == "kinesis":
        arn = filled(services, ["first", "last"])
        readers = kinesis_shards(services.kinesis, arn)
    else:
        name, arn = services.table()
        for key in ("first", "last"):
            services.dynamodb.put_item(TableName=name, Item={"id": {"S": key}})
        readers = dynamodb_shards(services.dynamodbstreams, arn)
    (reader,) = readers
    ShardPoller(reader, scripted({"first": 1}), StreamMapping(maximum_retry_attempts=0), {}, notes).step()
    message = notes.given_up[0].message()
    text = json.dumps(message)
    info = message["KinesisBatchInfo" if source == "kinesis" else "DDBStreamBatchInfo"]
    assert info["streamArn"] == arn
    assert info["shardId"] == reader.shard_id
    assert info["batchSize"] == 2
    assert int(info["endSequenceNumber"]) == int(info["startSequenceNumber"]) + 1
    assert info["approximateArrivalOfFirstRecord"] <= info["approximateArrivalOfLastRecord"]
    assert message["requestContext"] == {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 1}
    assert "first" not in text.replace("approximateArrivalOfFirst", "")


def test_changes_of_a_dynamodb_stream_are_delivered_and_repeated(services, scripted):
    """The changes of a table are delivered, and repeated from the reported number on."""
    name, arn = services.table()
    for key in "abc":
        services.dynamodb.put_item(TableName=name, Item={"id": {"S": key}})
    handler = scripted({"b": 1})
    (reader,) = dynamodb_shards(services.dynamodbstreams, arn)
    poller = ShardPoller(reader, handler, StreamMapping(), {})
    while poller.step():
        pass
    assert handler.batches == [list("abc"), list("bc")]


MAPPINGS = st.builds(
    StreamMapping, batch_size=st.integers(1, 10), bisect=st.booleans(), maximum_retry_attempts=st.integers(-1, 3)
)


# Each example makes up to a hundred requests, so half of the profile's examples is enough.
@settings(max_examples=settings.default.max_examples // 2)
@given(
    failures=st.lists(st.integers(0, 5), min_size=1, max_size=10),
    stop=st.booleans(),
    mapping=MAPPINGS,
    restarts=st.sets(st.integers(0, 12)),
)
def test_every_record_before_the_checkpoint_is_handled_or_given_up(services, scripted, failures, **drawn):
    """At every step, each record before the checkpoint is handled or given up, even if a new poller continues."""
    plan = {f"r{number}": times for number, times in enumerate(failures)}
    arn = filled(services, plan)
    names = list(plan)
    handler = scripted(plan, stop=drawn["stop"])
    gone, checkpoints = [], {}

    def give_up(given_up):
        gone.extend(record["kinesis"]["partitionKey"] for record in given_up.records)

    mapping = replace(drawn["mapping"], on_failure=give_up)

    def poller():
        (reader,) = kinesis_shards(services.kinesis, arn)
        return ShardPoller(reader, handler, mapping, checkpoints)

    current, steps = poller(), 0
    while current.step():
        passed = int(checkpoints.get("shardId-000000000000", 0))
        assert set(names[:passed]) <= set(handler.handled) | set(gone)
        steps += 1
        if steps in drawn["restarts"]:
            current = poller()
    assert checkpoints == {"shardId-000000000000": str(len(names))}
    if mapping.maximum_retry_attempts == -1:
        assert gone == []
    if mapping.bisect:  # the record that is given up is alone, so no other record is given up unrun
        assert all(plan[name] > 0 for name in gone)


@given(failures=st.lists(st.integers(0, 5), min_size=1, max_size=10), stop=st.booleans(), mapping=MAPPINGS)
def test_simulator_delivers_the_same_batches(services, scripted, failures, stop, mapping):
    """The simulator, which shares no code with the poller, delivers the same batches for the same failures."""
    plan = {f"r{number}": times for number, times in enumerate(failures)}
    polled, simulated = scripted(plan, stop=stop), scripted(plan, stop=stop)
    run(services, filled(services, plan), polled, mapping)
    SimulatedStream(
        list(plan),
        batch_size=mapping.batch_size,
        bisect=mapping.bisect,
        maximum_retry_attempts=mapping.maximum_retry_attempts,
    ).run(simulated)
    assert polled.batches == simulated.batches


def aged(services, monkeypatch, bodies, ages):
    """Return a reader whose records arrived this many seconds ago."""
    (reader,) = kinesis_shards(services.kinesis, filled(services, bodies))
    read, stamps = reader.read, dict(zip(bodies, ages, strict=True))

    def with_ages(limit):
        records = read(limit)
        for record in records:
            age = stamps[record["kinesis"]["partitionKey"]]
            record["kinesis"]["approximateArrivalTimestamp"] = time.time() - age
        return records

    monkeypatch.setattr(reader, "read", with_ages)
    return reader


def test_old_records_are_given_up_unrun(services, monkeypatch, scripted, notes):
    """The first records of a batch that are too old are given up; one behind a younger record waits."""
    reader = aged(services, monkeypatch, "abcd", [99, 61, 5, 70])
    handler, checkpoints = scripted(), {}
    poller = ShardPoller(reader, handler, StreamMapping(maximum_record_age=60), checkpoints, notes)
    assert poller.step()
    assert checkpoints == {reader.shard_id: "2"}
    assert not poller.idle
    assert poller.step()
    assert handler.batches == [["c", "d"]]
    (given_up_once,) = notes.given_up
    assert given_up_once.message()["requestContext"] == {
        "condition": "RecordAgeExceeded",
        "approximateInvokeCount": 0,
    }
    assert given_up(notes) == ["a", "b"]


def test_batch_of_old_records_is_given_up(services, monkeypatch, scripted, notes):
    """A batch that is too old as a whole is given up, and the shard moves on."""
    reader = aged(services, monkeypatch, "ab", [99, 98])
    handler = scripted()
    poller = ShardPoller(reader, handler, StreamMapping(maximum_record_age=60), {}, notes)
    assert poller.step()
    assert poller.idle
    assert not poller.step()
    assert poller.drained
    assert (handler.batches, given_up(notes)) == ([], ["a", "b"])


def test_record_that_becomes_too_old_is_not_retried(services, scripted, notes, monkeypatch):
    """The age ends retries that have no other limit."""
    reader = aged(services, monkeypatch, "a", [59.8])
    poller = ShardPoller(reader, scripted({"a": 999}), StreamMapping(maximum_record_age=60), {}, notes)
    while not notes.given_up:
        poller.step()
        time.sleep(0.05)
    assert notes.given_up[0].condition == "RecordAgeExceeded"
    assert notes.given_up[0].invocations == len(notes.invocations) > 0


def test_stalls_count_invocations_without_progress(services, scripted):
    """Invocations are counted until the checkpoint moves."""
    (reader,) = kinesis_shards(services.kinesis, filled(services, "ab"))
    poller = ShardPoller(reader, scripted({"a": 2, "b": 4}), StreamMapping(), {})
    stalls = []
    while poller.step():
        stalls.append(poller.stalls)
    assert stalls == [1, 2, 0, 1, 0]


def test_events_are_no_larger_than_lambdas(services, scripted):
    """A batch of more than 6 MB becomes several events, which are handled and retried one by one."""
    arn = services.stream()
    for letter in "abcdefgh":
        services.put(arn, [letter])
        services.kinesis.put_record(StreamARN=arn, Data=letter.encode() * 700_000, PartitionKey=letter)
    handler = scripted({"a" * 700_000: 1})
    checkpoints = run(services, arn, handler, StreamMapping())
    assert all(len(json.dumps(event)) <= PAYLOAD_LIMIT for event in handler.events)
    assert [[body[0] for body in batch] for batch in handler.batches] == [
        list("aabbccddeeffg"),
        list("abbccddeeffg"),
        list("ghh"),
    ]
    assert checkpoints == {"shardId-000000000000": "16"}


@given(sizes=st.lists(st.integers(1, 250), min_size=1, max_size=12), batch_size=st.integers(1, 12))
@settings(max_examples=settings.default.max_examples // 3)
@example(sizes=[250] * 12, batch_size=12)
def test_split_events_handle_each_record_once_and_in_order(services, scripted, sizes, batch_size):
    """However events are split, each record is handled once and in order, also within a window."""
    arn = services.stream()
    bodies = [f"{number:02}" + "x" * size for number, size in enumerate(sizes)]
    services.put(arn, bodies)
    handler = scripted()
    before, _event_size.PAYLOAD_LIMIT = _event_size.PAYLOAD_LIMIT, 2_500
    try:
        run(services, arn, handler, StreamMapping(batch_size=batch_size))
    finally:
        _event_size.PAYLOAD_LIMIT = before
    assert handler.handled == bodies
    assert all(len(json.dumps(event)) <= 2_500 or len(event["Records"]) == 1 for event in handler.events)
