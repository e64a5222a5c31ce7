"""The deadline: when no record may start any more."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest
from batches import Clock
from hypothesis import example, given
from hypothesis import strategies as st

from partialbatch._core.runners.deadline import Deadline


@pytest.mark.parametrize(
    ("context", "margin"),
    [(None, 0.5), (object(), 0.5), (MagicMock(), 0.5), (Clock(1), None)],
)
def test_no_deadline_without_a_clock_or_a_margin(context, margin):
    """A context without the method, a mock's answer, or margin None means that there is no deadline."""
    assert Deadline.of(context, margin) is None


def test_an_attribute_that_cannot_be_called_is_no_clock():
    """A context whose ``get_remaining_time_in_millis`` is a value has no clock."""
    assert Deadline.of(type("Odd", (), {"get_remaining_time_in_millis": 5})(), 0.5) is None


@example(700, 500, 200)  # in floating point 0.2 - 0.7 is more than -0.5
@given(st.integers(0, 10_000), st.integers(0, 5_000), st.integers(0, 5_000))
def test_a_record_starts_only_if_margin_and_slowest_are_left(left, margin, slowest):
    """To the millisecond: exactly enough left is enough, one less is not."""
    clock = Clock((left + slowest) / 1000)
    deadline = Deadline.of(clock, margin / 1000)
    deadline.record_started(7)
    clock.left = left / 1000
    deadline.record_ended(7)
    assert deadline.allows() is (left >= margin + slowest)
    assert deadline.slowest == pytest.approx(slowest / 1000)
    assert deadline.seconds_left == pytest.approx((left - margin) / 1000, abs=1e-5)
    assert clock.reads == 2


def test_the_slowest_record_counts_not_the_last():
    """A short record after a long one does not shorten what must be left."""
    clock = Clock(10)
    deadline = Deadline.of(clock, 1)
    deadline.record_started(0)
    clock.left = 6
    deadline.record_ended(0)
    for left in (5, 4.9):
        deadline.record_started(1)
        clock.left = left
        deadline.record_ended(1)
        assert deadline.slowest == pytest.approx(4)
        assert deadline.allows() is (left == 5)


def test_a_record_that_still_runs_counts_with_the_time_it_has_taken():
    """The earliest of the running records counts as far as it is; once it has ended, it counts whole."""
    clock = Clock(10)
    deadline = Deadline.of(clock, 1)
    deadline.record_started(0)
    clock.left = 9
    deadline.read()
    deadline.record_started(1)
    for left, allowed in ((5.5, True), (5.4, False)):
        clock.left = left
        deadline.read()
        assert deadline.allows() is allowed
    deadline.record_ended(0)
    assert not deadline.allows()
    assert deadline.slowest == pytest.approx(4.6)
