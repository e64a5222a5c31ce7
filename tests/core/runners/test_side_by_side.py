"""Groups side by side: what holds for threads and tasks alike, whatever runs and fails."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest
from batches import Clock, dynamodb, ids, kafka, kinesis, number, reported, sqs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partialbatch import batch_handler

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
SOURCES = {
    "sqs": lambda keys: sqs(len(keys)),
    "fifo": lambda keys: sqs(len(keys), groups=keys),
    "kinesis": kinesis,
    "dynamodb": dynamodb,
    "kafka": lambda keys: kafka([ord(key) for key in keys]),
}
POLICIES = ["continue", "stop", "skip_group"]
shared_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@st.composite
def batches(draw, longest=9):
    source = draw(st.sampled_from(sorted(SOURCES)))
    keys = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12))
    keys = sorted(keys) if source == "kafka" else keys
    count = len(keys)
    return {
        "event": SOURCES[source](keys),
        "groups": [None] * count if source == "sqs" else keys,
        "durations": draw(st.lists(st.integers(0, longest), min_size=count, max_size=count)),
        "failing": draw(st.sets(st.integers(0, count - 1), max_size=3)),
        "policy": draw(st.sampled_from(POLICIES)),
        "workers": draw(st.integers(1, 5)),
    }


class Log:
    """When records started and ended, in the order in which it happened."""

    def __init__(self):
        self.entries = []
        self.lock = threading.Lock()

    def note(self, what, index):
        with self.lock:
            self.entries.append((what, index))

    def started(self):
        return [index for what, index in self.entries if what == "start"]


def check(batch, log, result):
    """Check what must hold of every run: order, bound, no record twice, nothing lost."""
    groups, results = batch["groups"], result.results
    started = log.started()
    running = set()
    for what, index in log.entries:
        if what == "end":
            running.remove(index)
            continue
        assert len(running) < batch["workers"]
        assert not {groups[other] for other in running if groups[other]} & {groups[index]}
        running.add(index)
    assert not running
    assert len(started) == len(set(started))
    for group in set(groups) - {None}:
        in_group = [index for index in started if groups[index] == group]
        assert in_group == sorted(in_group)
    statuses = [entry.status for entry in results]
    assert len(statuses) == len(groups)
    assert [index for index, status in enumerate(statuses) if status != "skipped"] == sorted(started)
    for index in started:
        assert statuses[index] == ("failed" if index in batch["failing"] else "succeeded")
    assert reported(result.response) == [entry.record.identifier for entry in results if entry.status != "succeeded"]
    check_policy(batch, statuses)


def check_policy(batch, statuses):
    """Check that a policy holds back what it says, and nothing else."""
    groups, policy = batch["groups"], batch["policy"]
    failed = [index for index, status in enumerate(statuses) if status == "failed"]
    for index, status in enumerate(statuses):
        if policy == "continue" or not failed:
            assert status != "skipped"
        elif policy == "skip_group":
            behind = any(groups[other] == groups[index] is not None for other in failed if other < index)
            assert (status == "skipped") is behind


@given(batches())
@shared_fixture
def test_tasks_keep_every_promise_in_virtual_time(in_virtual_time, batch):
    """Async: order, bound, policy, response, and the time of greedy list scheduling."""
    log = Log()

    @batch_handler(error_policy=batch["policy"], max_concurrency=batch["workers"])
    async def handler(record):
        index = number(record)
        log.note("start", index)
        try:
            await asyncio.sleep(batch["durations"][index])
        finally:
            log.note("end", index)
        if index in batch["failing"]:
            raise ValueError(index)

    async def main(loop):
        result = await handler.aprocess(batch["event"])
        return result, loop.time()

    result, took = in_virtual_time(main)
    check(batch, log, result)
    ran = [batch["durations"][index] for index in log.started()]
    if batch["workers"] == 1:
        assert took == pytest.approx(sum(ran))
    else:
        assert took <= sum(ran) / batch["workers"] + longest_group(batch) + 1e-6


def longest_group(batch):
    """Return the time of the longest group: no schedule is shorter, and greedy adds it at most."""
    totals = {}
    for index, group in enumerate(batch["groups"]):
        key = index if group is None else group
        totals[key] = totals.get(key, 0) + batch["durations"][index]
    return max(totals.values())


@given(batches(longest=2))
def test_threads_keep_every_promise(batch):
    """Threads: order, bound, policy and response, with real waits of up to 2 ms."""
    log = Log()

    @batch_handler(error_policy=batch["policy"], max_concurrency=batch["workers"])
    def handler(record):
        index = number(record)
        log.note("start", index)
        time.sleep(batch["durations"][index] / 1000)
        log.note("end", index)
        if index in batch["failing"]:
            raise ValueError(index)

    check(batch, log, handler.process(batch["event"]))


@given(batches(), st.integers(0, 40), st.integers(0, 4))
@shared_fixture
def test_the_deadline_holds_in_virtual_time(in_virtual_time, batch, left, margin):
    """No task starts with less than margin and slowest left; at the margin all end; nothing is lost."""
    starts, ends, slowest = {}, {}, [0.0]

    async def main(loop):
        clock = Clock(left, loop.time)

        @batch_handler(error_policy="continue", max_concurrency=batch["workers"], deadline_margin=margin)
        async def handler(record):
            index = number(record)
            starts[index] = loop.time()
            assert left - loop.time() >= margin + slowest[0] - 0.002
            try:
                await asyncio.sleep(batch["durations"][index])
            finally:
                ends[index] = loop.time()
                slowest[0] = max(slowest[0], ends[index] - starts[index])

        return await handler.aprocess(batch["event"], clock), loop.time(), clock.reads

    result, took, reads = in_virtual_time(main)
    assert reads <= 2 + 3 * len(result.results)  # to plan, at each start and end, and where a worker finds nothing
    assert took <= max(0, left - margin) + 0.002
    for index, entry in enumerate(result.results):
        if index not in starts:
            assert entry.status == "skipped"
            assert "deadline_margin" in str(entry.error)
        elif ends[index] - starts[index] >= batch["durations"][index] - 1e-9:
            assert entry.status == "succeeded"
        else:
            assert entry.status == "failed"
            assert isinstance(entry.error, asyncio.CancelledError)


@given(batches(), st.data())
def test_threads_and_a_moving_clock(batch, data):
    """Threads, with a clock that each record moves: nothing starts too late, two readings a record at most."""
    left = data.draw(st.integers(0, 40))
    lock = threading.Lock()
    clock = Clock(left)
    started = []

    @batch_handler(error_policy="continue", max_concurrency=batch["workers"], deadline_margin=2)
    def handler(record):
        index = number(record)
        with lock:
            started.append(index)
            clock.left -= batch["durations"][index]

    result = handler.process(batch["event"], clock)
    assert clock.reads <= 1 + 2 * len(result.results)
    assert sorted(started) == [i for i, entry in enumerate(result.results) if entry.status == "succeeded"]
    assert [entry.status for entry in result.results].count("skipped") == len(batch["groups"]) - len(started)
    if left < 2:
        assert not started
    if left >= 2 + 12 * 9 * 2:
        assert len(started) == len(batch["groups"])


@pytest.mark.parametrize("kind", ["threads", "tasks"])
def test_a_great_batch_twenty_times_on_one_handler(kind):
    """Thousands of records in hundreds of groups, 5 % failing, round after round: each is right."""
    records, groups, rounds = (10_000, 200, 20) if NIGHTLY else (1_000, 100, 5)
    event = sqs(records, groups=[f"g{index % groups}" for index in range(records)])
    seen, lock, last, wrong = [], threading.Lock(), {}, []

    def body(index):
        with lock:
            seen.append(index)
            if last.get(index % groups, -1) >= index:
                wrong.append(index)
            last[index % groups] = index
        if index % 20 == 7:
            raise ValueError(index)

    if kind == "threads":
        handler = batch_handler(lambda record: body(number(record)), error_policy="continue", max_concurrency=64)
    else:

        @batch_handler(error_policy="continue", max_concurrency=64)
        async def handler(record):
            await asyncio.sleep(0)
            body(number(record))

    for _ in range(rounds):
        seen.clear()
        last.clear()
        response = handler(event)
        assert sorted(seen) == list(range(records))
        assert not wrong
        assert reported(response) == ids(range(7, records, 20))


@pytest.mark.parametrize("kind", ["threads", "tasks"])
def test_a_groups_next_record_starts_as_soon_as_the_one_before_ends(kind):
    """A long record elsewhere holds no other group up: there are no rounds."""
    event = sqs(4, groups=["slow", "fast", "fast", "fast"])
    done = []
    if kind == "threads":
        all_fast = threading.Event()

        @batch_handler(max_concurrency=2)
        def handler(record):
            if record.group == "slow":
                assert all_fast.wait(10)
            done.append(number(record))
            if number(record) == 3:
                all_fast.set()

    else:
        all_fast_ended = asyncio.Event()

        @batch_handler(max_concurrency=2)
        async def handler(record):
            if record.group == "slow":
                await all_fast_ended.wait()
            done.append(number(record))
            if number(record) == 3:
                all_fast_ended.set()

    assert handler(event) == {"batchItemFailures": []}
    assert done == [1, 2, 3, 0]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_stop_lets_what_runs_finish_and_starts_nothing_more(asynchronous):
    """After a failure under ``stop`` the records in flight end as they end; all others are reported unrun."""
    event = sqs(6, groups=["a", "b", "c", "a", "b", "d"])
    ran = []
    both = threading.Barrier(2)

    def plain(record):
        index = number(record)
        ran.append(index)
        both.wait(10)
        if index == 0:
            raise ValueError
        time.sleep(0.3)

    async def waiting(record):
        index = number(record)
        ran.append(index)
        await asyncio.sleep(0)
        if index == 0:
            raise ValueError
        await asyncio.sleep(0.1)

    result = batch_handler(waiting if asynchronous else plain, max_concurrency=2).process(event)
    assert sorted(ran) == [0, 1]
    assert [entry.status for entry in result.results] == ["failed", "succeeded", *["skipped"] * 4]
    assert "stop" in str(result.results[5].error)


@pytest.mark.parametrize("count", [-1, 3])
def test_the_vcpu_count_bounds_what_runs(monkeypatch, count):
    """``max_concurrency=-1`` runs as many records at once as there are vCPUs."""
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    running, most = [], []

    @batch_handler(max_concurrency=count)
    async def handler(record):
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0)
        running.pop()

    handler(sqs(9))
    assert max(most) == 3


def test_one_vcpu_where_the_machine_does_not_say(monkeypatch):
    """A machine that does not tell its vCPU count runs one record at a time."""
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    handler = batch_handler(lambda record: threading.get_ident(), max_concurrency=-1)
    assert {entry.value for entry in handler.process(sqs(5)).results} == {threading.get_ident()}


def test_group_by_replaces_the_sources_groups():
    """``group_by`` gets the view, once a record, before the first starts; None is a group like any other."""
    calls, ran = [], []

    def group_by(record):
        assert not ran
        calls.append(record.message_id)

    @batch_handler(max_concurrency=8, group_by=group_by)
    def handler(record):
        time.sleep(0.001)
        ran.append(number(record))

    handler(sqs(8))
    assert calls == ids(range(8))
    assert ran == list(range(8))


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("how", ["raises", "unhashable"])
def test_a_record_of_unknown_group_fails_and_holds_back_all_behind_it(workers, policy, how):
    """What follows a record of unknown group may be of its group: only ``continue`` runs it."""
    ran = []

    def group_by(record):
        if number(record) == 2:
            return [] if how == "unhashable" else 1 / 0
        return "g"

    handler = batch_handler(
        lambda record: ran.append(number(record)), max_concurrency=workers, group_by=group_by, error_policy=policy
    )
    result = handler.process(sqs(5))
    rest = ["succeeded"] * 2 if policy == "continue" else ["skipped"] * 2
    assert [entry.status for entry in result.results] == ["succeeded", "succeeded", "failed", *rest]
    assert ran == ([0, 1, 3, 4] if policy == "continue" else [0, 1])
    assert isinstance(result.results[2].error, TypeError if how == "unhashable" else ZeroDivisionError)
    if policy != "continue":
        assert "group of a record before it is unknown" in str(result.results[4].error)


def test_a_record_at_its_last_attempt_holds_nothing_back():
    """With ``max_receive_count``, an unknown group or a failure at the last attempt is reported and passed over."""

    def group_by(record):
        if number(record) == 0:
            raise KeyError
        return "g"

    def body(record):
        if number(record) in (1, 3):
            raise ValueError

    event = sqs(5, receives=[5, 5, 1, 4, 1])
    for workers in (1, 4):
        handler = batch_handler(
            body, group_by=group_by, max_concurrency=workers, max_receive_count=5, error_policy="skip_group"
        )
        statuses = [entry.status for entry in handler.process(event).results]
        assert statuses == ["failed", "failed", "succeeded", "failed", "skipped"]


def test_an_interrupt_in_group_by_propagates():
    """``KeyboardInterrupt`` in ``group_by`` is no failure of a record."""

    def group_by(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch_handler(lambda record: None, group_by=group_by)(sqs(2))


def test_a_fifo_message_without_a_group_fails_when_groups_count():
    """A FIFO message whose group cannot be read fails, and nothing behind it runs under ``stop``."""
    event = sqs(3, groups=["a", "b", "c"])
    del event["Records"][1]["attributes"]["MessageGroupId"]
    result = batch_handler(lambda record: None, max_concurrency=2).process(event)
    assert [entry.status for entry in result.results] == ["succeeded", "failed", "skipped"]
