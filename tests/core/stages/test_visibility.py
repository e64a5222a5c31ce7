"""When failed messages come back, and what a change that fails costs: nothing but the change."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from math import ceil
from threading import Barrier, Lock
from types import SimpleNamespace
from unittest import mock

import pytest
from batches import sqs
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import Backoff, RetryAfter, batch_handler
from partialbatch._core import logs
from partialbatch._core.stages._visibility import LONGEST, Visibility, plan_timeouts, random_wait
from partialbatch.errors import ConfigurationError

groups = st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=12)


class ScriptedSQS:
    """Answers calls as told: an exception is raised, a list is that of failed entries."""

    def __init__(self, *answers):
        self.meta = SimpleNamespace(endpoint_url="https://sqs.eu-west-1.amazonaws.com/")
        self.calls = []
        self._answers = list(answers)

    def change_message_visibility_batch(self, **parameters):
        self.calls.append(parameters)
        answer = self._answers.pop(0) if self._answers else []
        if isinstance(answer, Exception):
            raise answer
        return {"Failed": answer}


def changed(client, timeouts, *, count=30, seconds_left=None):
    visibility = Visibility()
    visibility._clients["eu-west-1"] = client
    visibility.change(timeouts, sqs(count)["Records"], seconds_left)
    return [len(call["Entries"]) for call in client.calls]


@given(groups=groups, draw=st.data())
def test_timeouts_keep_groups_in_order(groups, draw):
    """A skipped message comes back with the last failed one of its group, or at once where none failed."""
    indexes = st.sets(st.sampled_from(range(len(groups))))
    failed = draw.draw(indexes, "failed")
    skipped = draw.draw(indexes, "skipped") - failed
    waits = {index: draw.draw(st.floats(0, 50_000), "wait") for index in failed}
    timeouts = plan_timeouts(
        {index: ValueError() for index in failed}, skipped, wait=waits.__getitem__, group=groups.__getitem__
    )
    assert timeouts.keys() == failed | skipped
    for index, seconds in timeouts.items():
        assert isinstance(seconds, int)
        assert 0 <= seconds <= LONGEST
        behind = [timeouts[other] for other in failed if groups[other] is not None and groups[other] == groups[index]]
        if index in skipped:
            assert seconds == max(behind, default=0)
        else:
            assert seconds == min(ceil(waits[index]), LONGEST)


def test_retry_after_alone_leaves_the_other_failures_to_the_queue():
    """Without a backoff, a failed message and those behind it in its group keep the queue's timeout."""
    errors = {0: RetryAfter(7.2), 1: ValueError(), 2: ValueError()}
    names = ["a", "b", "b", "a", "b", None]
    assert plan_timeouts(errors, [3, 4, 5], wait=None, group=names.__getitem__) == {0: 8, 3: 8, 5: 0}


def test_the_longest_wait_inside_a_group_counts():
    """A ``RetryAfter`` inside an ``ExceptionGroup``, at any depth, asks for its record; the longest wait wins."""
    inner = ExceptionGroup("inner", [RetryAfter(7), ValueError()])
    errors = {0: ExceptionGroup("outer", [RetryAfter(3), inner]), 1: ExceptionGroup("other", [ValueError()])}
    assert plan_timeouts(errors, (), wait=None, group=lambda _: None) == {0: 7}
    assert plan_timeouts(errors, (), wait=lambda _: 30.0, group=lambda _: None) == {0: 7, 1: 30}


def test_one_failure_left_to_the_queue_leaves_its_group_there():
    """Where one of a group's failures keeps the queue's timeout, what is behind it must not overtake it."""
    errors = {0: RetryAfter(5), 1: ValueError()}
    assert plan_timeouts(errors, [2], wait=None, group=lambda _: "a") == {0: 5}


def test_what_a_message_asks_for_goes_before_the_backoff():
    """`RetryAfter` names the wait of its message, whatever ``retry_delay`` says."""
    errors = {0: RetryAfter(0), 1: ValueError()}
    assert plan_timeouts(errors, (), wait=lambda _: 3.0, group=lambda _: None) == {0: 0, 1: 3}


@given(count=st.integers(1, 2_000))
def test_waits_grow_with_the_receive_count_up_to_the_cap(count):
    """A wait is between 0 and the backoff's ceiling for so many receipts."""
    assert 0 <= random_wait(Backoff(2, 900), count) <= min(900, 2 * 2.0 ** min(count - 1, 60))


