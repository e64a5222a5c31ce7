"""The poller of a queue, after each kind of answer."""

from __future__ import annotations

import json
import logging
import time
from threading import Event

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from partialbatch.testing._limits import PAYLOAD_LIMIT
from partialbatch.worker import QueueMapping, QueuePoller, _event_size

AT_ONCE = QueueMapping(give_back_after=0)


def run(services, url, handler, mapping=AT_ONCE, observer=None):
    poller = QueuePoller(services.sqs, url, handler, mapping, observer)
    while not poller.drained():
        poller.step()


def test_empty_queue_calls_no_handler(services, scripted):
    """An empty queue calls no handler, and the poller says that it is drained."""
    url, _ = services.queue()
    handler = scripted()
    poller = QueuePoller(services.sqs, url, handler, AT_ONCE)
    assert not poller.step()
    assert poller.drained()
    assert handler.batches == []


def test_batch_holds_at_most_batch_size_messages(services, scripted):
    """A batch has no more messages than the mapping says."""
    url, _ = services.queue()
    services.send(url, ["a", "b", "c"])
    handler = scripted()
    run(services, url, handler, QueueMapping(batch_size=2))
    assert handler.batches == [["a", "b"], ["c"]]


def test_reported_messages_are_received_again_and_the_rest_is_deleted(services, scripted, notes):
    """Only reported messages are received again, with a higher receive count."""
    url, _ = services.queue()
    services.send(url, ["a", "b", "c"])
    handler = scripted({"b": 1})
    run(services, url, handler, observer=notes)
    assert handler.batches == [["a", "b", "c"], ["b"]]
    counts = [event["Records"][0]["attributes"]["ApproximateReceiveCount"] for event in handler.events]
    assert counts == ["1", "2"]
    assert [invocation.verdict.kind for invocation in notes.invocations] == ["partial", "success"]
    assert [record["body"] for record in notes.invocations[0].returned] == ["b"]


def test_full_failure_returns_every_message(services, failing):
    """After an error or a malformed response, every message ends in the dead-letter queue and none is deleted."""
    url, dead_letters = services.queue(max_receive_count=2)
    services.send(url, ["a", "b"])
    run(services, url, failing)
    assert sorted(services.bodies(dead_letters)) == ["a", "b"]


def test_unknown_message_id_returns_every_message(services):
    """A message id that isn't in the batch fails the whole batch."""
    url, dead_letters = services.queue(max_receive_count=1)
    services.send(url, ["a", "b"])
    run(services, url, lambda event, context: {"batchItemFailures": [{"itemIdentifier": "nobody"}]})
    assert sorted(services.bodies(dead_letters)) == ["a", "b"]


def test_full_success_deletes_every_message(services, succeeding, notes):
    """An answer that reports nothing deletes the batch, even if the outer key is misspelt."""
    url, dead_letters = services.queue(max_receive_count=1)
    services.send(url, ["a", "b"])
    run(services, url, succeeding, observer=notes)
    assert len(notes.invocations) == 1
    assert services.bodies(dead_letters) == []


def test_without_report_failures_are_deleted(services, scripted):
    """Without ReportBatchItemFailures, reported messages are deleted all the same."""
    url, dead_letters = services.queue(max_receive_count=1)
    services.send(url, ["a", "b"])
    handler = scripted({"a": 9})
    run(services, url, handler, QueueMapping(report=False))
    assert handler.batches == [["a", "b"]]
    assert services.bodies(dead_letters) == []


def test_without_report_an_error_still_returns_the_batch(services):
    """An error fails the batch, whatever the mapping says."""
    url, dead_letters = services.queue(max_receive_count=1)
    services.send(url, ["a"])

    def handler(event, context):
        raise ValueError

    run(services, url, handler, QueueMapping(report=False, give_back_after=0))
    assert services.bodies(dead_letters) == ["a"]


