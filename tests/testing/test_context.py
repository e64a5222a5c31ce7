"""The Lambda context and its clock."""

from __future__ import annotations

import pytest

from partialbatch.errors import ConfigurationError
from partialbatch.testing import Clock, LambdaContext, SimulatedQueue


def test_remaining_time_falls_when_the_clock_is_moved():
    """The remaining time is the timeout less the seconds that the clock moved, and never below 0."""
    context = LambdaContext(timeout=3)
    assert context.get_remaining_time_in_millis() == 3000
    context.clock.advance(1.25)
    assert context.get_remaining_time_in_millis() == 1750
    context.clock.advance(10)
    assert context.get_remaining_time_in_millis() == 0


def test_context_accepts_any_clock():
    """A context accepts any function that returns seconds, and starts at its current time."""
    clock = Clock(100)
    clock.advance(5)
    assert clock() == 105
    context = LambdaContext(timeout=2, clock=clock)
    assert context.get_remaining_time_in_millis() == 2000
    now = [7.0]
    context = LambdaContext(timeout=2, clock=lambda: now[0])
    now[0] = 8.5
    assert context.get_remaining_time_in_millis() == 500


def test_renewed_context_has_its_whole_timeout():
    """A new invocation has the whole timeout again, by the same clock."""
    context = LambdaContext(timeout=2, function_name="orders")
    context.clock.advance(1)
    again = context.anew()
    assert again.get_remaining_time_in_millis() == 2000
    assert again.clock is context.clock
    assert again.function_name == "orders"
    assert again.invoked_function_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders"


def test_renewed_context_keeps_its_class_and_attributes():
    """Each invocation gets the subclass, and the attributes that a test has set."""

    class Own(LambdaContext):
        pass

    context = Own(timeout=2)
    context.memory_limit_in_mb = "512"
    seen = []
    SimulatedQueue(["a"]).run(lambda event, own: seen.append((type(own), own.memory_limit_in_mb)), context)
    assert seen == [(Own, "512")]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LambdaContext(timeout=901), "timeout=901"),
        (lambda: LambdaContext(timeout=-1), "timeout=-1"),
        (lambda: LambdaContext(timeout=0), "timeout=0"),
        (lambda: LambdaContext(timeout=True), "timeout=True"),
        (lambda: LambdaContext(timeout="3"), "timeout='3'"),
        (lambda: LambdaContext(clock=3), "clock=3"),
        (lambda: Clock().advance(-1), "seconds=-1"),
        (lambda: Clock().advance(float("nan")), "seconds=nan"),
    ],
)
def test_impossible_times_are_refused(make, words):
    """Timeouts beyond Lambda's, and clocks that run backwards, are refused."""
    with pytest.raises(ConfigurationError, match=words.replace("(", r"\(")):
        make()


def test_each_invocation_has_a_request_id_of_its_own():
    """Each invocation has its own request id, as in Lambda, unless the test has set one."""
    context = LambdaContext()
    ids = [context.aws_request_id, context.anew().aws_request_id, context.anew().anew().aws_request_id]
    assert len({LambdaContext().aws_request_id, *ids}) == 4
    context.aws_request_id = "mine"
    assert context.anew().anew().aws_request_id == "mine"