def test_messages_that_failed_together_get_different_waits():
    """Jitter keeps messages that failed together from coming back together."""
    assert len({random_wait(Backoff(100, 900), 1) for _ in range(10)}) == 10


def test_ten_messages_a_call():
    """SQS takes ten changes a call; each names its message's handle and the queue's URL."""
    client = ScriptedSQS()
    assert changed(client, dict.fromkeys(range(25), 4)) == [10, 10, 5]
    assert client.calls[0]["QueueUrl"] == "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"
    assert client.calls[2]["Entries"][4] == {"Id": "24", "ReceiptHandle": "handle", "VisibilityTimeout": 4}
    sent = [entry["Id"] for call in client.calls for entry in call["Entries"]]
    assert sent == [str(index) for index in range(25)]


def test_entries_that_fail_are_counted_by_their_code(caplog):
    """What SQS answers under ``Failed`` is read, and told in one line; the other calls go on."""
    client = ScriptedSQS([{"Id": "0", "Code": "ReceiptHandleIsInvalid"}] * 2, [{"Id": "10", "Code": "Other"}])
    assert changed(client, dict.fromkeys(range(12), 4)) == [10, 2]
    [line] = caplog.messages
    assert "of 3 messages" in line
    assert "2 of them: ReceiptHandleIsInvalid; 1 of them: Other" in line


def test_a_call_that_fails_is_made_again():
    """A connection that was closed while the environment was frozen costs nothing."""
    client = ScriptedSQS(ConnectionError("closed"))
    assert changed(client, dict.fromkeys(range(12), 4)) == [10, 10, 2]


def test_what_fails_twice_fails_for_all(caplog):
    """A missing permission is told once, not once for each ten messages."""
    client = ScriptedSQS(PermissionError("not authorized"), PermissionError("not authorized"))
    assert changed(client, dict.fromkeys(range(30), 4)) == [10, 10]
    [line] = caplog.messages
    assert "of 30 messages" in line
    assert "PermissionError: not authorized" in line


def test_a_second_failing_call_ends_it(caplog):
    """Only one call of a batch is made twice: time is short there."""
    client = ScriptedSQS(TimeoutError(), [], TimeoutError())
    assert changed(client, dict.fromkeys(range(20), 4)) == [10, 10, 10]
    assert "of 10 messages" in caplog.text


def test_calls_go_out_side_by_side():
    """Behind the first call, ten are under way at once: none of them ends before all have begun."""
    together = Barrier(10)

    class Slow(ScriptedSQS):
        def change_message_visibility_batch(self, **parameters):
            if self.calls:
                together.wait(60)
            return super().change_message_visibility_batch(**parameters)

    assert changed(Slow(), dict.fromkeys(range(110), 4), count=110) == [10] * 11


@given(
    count=st.integers(0, 130),
    failing=st.sets(st.integers(0, 20), max_size=4),
    refused=st.sets(st.integers(0, 130)),
    looks=st.one_of(st.none(), st.integers(0, 20)),
)
def test_each_message_is_changed_once_or_counted(count, failing, refused, looks):
    """Whatever calls fail, and whenever the time is up, each message is changed, refused or told of; none twice."""
    lock, left, told = Lock(), itertools.repeat(5) if looks is None else iter([5] * looks + [0] * 200), Counter()

    class Failing(ScriptedSQS):
        def change_message_visibility_batch(self, **parameters):
            with lock:
                number = len(self.calls)
                self.calls.append(parameters["Entries"] if number not in failing else [])
            if number in failing:
                raise TimeoutError
            wrong = [entry["Id"] for entry in parameters["Entries"] if int(entry["Id"]) in refused]
            return {"Failed": [{"Id": name, "Code": "refused"} for name in wrong]}

    client, visibility = Failing(), Visibility()
    visibility._clients["eu-west-1"] = client
    with mock.patch.object(logs, "visibility_unchanged", told.update):
        visibility.change(dict.fromkeys(range(count), 4), sqs(count)["Records"], lambda: next(left))
    sent = Counter(int(entry["Id"]) for call in client.calls for entry in call)
    assert all(times == 1 for times in sent.values())
    assert told.pop("refused", 0) == len(refused & sent.keys())
    assert sum(told.values()) == count - len(sent)
    assert len(failing & set(range(len(client.calls)))) <= 1 or told["TimeoutError"] or len(sent) == count


