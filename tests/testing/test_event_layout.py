"""The records and bodies that simulators accept."""

from __future__ import annotations

import json

import pytest

from partialbatch.errors import ConfigurationError
from partialbatch.testing import (
    SimulatedQueue,
    SimulatedStream,
    dynamodb_event,
    kafka_event,
    kinesis_event,
    pipes_event,
    simulate,
    sqs_event,
)


def nothing(event, context):
    """Succeed with all records."""


@pytest.mark.parametrize(
    ("source", "given", "words"),
    [
        ("sqs", kinesis_event(["a"]), "messages takes records of sqs, but these are of kinesis"),
        ("sqs", dynamodb_event([{"id": 1}])["Records"], "these are of dynamodb"),
        ("sqs", {"Records": [{"eventSource": "aws:s3"}]}, "these are of no known source"),
        ("kinesis", sqs_event(["a"]), "records takes records of kinesis or dynamodb, but these are of sqs"),
        ("kinesis", pipes_event(kinesis_event(["a"])), "these come from EventBridge Pipes"),
        ("kinesis", kinesis_event(["a"], window={}), "tumbling windows can't be simulated"),
    ],
)
def test_records_of_another_kind_are_refused(source, given, words):
    """Records that the simulator can't deliver are refused, rather than taken for bodies."""
    with pytest.raises(ConfigurationError, match=words):
        simulate(nothing, given, source)


@pytest.mark.parametrize(
    ("options", "words"), [({"partition_keys": "k"}, "partition_keys is for data"), ({"source": "sqs"}, "source='sqs'")]
)
def test_arguments_without_effect_are_refused(options, words):
    """Arguments that have no effect on raw records are refused."""
    with pytest.raises(ConfigurationError, match=words):
        SimulatedStream(kinesis_event(["a"]), **options)


@pytest.mark.parametrize("body", [{"messageId": "x"}, {"eventID": "x"}, {"eventSource": {"a": 1}}, ["aws:sqs"]])
def test_bodies_may_look_like_records(body):
    """A dict that names no known source is a body, whatever else it holds."""
    delivery = simulate(nothing, [body], "sqs")
    assert json.loads(delivery.records[0].raw["body"]) == body
    assert simulate(nothing, [body], "kinesis").fates == {"deleted": 1}


def test_empty_bodies_accept_empty_groups():
    """An empty list of bodies takes an empty list of groups."""
    assert SimulatedQueue([], fifo=True, groups=[]).run(nothing).records == ()


def test_both_spellings_of_self_managed_kafka_are_known():
    """Hand-written events say `aws:SelfManagedKafka`, Lambda says `SelfManagedKafka`."""
    event = kafka_event({"orders-0": ["a"]}, self_managed=True)
    for name in ("SelfManagedKafka", "aws:SelfManagedKafka"):
        delivery = simulate(nothing, {**event, "eventSource": name})
        assert delivery.source == "kafka"
        assert delivery.invocations[0].event["eventSource"] == name
