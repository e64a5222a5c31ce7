"""The function for all simulators."""

from __future__ import annotations

import pytest

from partialbatch.errors import ConfigurationError
from partialbatch.testing import LambdaContext, dynamodb_event, kafka_event, kinesis_event, simulate, sqs_event


@pytest.mark.parametrize(
    ("event", "source"),
    [
        (sqs_event(["a"]), "sqs"),
        (kinesis_event(["a"]), "kinesis"),
        (dynamodb_event([{"id": 1}]), "dynamodb"),
        (kafka_event({"t-0": ["a"]}), "kafka"),
    ],
)
def test_source_of_an_event_chooses_the_simulator(event, source):
    """An event is simulated as one of its source."""
    delivery = simulate(lambda event, context: None, event)
    assert delivery.source == source
    assert delivery.invocations[0].event == event


@pytest.mark.parametrize(
    ("records", "source"),
    [(["a"], "kinesis"), ([{"id": 1}], "dynamodb"), ({"t-0": ["a"]}, "kafka"), (["a"], None), (["a"], "sqs")],
)
def test_plain_values_go_to_the_named_source(records, source):
    """Plain values go to the simulator of the named source, or by default to a queue."""
    assert simulate(lambda event, context: None, records, source).source == (source or "sqs")


def test_all_options_are_handed_on():
    """The context, `succeeded` and the simulator's own options reach the simulator."""
    context = LambdaContext(timeout=1)

    def handler(event, own):
        context.clock.advance(0.1)

    told = []
    delivery = simulate(handler, ["a", "b"], batch_size=1, context=context, succeeded=lambda raw: not told.append(raw))
    assert len(delivery.invocations) == 2
    assert len(told) == 2
    assert delivery.seconds == pytest.approx(0.2)


def test_succeeded_must_be_callable():
    """A list as `succeeded` is refused before anything is delivered."""
    calls = []
    with pytest.raises(ConfigurationError, match="succeeded="):
        simulate(lambda *given: calls.append(given), ["a"], succeeded=["a"])
    assert not calls


def test_an_unknown_source_is_refused():
    """The message names the source that can't be simulated."""
    with pytest.raises(ConfigurationError, match="source='sns'"):
        simulate(lambda event, context: None, ["a"], "sns")
