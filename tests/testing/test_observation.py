"""What is seen of the records of our own handlers."""

from __future__ import annotations

import functools
import logging

import pytest
from hypothesis import given
from hypothesis.errors import StopTest

from partialbatch import batch_handler
from partialbatch.testing import FailurePlan, LambdaContext, SimulatedQueue, sqs_event
from partialbatch.testing._failure_plans import HOWS
from partialbatch.testing.strategies import failure_plans

LATE = LambdaContext(timeout=3)


def late(record):
    if record.text == "b":
        LATE.clock.advance(900)


async def late_async(record):
    late(record)


@pytest.mark.parametrize("function", [late, late_async])
@pytest.mark.parametrize("options", [{}, {"max_concurrency": 2}, {"max_receive_count": 2}, {"deadline_margin": 0.5}])
def test_what_runs_into_the_timeout_has_not_succeeded(function, options):
    """The record in whose middle Lambda ends the invocation failed, those after it did not run, those before it did."""
    handler = batch_handler(function, **{"deadline_margin": None, **options})
    delivery = SimulatedQueue(list("abc"), fifo=True, max_receive_count=2).run(handler, LATE)
    assert [[run.status for run in record.runs] for record in delivery.records] == [
        ["succeeded", "succeeded"],
        ["failed", "failed"],
        ["skipped", "skipped"],
    ]
    assert delivery.duplicated_work == 1
    assert [(entry.response, entry.error) for entry in delivery.invocations] == [(None, None)] * 2
    assert delivery.lost == [delivery.records[2]]


def test_nothing_runs_after_the_timeout():
    """An error after the end of the invocation is that of its record alone, for no other is run."""
    context, ran = LambdaContext(timeout=3), []

    def record_function(record):
        ran.append(record.text)
        context.clock.advance(3)
        raise ValueError

    handler = batch_handler(record_function, deadline_margin=None)
    delivery = SimulatedQueue(["a", "b"], max_receive_count=1).run(handler, context)
    assert [record.runs[0].status for record in delivery.records] == ["failed", "skipped"]
    assert ran == ["a"]


def stacked(change=lambda event: event):
    """Make a handler behind a decorator that may change the event; "b" fails."""

    def decorator(function):
        @functools.wraps(function)
        def wrapper(event, context):
            given_on = change(event)
            return {"batchItemFailures": []} if given_on is None else function(given_on, context)

        return wrapper

    @decorator
    @decorator
    @batch_handler
    def handler(record):
        assert record.text != "b"

    return handler


def test_a_handler_behind_decorators_is_seen_through():
    """The status of each record is that of the handler inside, and nothing is inferred."""
    delivery = SimulatedQueue(["a", "b"], max_receive_count=2).run(stacked())
    assert [record.runs[0].status for record in delivery.records] == ["succeeded", "failed"]
    assert not delivery.inferred
    assert "inferred" not in delivery.explain()


def _without_the_first(event):
    return {"Records": event["Records"][1:]} if len(event["Records"]) > 1 else event


def _popped(event):
    if len(event["Records"]) > 1:
        event["Records"].pop(0)
    return event


@pytest.mark.parametrize("change", [_without_the_first, _popped, lambda event: None])
def test_a_decorator_that_hands_on_other_records_leaves_the_statuses_to_the_response(change):
    """Where the handler gets another event, or none, what its records became says nothing of those that came."""
    delivery = SimulatedQueue(["a", "c"], max_receive_count=2).run(stacked(change))
    assert delivery.inferred
    assert [record.fate for record in delivery.records] == ["deleted", "deleted"]


def test_only_the_handler_that_is_called_is_watched():
    """A handler that calls another one is seen for itself; and nobody watches it afterwards."""
    inner = batch_handler(lambda record: 1 / 0, raise_on_full_failure=False)
    watched = SimulatedQueue(["a"], max_receive_count=1).run(inner)
    assert watched.records[0].runs[0].status == "failed"

    @batch_handler
    def outer(record):
        assert len(inner(sqs_event(["x", "y"]))["batchItemFailures"]) == 2

    delivery = SimulatedQueue(["a"]).run(outer)
    assert [run.status for run in delivery.records[0].runs] == ["succeeded"]


@given(failure_plans(keys="abc", hows=HOWS, poison=False))
def test_as_many_successes_are_seen_as_there_were(plan):
    """However records fail, by a timeout too, what is seen of them is what their own book says."""
    logging.disable(logging.CRITICAL)
    handler = batch_handler(lambda record: plan.attempt(record.text), deadline_margin=None)
    delivery = SimulatedQueue(list("abc")).run(handler, LambdaContext(clock=plan.clock))
    logging.disable(logging.NOTSET)
    assert [record.successes for record in delivery.records] == [plan.done.count(key) for key in "abc"]


def test_a_foreign_context_ends_nothing():
    """A context that is not the kit's own says nothing of the clock, so each record runs to its end."""
    delivery = SimulatedQueue(["a"]).run(batch_handler(late), object())
    assert [run.status for run in delivery.records[0].runs] == ["succeeded"]


def test_what_no_except_catches_ends_the_invocation_only():
    """A `BaseException` of a hand-written handler ends Lambda's process, and the simulation goes on."""
    plan = FailurePlan({"a": (1, "base")})

    def handler(event, context):
        for raw in event["Records"]:
            plan.attempt(raw["body"])

    delivery = SimulatedQueue(["a", "b"]).run(handler)
    assert [entry.verdict for entry in delivery.invocations] == ["failure", "success"]
    assert "Runtime.ExitError" in delivery.invocations[0].reason
    assert plan.done == ["a", "b"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), pytest.fail.Exception("no"), StopTest(1)])
def test_what_ends_the_test_ends_the_simulation(error):
    """Ctrl-C, and what pytest and hypothesis end a test with, are not taken for a failed invocation."""

    def handler(event, context):
        raise error

    with pytest.raises(type(error)):
        SimulatedQueue(["a"]).run(handler)
