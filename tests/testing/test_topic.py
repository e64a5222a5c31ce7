"""A Kafka topic as Lambda reads it."""

from __future__ import annotations

import base64

import pytest

from partialbatch import batch_handler
from partialbatch.errors import ConfigurationError
from partialbatch.testing import FailurePlan, SimulatedTopic, kafka_event
from partialbatch.testing._failure_plans import FOREVER


def value(raw):
    return base64.b64decode(raw["value"]).decode()


def failing(*texts, times=1):
    """Make a hand-written handler that reports some records, the first `times` times."""
    left = dict.fromkeys(texts, times)

    def handler(event, context):
        events.append({name: "".join(map(value, records)) for name, records in event["records"].items()})
        bad = []
        for records in event["records"].values():
            for raw in records:
                if left.get(value(raw), 0) > 0:
                    left[value(raw)] -= 1
                    bad.append({"partition": f"{raw['topic']}-{raw['partition']}", "offset": raw["offset"]})
        return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}

    handler.events = events = []
    return handler


def fates(delivery):
    return [record.fate for record in delivery.records]


def test_a_batch_takes_from_each_partition():
    """Offsets of all partitions come side by side, each partition in its order."""
    handler = failing()
    delivery = SimulatedTopic({"t-1": list("xyz"), "t-0": list("ab")}, batch_size=4).run(handler)
    assert handler.events == [{"t-0": "ab", "t-1": "xy"}, {"t-1": "z"}]
    assert [record.identifier["partition"] for record in delivery.records] == ["t-1"] * 3 + ["t-0"] * 2
    assert delivery.source == "kafka"


def test_named_records_are_retried():
    """Read one way, a partial response brings back what it names."""
    handler = failing("a", "y")
    delivery = SimulatedTopic({"t-0": list("abc"), "t-1": list("xyz")}).run(handler)
    assert handler.events == [{"t-0": "abc", "t-1": "xyz"}, {"t-0": "a", "t-1": "y"}]
    assert fates(delivery) == ["deleted"] * 6


def test_or_reading_resumes_from_the_named_offset():
    """Read the other way, all from the lowest named offset of each partition on comes back."""
    handler = failing("a", "y")
    SimulatedTopic({"t-0": list("abc"), "t-1": list("xyz")}, reading="resume").run(handler)
    assert handler.events == [{"t-0": "abc", "t-1": "xyz"}, {"t-0": "abc", "t-1": "yz"}]


@pytest.mark.parametrize("reading", ["retry", "resume"])
@pytest.mark.parametrize("policy", ["continue", "stop", "skip_group"])
def test_our_responses_are_right_either_way(reading, policy):
    """Whichever way Lambda reads the response, nothing is lost."""
    plan = FailurePlan({"a": (2, "error"), "y": (1, "error")})
    handler = batch_handler(lambda record: plan.attempt(record.text), error_policy=policy)
    delivery = SimulatedTopic({"t-0": list("abc"), "t-1": list("xyz")}, batch_size=4, reading=reading).run(handler)
    delivery.assert_nothing_lost()
    assert fates(delivery) == ["deleted"] * 6
    if policy != "continue":
        delivery.assert_in_order()


def test_retries_are_without_limit_or_limited():
    """Poison is retried until the bound, or given up after the last retry."""
    topic = {"t-0": list("ab")}
    endless = SimulatedTopic(topic, max_invocations=5).run(failing("a", times=FOREVER))
    assert fates(endless) == ["remaining", "deleted"]
    for destination, fate in ((False, "expired"), (True, "dead_lettered")):
        limited = SimulatedTopic(topic, maximum_retry_attempts=2, on_failure_destination=destination)
        delivery = limited.run(failing("a", times=FOREVER))
        assert fates(delivery) == [fate, "deleted"]
        assert len(delivery.invocations) == 3
    assert SimulatedTopic(topic, maximum_retry_attempts=-1).maximum_retry_attempts is None


def test_a_destination_limits_the_retries_to_ten():
    """With an on-failure destination a batch is given up after 10 retries, if nothing else is set; -1 lifts it."""
    topic = {"t-0": ["a"]}
    delivery = SimulatedTopic(topic, on_failure_destination=True, max_invocations=50).run(failing("a", times=FOREVER))
    assert (len(delivery.invocations), fates(delivery)) == (11, ["dead_lettered"])
    endless = SimulatedTopic(topic, on_failure_destination=True, maximum_retry_attempts=-1, max_invocations=50)
    assert fates(endless.run(failing("a", times=FOREVER))) == ["remaining"]


def test_a_failed_batch_comes_back_whole():
    """A raised error brings back all partitions of the batch."""
    calls = []

    def handler(event, context):
        calls.append(sorted(event["records"]))
        if len(calls) == 1:
            raise ValueError("no")

    delivery = SimulatedTopic({"t-0": ["a"], "t-1": ["b"]}, reading="resume").run(handler)
    assert calls == [["t-0", "t-1"]] * 2
    assert delivery.seconds == 1


def test_retention_gives_up_what_is_too_old():
    """A record that leaves the topic unread is lost, and shown to be."""
    delivery = SimulatedTopic({"t-0": list("ab")}, batch_size=1, retention=60).run(failing("a", times=FOREVER))
    assert fates(delivery) == ["expired", "discarded_unrun"]
    with pytest.raises(AssertionError, match="t-0@1"):
        delivery.assert_nothing_lost()


def test_events_are_delivered_as_they_are():
    """An event of one's own keeps its offsets, and its cluster."""
    for self_managed in (False, True):
        event = kafka_event({"t-0": ["a"], "t-1": ["b"]}, start=9, self_managed=self_managed)
        delivery = SimulatedTopic(event).run(lambda event, context: None)
        assert delivery.invocations[0].event == event


def test_the_cluster_may_be_ones_own():
    """A self-managed cluster's events say so."""
    delivery = SimulatedTopic({"t-0": ["a"]}, self_managed=True).run(lambda event, context: None)
    assert delivery.invocations[0].event["eventSource"] == "SelfManagedKafka"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"reading": "both"}, "reading='both'"),
        ({"maximum_retry_attempts": 10_001}, "maximum_retry_attempts=10001"),
        ({"retention": 1}, "retention=1"),
    ],
)
def test_settings_beyond_the_limits_are_refused(options, words):
    """Impossible settings name option, value and what is allowed."""
    with pytest.raises(ConfigurationError) as caught:
        SimulatedTopic({"t-0": ["a"]}, **options)
    assert words in str(caught.value)
