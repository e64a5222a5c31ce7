"""The strategies: the values that they draw, and the values that they shrink to."""

from __future__ import annotations

import json

import pytest
from hypothesis import Phase, find, given, settings

from partialbatch import batch_handler
from partialbatch.errors import ConfigurationError
from partialbatch.testing import FailurePlan, LambdaContext, SimulatedQueue
from partialbatch.testing._event_layout import group_of, identifier_of, records_of, source_of
from partialbatch.testing._failure_plans import HOWS
from partialbatch.testing._verdict import Outcome, judge
from partialbatch.testing.strategies import (
    dynamodb_events,
    failure_plans,
    fifo_events,
    kafka_events,
    kinesis_events,
    malformed_events,
    sqs_events,
)


def drawn(strategy, condition=lambda _: True):
    """Draw a value that meets a condition, without shrinking it."""
    return find(strategy, condition, settings=settings(phases=[Phase.generate]))


SOURCES = {
    sqs_events: "sqs",
    fifo_events: "sqs",
    kinesis_events: "kinesis",
    dynamodb_events: "dynamodb",
    kafka_events: "kafka",
}


@pytest.mark.parametrize("strategy", SOURCES, ids=lambda strategy: strategy.__name__)
def test_events_are_those_of_their_source(strategy):
    """Each event is JSON, names its source, and holds records that a handler runs one by one."""

    @given(strategy())
    def check(event):
        assert json.loads(json.dumps(event)) == event
        assert source_of(event) == SOURCES[strategy]
        records = records_of(event)
        assert 1 <= len(records) <= 10
        seen = []
        result = batch_handler(seen.append).process(event)
        assert len(result.succeeded) == len(records)
        assert result.response == {"batchItemFailures": []}
        assert [record.identifier for record in seen] == [identifier_of(event, raw) for raw in records]

    check()


@pytest.mark.parametrize("strategy", [sqs_events, kafka_events], ids=lambda strategy: strategy.__name__)
def test_events_shrink_to_one_short_record(strategy):
    """The smallest event is a single record with an empty body."""
    event = find(strategy(), lambda _: True)
    assert len(records_of(event)) == 1
    assert len(json.dumps(event)) < 1_000


@pytest.mark.parametrize("strategy", [kinesis_events, dynamodb_events])
def test_sequence_numbers_may_get_longer(strategy):
    """Some events have numbers that sort differently as text."""

    def misleading(event):
        numbers = [identifier_of(event, raw) for raw in records_of(event)]
        return sorted(numbers) != sorted(numbers, key=int)

    drawn(strategy(), misleading)


@given(fifo_events())
def test_fifo_receive_counts_fall_within_a_group(event):
    """In a FIFO queue, a later message of a group was never received more often than an earlier one."""
    least = {}
    for raw in records_of(event):
        count = int(raw["attributes"]["ApproximateReceiveCount"])
        assert count <= least.get(group_of("sqs", raw), 5)
        least[group_of("sqs", raw)] = count


def test_sizes_are_kept_within_the_limits():
    """Sizes beyond the limits are refused, and events have the requested sizes."""
    assert len(records_of(drawn(sqs_events(min_size=3, max_size=3)))) == 3
    with pytest.raises(ConfigurationError, match="max_size=11"):
        drawn(fifo_events(max_size=11))


@given(failure_plans(keys="ab", hows=["base", "exit"], poison=False, most=3))
def test_plans_hold_the_requested_keys_and_ways(plan):
    """Keys, ways of failing and numbers of attempts are among the requested ones."""
    assert set(plan.failures) <= {"a", "b"}
    assert all(1 <= times <= 3 and how in ("base", "exit") for times, how in plan.failures.values())
    assert not plan.poison


@given(failure_plans())
def test_plans_hold_plain_errors_by_default(plan):
    """By default, records fail only by an error, because exits and timeouts need more than a handler."""
    assert {how for _, how in plan.failures.values()} <= {"error"}


def test_plans_shrink_to_one_failure():
    """The smallest failing plan fails one record, once, by an error."""
    plan = find(failure_plans(), lambda plan: bool(plan.failures))
    assert plan.failures == {0: (1, "error")}
    assert find(failure_plans(), lambda plan: bool(plan.poison)).poison == {0}
    assert drawn(failure_plans(keys=())).failures == {}


@given(failure_plans(hows=["exit", "timeout"]))
def test_records_never_exit_or_time_out_for_ever(plan):
    """A record that ends the whole invocation doesn't do so for ever."""
    assert not plan.poison
    assert all(times <= 2 for times, _ in plan.failures.values())


@given(malformed_events())
def test_our_handler_never_loses_a_malformed_record(event):
    """However an event is broken, each record succeeds or is reported, or the invocation fails."""
    ran = []
    try:
        response = batch_handler(lambda record: ran.append(record.json())).__call__(event, LambdaContext())
    except (Exception, SystemExit):
        return
    assert set(response) <= {"batchItemFailures", "state"}
    assert len(ran) + len(response["batchItemFailures"]) >= _count(event)


def _count(event):
    return len(records_of(event)) if isinstance(event, dict | list) else 0


@pytest.mark.parametrize(
    "wanted", [lambda event: isinstance(event, int), lambda event: isinstance(event, list) and event]
)
def test_malformed_events_are_of_many_kinds(wanted):
    """Malformed events include plain JSON and broken events of Pipes."""
    find(malformed_events(), wanted)


@given(failure_plans(keys=["a", "b"], hows=HOWS))
def test_simulation_ends_as_the_plan_says(plan):
    """A plan, its clock and a queue work together."""
    handler = batch_handler(lambda record: plan.attempt(record.text))
    delivery = SimulatedQueue(["a", "b"], max_receive_count=5).run(handler, LambdaContext(clock=plan.clock))
    delivery.assert_nothing_lost()
    assert all(record.fate in ("deleted", "dead_lettered") for record in delivery.records)
    if not plan.failures:
        assert delivery.fates == {"deleted": 2}


def test_empty_plan_fails_nothing():
    """An empty plan fails no record."""
    plan = FailurePlan({})
    plan.attempt("a")
    assert plan.done == ["a"]
    assert judge(drawn(sqs_events()), Outcome()).kind == "success"
