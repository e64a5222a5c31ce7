"""Sessions that refuse more than they were given: items of records that have failed already."""

from __future__ import annotations

from batches import number, reported, sqs

from partialbatch import Reject, batch_handler
from partialbatch.types import Unprocessed


class Grudging:
    """A sink whose session takes an item of the first record, raises, and refuses everything in the end."""

    def open(self, *, ordered, seconds_left):
        self.held = []
        return self

    def put(self, item, *, group):
        self.held.append(item)
        if len(self.held) == 1:
            raise ValueError("too large")

    def flush(self):
        return [Unprocessed(item, reason="throttled") for item in self.held]


def test_a_refused_item_of_a_record_that_failed_changes_nothing():
    """The record that raised keeps its own error; the one that waited fails with the refusal."""
    result = batch_handler(number, sink=Grudging()).process(sqs(2))
    assert [entry.status for entry in result.results] == ["failed", "failed"]
    assert str(result.results[0].error) == "too large"
    assert "items of the record" in str(result.results[1].error)


def test_a_refused_dead_letter_of_a_record_that_failed_changes_nothing():
    """Both records come back, each with the error that its record function raised."""

    def body(record):
        raise Reject(str(number(record)))

    result = batch_handler(body, dead_letter=Grudging()).process(sqs(2))
    assert [str(entry.error) for entry in result.results] == ["0", "1"]
    assert reported(result.response) == ["m0", "m1"]
