"""Attachments that make a client when the module loads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from batches import kinesis, sqs

from partialbatch import Backoff, batch_handler
from partialbatch._core.stages import _visibility
from partialbatch.errors import ConfigurationError


def test_a_retry_delay_for_a_stream_is_refused_at_the_first_event(monkeypatch):
    """Where the source is the event's to tell, an option that it lacks is refused before anything runs."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    ran = []
    with pytest.raises(ConfigurationError, match="works with"):
        batch_handler(ran.append, retry_delay=Backoff(1, 2))(kinesis("a"))
    assert ran == []


@pytest.mark.parametrize("groups", [None, "aab"])
def test_retries_are_delayed_by_what_was_delivered(groups, monkeypatch):
    """Whatever the function does to its record: receive counts, groups and handles are those of the event."""
    entries = {}
    client = SimpleNamespace(
        meta=SimpleNamespace(endpoint_url="https://sqs.eu-west-1.amazonaws.com/"),
        change_message_visibility_batch=lambda **call: (
            entries.update(
                (entry["Id"], (entry["ReceiptHandle"], entry["VisibilityTimeout"])) for entry in call["Entries"]
            )
            or {}
        ),
    )
    monkeypatch.setattr(_visibility.Visibility, "_client", lambda *_: client)
    monkeypatch.setattr(_visibility, "_random", SimpleNamespace(random=lambda: 1.0))

    def empties(record):
        record.raw.clear()
        raise ValueError

    handler = batch_handler(
        empties, retry_delay=Backoff(10, 900), raise_on_full_failure=False, error_policy="skip_group"
    )
    handler(sqs(3, groups=groups, receives=[1, 2, 3]))
    expected = {"0": 10, "1": 20, "2": 40} if groups is None else {"0": 10, "1": 10, "2": 40}
    assert entries == {index: ("handle", seconds) for index, seconds in expected.items()}


def test_a_batch_that_succeeds_changes_no_visibility(monkeypatch):
    """There is nothing to delay, and no call is made."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    calls = []
    monkeypatch.setattr(_visibility.Visibility, "change", lambda *arguments: calls.append(arguments))
    handler = batch_handler(lambda record: None, retry_delay=Backoff(10, 900))
    assert handler(sqs(2)) == {"batchItemFailures": []}
    assert calls == []
