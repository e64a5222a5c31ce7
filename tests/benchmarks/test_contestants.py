"""The contestants of the benchmarks do the same work."""

from __future__ import annotations

from importlib import import_module

import pytest

NAMES = ["view", "raw", "dict", "fifo", "kinesis", "dynamodb", "pydantic", "failures", "logged failures"]


@pytest.fixture(params=["ours", "powertools", "bare"])
def handlers(request):
    return import_module(f"benchmarks.{request.param}").HANDLERS


@pytest.fixture
def events():
    return import_module("benchmarks.events")


@pytest.mark.parametrize("name", NAMES)
def test_all_give_the_same_response(handlers, events, name):
    """Every contestant returns the response that is due."""
    make = getattr(events, name, events.sqs)
    failing = [f"059f36b4-87a3-44ab-83d2-{number:012d}" for number in (7, 17)] if "failures" in name else []
    assert handlers[name](make(20), None) == {"batchItemFailures": [{"itemIdentifier": one} for one in failing]}


def test_every_contestant_takes_part(handlers):
    """No contestant lacks a case."""
    assert list(handlers) == NAMES


def test_greedy_scheduling_is_known():
    """The oracle of the scheduling benchmark is greedy list scheduling."""
    makespan = import_module("benchmarks.concurrency").makespan
    assert makespan([3, 1, 1, 1], 2) == 3
    assert makespan([1, 1, 1, 3], 2) == 4
    assert makespan([2.5], 8) == 2.5
