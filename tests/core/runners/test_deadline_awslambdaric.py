"""The deadline by the context of the real runtime client."""

from __future__ import annotations

import time

from awslambdaric.lambda_context import LambdaContext

from partialbatch._core.runners.deadline import Deadline


def test_the_runtime_clients_context_is_read_by_the_wall_clock():
    """The context of the real runtime client gives the same deadline, from one call of its method."""
    context = LambdaContext("id", None, None, int(time.time() * 1000) + 2_000, "arn")
    deadline = Deadline.of(context, 0.5)
    assert 1.3 < deadline.seconds_left <= 1.5
    assert deadline.allows()
    late = Deadline.of(context, 5)
    assert not late.allows()
    deadline.record_started(0)
    time.sleep(0.01)
    deadline.record_ended(0)
    assert 0.009 < deadline.slowest < 1
