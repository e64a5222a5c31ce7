"""The project under its own kit: invariants for every source, policy and concurrency."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partialbatch import batch_handler
from partialbatch.testing import FailurePlan, LambdaContext, SimulatedQueue, SimulatedStream, SimulatedTopic
from partialbatch.testing._failure_plans import FOREVER, HOWS
from partialbatch.testing.strategies import failure_plans

POLICIES = ("derive", "continue", "stop", "skip_group")
ORDERED = ("stop", "skip_group")
MOST = 8
LIMIT = 3

# There are many of these tests, so each takes half of the examples.
halved = settings(max_examples=settings().max_examples // 2)

# A load consists of the group of each record, and a failure plan.
groupings = st.lists(st.sampled_from("abc"), min_size=1, max_size=MOST)
plans = failure_plans(keys=range(MOST), hows=["error", "base"], most=LIMIT - 1)


@pytest.fixture(autouse=True)
def _quiet():
    """Keep thousands of planned failures out of the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Watch:
    """A record function that checks its own runs, each of which takes `pace` seconds."""

    def __init__(self, plan, groups, pace=0):
        self.plan, self.groups, self.pace = plan, groups, pace
        self.running = defaultdict(int)
        self.lock = threading.Lock()
        self.overlaps = 0

    def __call__(self, item: dict):
        number = int(item["number"])
        group = self.groups[number]
        with self.lock:
            self.running[group] += 1
            self.overlaps += self.running[group] > 1
        try:
            self.plan.clock.advance(self.pace)
            self.plan.attempt(number)
        finally:
            with self.lock:
                self.running[group] -= 1


class Async(Watch):
    async def __call__(self, item: dict):
        super().__call__(item)


@st.composite
def makers(draw):
    """Draw factories of handlers: sequential, with threads, or with tasks."""
    kind, concurrency = draw(st.sampled_from((Watch, Async))), draw(st.sampled_from((1, 3)))

    def make(plan, groups, policy, pace=0, **options):
        watch = kind(plan, groups, pace)
        return watch, batch_handler(watch, error_policy=policy, max_concurrency=concurrency, **options)

    return make


def items(groups):
    return [{"id": group, "number": number} for number, group in enumerate(groups)]


def queue(groups, *, fifo, **options):
    return SimulatedQueue(items(groups), fifo=fifo, groups=list(groups) if fifo else None, **options)


def stream(groups, source, **options):
    return SimulatedStream(items(groups), source=source, partition_keys=list(groups), **options)


def topic(groups, **options):
    partitions = defaultdict(list)
    for item in items(groups):
        partitions[f"orders-{'abc'.index(item['id'])}"].append(item)
    return SimulatedTopic(dict(partitions), **options)


def numbers(delivery):
    """Return the number of each record, in the order of the delivery."""
    return [_number(record.raw) for record in delivery.records]


def _number(raw):
    if "dynamodb" in raw:
        return int(raw["dynamodb"]["NewImage"]["number"]["N"])
    encoded = raw["kinesis"]["data"] if "kinesis" in raw else raw.get("value")
    return json.loads(raw["body"] if encoded is None else base64.b64decode(encoded))["number"]


def check_mechanics(delivery, watch, plan, policy, *, ordered):
    """Check the invariants that hold for every source."""
    known = dict(zip(numbers(delivery), delivery.records, strict=True))
    assert all(record.fate != "remaining" for record in delivery.records)
    for number, record in known.items():
        assert record.successes == plan.done.count(number)
        if record.fate == "deleted":
            assert number in plan.done, "deleted without success"
        if number in plan.poison:
            assert record.fate in ("dead_lettered", "expired")
    if ordered or policy in ORDERED:
        delivery.assert_in_order()
    assert watch.overlaps == 0, "two records of a group ran at once"


EVERY_POLICY = pytest.mark.parametrize("policy", POLICIES)


