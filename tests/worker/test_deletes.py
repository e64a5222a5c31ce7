"""Deletes that fail."""

from __future__ import annotations

import logging
from math import inf

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from partialbatch.worker import _deletes
from partialbatch.worker._deletes import Deleter


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(_deletes, "_FIRST_PAUSE", 0.0001)


class Queue:
    """A queue whose deletes fail as planned, because moto's never do."""

    def __init__(self, plan=()):
        self.plan = list(plan)
        self.deleted = []
        self.calls = 0

    def delete_message_batch(self, QueueUrl, Entries):
        self.calls += 1
        assert 1 <= len(Entries) <= 10
        trouble = self.plan.pop(0) if self.plan else None
        if isinstance(trouble, Exception):
            raise trouble
        failed = Entries[:trouble] if trouble else []
        self.deleted += [entry["ReceiptHandle"] for entry in Entries if entry not in failed]
        return {"Failed": [{"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"} for entry in failed]}


def server_error(code="InternalFailure", status=500):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "DeleteMessageBatch")


AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
TROUBLE = st.sampled_from([None, AWAY, server_error(), server_error("KmsThrottled", 400)]) | st.integers(1, 10)


@given(plan=st.lists(TROUBLE, max_size=8), count=st.integers(0, 35))
def test_every_message_is_deleted_in_the_end(plan, count):
    """After transient errors each message is deleted, and none twice."""
    queue, waits = Queue(plan), []
    receipts = [f"r{number}" for number in range(count)]
    deleter = Deleter(queue, "url", lambda error, seconds: waits.append((error, seconds)))
    deleter.delete(receipts, dict.fromkeys(receipts, inf))
    assert sorted(queue.deleted) == sorted(receipts)
    assert all(isinstance(error, Exception) and seconds > 0 for error, seconds in waits)


def test_visible_messages_are_not_deleted_any_more(caplog):
    """A message that is visible again isn't deleted any more, and the log says that it may run again."""
    queue = Queue([2])
    Deleter(queue, "url", lambda _error, _seconds: None).delete(["over", "open"], {"over": 0.0, "open": inf})
    assert queue.deleted == ["open"]
    assert queue.calls == 2
    assert "1 handled messages were not deleted before they became visible again" in caplog.text
    assert "InternalError" in caplog.text


def test_deleting_ends_when_all_messages_are_visible_again():
    """If all messages are visible again, no call is made."""
    queue = Queue([AWAY])
    Deleter(queue, "url", lambda _error, _seconds: None).delete(["over"], {"over": 0.0})
    assert queue.calls == 1


def test_a_refusal_is_raised_at_once():
    """A permission error is raised at the first attempt."""
    queue = Queue([server_error("AccessDenied", 403)])
    with pytest.raises(ClientError, match="AccessDenied"):
        Deleter(queue, "url", lambda _error, _seconds: None).delete(["a"], {"a": inf})
    assert queue.calls == 1


def test_invalid_receipt_handle_is_logged_and_not_retried(caplog):
    """No later attempt makes a receipt handle valid."""

    class Invalid(Queue):
        def delete_message_batch(self, QueueUrl, Entries):
            self.calls += 1
            return {"Failed": [{"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}]}

    queue = Invalid()
    with caplog.at_level(logging.WARNING):
        Deleter(queue, "url", lambda _error, _seconds: None).delete(["a"], {"a": inf})
    assert queue.calls == 1
    assert "was not deleted (ReceiptHandleIsInvalid)" in caplog.text
