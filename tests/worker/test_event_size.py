"""Events of at most 6 MB."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from partialbatch.worker import _event_size
from partialbatch.worker._event_size import split_into_events

RECORDS = st.lists(st.integers(0, 90).map(lambda size: {"body": "é" * size}), max_size=20)


@given(records=RECORDS, limit=st.integers(60, 400))
def test_events_are_as_large_as_the_limit_allows(records, limit):
    """All records are there in order, no event of several records is too large, and none could hold one more."""
    before, _event_size.PAYLOAD_LIMIT = _event_size.PAYLOAD_LIMIT, limit
    try:
        events = split_into_events(records)
    finally:
        _event_size.PAYLOAD_LIMIT = before
    assert [record for event in events for record in event] == records

    def size(event):
        return len(json.dumps({"Records": event}))

    assert all(size(event) <= limit or len(event) == 1 for event in events)
    assert all(size([*event, following[0]]) > limit - 2 for event, following in pairwise(events))


def test_the_limit_is_that_of_the_simulated_queue():
    """The poller and the testing kit use the same limit."""
    records = [{"body": "x" * 1_000_000}] * 13
    assert [len(event) for event in split_into_events(records)] == [6, 6, 1]
