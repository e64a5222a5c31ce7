"""Lambda's reading of each kind of answer."""

from __future__ import annotations

import json
from collections import namedtuple
from decimal import Decimal

import pytest

from partialbatch.errors import EventError
from partialbatch.testing._event_layout import identifier_of, records_of, source_of
from partialbatch.testing._verdict import Outcome, judge


def sqs(*ids):
    return {"Records": [{"messageId": one, "eventSource": "aws:sqs", "body": "x"} for one in ids]}


def kinesis(*numbers):
    return {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": one}} for one in numbers]}


def dynamodb(*numbers):
    return {"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": one}} for one in numbers]}


def kafka(*offsets, source="aws:kafka"):
    records = [{"topic": "orders", "partition": 3, "offset": one} for one in offsets]
    return {"eventSource": source, "records": {"orders-3": records}}


class Mute(Exception):
    def __str__(self):
        raise ZeroDivisionError


EVENTS = {"sqs": sqs("1", "2", "3"), "kinesis": kinesis("1", "2", "3"), "dynamodb": dynamodb("1", "2", "3")}
EVENTS_AND_KAFKA = {**EVENTS, "kafka": kafka(1, 2, 3)}


def failures(*identifiers):
    return {"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]}


def returned(event, value, **options):
    return judge(event, Outcome.returned(value), **options)


@pytest.mark.parametrize("source", EVENTS_AND_KAFKA)
@pytest.mark.parametrize("response", [None, {}, [], "", failures(), {"batchItemFailures": None}, {"failures": [1]}])
def test_answer_that_reports_nothing_is_full_success(source, response):
    """Empty and null responses and lists, and a misspelt outer key, finish the whole batch."""
    verdict = returned(EVENTS_AND_KAFKA[source], response)
    assert (verdict.kind, verdict.reported, verdict.returned) == ("success", (), ())
    assert "all 3" in verdict.reason


def test_reported_identifier_returns_both_copies_of_a_message():
    """An identifier reports each copy of its message, because deleting one copy would delete the message."""
    verdict = returned(sqs("1", "2", "1"), failures("1"))
    assert (verdict.kind, verdict.reported, verdict.returned) == ("partial", (0, 2), (0, 2))


def test_a_misspelt_outer_key_is_named():
    """The reason of a success by misspelling shows the key of the response."""
    verdict = returned(sqs("1"), {"batchItemFailure": [{"itemIdentifier": "1"}]})
    assert "no key 'batchItemFailures'" in verdict.reason
    assert "batchItemFailure" in verdict.reason.partition("its keys are")[2]
    assert "deleted from the queue" in verdict.reason


@pytest.mark.parametrize("source", EVENTS_AND_KAFKA)
@pytest.mark.parametrize(
    ("response", "words"),
    [
        (failures(""), "empty 'itemIdentifier'"),
        (failures(None), "empty 'itemIdentifier'"),
        (failures({}), "empty 'itemIdentifier'"),
        ({"batchItemFailures": ["1"]}, "batchItemFailures[0] is '1' instead of"),
        ({"batchItemFailures": [None]}, "is None instead of"),
        ({"batchItemFailures": [{"itemIdentifer": "1"}]}, "no key 'itemIdentifier'; its keys are itemIdentifer"),
        ({"batchItemFailures": "1"}, "isn't a list: it is '1'"),
        ({"batchItemFailures": {}}, "isn't a list: it is {}"),
        (failures("4"), "the reported '4' isn't a record of this event"),
        (failures(0), "the reported 0 isn't a record"),
        (failures(True), "the reported True isn't a record"),
        (failures("1", ""), "batchItemFailures[1]"),
        ("nothing", "a JSON str"),
        (["1"], "a JSON list"),
        (7, "a JSON int"),
        (0, "a JSON int"),
        (False, "a JSON bool"),
        ({1, 2}, "Runtime.MarshalError"),
        ({"batchItemFailures": [], "at": float("nan")}, "NaN isn't JSON"),
        ({"at": Decimal("Infinity")}, "Infinity isn't JSON"),
        ({"text": "x" * 6_291_456}, "over Lambda's 6,291,456"),
    ],
)
def test_a_malformed_answer_is_full_failure(source, response, words):
    """An answer that Lambda can't read fails the whole batch, and the reason says why."""
    verdict = returned(EVENTS_AND_KAFKA[source], response)
    assert (verdict.kind, verdict.returned) == ("failure", (0, 1, 2))
    assert words in verdict.reason
    assert "including those that succeeded" in verdict.reason


@pytest.mark.parametrize("source", EVENTS_AND_KAFKA)
@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.raised(ValueError("bad")), "ValueError: bad"),
        (Outcome.raised(ValueError()), "the invocation failed with ValueError: all 3 "),
        (Outcome.raised(SystemExit(1)), "Runtime.ExitError"),
        (Outcome.raised(Mute()), "Mute: <Mute whose str raises>"),
        (Outcome.timed_out(3), "Task timed out after 3.00 seconds"),
        (Outcome("{"), "isn't valid JSON"),
        (Outcome(error="Handled"), "Handled"),
    ],
)
@pytest.mark.parametrize("report", [True, False])
def test_a_failed_invocation_is_full_failure(source, outcome, words, report):
    """Errors, timeouts and broken JSON fail the whole batch, with partial responses switched on or off."""
    verdict = judge(EVENTS_AND_KAFKA[source], outcome, report_batch_item_failures=report)
    assert (verdict.kind, verdict.returned, verdict.reported) == ("failure", (0, 1, 2), ())
    assert words in verdict.reason