def test_late_answer_is_a_timeout(services, notes):
    """An answer after the function's timeout fails the batch."""
    url, dead_letters = services.queue(max_receive_count=1)
    services.send(url, ["a"])

    def handler(event, context):
        assert 0 < context.get_remaining_time_in_millis() <= 10
        time.sleep(0.02)
        assert context.get_remaining_time_in_millis() == 0

    run(services, url, handler, QueueMapping(timeout=0.01, give_back_after=0), notes)
    assert "timed out" in notes.invocations[0].outcome.error
    assert services.bodies(dead_letters) == ["a"]


def test_failed_messages_wait_for_the_queues_visibility_timeout(services, scripted):
    """By default, the queue's visibility timeout decides when a message becomes visible again."""
    url, _ = services.queue(visibility=1)
    services.send(url, ["a"])
    handler = scripted({"a": 1})
    poller = QueuePoller(services.sqs, url, handler, QueueMapping())
    assert poller.step()
    assert not poller.step()
    assert not poller.drained()
    time.sleep(1.1)
    assert poller.step()
    assert poller.drained()


def test_interrupt_settles_nothing(services):
    """A KeyboardInterrupt passes through, and the messages stay on the queue."""
    url, _ = services.queue()
    services.send(url, ["a"])

    def handler(event, context):
        raise KeyboardInterrupt

    poller = QueuePoller(services.sqs, url, handler, AT_ONCE)
    with pytest.raises(KeyboardInterrupt):
        poller.step()
    assert not poller.drained()


def test_handler_cannot_change_what_is_settled(services, notes):
    """A handler that empties its event changes nothing for the poller."""
    url, dead_letters = services.queue(max_receive_count=1)
    services.send(url, ["a", "b"])

    def handler(event, context):
        named = [{"itemIdentifier": event["Records"][0]["messageId"]}]
        event["Records"][1]["receiptHandle"] = "none"
        event["Records"].clear()
        return {"batchItemFailures": named}

    run(services, url, handler, observer=notes)
    assert len(services.bodies(dead_letters)) == 1
    assert [record["body"] for record in notes.invocations[0].records] == ["a", "b"]


def test_handler_may_delete_its_own_messages(services, caplog):
    """Messages that the handler has deleted, reported or not, don't stop the poller."""
    url, _ = services.queue()
    services.send(url, ["a", "b"])

    def handler(event, context):
        for record in event["Records"]:
            services.sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}

    with caplog.at_level(logging.INFO, "partialbatch.poll"):
        run(services, url, handler)
    assert "was not made visible" in caplog.text


def test_refused_delete_of_a_message_is_logged(services, scripted, caplog):
    """If the service refuses to delete a message, the log says that it will be delivered again."""
    url, _ = services.queue()
    services.send(url, ["a"])
    real = services.sqs

    class BadReceipts:
        def receive_message(self, **arguments):
            answer = real.receive_message(**arguments)
            for message in answer["Messages"]:
                message["ReceiptHandle"] = "unknown"
            return answer

        def __getattr__(self, name):
            return getattr(real, name)

    QueuePoller(BadReceipts(), url, scripted(), AT_ONCE).step()
    assert "was not deleted (ReceiptHandleIsInvalid)" in caplog.text


def test_fifo_groups_stay_in_order(services, scripted):
    """Failed and unstarted messages of a FIFO queue are received again in the order in which they were sent."""
    url, dead_letters = services.queue(fifo=True, max_receive_count=20)
    services.send(url, ["a1", "a2", "a3"], group="a")
    services.send(url, ["b1", "b2", "b3"], group="b")
    handler = scripted({"a2": 2, "b1": 3, "b3": 1}, stop=True)
    run(services, url, handler)
    assert [body for body in handler.handled if body[0] == "a"] == ["a1", "a2", "a3"]
    assert [body for body in handler.handled if body[0] == "b"] == ["b1", "b2", "b3"]
    assert services.bodies(dead_letters) == []


