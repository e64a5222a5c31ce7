"""The names that every layer shares."""

from __future__ import annotations

import pytest

from partialbatch.types import ErrorPolicy, RawRecord, Unprocessed


def test_error_policy_equals_its_text():
    """Each policy equals the text that the option takes."""
    assert [*ErrorPolicy] == ["derive", "continue", "stop", "skip_group"]


def test_raw_record_is_the_dict():
    """RawRecord is a name: it makes nothing."""
    raw = {"messageId": "m"}
    assert RawRecord(raw) is raw


def test_unprocessed_entry_that_was_never_sent_says_so():
    """An entry that was never sent says so; it is frozen, and equal to itself alone."""
    entry = Unprocessed("item")
    assert {name: getattr(entry, name) for name in Unprocessed.__match_args__} == {
        "record": "item",
        "options": {},
        "code": None,
        "message": None,
        "attempts": 0,
        "reason": "unsent",
        "ambiguous": False,
    }
    assert entry != Unprocessed("item")


def test_the_repr_of_an_unprocessed_record_shows_nothing_of_it():
    """Type, code and reason; neither the record, nor its options, nor the service's text, which may quote it."""
    entry = Unprocessed({"card": "hunter2"}, {"key": "hunter2"}, "Throttled", "no hunter2", 2, "throttled")
    assert repr(entry) == "Unprocessed(<dict>, code='Throttled', reason='throttled')"
    assert repr([Unprocessed("hunter2")]) == "[Unprocessed(<str>, reason='unsent')]"
    with pytest.raises(AttributeError, match="is frozen"):
        entry.code = "X"
