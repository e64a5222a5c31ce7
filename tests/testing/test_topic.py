"""A simulated Kafka topic, delivered as Lambda does."""

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
    """A batch holds records of all partitions, each partition in order."""
    handler = failing()
    delivery = SimulatedTopic({"t-1": list("xyz"), "t-0": list("ab")}, batch_size=4).run(handler)
    assert handler.events == [{"t-0": "ab", "t-1": "xy"}, {"t-1": "z"}]
    assert [record.identifier["partition"] for record in delivery.records] == ["t-1"] * 3 + ["t-0"] * 2
    assert delivery.source == "kafka"


def test_reading_retry_delivers_the_reported_records_again():
    """With `reading="retry"`, only the reported records are delivered again."""
    handler = failing("a", "y")
    delivery = SimulatedTopic({"t-0": list("abc"), "t-1": list("xyz")}).run(handler)
    assert handler.events == [{"t-0": "abc", "t-1": "xyz"}, {"t-0": "a", "t-1": "y"}]
    assert fates(delivery) == ["deleted"] * 6


def test_reading_resume_delivers_all_from_the_reported_offset_again():
    """With `reading="resume"`, all records from the lowest reported offset of each partition on are delivered again."""
    handler = failing("a", "y")
    SimulatedTopic({"t-0": list("abc"), "t-1": list("xyz")}, reading="resume").run(handler)
    assert handler.events == [{"t-0": "abc", "t-1": "xyz"}, {"t-0": "abc", "t-1": "yz"}]


@pytest.mark.parametrize("reading", ["retry", "resume"])
@pytest.mark.parametrize("policy", ["continue", "stop", "skip_group"])
def test_partialbatch_responses_lose_nothing_under_either_reading(reading, policy):
    """However Lambda reads a partial response, nothing is lost."""
    plan = FailurePlan({"a": (2, "error"), "y": (1, "error")})
    handler = batch_handler(lambda record: plan.attempt(record.text), error_policy=policy)
    delivery = SimulatedTopic({"t-0": list("abc"), "t-1": list("xyz")}, batch_size=4, reading=reading).run(handler)
    delivery.assert_nothing_lost()
    assert fates(delivery) == ["deleted"] * 6
    if policy != "continue":
        delivery.assert_in_order()


def test_poison_is_retried_up_to_the_limit():
    """Poison is retried until the end of the simulation, or given up after the last retry."""
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
    """With an on-failure destination, a batch is given up after 10 retries by default; -1 removes the limit."""
    topic = {"t-0": ["a"]}
    delivery = SimulatedTopic(topic, on_failure_destination=True, max_invocations=50).run(failing("a", times=FOREVER))
    assert (len(delivery.invocations), fates(delivery)) == (11, ["dead_lettered"])
    endless = SimulatedTopic(topic, on_failure_destination=True, maximum_retry_attempts=-1, max_invocations=50)
    assert fates(endless.run(failing("a", times=FOREVER))) == ["remaining"]


def test_raised_error_delivers_all_partitions_again():
    """After a raised error, all partitions of the batch are delivered again."""
    calls = []

    def handler(event, context):
        calls.append(sorted(event["records"]))
        if len(calls) == 1:
            raise ValueError("no")

    delivery = SimulatedTopic({"t-0": ["a"], "t-1": ["b"]}, reading="resume").run(handler)
    assert calls == [["t-0", "t-1"]] * 2
    assert delivery.seconds == 1


def test_records_beyond_the_retention_are_lost():
    """A record that leaves the topic before it ran is lost."""
    delivery = SimulatedTopic({"t-0": list("ab")}, batch_size=1, retention=60).run(failing("a", times=FOREVER))
    assert fates(delivery) == ["expired", "discarded_unrun"]
    with pytest.raises(AssertionError, match="t-0@1"):
        delivery.assert_nothing_lost()


def test_events_are_delivered_as_they_are():
    """An event keeps its offsets and its cluster."""
    for self_managed in (False, True):
        event = kafka_event({"t-0": ["a"], "t-1": ["b"]}, start=9, self_managed=self_managed)
        delivery = SimulatedTopic(event).run(lambda event, context: None)
        assert delivery.invocations[0].event == event


def test_self_managed_cluster_shows_in_the_event():
    """A self-managed cluster's events say so."""
    delivery = SimulatedTopic({"t-0": ["a"]}, self_managed=True).run(lambda event, context: None)
    assert delivery.invocations[0].event["eventSource"] == "SelfManagedKafka"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"reading": "both"}, "reading='both' is not possible: it takes 'retry' or 'resume'"),
        ({"maximum_retry_attempts": 10_001}, "maximum_retry_attempts=10001"),
        ({"retention": 1}, "retention=1"),
    ],
)
def test_settings_beyond_the_limits_are_refused(options, words):
    """The message about an impossible setting names the option, its value and the allowed values."""
    with pytest.raises(ConfigurationError) as caught:
        SimulatedTopic({"t-0": ["a"]}, **options)
    assert words in str(caught.value)