@EVERY_POLICY
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_queues_lose_nothing_and_dead_letter_only_poison(fifo, policy):
    """On SQS with `max_receive_count` set, nothing is lost, and poison ends in the dead-letter queue."""

    # With slow records, new messages share a batch with messages at their last attempt.
    @halved
    @given(makers(), groupings, plans, st.integers(1, 4), st.sampled_from((0, 20)))
    def check(make, groups, plan, batch_size, pace):
        watch, handler = make(plan, groups, policy, pace, max_receive_count=LIMIT)
        if not fifo:
            watch.groups = range(MOST)
        simulated = queue(groups, fifo=fifo, batch_size=batch_size, max_receive_count=LIMIT)
        delivery = simulated.run(handler, LambdaContext(900, plan.clock))
        check_mechanics(delivery, watch, plan, policy, ordered=fifo and policy == "derive")
        delivery.assert_nothing_lost()
        assert {record.fate for record in delivery.records} <= {"deleted", "dead_lettered"}

    check()


@EVERY_POLICY
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_queues_without_redrive_lose_nothing_and_keep_poison(fifo, policy):
    """On SQS without a redrive policy nothing is lost: poison stays, and all other messages are handled."""

    @halved
    @given(makers(), groupings, plans, st.integers(1, 4))
    def check(make, groups, plan, batch_size):
        _, handler = make(plan, groups, policy)
        delivery = queue(groups, fifo=fifo, batch_size=batch_size, max_invocations=40).run(handler)
        delivery.assert_nothing_lost()
        for number, record in zip(numbers(delivery), delivery.records, strict=True):
            assert (record.fate == "deleted") == (number in plan.done)
            assert number not in plan.poison or record.fate == "remaining"
        if not plan.poison:
            assert delivery.fates == {"deleted": len(groups)}

    check()


@EVERY_POLICY
@pytest.mark.parametrize("source", ["kinesis", "dynamodb"])
def test_streams_with_bisect_give_up_only_poison(source, policy):
    """With bisect, nothing is lost under any policy, and only poison is given up."""

    @halved
    @given(makers(), groupings, plans, st.integers(1, 4), st.tuples(st.integers(1, 2), st.integers(1, 2)))
    def check(make, groups, plan, batch_size, lanes):
        watch, handler = make(plan, groups, policy)
        sides = dict(zip(("shards", "parallelization_factor"), lanes, strict=True))
        retried = {"bisect": True, "maximum_retry_attempts": 2 * MOST}
        delivery = stream(groups, source, batch_size=batch_size, **sides, **retried).run(handler)
        check_mechanics(delivery, watch, plan, policy, ordered=False)
        delivery.assert_nothing_lost()

    check()


@pytest.mark.parametrize("policy", ["derive", "continue"])
@pytest.mark.parametrize("source", ["kinesis", "dynamodb"])
def test_streams_under_continue_lose_nothing(source, policy):
    """Under `continue`, nothing is lost on streams, however few the retries."""

    @halved
    @given(makers(), groupings, plans, st.integers(1, 4), st.integers(0, 3))
    def check(make, groups, plan, batch_size, retries):
        _, handler = make(plan, groups, policy)
        delivery = stream(groups, source, batch_size=batch_size, maximum_retry_attempts=retries).run(handler)
        delivery.assert_nothing_lost()
        for record in delivery.records:
            assert record.runs
            assert record.fate in ("deleted", "expired")

    check()


@EVERY_POLICY
def test_streams_with_unlimited_retries_lose_nothing(policy):
    """With unlimited retries nothing is lost on streams, and without poison all records are handled."""

    @given(
        makers(), groupings, failure_plans(keys=range(MOST), hows=["error", "base"], poison=False), st.integers(1, 4)
    )
    def check(make, groups, plan, batch_size):
        watch, handler = make(plan, groups, policy)
        delivery = stream(groups, "kinesis", batch_size=batch_size).run(handler)
        check_mechanics(delivery, watch, plan, policy, ordered=False)
        assert delivery.fates == {"deleted": len(groups)}

    check()


