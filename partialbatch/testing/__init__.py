"""Events, a context and a simulator of Lambda's deliveries, for the tests of handlers.

Nothing is imported until it is used: the pytest plugin lives in this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partialbatch.testing.context import Clock as Clock
    from partialbatch.testing.context import LambdaContext as LambdaContext
    from partialbatch.testing.delivery import Delivery as Delivery
    from partialbatch.testing.events import dynamodb_event as dynamodb_event
    from partialbatch.testing.events import kafka_event as kafka_event
    from partialbatch.testing.events import kinesis_event as kinesis_event
    from partialbatch.testing.events import pipes_event as pipes_event
    from partialbatch.testing.events import sqs_event as sqs_event
    from partialbatch.testing.plans import FailurePlan as FailurePlan
    from partialbatch.testing.queue import SimulatedQueue as SimulatedQueue
    from partialbatch.testing.simulation import simulate as simulate
    from partialbatch.testing.stream import SimulatedStream as SimulatedStream
    from partialbatch.testing.topic import SimulatedTopic as SimulatedTopic

_HOMES = {
    "Clock": "context",
    "Delivery": "delivery",
    "FailurePlan": "plans",
    "LambdaContext": "context",
    "SimulatedQueue": "queue",
    "SimulatedStream": "stream",
    "SimulatedTopic": "topic",
    "dynamodb_event": "events",
    "kafka_event": "events",
    "kinesis_event": "events",
    "pipes_event": "events",
    "simulate": "simulation",
    "sqs_event": "events",
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
    from importlib import import_module  # noqa: PLC0415 - the plugin pays for every import here

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
