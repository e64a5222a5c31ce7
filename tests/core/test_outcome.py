"""What is told of an invocation: its response, its results, its one line."""

from __future__ import annotations

import pytest
from batches import Clock, number, reported, sqs

from partialbatch import FullBatchFailure, batch_handler
from partialbatch.errors import RecordSkipped


def test_the_response_is_built_before_the_failure_is_raised():
    """``FullBatchFailure`` carries response, result and errors, in event order."""

    def body(record):
        raise ValueError(number(record)) if number(record) else KeyError

    with pytest.raises(FullBatchFailure) as caught:
        batch_handler(body)(sqs(3))
    failure = caught.value
    assert reported(failure.response) == ["m0", "m1", "m2"]
    assert failure.result.response is failure.response
    assert [type(error) for error in failure.errors] == [KeyError, ValueError, ValueError]
    assert [str(error) for error in failure.errors[1:]] == ["1", "2"]
    assert failure.result.full_failure


def test_a_full_failure_may_be_a_response():
    """With ``raise_on_full_failure=False`` the response names every record."""
    handler = batch_handler(lambda record: 1 / 0, raise_on_full_failure=False)
    assert reported(handler(sqs(3))) == ["m0", "m1", "m2"]


def test_one_success_makes_it_a_partial_one():
    """As long as one record succeeded nothing is raised."""
    assert reported(batch_handler(lambda record: [][number(record)] if number(record) else None)(sqs(3))) == [
        "m1",
        "m2",
    ]


def test_a_failure_with_the_rest_skipped_is_a_full_one():
    """The first of a FIFO batch failed: none succeeded, so the invocation fails."""
    with pytest.raises(FullBatchFailure) as caught:
        batch_handler(lambda record: 1 / 0)(sqs(3, groups=["a"] * 3))
    assert len(caught.value.result.skipped) == 2


def test_all_skipped_by_the_deadline_is_no_full_failure():
    """Nothing failed, so the response gives the records back and nothing is raised."""
    assert reported(batch_handler(lambda record: None)(sqs(2), Clock(0))) == ["m0", "m1"]


def test_process_never_raises_for_records():
    """``process`` tells of a full failure by its result."""
    result = batch_handler(lambda record: 1 / 0).process(sqs(2))
    assert result.full_failure
    assert reported(result.response) == ["m0", "m1"]


def test_each_result_has_its_record_status_value_and_error():
    """The results stand in event order, with a view each and why it was skipped."""

    def body(record):
        if number(record) == 1:
            raise ValueError
        return number(record) * 10

    result = batch_handler(body).process(sqs(3, groups=["a"] * 3))
    first, second, third = result.results
    assert [entry.record.message_id for entry in result.results] == ["m0", "m1", "m2"]
    assert (first.status, first.value, first.error) == ("succeeded", 0, None)
    assert (second.status, second.value, type(second.error)) == ("failed", None, ValueError)
    assert (third.status, third.value, third.duration) == ("skipped", None, None)
    assert isinstance(third.error, RecordSkipped)
    assert str(third.error) == "not started: a record before it failed (error_policy 'stop')"


@pytest.mark.parametrize("level", ["INFO", "WARNING"])
@pytest.mark.parametrize("failing", [False, True])
def test_one_line_a_batch(caplog, level, failing):
    """A clean batch is told at INFO, one with failures at WARNING."""
    caplog.set_level(level, "partialbatch")
    batch_handler(lambda record: 1 / (number(record) - 1) if failing else None)(sqs(3))
    lines = [entry for entry in caplog.records if hasattr(entry, "batch_size")]
    if failing:
        (line,) = lines
        assert (line.levelname, line.batch_succeeded, line.batch_failed, line.batch_skipped) == ("WARNING", 2, 1, 0)
    elif level == "INFO":
        (line,) = lines
        assert (line.levelname, line.batch_succeeded, line.batch_failed, line.batch_skipped) == ("INFO", 3, 0, 0)
        assert 0 <= line.batch_duration < 60
    else:
        assert not lines


def test_an_interrupted_batch_is_told_too(caplog):
    """The line is written before the interrupt is raised."""

    def body(record):
        if number(record) == 1:
            raise SystemExit

    with pytest.raises(SystemExit):
        batch_handler(body)(sqs(3))
    (line,) = [entry for entry in caplog.records if hasattr(entry, "batch_size")]
    assert (line.batch_succeeded, line.batch_failed, line.batch_skipped) == (1, 1, 1)