@EVERY_POLICY
@pytest.mark.parametrize("reading", ["retry", "resume"])
def test_topics_lose_nothing_and_poison_holds_its_partition(reading, policy):
    """On Kafka nothing is lost under either reading of a partial response, and poison holds its partition up."""

    @halved
    @given(makers(), groupings, plans, st.integers(1, 4))
    def check(make, groups, plan, batch_size):
        _, handler = make(plan, groups, policy)
        delivery = topic(groups, batch_size=batch_size, reading=reading, max_invocations=60).run(handler)
        delivery.assert_nothing_lost()
        if policy in ORDERED:
            delivery.assert_in_order()
        for number, record in zip(numbers(delivery), delivery.records, strict=True):
            assert number not in plan.poison or record.fate == "remaining"
            assert record.fate != "deleted" or number in plan.done
        if not plan.poison:
            assert delivery.fates == {"deleted": len(groups)}

    check()


@EVERY_POLICY
@pytest.mark.parametrize("source", ["sqs", "fifo", "kinesis", "kafka"])
def test_exits_and_timeouts_lose_nothing(source, policy):
    """Nothing is lost if a record ends the whole invocation, by an exit or by a timeout."""

    @halved
    @given(makers(), groupings, failure_plans(keys=range(MOST), hows=HOWS, poison=False), st.integers(1, 4))
    def check(make, groups, plan, batch_size):
        _, handler = make(plan, groups, policy, deadline_margin=None)
        simulated = {"sqs": queue, "fifo": queue, "kinesis": stream, "kafka": topic}[source]
        options = {"sqs": {"fifo": False}, "fifo": {"fifo": True}, "kinesis": {"source": "kinesis"}}.get(source, {})
        delivery = simulated(groups, batch_size=batch_size, **options).run(handler, LambdaContext(60, plan.clock))
        delivery.assert_nothing_lost()
        assert delivery.fates == {"deleted": len(groups)}

    check()


def run_to_the_limit(handler, groups, **options):
    """Run a FIFO queue whose messages take 20 s each, in batches of four."""
    return queue(groups, fifo=True, batch_size=4, max_receive_count=LIMIT).run(handler, LambdaContext(900, **options))


def test_another_groups_failure_dead_letters_nothing_unrun():
    """Under `stop`, a message runs at its last attempt even if a message of another group failed before it."""
    plan = FailurePlan(dict.fromkeys(range(4), (1, "error")))
    groups = "baabbb"
    handler = batch_handler(Watch(plan, groups, 20), error_policy="stop", max_receive_count=LIMIT)
    delivery = run_to_the_limit(handler, groups, clock=plan.clock)
    delivery.assert_nothing_lost()
    delivery.assert_in_order()
    assert plan.attempts[4] == 1
    assert delivery.records[4].invocations == (0, 2, 3)


def test_fifo_behind_poison_is_lost_without_max_receive_count():
    """Without the option, the messages behind poison are dead-lettered unrun, and the kit shows it."""
    for options, lost in (({}, 2), ({"max_receive_count": LIMIT}, 0)):
        plan = FailurePlan({0: (FOREVER, "error")})
        handler = batch_handler(Watch(plan, "aaa"), **options)
        delivery = run_to_the_limit(handler, "aaa")
        assert len(delivery.lost) == lost
        assert {record.fate for record in delivery.lost} <= {"dead_lettered"}
        assert delivery.records[0].fate == "dead_lettered"


@pytest.mark.parametrize("policy", ORDERED)
def test_streams_behind_poison_are_lost_with_few_retries(policy):
    """With limited retries, `stop` and `skip_group` lose the records behind poison, and the kit shows it."""
    plan = FailurePlan({1: (FOREVER, "error")})
    handler = batch_handler(Watch(plan, "aaaa"), error_policy=policy)
    delivery = stream("aaaa", "kinesis", maximum_retry_attempts=2).run(handler)
    assert [record.fate for record in delivery.records] == ["deleted", "expired", "discarded_unrun", "discarded_unrun"]
    assert delivery.lost == list(delivery.records[2:])
    with pytest.raises(AssertionError, match="given up without having run"):
        delivery.assert_nothing_lost()
