"""Results and the response."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import BatchResult, RecordResult, SQSRecord
from partialbatch._core.results import build_response
from partialbatch.errors import EventError

STATUSES = ("succeeded", "failed", "skipped", "dead_lettered")


def _result(*statuses):
    entries = tuple(
        RecordResult(n, status, error=ValueError() if status == "failed" else None) for n, status in enumerate(statuses)
    )
    return BatchResult(entries, {"batchItemFailures": []})


def test_lists_by_status_are_in_event_order():
    """Each list holds its own records, in event order."""
    result = _result("failed", "succeeded", "skipped", "dead_lettered", "failed")
    picked = {name: [entry.record for entry in getattr(result, name)] for name in STATUSES}
    assert picked == {"succeeded": [1], "failed": [0, 4], "skipped": [2], "dead_lettered": [3]}
    assert repr(result) == "BatchResult(succeeded=1, failed=2, skipped=1, dead_lettered=1)"


@pytest.mark.parametrize("count", range(4))
def test_full_failure_has_a_failed_record_and_no_success(count):
    """A full failure has a failed record, and none that succeeded or was dead-lettered."""
    for statuses in itertools.product(STATUSES, repeat=count):
        expected = "failed" in statuses and not {"succeeded", "dead_lettered"} & {*statuses}
        assert _result(*statuses).full_failure is expected


def test_results_are_frozen_and_slotted():
    """Neither result can be changed, or given a further attribute."""
    result = _result("failed")
    for each, name in ((result, "response"), (result.results[0], "status")):
        with pytest.raises(AttributeError, match="is frozen"):
            setattr(each, name, None)
        assert not hasattr(each, "__dict__")


def test_repr_of_a_result_never_shows_a_body():
    """A record result shows identifier, status and the type of its error."""
    record = SQSRecord({"messageId": "m-1", "body": "secret"})
    shown = repr(RecordResult(record, "failed", error=ValueError("secret")))
    assert shown == "RecordResult(SQSRecord('m-1'), 'failed', error=ValueError)"
    assert repr(RecordResult(record, "succeeded", value="secret")) == "RecordResult(SQSRecord('m-1'), 'succeeded')"


@given(st.lists(st.sampled_from("abcde") | st.integers(0, 3), max_size=12), st.data())
def test_response_names_each_reported_identifier_once(names, data):
    """The response has each reported identifier, in event order, none twice, and no other."""
    identifiers = [name if isinstance(name, str) else {"partition": "t-0", "offset": name} for name in names]
    reported = data.draw(st.lists(st.sampled_from(range(len(names))), unique=True).map(sorted)) if names else []
    found = [item["itemIdentifier"] for item in build_response("sqs", identifiers, reported)["batchItemFailures"]]
    expected = []
    for index in reported:
        if identifiers[index] not in expected:
            expected.append(identifiers[index])
    assert found == expected


def test_nested_identifier_is_reported_once():
    """An identifier of a source of one's own may nest lists and dicts; it too is reported once."""
    nested = {"shard": {"id": 1}, "position": [1, 2]}
    response = build_response("mine", [nested, "m-1", {**nested}], [0, 1, 2])
    assert response == {"batchItemFailures": [{"itemIdentifier": nested}, {"itemIdentifier": "m-1"}]}


@pytest.mark.parametrize("identifier", [None, "", {}, 5, ["m"], b"m"])
def test_no_response_without_an_identifier(identifier):
    """A record that cannot be named gives the whole batch back; one that need not be named does no harm."""
    with pytest.raises(EventError) as caught:
        build_response("sqs", ["m-0", identifier], [0, 1])
    assert str(caught.value) == (
        "record 1 of the sqs batch did not succeed, and has no identifier to report it by. The whole batch is given "
        "back, because Lambda would delete a record that the response leaves out. Check whether an input transformer, "
        "or an event made by hand, leaves the identifier out"
    )
    assert build_response("sqs", ["m-0", identifier], [0]) == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