def test_response_of_exactly_six_megabytes_is_read():
    """A response of just the limit is read."""
    assert returned(sqs("1"), "x" * (6_291_456 - 2)).reason.startswith("the response is a JSON str")


def test_an_answer_of_no_bytes_is_an_empty_response():
    """An empty body counts as a null response."""
    assert judge(sqs("1"), Outcome("")).kind == "success"
    assert returned(sqs("1"), b"").kind == "success"


def test_too_deeply_nested_response_fails_the_invocation():
    """A response that is nested too deeply to be parsed fails the invocation."""
    assert judge(sqs("1"), Outcome("[" * 200_000)).kind == "failure"
    loop = []
    loop.append(loop)
    assert "MarshalError" in returned(sqs("1"), loop).reason


def test_reported_messages_become_visible_again_and_the_rest_is_deleted():
    """The reported messages become visible again, in event order, each once."""
    verdict = returned(sqs("a", "b", "c", "d"), failures("c", "a", "c"))
    assert (verdict.kind, verdict.reported, verdict.returned) == ("partial", (0, 2), (0, 2))
    assert verdict.checkpoint is None
    assert "2 of 4 messages are reported" in verdict.reason
    assert "the other 2 are deleted" in verdict.reason


def test_a_batch_that_is_reported_as_a_whole_is_partial():
    """A response that names every message is a valid one."""
    verdict = returned(sqs("a", "b"), failures("a", "b"))
    assert (verdict.kind, verdict.returned) == ("partial", (0, 1))
    assert "2 of 2" in verdict.reason
    assert "other" not in verdict.reason


@pytest.mark.parametrize("make", [kinesis, dynamodb])
def test_streams_go_on_from_the_lowest_reported_number(make):
    """All records from the lowest reported number on are delivered again; numbers are compared as integers."""
    verdict = returned(make("8", "9", "10", "11"), failures("10", "9"))
    assert (verdict.kind, verdict.checkpoint, verdict.reported, verdict.returned) == ("partial", 1, (1, 2), (1, 2, 3))
    assert "from record 1 of the event on" in verdict.reason


def test_kafka_identifier_is_partition_and_offset():
    """Kafka's identifier is a dict with the name of the partition, and the offset as a number."""
    event = kafka(10, 11, 12)
    assert returned(event, failures({"partition": "orders-3", "offset": 11})).returned == (1,)
    assert returned(event, failures({"offset": Decimal(11), "partition": "orders-3"})).returned == (1,)
    for source in ("SelfManagedKafka", "aws:SelfManagedKafka"):
        assert returned(kafka(1, source=source), failures({"partition": "orders-3", "offset": 1})).kind == "partial"


@pytest.mark.parametrize(
    "identifier",
    [
        {"partition": "orders-3", "offset": "11"},
        {"partition": "orders-4", "offset": 11},
        {"partition": "orders-3", "offset": 13},
        {"partition": "orders-3"},
        {"partition": "orders-3", "offset": 11.0},
    ],
)
def test_kafka_identifier_outside_of_the_event_fails_the_batch(identifier):
    """A topic-partition or offset that is not in the event fails the batch."""
    assert returned(kafka(10, 11, 12), failures(identifier)).kind == "failure"


@pytest.mark.parametrize("source", EVENTS_AND_KAFKA)
@pytest.mark.parametrize("response", [failures("1"), failures("4"), {"batchItemFailures": 1}, "text", ["1"], None])
def test_without_the_flag_the_response_is_ignored(source, response):
    """Any normal return is a success if the mapping doesn't ask for partial responses."""
    verdict = returned(EVENTS_AND_KAFKA[source], response, report_batch_item_failures=False)
    assert (verdict.kind, verdict.returned) == ("success", ())
    assert "no ReportBatchItemFailures" in verdict.reason


def test_the_reason_counts_the_failures_that_were_ignored():
    """The reason counts reported failures that aren't read."""
    verdict = returned(sqs("1", "2"), failures("1"), report_batch_item_failures=False)
    assert "including the 1 that it reports" in verdict.reason
    assert "included" not in returned(sqs("1"), failures(), report_batch_item_failures=False).reason


def window(*numbers, **more):
    return {**kinesis(*numbers), "window": {}, "state": {}, "isFinalInvokeForWindow": not numbers, **more}


