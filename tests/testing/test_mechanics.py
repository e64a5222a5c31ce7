"""The project under its own kit: what holds for every source, policy and concurrency."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import batch_handler
from partialbatch.testing import SimulatedQueue, SimulatedStream, SimulatedTopic
from partialbatch.testing.strategies import failure_plans

POLICIES = ("derive", "continue", "stop", "skip_group")
ORDERED = ("stop", "skip_group")
CONCURRENCIES = (1, 3)
MOST = 8
LIMIT = 3

# Which group each record is in, and the plan of failure: all that matters about a load.
groupings = st.lists(st.sampled_from("abc"), min_size=1, max_size=MOST)
plans = failure_plans(keys=range(MOST), hows=["error", "base"], most=LIMIT - 1)


@pytest.fixture(autouse=True)
def _quiet():
    """Keep thousands of planned failures out of the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Watch:
    """A record function that watches over its own runs."""

    def __init__(self, plan, groups):
        self.plan, self.groups = plan, groups
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
            self.plan.attempt(number)
        finally:
            with self.lock:
                self.running[group] -= 1


class Async(Watch):
    async def __call__(self, item: dict):
        super().__call__(item)


def handler_of(kind, plan, groups, policy, concurrency, **options):
    watch = kind(plan, groups)
    return watch, batch_handler(watch, error_policy=policy, max_concurrency=concurrency, **options)


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
    """Return each record's number, in the order of the delivery."""
    return [_number(record.raw) for record in delivery.records]


def _number(raw):
    return int(_payload(raw)["number"])


def _payload(raw):
    seen = []
    kafka = "topic" in raw
    event = (
        {"eventSource": "aws:kafka", "records": {f"{raw['topic']}-{raw['partition']}": [raw]}}
        if kafka
        else {"Records": [raw]}
    )
    batch_handler(seen.append, model=dict)(event)
    return seen[0]


def check_mechanics(delivery, watch, plan, policy, *, ordered):
    """Check what holds whatever the source: see the module's tests."""
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


@pytest.mark.parametrize("kind", [Watch, Async], ids=["plain", "async"])
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_queues(fifo, policy, concurrency, kind):
    """On SQS with `max_receive_count` set, nothing is lost, and poison alone is dead-lettered."""

    @given(groupings, plans, st.integers(1, 4))
    def check(groups, plan, batch_size):
        watch, handler = handler_of(kind, plan, groups, policy, concurrency, max_receive_count=LIMIT)
        if not fifo:
            watch.groups = range(MOST)
        delivery = queue(groups, fifo=fifo, batch_size=batch_size, max_receive_count=LIMIT).run(handler)
        check_mechanics(delivery, watch, plan, policy, ordered=fifo and policy == "derive")
        delivery.assert_nothing_lost()

    check()


@pytest.mark.parametrize("kind", [Watch, Async], ids=["plain", "async"])
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("source", ["kinesis", "dynamodb"])
def test_streams_with_bisect(source, policy, concurrency, kind):
    """On streams with bisect nothing is lost under any policy, and poison alone is given up."""

    @given(groupings, plans, st.integers(1, 4), st.integers(1, 2), st.integers(1, 2))
    def check(groups, plan, batch_size, shards, factor):
        watch, handler = handler_of(kind, plan, groups, policy, concurrency)
        delivery = stream(
            groups,
            source,
            batch_size=batch_size,
            shards=shards,
            parallelization_factor=factor,
            bisect=True,
            maximum_retry_attempts=2 * MOST,
        ).run(handler)
        check_mechanics(delivery, watch, plan, policy, ordered=False)
        delivery.assert_nothing_lost()

    check()
