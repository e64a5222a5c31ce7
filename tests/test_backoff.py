"""Waits between attempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import Backoff
from partialbatch.errors import ConfigurationError

_seconds = st.floats(1e-9, 1e300) | st.integers(1, 10**300)


@given(_seconds, _seconds, st.integers(-5, 10_000), st.floats(0, 1))
def test_a_wait_is_within_its_ceiling(base, cap, level, share):
    """Whatever the level, a wait is a share of a ceiling that never exceeds the cap."""
    backoff = Backoff(base, cap)
    ceiling = backoff.ceiling(level)
    assert 0 < ceiling <= cap
    assert backoff.wait(level, lambda: share) == share * ceiling
    assert ceiling <= backoff.ceiling(level + 1)


def test_ceilings_double_up_to_the_cap():
    """The ceiling doubles a level, from the base to the cap."""
    backoff = Backoff(base=0.5, cap=3)
    assert [backoff.ceiling(level) for level in (-1, 0, 1, 2, 3, 9)] == [0.5, 0.5, 1.0, 2.0, 3, 3]


def test_backoff_has_the_documented_defaults():
    """The defaults are those of the documentation."""
    backoff = Backoff()
    assert (backoff.base, backoff.cap, backoff.max_stalls) == (0.1, 20.0, 10)


@pytest.mark.parametrize("option", ["base", "cap"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "1", None, 10**400])
def test_seconds_that_are_not_above_0_are_refused(option, value):
    """What is no number of seconds above 0 is refused by name."""
    with pytest.raises(ConfigurationError, match=rf"Backoff\.{option}=.*a number of seconds above 0"):
        Backoff(**{option: value})


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1", None])
def test_stalls_that_are_not_a_whole_number_are_refused(value):
    """What is no whole number from 1 on is refused by name."""
    with pytest.raises(ConfigurationError, match=r"Backoff\.max_stalls=.*a whole number from 1 on"):
        Backoff(max_stalls=value)
    assert Backoff(max_stalls=1).max_stalls == 1