def test_a_broken_clock_ends_the_changes():
    """What `seconds_left` raises in the middle reaches the caller, whichever thread asked."""
    left = iter([5, 5])
    with pytest.raises(StopIteration):
        changed(ScriptedSQS(), dict.fromkeys(range(60), 4), count=60, seconds_left=lambda: next(left))


def test_no_call_begins_without_time_for_it(caplog):
    """With less than a second left the rest stays as it is, and is counted."""
    left = iter([5, 1.0, 0.99])
    client = ScriptedSQS()
    assert changed(client, dict.fromkeys(range(30), 4), seconds_left=lambda: next(left)) == [10, 10]
    assert "of 10 messages could not be changed (10 of them: too little time was left)" in caplog.text


def test_nothing_to_change_is_no_call(caplog):
    """An empty plan calls nothing and says nothing."""
    assert changed(ScriptedSQS(), {}) == []
    assert caplog.messages == []


def test_a_retry_delay_without_boto3_is_refused(monkeypatch):
    """Where boto3 is missing the decoration says so, and what to install."""
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(ConfigurationError, match=r"retry_delay needs boto3.*partialbatch\[boto3\]"):
        batch_handler(lambda record: None, retry_delay=Backoff(1, 2))


def test_retry_after_without_boto3_is_a_plain_failure(monkeypatch, caplog):
    """What is not installed cannot change a visibility, and the message is reported all the same."""
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)

    @batch_handler
    def handler(record):
        if record.body == "1":
            raise RetryAfter(5)

    assert handler(sqs(2)) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert "the visibility timeout of 1 messages could not be changed" in caplog.text


def test_a_wait_beyond_twelve_hours_is_refused_where_it_is_made():
    """The record fails with the error that names the limit."""

    @batch_handler
    def handler(record):
        raise RetryAfter(43_201)

    [failed] = handler.process(sqs(1)).failed
    assert isinstance(failed.error, ConfigurationError)
    assert "43,200" in str(failed.error)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "5", True, None])
def test_a_wait_that_is_none_is_refused(seconds):
    """Only a number of seconds from 0 on is a wait."""
    with pytest.raises(ConfigurationError, match=r"RetryAfter\.seconds"):
        RetryAfter(seconds)


@pytest.mark.parametrize(("kind", "workers"), [("plain", 1), ("plain", 3), ("async", 1), ("async", 3)])
def test_a_wait_inside_a_group_needs_no_option(monkeypatch, kind, workers):
    """What a TaskGroup raises asks for a wait as its exceptions do; the others are left to the queue."""
    changed = []
    monkeypatch.setattr(Visibility, "change", lambda self, timeouts, *_: changed.append(timeouts))

    def plain(record):
        if record.body == "1":
            raise ExceptionGroup("unhandled errors in a TaskGroup", [ValueError(), RetryAfter(7)])
        raise ValueError

    async def waiting(record):
        plain(record)

    batch_handler(plain if kind == "plain" else waiting, max_concurrency=workers).process(sqs(3))
    assert changed == [{1: 7}]


@pytest.mark.parametrize("event", ["kinesis", "dynamodb", "kafka"])
def test_sources_without_visibility_take_it_as_a_plain_failure(event, caplog, monkeypatch):
    """`RetryAfter` there fails the record like any error, and the process is warned once."""
    from partialbatch._core import logs  # beside what it is patched for
    from partialbatch.testing import dynamodb_event, kafka_event, kinesis_event

    monkeypatch.setattr(logs, "_told", set())
    made = {
        "kinesis": lambda: kinesis_event(["a", "b"]),
        "dynamodb": lambda: dynamodb_event([{"id": 1}, {"id": 2}]),
        "kafka": lambda: kafka_event({"orders-0": ["a", "b"]}),
    }[event]

    @batch_handler
    def handler(record):
        raise RetryAfter(5)

    caplog.set_level(logging.WARNING)
    for _ in range(2):
        assert all(isinstance(entry.error, RetryAfter) for entry in handler.process(made()).failed)
    assert [line for line in caplog.messages if "no visibility timeout" in line] == [
        f"a record function raised RetryAfter, and fails like any other: records of {event} have no visibility timeout"
    ]


def test_the_last_attempt_is_known_with_the_queues_limit():
    """`record.last_attempt` compares the receive count with ``max_receive_count``."""
    seen = []

    @batch_handler(max_receive_count=3)
    def handler(record):
        seen.append(record.last_attempt)

    handler(sqs(4, receives=[1, 2, 3, 4]))
    assert seen == [False, False, True, True]