def test_messages_are_made_visible_one_by_one_and_in_order(services):
    """Messages become visible one by one and in order, because a FIFO queue may deliver them at once."""
    url, _ = services.queue(fifo=True)
    services.send(url, ["a1", "a2", "a3"], group="a")
    real, received, given_back = services.sqs, [], []

    class Watched:
        def change_message_visibility(self, **arguments):
            given_back.append((arguments["ReceiptHandle"], arguments["VisibilityTimeout"]))
            return real.change_message_visibility(**arguments)

        def __getattr__(self, name):
            return getattr(real, name)

    def handler(event, context):
        received.extend(record["receiptHandle"] for record in event["Records"])
        raise ValueError

    QueuePoller(Watched(), url, handler, AT_ONCE).step()
    assert len(received) == 3
    assert given_back == [(receipt, 0) for receipt in received]


def test_event_has_every_field_that_lambda_sends(services, scripted):
    """Every field that Lambda delivers is there, with its type."""
    url, _ = services.queue(fifo=True)
    services.sqs.send_message(
        QueueUrl=url,
        MessageBody="hello",
        MessageGroupId="group",
        MessageDeduplicationId="once",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "x"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    handler = scripted()
    run(services, url, handler)
    (record,) = handler.events[0]["Records"]
    json.dumps(record)
    assert set(record) == {
        "messageId", "receiptHandle", "body", "attributes", "messageAttributes",
        "md5OfBody", "eventSource", "eventSourceARN", "awsRegion",
    }  # fmt: skip
    assert (record["body"], record["eventSource"], record["awsRegion"]) == ("hello", "aws:sqs", "us-east-1")
    assert record["eventSourceARN"].startswith("arn:aws:sqs:us-east-1:")
    assert record["eventSourceARN"].endswith(".fifo")
    assert {
        "ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp",
        "MessageGroupId", "MessageDeduplicationId", "SequenceNumber",
    } <= set(record["attributes"])  # fmt: skip
    assert record["messageAttributes"] == {
        "text": {"dataType": "String", "stringValue": "x", "stringListValues": [], "binaryListValues": []},
        "blob": {"dataType": "Binary", "binaryValue": "AP8=", "stringListValues": [], "binaryListValues": []},
    }


# Each example makes about forty requests, so a third of the profile's examples is enough.
@settings(max_examples=settings.default.max_examples // 3)
@given(failures=st.lists(st.integers(0, 4), min_size=1, max_size=8), batch_size=st.integers(1, 10))
def test_every_message_is_handled_or_dead_lettered(services, scripted, failures, batch_size):
    """A message is handled if it fails less often than it may be received; otherwise it is dead-lettered."""
    url, dead_letters = services.queue(max_receive_count=3)
    plan = {f"m{number}": times for number, times in enumerate(failures)}
    services.send(url, plan)
    handler = scripted(plan)
    run(services, url, handler, QueueMapping(batch_size=batch_size, give_back_after=0))
    assert sorted(handler.handled) == sorted(body for body, times in plan.items() if times < 3)
    assert sorted(services.bodies(dead_letters)) == sorted(body for body, times in plan.items() if times >= 3)


def test_stop_before_the_handler_makes_messages_visible(services, scripted):
    """Messages that are received while the poller stops become visible at once, and aren't handled."""
    url, _ = services.queue(visibility=600)
    services.send(url, ["a", "b"])
    handler = scripted()
    poller = QueuePoller(services.sqs, url, handler, QueueMapping(window=9), stopping=lambda: True)
    assert not poller.step()
    assert handler.batches == []
    assert sorted(services.bodies(url)) == ["a", "b"]


@pytest.mark.parametrize("window", [0, 1])
def test_window_fills_a_batch(services, scripted, window):
    """Only with a window, a batch is filled by several receives, and all of it is deleted."""
    url, _ = services.queue()
    services.send(url, [f"m{number}" for number in range(25)])
    handler = scripted()
    poller = QueuePoller(services.sqs, url, handler, QueueMapping(batch_size=22, window=window))
    poller.step()
    size = 22 if window else 10
    assert [len(batch) for batch in handler.batches] == [size]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = services.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert [int(counts[name]) for name in names] == [25 - size, 0]


def test_mapping_sets_the_visibility_timeout(services, scripted):
    """Received messages stay invisible for as long as the mapping says."""
    url, _ = services.queue(visibility=600)
    services.send(url, ["a"])
    poller = QueuePoller(services.sqs, url, scripted({"a": 1}), QueueMapping(visibility=1))
    assert poller.step()
    assert not poller.step()
    time.sleep(1.1)
    assert poller.step()
    assert poller.drained()


def test_message_that_is_twice_in_a_batch_stays_if_one_copy_fails(services, scripted):
    """A message that was received twice within the window stays on the queue if one copy fails."""
    url, _ = services.queue()
    services.send(url, ["a"])
    handler = scripted({"a": 1})
    poller = QueuePoller(services.sqs, url, handler, QueueMapping(batch_size=2, window=3, visibility=1))
    assert poller.step()
    assert handler.batches == [["a", "a"]]
    assert not poller.drained()


class Wrapped:
    """A client some of whose calls are the test's own."""

    def __init__(self, real, **calls):
        self._real = real
        self._calls = calls

    def __getattr__(self, name):
        return self._calls.get(name) or getattr(self._real, name)


def test_handled_messages_do_not_run_again_when_their_delete_fails(services, scripted, notes):
    """A failed delete is repeated, and the observer is told about the wait."""
    url, _ = services.queue()
    services.send(url, ["a", "b"])
    answers = [
        EndpointConnectionError(endpoint_url=url),
        ClientError({"Error": {"Code": "KmsThrottled"}}, "DeleteMessageBatch"),
        {"Failed": [{"Id": "1", "SenderFault": False, "Code": "InternalError"}], "Successful": [{"Id": "0"}]},
    ]

    def delete(**arguments):
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer:
            services.sqs.delete_message_batch(QueueUrl=url, Entries=arguments["Entries"][:1])
            return answer
        return services.sqs.delete_message_batch(**arguments)

    handler = scripted()
    client = Wrapped(services.sqs, delete_message_batch=delete)
    poller = QueuePoller(client, url, handler, AT_ONCE, notes)
    assert poller.step()
    assert poller.drained()
    assert handler.batches == [["a", "b"]]
    assert ["KmsThrottled" in str(error) for error, _ in notes.waits] == [False, True, False]


def test_events_are_no_larger_than_lambdas(services, scripted):
    """A batch of more than 6 MB becomes several events, and all of it is deleted."""
    url, _ = services.queue()
    names = [f"{number:02}" for number in range(30)]
    for name in names:
        services.sqs.send_message(QueueUrl=url, MessageBody=name + "x" * 250_000)
    handler = scripted()
    poller = QueuePoller(services.sqs, url, handler, QueueMapping(batch_size=40, window=60))
    assert poller.step()
    assert poller.drained()
    assert len(handler.batches) == 2
    assert all(len(json.dumps(event)) <= PAYLOAD_LIMIT for event in handler.events)
    assert [body[:2] for body in handler.handled] == names


@pytest.mark.parametrize("give_back_after", [None, 0])
def test_split_batch_of_a_fifo_queue_keeps_its_order(services, scripted, monkeypatch, give_back_after):
    """Messages behind one that failed in an earlier event don't run; those of other groups do."""
    monkeypatch.setattr(_event_size, "PAYLOAD_LIMIT", 1)
    url, _ = services.queue(fifo=True, visibility=30 if give_back_after == 0 else 1)
    services.send(url, ["a1", "a2"], group="a")
    services.send(url, ["b1", "b2"], group="b")
    handler = scripted({"a1": 1}, stop=True)
    mapping = QueueMapping(give_back_after=give_back_after, wait=1)
    poller = QueuePoller(services.sqs, url, handler, mapping)
    assert poller.step()
    assert handler.handled == ["b1", "b2"]
    assert handler.batches == [["a1"], ["b1"], ["b2"]]


def test_stop_makes_messages_of_unstarted_events_visible(services, scripted, monkeypatch):
    """Only the current event of a split batch is finished, and the other messages become visible at once."""
    monkeypatch.setattr(_event_size, "PAYLOAD_LIMIT", 1)
    url, _ = services.queue(visibility=600)
    services.send(url, ["a", "b", "c"])
    handler = scripted()
    poller = QueuePoller(services.sqs, url, handler, QueueMapping(), stopping=lambda: bool(handler.batches))
    assert poller.step()
    assert handler.batches == [["a"]]
    assert sorted(services.bodies(url)) == ["b", "c"]


def test_later_events_of_a_batch_stay_invisible(services, scripted, monkeypatch):
    """Messages of later events stay invisible for the timeout of the current event and their own."""
    monkeypatch.setattr(_event_size, "PAYLOAD_LIMIT", 1)
    url, _ = services.queue(visibility=600)
    services.send(url, ["a", "b", "c"])
    asked = []

    def change(**arguments):
        asked.append([entry["VisibilityTimeout"] for entry in arguments["Entries"]])
        return services.sqs.change_message_visibility_batch(**arguments)

    client = Wrapped(services.sqs, change_message_visibility_batch=change)
    QueuePoller(client, url, scripted(), QueueMapping(timeout=30)).step()
    assert asked == [[630, 630], [630]]


def watched(services, url, handler, mapping, change):
    asked = []

    def receive(**arguments):
        asked.append(arguments.get("VisibilityTimeout"))
        return services.sqs.receive_message(**arguments)

    client = Wrapped(services.sqs, receive_message=receive, change_message_visibility_batch=change)
    poller = QueuePoller(client, url, handler, mapping)
    assert poller.step()
    return asked[0]


def test_messages_of_a_slow_batch_are_kept_invisible(services):
    """If a handler takes longer than the queue's visibility timeout, its messages are extended to its timeout."""
    url, _ = services.queue(visibility=2)
    services.send(url, ["a", "b"])
    extended, calls = Event(), []

    def change(**arguments):
        answer = services.sqs.change_message_visibility_batch(**arguments)
        calls.append(arguments["Entries"])
        extended.set()
        return answer

    asked = watched(services, url, lambda _event, _context: extended.wait(20) and None, QueueMapping(), change)
    assert asked is None
    assert len(calls) == 1
    assert [20 < entry["VisibilityTimeout"] <= 30 for entry in calls[0]] == [True, True]


def test_extension_is_repeated_after_a_transient_error(services):
    """A transient error doesn't end the extension; a refusal does."""
    url, _ = services.queue(visibility=2)
    services.send(url, ["a"])
    ended, problems = (
        Event(),
        [
            EndpointConnectionError(endpoint_url=url),
            ClientError({"Error": {"Code": "AccessDenied"}}, "ChangeMessageVisibilityBatch"),
        ],
    )

    def change(**arguments):
        problem = problems.pop(0)
        if not problems:
            ended.set()
        raise problem

    watched(services, url, lambda _event, _context: ended.wait(20) and None, QueueMapping(timeout=30), change)
    assert problems == []


def test_quick_batch_keeps_the_queues_visibility_timeout(services, scripted):
    """A quick batch changes no visibility timeout."""
    url, _ = services.queue(visibility=2)
    services.send(url, ["a"])
    assert watched(services, url, scripted({"a": 1}), QueueMapping(), None) is None


def test_a_window_is_added_to_the_queues_visibility(services, scripted):
    """Messages that wait for their window have the queue's whole visibility timeout after it."""
    url, _ = services.queue(visibility=20)
    services.send(url, ["a"])
    mapping = QueueMapping(batch_size=1, window=60)
    assert watched(services, url, scripted(), mapping, None) == 80
