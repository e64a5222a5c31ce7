"""Interleaved timing, on a clock that the test sets."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.fixture
def timing():
    return import_module("benchmarks.timing")


class Ticking:
    """A clock, and calls that take a known time on it."""

    def __init__(self):
        self.now, self.calls, self.prepared = 0.0, [], []

    def __call__(self):
        return self.now

    def contestant(self, name, seconds):
        def call():
            self.now += seconds
            self.calls.append(name)

        def prepare():
            self.prepared.append(name)
            return call

        return prepare


def test_contestants_take_turns(timing):
    """Every round prepares and times each contestant once, and another one comes first in the next round."""
    clock = Ticking()
    timing.race({"a": clock.contestant("a", 1.0), "b": clock.contestant("b", 2.0)}, rounds=3, clock=clock)
    assert clock.prepared == [*"ab", *"ab", *"ba", *"ab"]


def test_quick_calls_are_repeated_to_fill_a_slice(timing):
    """A call far shorter than a slice is timed many times in one go, a longer one once."""
    clock = Ticking()
    slow = timing.SLICE * 2
    contestants = {"quick": clock.contestant("quick", timing.SLICE / 100), "slow": clock.contestant("slow", slow)}
    times = timing.race(contestants, rounds=1, clock=clock)
    assert clock.calls.count("quick") > 100
    assert clock.calls.count("slow") == 4 + 1  # calls to find out how long it takes, and one round
    assert times.median("slow") == pytest.approx(slow)
    assert times.median("quick") == pytest.approx(timing.SLICE / 100)


def test_ratios_are_taken_within_a_round(timing):
    """A slowdown of the whole machine that hits all contestants of a round leaves the ratio as it is."""
    times = timing.Times({"ours": [1.0, 10.0, 2.0], "peer": [2.0, 20.0, 4.0]})
    assert times.median("ours") == 2.0
    assert times.best("ours") == 1.0
    assert times.median(lambda ours, peer: ours / peer) == 0.5
