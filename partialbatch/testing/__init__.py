"""The testing kit: events, a Lambda context, and simulators that deliver records as Lambda does.

Each name is imported when you first use it, so the pytest plugin costs nothing until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partialbatch.testing._context import Clock as Clock
    from partialbatch.testing._context import LambdaContext as LambdaContext
    from partialbatch.testing._delivery import Delivery as Delivery
    from partialbatch.testing._events import dynamodb_event as dynamodb_event
    from partialbatch.testing._events import kafka_event as kafka_event
    from partialbatch.testing._events import kinesis_event as kinesis_event
    from partialbatch.testing._events import pipes_event as pipes_event
    from partialbatch.testing._events import sqs_event as sqs_event
    from partialbatch.testing._failure_plans import FailurePlan as FailurePlan
    from partialbatch.testing._queue import SimulatedQueue as SimulatedQueue
    from partialbatch.testing._simulate import simulate as simulate
    from partialbatch.testing._stream import SimulatedStream as SimulatedStream
    from partialbatch.testing._topic import SimulatedTopic as SimulatedTopic

_HOMES = {
    "Clock": "_context",
    "Delivery": "_delivery",
    "FailurePlan": "_failure_plans",
    "LambdaContext": "_context",
    "SimulatedQueue": "_queue",
    "SimulatedStream": "_stream",
    "SimulatedTopic": "_topic",
    "dynamodb_event": "_events",
    "kafka_event": "_events",
    "kinesis_event": "_events",
    "pipes_event": "_events",
    "simulate": "_simulate",
    "sqs_event": "_events",
}

__all__ = [
    "Clock",
    "Delivery",
    "FailurePlan",
    "LambdaContext",
    "SimulatedQueue",
    "SimulatedStream",
    "SimulatedTopic",
    "dynamodb_event",
    "kafka_event",
    "kinesis_event",
    "pipes_event",
    "simulate",
    "sqs_event",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # each import here would slow every start of pytest

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
