"""Visibility timeouts as SQS keeps them: what moto's server holds after an invocation."""

from __future__ import annotations

import itertools
from time import time
from types import SimpleNamespace

import pytest
from moto.backends import get_backend

from partialbatch import Backoff, FullBatchFailure, RetryAfter, batch_handler
from partialbatch._core.stages import _visibility
from partialbatch.testing import LambdaContext

_names = itertools.count()


class Queue:
    """A queue, its messages as Lambda's pollers receive them, and when each is visible again."""

    def __init__(self, client, *, fifo=False, timeout=600):
        self.client = client
        self.name = f"orders-{next(_names)}" + (".fifo" if fifo else "")
        attributes = {"VisibilityTimeout": str(timeout)}
        if fifo:
            attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self.url = client.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]

    def receive(self, groups):
        """Send messages of these groups and receive them, as one event."""
        for index, group in enumerate(groups):
            extra = {"MessageGroupId": group} if group else {}
            self.client.send_message(QueueUrl=self.url, MessageBody=str(index), **extra)
        records = []
        while len(records) < len(groups):
            got = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, AttributeNames=["All"])
            records += [self._raw(message) for message in got["Messages"]]
        return {"Records": sorted(records, key=lambda raw: int(raw["body"]))}

    def _raw(self, message):
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{self.name}",
        }

    @property
    def seconds(self):
        """In how many seconds each message is visible, by its body; of those that are in flight."""
        held = get_backend("sqs")["123456789012"]["eu-west-1"].queues[self.name]._messages
        return {message.body: round(message.visible_at / 1000 - time()) for message in held}


@pytest.fixture
def queue(aws):
    """Make queues."""
    client = aws("sqs")
    return lambda **settings: Queue(client, **settings)


@pytest.fixture
def full_jitter(monkeypatch):
    """Make jitter give the ceiling, to see it."""
    monkeypatch.setattr(_visibility, "_random", SimpleNamespace(random=lambda: 1.0))


def failing(*bodies, error=ValueError):
    def function(record):
        if not bodies or record.body in bodies:
            raise error() if isinstance(error, type) else error

    return function


def near(found, wanted):
    return found.keys() == wanted.keys() and all(abs(found[key] - wanted[key]) <= 3 for key in wanted)


def test_failed_messages_come_back_within_the_backoff(queue):
    """All of 25 failed messages are changed, each with its own jitter, before the batch's failure is raised."""
    orders = queue()
    event = orders.receive([None] * 25)
    with pytest.raises(FullBatchFailure):
        batch_handler(failing(), retry_delay=Backoff(300, 300))(event)
    found = orders.seconds
    assert len(found) == 25
    assert all(-3 <= seconds <= 300 for seconds in found.values())
    assert len(set(found.values())) > 5


def test_what_succeeded_is_left_alone(queue, full_jitter):
    """Lambda deletes what succeeded; only the failed message's timeout changes."""
    orders = queue()
    event = orders.receive([None] * 3)
    response = batch_handler(failing("1"), retry_delay=Backoff(50, 300))(event)
    assert response == {"batchItemFailures": [{"itemIdentifier": event["Records"][1]["messageId"]}]}
    assert near(orders.seconds, {"0": 600, "1": 50, "2": 600})


def test_the_wait_doubles_with_each_receipt(queue, full_jitter):
    """A message that was received five times waits sixteen times as long as one that comes for the first time."""
    orders = queue()
    event = orders.receive([None] * 3)
    event["Records"][1]["attributes"]["ApproximateReceiveCount"] = "5"
    event["Records"][2]["attributes"]["ApproximateReceiveCount"] = "many"
    with pytest.raises(FullBatchFailure):
        batch_handler(failing(), retry_delay=Backoff(10, 9_000))(event)
    assert near(orders.seconds, {"0": 10, "1": 160, "2": 10})


def test_retry_after_needs_no_option(queue):
    """The wait that a record function names is set, and the response is that of any failure."""
    orders = queue()
    handler = batch_handler(failing("0", error=RetryAfter(120)))
    assert len(handler(orders.receive([None, None]))["batchItemFailures"]) == 1
    assert near(orders.seconds, {"0": 120, "1": 600})


def test_the_client_is_made_once(queue, monkeypatch):
    """`RetryAfter` without the option makes its client when first raised, and keeps it for later batches."""
    import boto3  # what is watched

    orders, made = queue(), []
    client = boto3.client
    monkeypatch.setattr(boto3, "client", lambda *names, **options: made.append(names) or client(*names, **options))
    handler = batch_handler(failing("0", error=RetryAfter(120)))
    handler(orders.receive([None, None]))
    handler(queue().receive([None, None]))
    assert made == [("sqs",)]


def test_waits_are_clamped_to_what_sqs_takes(queue):
    """Twelve hours count from the receipt, so what is close to them is cut to 42,000 seconds."""
    orders = queue()
    batch_handler(failing("0", error=RetryAfter(43_200)))(orders.receive([None, None]))
    assert near(orders.seconds, {"0": 42_000, "1": 600})