def test_a_tumbling_window_needs_its_state():
    """Without `state`, or with more than 1 MB of it, the invocation of a window fails."""
    event = window("1", "2")
    assert "must contain 'state'" in returned(event, failures("2")).reason
    assert returned(event, None).kind == "failure"
    assert returned(event, "x").kind == "failure"
    assert returned(event, {"state": {"n": 1}}).kind == "success"
    assert returned(event, {"state": {}, **failures("2")}).returned == (1,)
    assert returned(event, {"state": "x" * (1_048_576 - 2)}).kind == "success"
    assert "1,048,577 bytes" in returned(event, {"state": "x" * (1_048_577 - 2)}).reason


def test_the_last_event_of_a_window_can_be_empty():
    """A final invocation without records is recognized by its ARN, and needs its state too."""
    event = window(eventSourceARN="arn:aws-cn:kinesis:cn-north-1:1:stream/s")
    with pytest.raises(EventError):
        judge(event, Outcome())
    event["eventSourceARN"] = "arn:aws:kinesis:eu-west-1:1:stream/s"
    assert returned(event, {"state": {"n": 1}}).kind == "success"
    assert returned(event, {}).kind == "failure"


def test_pipes_names_stream_records_by_event_id():
    """Through Pipes, Kinesis and DynamoDB records are reported by eventID, and SQS messages by messageId."""
    flat = [{"eventSource": "aws:kinesis", "eventID": f"shardId-0:{n}", "sequenceNumber": str(n)} for n in (9, 10, 11)]
    assert returned(flat, failures("shardId-0:10")).returned == (1, 2)
    assert returned(flat, failures("10")).kind == "failure"
    images = [{"eventSource": "aws:dynamodb", "eventID": c, "dynamodb": {"SequenceNumber": c}} for c in "123"]
    assert returned(images, failures("3", "2"), report_batch_item_failures=False).returned == (1, 2)
    assert returned(sqs("1", "2")["Records"], failures("2")).returned == (1,)


def test_pipes_ignores_the_response_for_kafka():
    """For Kafka through Pipes the response isn't read: only an error fails the batch."""
    records = [{"eventSource": "aws:kafka", "topic": "t", "partition": 0, "offset": 1}]
    assert returned(records, failures({"partition": "t-0", "offset": 1})).kind == "success"
    assert judge(records, Outcome.raised(ValueError("x"))).kind == "failure"


@pytest.mark.parametrize(
    "event", [None, "text", [], {}, {"Records": []}, [1], {"Records": [{"eventSource": "aws:s3"}]}]
)
def test_an_unknown_event_is_refused(event):
    """An event from another source is an EventError that says which key is missing."""
    with pytest.raises(EventError, match="eventSource"):
        judge(event, Outcome())


def test_values_are_serialized_as_the_runtime_does():
    """Decimals, named tuples, tuples and bytes become the JSON that Lambda's own encoder writes."""
    Pair = namedtuple("Pair", "first second")  # noqa: PYI024 - the case is untyped users' code
    value = {"d": [Decimal("1.50"), Decimal(3)], "n": Pair(1, (2,)), "b": b"x"}
    assert json.loads(Outcome.returned(value).text) == {
        "d": [1.5, 3],
        "n": {"first": 1, "second": [2]},
        "b": "x",
    }


@pytest.mark.parametrize("source", EVENTS_AND_KAFKA)
def test_identifier_of_a_record_is_accepted_in_a_response(source):
    """An identifier returned by `identifier_of` is accepted as a reported one."""
    event = EVENTS_AND_KAFKA[source]
    assert source_of(event) == source
    for position, raw in enumerate(records_of(event)):
        assert returned(event, failures(identifier_of(event, raw))).reported == (position,)


@pytest.mark.parametrize(
    ("source", "response", "reason"),
    [
        ("sqs", failures(), "the response reports no failure: all 3 messages are deleted from the queue"),
        ("kinesis", None, "the response is empty: all 3 records count as processed, and the shard moves on"),
        ("kafka", {}, "the response is empty: all 3 records count as processed, and their offsets are committed"),
        (
            "sqs",
            {"batchItemFailures": 1},
            (
                "'batchItemFailures' isn't a list: it is 1 (undocumented): "
                "all 3 messages become visible again, including those that succeeded"
            ),
        ),
        (
            "dynamodb",
            failures("x"),
            (
                "the reported 'x' isn't a record of this event (undocumented): "
                "all 3 records are delivered again, including those that succeeded"
            ),
        ),
        (
            "sqs",
            failures("1"),
            "1 of 3 messages are reported: they become visible again, the other 2 are deleted from the queue",
        ),
        (
            "kinesis",
            failures("2"),
            (
                "1 of 3 records are reported; the lowest sequence number is the checkpoint: "
                "2 records are delivered again, from record 1 of the event on"
            ),
        ),
    ],
)
def test_reason_says_what_happens_to_the_records(source, response, reason):
    """The reason names the cause first, and then the consequence in the terms of the source."""
    assert returned(EVENTS_AND_KAFKA[source], response).reason == reason
