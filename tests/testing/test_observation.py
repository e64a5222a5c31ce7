"""The observed results of handlers made by partialbatch."""

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
def test_record_that_runs_into_the_timeout_has_failed(function, options):
    """The record that runs at the timeout fails, the records after it don't run, and those before it have succeeded."""
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
    """An error after the timeout belongs to its record alone, because no other record runs."""
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


def test_handler_behind_decorators_is_observed():
    """The statuses are those of the inner handler, and nothing is inferred."""
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
def test_statuses_are_inferred_if_a_decorator_passes_on_other_records(change):
    """If the handler gets another event, or none, its results say nothing about the original records."""
    delivery = SimulatedQueue(["a", "c"], max_receive_count=2).run(stacked(change))
    assert delivery.inferred
    assert [record.fate for record in delivery.records] == ["deleted", "deleted"]


def test_only_the_handler_that_is_called_is_watched():
    """A handler that calls another one is observed alone, and nothing is observed afterwards."""
    inner = batch_handler(lambda record: 1 / 0, raise_on_full_failure=False)
    watched = SimulatedQueue(["a"], max_receive_count=1).run(inner)
    assert watched.records[0].runs[0].status == "failed"

    @batch_handler
    def outer(record):
        assert len(inner(sqs_event(["x", "y"]))["batchItemFailures"]) == 2

    delivery = SimulatedQueue(["a"]).run(outer)
    assert [run.status for run in delivery.records[0].runs] == ["succeeded"]


@given(failure_plans(keys="abc", hows=HOWS, poison=False))
def test_observed_successes_are_the_real_ones(plan):
    """However records fail, even by a timeout, the observed successes equal those that the function counted."""
    logging.disable(logging.CRITICAL)
    handler = batch_handler(lambda record: plan.attempt(record.text), deadline_margin=None)
    delivery = SimulatedQueue(list("abc")).run(handler, LambdaContext(clock=plan.clock))
    logging.disable(logging.NOTSET)
    assert [record.successes for record in delivery.records] == [plan.done.count(key) for key in "abc"]


def test_context_of_another_kind_has_no_timeout():
    """With a context that isn't the kit's own, each record runs to its end."""
    delivery = SimulatedQueue(["a"]).run(batch_handler(late), object())
    assert [run.status for run in delivery.records[0].runs] == ["succeeded"]


def test_base_exception_ends_only_the_invocation():
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
def test_exceptions_that_end_a_test_end_the_simulation(error):
    """Ctrl-C, and the exceptions with which pytest and hypothesis end a test, don't count as a failed invocation."""

    def handler(event, context):
        raise error

    with pytest.raises(type(error)):
        SimulatedQueue(["a"]).run(handler)
