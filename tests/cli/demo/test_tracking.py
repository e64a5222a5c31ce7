"""The demo's bookkeeping."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch.cli.demo.tracking import ALWAYS, SourceTracker

NAMES = [f"r{number}" for number in range(6)]


def tracker(plan):
    return SourceTracker("test", plan, work_seconds=0, show_line=print)


@given(runs=st.lists(st.sampled_from(NAMES)), dead=st.sets(st.sampled_from(NAMES)))
def test_a_record_is_lost_if_neither_handled_nor_dead_lettered(runs, dead):
    """A record is lost exactly if its function never returned and it is not dead-lettered."""
    book = tracker(dict.fromkeys(NAMES, 0))
    for name in runs:
        book.work(name)
    summarize = book.summarize(dead)
    assert set(summarize.lost) == set(NAMES) - set(runs) - dead
    assert summarize.handled == len(set(runs))
    assert summarize.dead_lettered == len(dead)
    assert summarize.duplicated_work == len(runs) - len(set(runs))


def test_a_record_fails_as_often_as_planned():
    """A record fails as often as planned, and a hopeless one always; failed runs are not handled."""
    book = tracker({"once": 1, "hopeless": ALWAYS})
    with pytest.raises(ConnectionError):
        book.work("once")
    book.work("once")
    for _ in range(3):
        with pytest.raises(ConnectionError):
            book.work("hopeless")
    assert dict(book.handled) == {"once": 1}
    assert book.summarize([]).lost == ("hopeless",)


def test_a_failed_request_is_shown_on_one_line(capsys):
    """A failed request to the local server is shown on one line."""
    tracker({}).waiting(ConnectionError("away"), 0.25)
    assert capsys.readouterr().out == "test ConnectionError: trying again in 0.2 s\n"