def test_fifo_keeps_a_group_together(queue, full_jitter):
    """Behind a failed message its group waits as long; what `stop` skipped in other groups comes back at once."""
    orders = queue(fifo=True)
    event = orders.receive(["a", "a", "b", "a"])
    handler = batch_handler(failing("1"), retry_delay=Backoff(90, 300))
    assert len(handler(event)["batchItemFailures"]) == 3
    assert near(orders.seconds, {"0": 600, "1": 90, "2": 0, "3": 90})


def test_fifo_with_skip_group_lets_the_other_groups_finish(queue, full_jitter):
    """With ``skip_group`` nothing but the failed group is changed."""
    orders = queue(fifo=True)
    event = orders.receive(["a", "a", "b", "a"])
    batch_handler(failing("1"), retry_delay=Backoff(90, 300), error_policy="skip_group")(event)
    assert near(orders.seconds, {"0": 600, "1": 90, "2": 600, "3": 90})


def test_a_group_of_ones_own_is_kept_together_too(queue, full_jitter):
    """With ``group_by``, what was skipped behind a failed message waits as long, also on a standard queue."""
    orders = queue()
    event = orders.receive([None] * 4)
    handler = batch_handler(
        failing("0"),
        retry_delay=Backoff(90, 300),
        error_policy="skip_group",
        group_by=lambda record: int(record.body) % 2,
    )
    handler(event)
    assert near(orders.seconds, {"0": 90, "1": 600, "2": 90, "3": 600})


@pytest.mark.parametrize(("error", "seconds"), [(ValueError(), 90), (RetryAfter(200), 200)])
def test_what_a_bulk_step_takes_back_with_its_group_waits_as_long(queue, full_jitter, error, seconds):
    """Behind a message that the bulk step failed its group waits as long, however often it was received."""
    orders = queue(fifo=True)
    event = orders.receive(["a", "a", "b"])
    event["Records"][1]["attributes"]["ApproximateReceiveCount"] = "2"
    handler = batch_handler(failing("-"), sink=lambda ok: [ok[0].with_error(error)], retry_delay=Backoff(90, 300))
    assert len(handler(event)["batchItemFailures"]) == 2
    assert near(orders.seconds, {"0": seconds, "1": seconds, "2": 600})


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_deadline_left_over_comes_back_at_once(queue, full_jitter, workers):
    """Messages that there was no time for wait for nothing, once another has run."""
    orders = queue()
    event = orders.receive([None] * 3)
    context = LambdaContext(timeout=10)

    def function(record):
        context.clock.advance(4)

    handler = batch_handler(function, retry_delay=Backoff(90, 300), max_concurrency=workers)
    left = len(handler(event, context)["batchItemFailures"])
    assert left >= 1
    assert sorted(orders.seconds.values())[:left] == pytest.approx([0] * left, abs=3)


def test_where_nothing_ran_nothing_is_changed(queue):
    """A batch that came too late leaves its messages to the queue: at once it would come too late again."""
    orders = queue()
    event = orders.receive([None] * 2)
    context = LambdaContext(timeout=1.8)  # less than the margin, and enough for a call
    handler = batch_handler(failing(), retry_delay=Backoff(90, 300))
    assert len(handler(event, context)["batchItemFailures"]) == 2
    assert near(orders.seconds, {"0": 600, "1": 600})


def test_async_functions_have_their_retries_delayed_too(queue, full_jitter):
    """The loop's runners end in the same step."""
    orders = queue()
    event = orders.receive([None, None])

    async def function(record):
        if record.body == "0":
            raise ValueError

    batch_handler(function, retry_delay=Backoff(90, 300), max_concurrency=2)(event)
    assert near(orders.seconds, {"0": 90, "1": 600})


def test_handles_that_sqs_does_not_know_are_told(queue, caplog):
    """A receipt handle of a message that is gone fails alone; the response is as ever."""
    orders = queue()
    event = orders.receive([None] * 3)
    event["Records"][0]["receiptHandle"] = "gone"
    handler = batch_handler(failing("0", "1"), retry_delay=Backoff(1, 1))
    assert len(handler(event)["batchItemFailures"]) == 2
    assert "could not be changed" in caplog.text
    assert "ReceiptHandleIsInvalid" in caplog.text


def test_an_unreachable_service_changes_no_response(aws, monkeypatch, caplog):
    """Where no one listens the response is the same, and one line says what was not done."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    from batches import sqs  # the only event here that no queue sent

    handler = batch_handler(failing("1"), retry_delay=Backoff(1, 1))
    assert handler(sqs(2)) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert "EndpointConnectionError" in caplog.text


def test_a_message_that_names_no_group_changes_no_response(queue, caplog):
    """A plan that cannot be made is told, and the messages come back when their queue says."""
    orders = queue(fifo=True)
    event = orders.receive(["a", "a"])
    del event["Records"][0]["attributes"]["MessageGroupId"]
    handler = batch_handler(failing("0"), retry_delay=Backoff(1, 1))
    with pytest.raises(FullBatchFailure):
        handler(event)
    assert "could not be changed (2 of them: PayloadError)" in caplog.text


def test_without_a_region_the_client_is_made_when_needed(queue, monkeypatch, full_jitter):
    """Outside of Lambda the queue's ARN tells the region."""
    monkeypatch.delenv("AWS_REGION")
    orders = queue()
    batch_handler(failing("0"), retry_delay=Backoff(90, 300))(orders.receive([None, None]))
    assert near(orders.seconds, {"0": 90, "1": 600})
