"""Attachments that make a client when the module loads."""

from __future__ import annotations

import pytest
from batches import kinesis

from partialbatch import Backoff, batch_handler
from partialbatch.errors import ConfigurationError


def test_a_retry_delay_for_a_stream_is_refused_at_the_first_event(monkeypatch):
    """Where the source is the event's to tell, an option that it lacks is refused before anything runs."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    ran = []
    with pytest.raises(ConfigurationError, match="works with"):
        batch_handler(ran.append, retry_delay=Backoff(1, 2))(kinesis("a"))
    assert ran == []
