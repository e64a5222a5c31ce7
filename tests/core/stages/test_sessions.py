"""What records give away: nothing lost, nothing twice, and in order."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from batches import Clock, Plain, ids, kafka, kinesis, number, reported, sqs
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import Refusing, ScriptedSink

from partialbatch import Reject, RetryAfter, batch_handler
from partialbatch._core.stages.sink import items_of
from partialbatch.errors import ConfigurationError, DeliveryError, PayloadError, RecordError
from partialbatch.producers import DynamoDBProducer, KinesisProducer, SQSProducer
from partialbatch.retries import discard
from partialbatch.testing import SimulatedQueue, SimulatedStream

POLICIES = ("derive", "continue", "stop", "skip_group")
RUNNERS = pytest.mark.parametrize(("kind", "workers"), [("plain", 1), ("plain", 3), ("async", 1), ("async", 3)])
MOST = 8
groupings = st.lists(st.sampled_from("abc"), min_size=1, max_size=MOST)
a_third = settings(max_examples=settings().max_examples // 3)  # there are many combinations of the rest
few = st.dictionaries(st.integers(0, MOST - 1), st.integers(1, 2), max_size=4)


@pytest.fixture
def quiet():
    """Keep planned failures out of the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def make(function, kind="plain", workers=1, **options):
    """Make a handler of a plain function, or of an async one that does the same."""

    async def awaits(record):
        await asyncio.sleep(0)
        return function(record)

    return batch_handler(awaits if kind == "async" else function, max_concurrency=workers, **options)


class Work:
    """A record function that fails so often as its plan says, and then returns the record's items."""

    def __init__(self, failures, error=ValueError):
        self.failures = dict(failures)
        self.error = error
        self.lock = threading.Lock()

    def __call__(self, record):
        key = int(record.json()["number"]) if record.source != "dynamodb" else int(record.payload["number"])
        with self.lock:
            left = self.failures.get(key, 0)
            self.failures[key] = left - 1
        if left > 0:
            raise self.error(f"planned failure of {key}")
        return [key, -key - 1]  # two items a record, so that batches are cut anywhere


def numbered(groups):
    return [{"id": group, "number": index} for index, group in enumerate(groups)]


def firsts(accepted):
    """Return each record's number, at the first time that all its items had been accepted."""
    seen, order = set(), []
    for item in accepted:
        key = item if item >= 0 else -item - 1
        other = -key - 1 if item >= 0 else key
        if other in seen and key not in order:
            order.append(key)
        seen.add(item)
    return order


def check_order(groups, order):
    for group in set(groups):
        of_group = [key for key in order if groups[key] == group]
        assert of_group == sorted(of_group), f"the items of group {group} were accepted out of order"


@RUNNERS
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
@pytest.mark.usefixtures("quiet")
def test_each_item_from_a_queue_reaches_the_sink(fifo, policy, kind, workers):
    """From a queue each item reaches the sink; exactly once, unless an item of the same record was refused."""

    @a_third
    @given(groupings, few, few, st.integers(1, 10), st.integers(1, 5))
    def check(groups, failures, refusals, batch_size, size):
        sink = ScriptedSink(refusals, size=size)
        handler = make(Work(failures), kind, workers, sink=sink, error_policy=policy)
        queue = SimulatedQueue(numbered(groups), fifo=fifo, groups=groups if fifo else None, batch_size=batch_size)
        delivery = queue.run(handler)
        delivery.assert_nothing_lost()
        assert delivery.fates == {"deleted": len(groups)}
        for key in range(len(groups)):
            # The one that is never refused is sent again with the one that is: they are one record's.
            assert sink.accepted.count(key) == 1
            assert sink.accepted.count(-key - 1) == 1 + refusals.get(key, 0)
        if fifo and policy in ("derive", "stop", "skip_group"):
            check_order(groups, [key for key in sink.accepted if key >= 0])

    check()


@RUNNERS
@pytest.mark.parametrize("source", ["kinesis", "dynamodb"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.usefixtures("quiet")
def test_each_item_from_a_stream_reaches_the_sink_in_the_order_of_its_group(policy, source, kind, workers):
    """From a stream each item reaches the sink, and where the policy asks for order, in the order of its group."""

    @a_third
    @given(groupings, few, few, st.integers(1, 10), st.integers(1, 5))
    def check(groups, failures, refusals, batch_size, size):
        sink = ScriptedSink(refusals, size=size)
        handler = make(Work(failures), kind, workers, sink=sink, error_policy=policy)
        delivery = SimulatedStream(numbered(groups), source=source, partition_keys=groups, batch_size=batch_size).run(
            handler
        )
        delivery.assert_nothing_lost()
        order = firsts(sink.accepted)
        assert sorted(order) == list(range(len(groups)))
        if policy in ("stop", "skip_group"):
            check_order(groups, order)

    check()


@RUNNERS
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.usefixtures("quiet")
def test_poison_never_blocks_a_shard(policy, kind, workers):
    """With a dead letter all of a shard gets through without retries; each poison pill lies there once, in order."""

    @a_third
    @given(groupings, st.sets(st.integers(0, MOST - 1), max_size=4), st.integers(1, 10), st.integers(1, 5))
    def check(groups, poison, batch_size, size):
        sink, letters = ScriptedSink(size=size), ScriptedSink(size=size)
        work = Work(dict.fromkeys(poison, 10**6), KeyError)
        letters_seen = Numbers(letters)
        handler = make(
            work, kind, workers, sink=sink, dead_letter=letters_seen, permanent=LookupError, error_policy=policy
        )
        delivery = SimulatedStream(numbered(groups), partition_keys=groups, batch_size=batch_size).run(handler)
        assert delivery.fates == {"deleted": len(groups)}
        assert len(delivery.invocations) == -(-len(groups) // batch_size)
        buried = poison & set(range(len(groups)))
        assert sorted(letters.accepted) == sorted(buried)
        assert sorted(firsts(sink.accepted)) == sorted(set(range(len(groups))) - buried)
        check_order(groups, letters.accepted)

    check()


@RUNNERS
@pytest.mark.usefixtures("quiet")
def test_a_refused_dead_letter_fails_its_record(kind, workers):
    """What the dead letter does not take stays on the source until it does: nothing is lost."""

    @a_third
    @given(groupings, st.sets(st.integers(0, MOST - 1), max_size=4), few, st.integers(1, 10))
    def check(groups, poison, refusals, batch_size):
        letters = ScriptedSink(refusals)
        work = Work(dict.fromkeys(poison, 10**6), Reject)
        handler = make(work, kind, workers, dead_letter=Numbers(letters))
        queue = SimulatedQueue(numbered(groups), fifo=True, groups=groups, batch_size=batch_size)
        delivery = queue.run(handler)
        assert delivery.fates == {"deleted": len(groups)}
        assert sorted(letters.accepted) == sorted(poison & set(range(len(groups))))
        check_order(groups, letters.accepted)

    check()


class Numbers:
    """Lets a scripted sink see the number of a dead letter's record in place of the letter."""

    def __init__(self, sink):
        self.sink = sink

    def open(self, **options):
        session, kept = self.sink.open(**options), {}

        class Session:
            def put(self, item, *, group):
                key = _number_of(item)
                kept[key] = item
                session.put(key, group=group)

            def flush(self):
                for entry in session.flush():
                    object.__setattr__(entry, "record", kept[entry.record])
                    yield entry

        return Session()


def _number_of(letter):
    seen = []
    batch_handler(lambda record: seen.append(record.json()["number"]))({"Records": [letter["record"]]})
    return int(seen[0])


@RUNNERS
def test_batches_are_filled_across_records(kind, workers):
    """Where nothing has to stay in order, one flush serves the whole batch."""
    sink = ScriptedSink(size=100)
    assert make(number, kind, workers, sink=sink)(sqs(10)) == {"batchItemFailures": []}
    assert sorted(sink.accepted) == list(range(10))
    assert sink.flushes == 1
    assert sink.opened[0]["ordered"] is False
    assert sink.closed == 1


@RUNNERS
def test_groups_share_a_flush_and_their_records_do_not(kind, workers):
    """On an ordered source there are as many flushes as the longest group has records."""
    sink = ScriptedSink(size=100)
    make(number, kind, workers, sink=sink)(sqs(5, groups=["a", "b", "a", "a", "b"]))
    assert sink.flushes == 3
    assert sink.opened == [{"ordered": True, "seconds_left": None}]


@RUNNERS
def test_only_the_records_of_refused_items_fail(kind, workers):
    """A `DeliveryError` with the items that were not accepted fails their record; what was accepted stays succeeded."""
    sink = ScriptedSink({3: 1, 5: 1}, size=2)
    result = make(lambda record: (number(record), "more"), kind, workers, sink=sink).process(sqs(8))
    assert [entry.record.identifier for entry in result.failed] == ids([3, 5])
    assert result.failed[0].value is None
    error = result.failed[0].error
    assert isinstance(error, DeliveryError)
    assert [entry.record for entry in error.unprocessed] == [3]
    assert "1 items of the record were not accepted (1 Scripted)" in str(error)
    assert result.succeeded[0].value == (0, "more")


def test_one_object_of_two_records_fails_both():
    """An item cannot be told apart from itself: in doubt each record fails."""
    shared = ["shared"]
    sink = ScriptedSink({"x": 1})
    item = "x"
    result = batch_handler(lambda record: item if number(record) < 2 else shared, sink=sink).process(sqs(3))
    assert [entry.status for entry in result.results] == ["failed", "failed", "succeeded"]


@RUNNERS
def test_an_invalid_item_fails_its_record(kind, workers):
    """What the session refuses at once fails the record with that error, and no other."""
    sink = ScriptedSink()
    body = lambda record: "invalid" if number(record) == 1 else number(record)  # noqa: E731
    result = make(body, kind, workers, sink=sink).process(sqs(3))
    assert [entry.status for entry in result.results] == ["succeeded", "failed", "succeeded"]
    assert str(result.failed[0].error) == "no such item can be sent"
    assert sorted(sink.accepted) == [0, 2]


def test_an_invalid_item_stops_under_stop():
    """A plain function's invalid item is seen at once: under `stop` nothing starts after it."""
    ran = []

    @batch_handler(sink=ScriptedSink(), error_policy="stop")
    def handler(record):
        ran.append(number(record))
        return "invalid" if number(record) == 1 else number(record)

    assert reported(handler(sqs(4))) == ids([1, 2, 3])
    assert ran == [0, 1]


def test_the_items_of_a_record_that_failed_are_not_sent_for_themselves():
    """Where no other record waits, what a failed record has put is let go of: it comes back with all its items."""
    sink = ScriptedSink(size=10)
    handler = batch_handler(lambda record: ["first", "invalid"], sink=sink, raise_on_full_failure=False)
    assert reported(handler(sqs(1))) == ["m0"]
    assert sink.accepted == []
    assert sink.closed == 1


def test_refused_items_of_a_record_that_failed_concern_nobody():
    """They were sent along with those of others: their record has failed before, for its own reason."""
    sink = ScriptedSink({"x": 1}, size=10)
    result = batch_handler(lambda record: number(record) or ["x", "invalid"], sink=sink).process(sqs(2))
    assert [entry.status for entry in result.results] == ["failed", "succeeded"]
    assert str(result.failed[0].error) == "no such item can be sent"


def test_a_letter_that_was_taken_by_halves_fails_its_record_once():
    """A session that raises in `put` and hands the letter back all the same has refused it, and no other."""

    class Halves(Refusing):
        def put(self, item, *, group):
            if not self.held:
                self.held.append(item)
                raise ValueError

    result = batch_handler(fails(Reject("bad"), 0, 1), dead_letter=Halves()).process(sqs(2))
    assert [entry.status for entry in result.results] == ["failed", "dead_lettered"]


@RUNNERS
def test_a_generator_that_raises_half_way_has_sent_nothing(kind, workers):
    """All items are there before the first one is put."""
    sink = ScriptedSink(size=1)

    def body(record):
        def items():
            yield number(record)
            if number(record) == 1:
                raise RuntimeError("half-way")

        return items()

    assert reported(make(body, kind, workers, sink=sink)(sqs(3))) == ["m1"]
    assert sorted(sink.accepted) == [0, 2]


def test_generator_functions_deliver_what_they_yield():
    """With a sink a record function may yield its items, also an async one; the value is their list."""
    sink = ScriptedSink()

    @batch_handler(sink=sink)
    def plain(record):
        yield number(record)
        yield -1

    class Callable:
        async def __call__(self, record, context):
            await asyncio.sleep(0)
            yield number(record)

    assert [entry.value for entry in plain.process(sqs(2)).results] == [[0, -1], [1, -1]]
    handler = batch_handler(Callable(), sink=sink, record_timeout=5, max_concurrency=2)
    assert [entry.value for entry in handler.process(sqs(2)).results] == [[0], [1]]
    assert sorted(sink.accepted) == [-1, -1, 0, 0, 1, 1]


@pytest.mark.parametrize("sink", [None, ScriptedSink()])
def test_generator_functions_need_a_sink(sink):
    """Without a sink nobody would run a generator's code, so it is refused; with one it is not."""

    def function(record):
        yield record

    async def async_function(record):
        yield record

    for each in (function, async_function):
        if sink is None:
            with pytest.raises(ConfigurationError, match=r"Remove `yield`, or give a `sink=`"):
                batch_handler(each)
        else:
            batch_handler(each, sink=sink)


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Order:
    id: str


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ([1, 2], [1, 2]),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        (frozenset([1]), [1]),
        (deque([1, 2]), [1, 2]),
        ({"a": 1, "b": 2}.values(), [1, 2]),
        ({"a": 1}.keys(), ["a"]),
        ([], []),
        ("text", ["text"]),
        (b"bytes", [b"bytes"]),
        ({"a": 1}, [{"a": 1}]),
        (Point(1, 2), [Point(1, 2)]),
        (Order("A"), [Order("A")]),
        (0, [0]),
    ],
)
def test_lists_sets_and_views_hold_items_and_all_else_is_one(value, items):
    """Lists, tuples, sets, deques and views of dicts hold items; all else is one item, however it can be iterated."""
    assert list(items_of(value)) == items


def test_pairs_of_a_dict_are_told_apart():
    """A view makes its pairs anew whenever it is iterated: a pair that is refused fails its own record alone."""
    sink = ScriptedSink({("n", 1): 1})
    result = batch_handler(lambda record: {"n": number(record)}.items(), sink=sink).process(sqs(3))
    assert [entry.status for entry in result.results] == ["succeeded", "failed", "succeeded"]


def test_nothing_to_deliver_succeeds_at_once():
    """None and an empty list need no session at all."""
    sink = ScriptedSink()
    assert batch_handler(lambda record: None if number(record) else [], sink=sink)(sqs(2)) == {"batchItemFailures": []}
    assert sink.opened == []


class Abrupt(BaseException):
    """No `Exception`, and no interrupt."""

    @classmethod
    def strike(cls):
        raise cls("without warning")


@pytest.mark.parametrize(
    ("flush", "error"),
    [
        (lambda: 1 / 0, ZeroDivisionError),
        (Abrupt.strike, Abrupt),
        (lambda: None, TypeError),
        (lambda: [object()], AttributeError),
        (lambda: [RaisingEntry()], KeyError),
    ],
)
def test_a_session_that_cannot_be_trusted_fails_all_that_wait(flush, error):
    """A flush that raises, or returns what nobody understands, accepts nothing."""

    class Session(Refusing):
        def flush(self):
            return flush()

    result = batch_handler(lambda record: number(record) or None, sink=Session()).process(sqs(3))
    assert [entry.status for entry in result.results] == ["succeeded", "failed", "failed"]
    assert {type(entry.error) for entry in result.failed} == {error}


class RaisingEntry:
    @property
    def record(self):
        raise KeyError


def test_an_item_that_was_never_put_puts_all_in_doubt():
    """A session that hands back a copy says nothing of the original: all that wait fail."""

    class Copies(Refusing):
        def flush(self):
            entries = super().flush()
            object.__setattr__(entries[0], "record", object())
            return entries[:1]

    result = batch_handler(number, sink=Copies()).process(sqs(2))
    assert [entry.status for entry in result.results] == ["failed", "failed"]


def test_a_session_that_cannot_be_opened_fails_what_needs_it():
    """Each record that has items fails with the reason."""

    class Closed(Refusing):
        def open(self, *, ordered, seconds_left):
            raise ConnectionError("no session")

    result = batch_handler(lambda record: number(record) or None, sink=Closed()).process(sqs(2))
    assert [entry.status for entry in result.results] == ["succeeded", "failed"]
    assert isinstance(result.failed[0].error, ConnectionError)


def test_an_async_session_takes_nothing():
    """Nobody would await it: its items would be lost, and their records taken off the source."""

    class Puts(ScriptedSink):
        async def put(self, item, *, group):
            raise AssertionError

    class Flushes(Puts):
        def put(self, item, *, group):
            raise AssertionError

        async def flush(self):
            raise AssertionError

    for kind, name in ((Puts, "put"), (Flushes, "flush")):
        sink = kind()
        sink.open = lambda *, ordered, seconds_left, session=sink: session
        result = batch_handler(number, sink=sink).process(sqs(2))
        assert [entry.status for entry in result.results] == ["failed", "failed"]
        assert f"async {name}()" in str(result.failed[0].error)


def test_a_session_that_cannot_be_closed_changes_nothing():
    """What is sent is sent."""

    class Stuck(ScriptedSink):
        @property
        def closed(self):
            raise RuntimeError

        @closed.setter
        def closed(self, value):
            pass

    assert batch_handler(number, sink=Stuck())(sqs(2)) == {"batchItemFailures": []}


def test_a_session_needs_no_close():
    """`put` and `flush` are all that a session must have."""
    refusing = Refusing()
    assert not hasattr(refusing, "close")
    handler = batch_handler(number, sink=refusing, raise_on_full_failure=False)
    assert reported(handler(sqs(2))) == ids([0, 1])


def test_the_session_gets_the_seconds_left():
    """All that is left but half a second, read when it is asked for; nothing without a deadline."""
    sink, clock = ScriptedSink(), Clock(30)
    batch_handler(number, sink=sink)(sqs(1), clock)
    left = sink.opened[0]["seconds_left"]
    assert left() == pytest.approx(29.5)
    clock.left = 0.2
    assert left() == 0.0
    batch_handler(number, sink=sink, deadline_margin=0.1)(sqs(1), clock)
    assert sink.opened[1]["seconds_left"]() == pytest.approx(0.1)
    for options, context in (({"deadline_margin": None}, clock), ({}, None), ({}, object())):
        batch_handler(number, sink=sink, **options)(sqs(1), context)
        assert sink.opened.pop()["seconds_left"] is None


@RUNNERS
def test_the_deadline_leaves_time_to_send(kind, workers):
    """What has run before the margin is sent, and what has not is given back, unrun."""
    sink, begin = ScriptedSink(size=100), time.perf_counter()
    clock = Clock(2.4, lambda: time.perf_counter() - begin)
    ran = []

    def body(record):
        ran.append(number(record))
        time.sleep(0.05)
        return number(record)

    response = make(body, kind, workers, sink=sink)(sqs(150), clock)
    assert 0 < len(sink.accepted) < 150
    # A record that the margin meets on its way to the sink may be sent, and is reported all the same.
    assert set(ids(set(range(150)) - set(sink.accepted))) <= set(reported(response))
    assert set(sink.accepted) == set(ran)


@RUNNERS
def test_the_clock_is_read_after_a_slow_delivery(kind, workers):
    """The next record of the group starts by the time that is left then, not by the time before."""
    clock, ran = Clock(10), []

    class Slow(ScriptedSink):
        def open(self, **_):
            return self

        def put(self, item, *, group):
            pass

        def flush(self):
            clock.left -= 9
            return []

    def body(record):
        ran.append(number(record))
        return {}

    response = make(body, kind, workers, sink=Slow())(kinesis("aa"), clock)
    assert ran == [0]
    assert reported(response) == ["1"]


@RUNNERS
@pytest.mark.parametrize("interrupt", [SystemExit, KeyboardInterrupt])
def test_interrupts_send_nothing_more(interrupt, kind, workers):
    """The whole batch comes back: what is held is let go of, and what waited is no success."""
    sink = ScriptedSink(size=100)

    def body(record):
        if number(record) == 3:
            raise interrupt("stop")
        return number(record)

    handler = make(body, kind, workers, sink=sink)
    with pytest.raises(interrupt):
        handler(sqs(5))
    assert sink.accepted == []
    assert sink.closed == 1
    result = handler.process(sqs(2))
    assert [entry.status for entry in result.results] == ["succeeded"] * 2


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_an_interrupt_while_sending_is_raised(kind):
    """Ctrl-C in a put or a flush ends the call, and nothing passes for accepted."""
    for moment in ("put", "flush"):

        class Session(Refusing):
            def _interrupt(self, *_, **__):
                raise KeyboardInterrupt

        setattr(Session, moment, Session._interrupt)
        with pytest.raises(KeyboardInterrupt):
            make(number, kind, sink=Session())(sqs(2))


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_slow_sink_does_not_block_the_callers_loop(kind):
    """Puts and flushes of `aprocess` happen beside the loop, which goes on meanwhile."""
    ticks = []

    async def main():
        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(0.002)

        beat = asyncio.ensure_future(tick())
        handler = make(number, kind, 2, sink=ScriptedSink(size=2, pause=0.05))
        result = await handler.aprocess(sqs(6))
        beat.cancel()
        return result

    assert len(asyncio.run(main()).succeeded) == 6
    assert len(ticks) > 10


@pytest.mark.parametrize("presses", [1, 3])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_cancelled_caller_waits_until_nothing_is_sent_any_more(kind, presses):
    """Cancelling `aprocess`, however often, leaves no thread that sends; the call ends cancelled."""
    sink = ScriptedSink(size=1, pause=0.1)

    async def main():
        task = asyncio.ensure_future(make(number, kind, 2, sink=sink).aprocess(sqs(20)))
        while not sink.accepted:  # noqa: ASYNC110 - another thread sends
            await asyncio.sleep(0.01)
        for _ in range(presses):
            task.cancel()
            await asyncio.sleep(0.005)
        with pytest.raises(asyncio.CancelledError):
            await task
        sent = len(sink.accepted)
        await asyncio.sleep(0.15)
        assert len(sink.accepted) == sent < 20
        assert sink.closed == 1

    asyncio.run(main())


@RUNNERS
def test_a_warm_call_starts_anew(kind, workers):
    """A session serves one call: the next one knows nothing of it."""
    sink = ScriptedSink({1: 1}, size=100)
    handler = make(number, kind, workers, sink=sink)
    assert reported(handler(sqs(2))) == ["m1"]
    assert reported(handler(sqs(2))) == []
    assert len(sink.opened) == 2
    assert sorted(sink.accepted) == [0, 0, 1]


def test_groups_name_what_is_sent():
    """The session gets the record's group: the source's, or what `group_by` gives; none where there is none."""
    seen = {}
    for name, event, options in (
        ("standard", sqs(2), {}),
        ("fifo", sqs(2, groups=["a", "b"]), {}),
        ("kinesis", kinesis(["k", "k"]), {}),
        ("group_by", sqs(2), {"group_by": lambda record: number(record) % 2 or None}),
    ):
        sink = ScriptedSink()
        groups = []
        sink.open = lambda sink=sink, groups=groups, **options: _listening(sink, groups, options)
        batch_handler(number, sink=sink, **options)(event)
        seen[name] = list(map(repr, groups))
    assert seen == {
        "standard": ["None", "None"],
        "fifo": ["'a'", "'b'"],
        "kinesis": ["'k'", "'k'"],
        "group_by": ["None", "1"],
    }


def _listening(sink, groups, options):
    session = ScriptedSink.open(sink, **options)
    session.groups = groups
    return session


@pytest.mark.parametrize("source", ["kafka", "kinesis", "fifo", "group_by"])
def test_sessions_of_ordered_sources_are_opened_as_ordered(source):
    """Sessions of ordered sources, and of `group_by`, are opened as ordered."""
    event = {"kafka": kafka([0, 0]), "kinesis": kinesis("ab"), "fifo": sqs(2, groups="ab"), "group_by": sqs(2)}[source]
    sink = ScriptedSink()
    batch_handler(number, sink=sink, group_by=(lambda record: None) if source == "group_by" else None)(event)
    assert sink.opened[0]["ordered"] is True
    assert sink.flushes == (2 if source in ("kafka", "group_by") else 1)


# Dead letters, as records give them away.


def letters_of(event, body, **options):
    """Run a batch; return its result and its dead letters."""
    letters = []
    result = batch_handler(body, dead_letter=letters.append, **options).process(event)
    return result, letters


def fails(error, *numbers):
    def body(record):
        if number(record) in numbers:
            raise error
        return number(record)

    return body


@pytest.mark.parametrize(
    ("error", "permanent", "status"),
    [
        (Reject("bad"), (), "dead_lettered"),
        (KeyError("x"), LookupError, "dead_lettered"),
        (KeyError("x"), (ValueError, KeyError), "dead_lettered"),
        (ValueError("x"), KeyError, "failed"),
        (RetryAfter(5), Exception, "failed"),
        (DeliveryError([]), Exception, "failed"),
        (BaseExceptionGroup("", [KeyboardInterrupt()]), Exception, "failed"),
    ],
    ids=repr,
)
def test_reject_and_permanent_errors_become_dead_letters(error, permanent, status):
    """`Reject`, and what `permanent` names, but `RetryAfter`, which asks for the contrary."""
    result, letters = letters_of(sqs(2), fails(error, 1), permanent=permanent)
    assert [entry.status for entry in result.results] == ["succeeded", status]
    assert result.results[1].error is error
    assert len(letters) == (status == "dead_lettered")


def test_a_payload_error_may_be_permanent():
    """What cannot be decoded or validated goes to the dead letter, and the function never runs."""
    event = sqs(2)
    event["Records"][0]["body"] = "no JSON"
    event["Records"][1]["body"] = "{}"
    ran, letters = [], []

    @batch_handler(permanent=PayloadError, dead_letter=letters.append)
    def handler(order: dict):
        ran.append(order)

    assert handler(event) == {"batchItemFailures": []}
    assert ran == [{}]
    assert letters[0]["record"]["body"] == "no JSON"
    assert letters[0]["error"]["type"] == "PayloadError"


@RUNNERS
def test_items_that_are_rejected_for_good_may_be_permanent(kind, workers):
    """With `DeliveryError` in `permanent`, what the sink rejects is a dead letter; what it throttles comes back."""
    for reason, status in (("rejected", "dead_lettered"), ("throttled", "failed")):
        letters = []
        options = {"sink": Refusing(reason), "dead_letter": letters.append, "permanent": DeliveryError}
        result = make(lambda record: number(record) or None, kind, workers, **options).process(sqs(2))
        assert [entry.status for entry in result.results] == ["succeeded", status]
        assert isinstance(result.results[1].error, DeliveryError)
        assert len(letters) == (reason == "rejected")


def test_an_invalid_item_may_be_permanent():
    """The sink's own `ValueError` counts as the record's."""
    letters = []
    handler = batch_handler(
        lambda record: "invalid", sink=ScriptedSink(), dead_letter=letters.append, permanent=ValueError
    )
    assert handler(sqs(1)) == {"batchItemFailures": []}
    assert letters[0]["error"] == {"type": "ValueError", "text": "no such item can be sent"}


NEVER = [
    lambda: (SQSProducer("q", client=object()), "a" * 1_048_577),
    lambda: (KinesisProducer("s", client=object()), "x"),
    lambda: (DynamoDBProducer("t", keys="id", client=object()), {"id": ""}),
    lambda: (DynamoDBProducer("t", keys="id", client=object()), {}),
]


@pytest.mark.parametrize("never", NEVER, ids=["too large", "no partition key", "empty key", "no key"])
@RUNNERS
def test_an_item_that_no_call_could_carry_is_permanent_where_a_rejection_is(never, kind, workers):
    """With `DeliveryError` in `permanent`, a `RecordError` is a dead letter: the shard goes on."""
    producer, item = never()
    letters = []
    options = {"sink": producer, "dead_letter": letters.append, "permanent": DeliveryError}
    result = make(lambda record: item, kind, workers, **options).process(sqs(1))
    assert [entry.status for entry in result.results] == ["dead_lettered"]
    assert isinstance(result.results[0].error, RecordError)
    assert letters[0]["error"]["type"] == "RecordError"
    other = make(lambda record: item, kind, workers, **{**options, "permanent": KeyError}).process(sqs(1))
    assert [entry.status for entry in other.results] == ["failed"]


@pytest.mark.parametrize("policy", ["stop", "skip_group"])
@RUNNERS
def test_a_dead_letter_is_no_failure_for_the_policy(policy, kind, workers):
    """The group goes on behind a dead letter; behind a refused one it does not."""
    event = sqs(3, groups=["a"] * 3)
    taken = make(fails(Reject("bad"), 0), kind, workers, dead_letter=discard, error_policy=policy)
    assert [entry.status for entry in taken.process(event).results] == ["dead_lettered", "succeeded", "succeeded"]
    refused = make(fails(Reject("bad"), 0), kind, workers, dead_letter=Refusing(), error_policy=policy)
    assert [entry.status for entry in refused.process(event).results] == ["failed", "skipped", "skipped"]


@RUNNERS
def test_the_dead_letter_is_accepted_before_its_group_goes_on(kind, workers):
    """Nothing of the group runs before the letter lies where it should."""
    story = defaultdict(list)

    class Letters(Refusing):
        def flush(self):
            self.held.clear()
            story["a"].append("accepted")
            return []

    def body(record):
        story[record.group].append(number(record))
        raise Reject

    make(body, kind, workers, dead_letter=Letters())(sqs(2, groups=["a"] * 2))
    assert story["a"] == [0, "accepted", 1, "accepted"]


def test_a_dead_letter_that_cannot_be_put_fails_its_record(caplog):
    """The record comes back with its own error, and the log says why nobody took its letter."""

    def refuses(letter):
        raise ConnectionError("the queue is gone")

    class Never(Refusing):
        def put(self, item, *, group):
            raise ValueError("too large")

    class Strikes(Refusing):
        def put(self, item, *, group):
            Abrupt.strike()

    cases = (
        (refuses, "ConnectionError: the queue is gone"),
        (Never(), "too large"),
        (Strikes(), "without warning"),
    )
    for dead_letter, why in cases:
        caplog.clear()
        handler = batch_handler(fails(Reject("bad"), 0), dead_letter=dead_letter, raise_on_full_failure=False)
        assert reported(handler(sqs(2))) == ["m0"]
        told = [entry for entry in caplog.records if "dead letter" in entry.getMessage()]
        assert [entry.getMessage() for entry in told] == [
            "the dead letter of sqs record m0 was not accepted: the record fails"
        ]
        text = str(told[0].exc_info[1])
        assert "(1 ConnectionError)" in text or why in text


def test_what_the_deadline_cuts_short_is_not_at_fault():
    """An async record that is cancelled at the margin comes back, whatever errors are permanent."""

    @batch_handler(dead_letter=discard, permanent=Exception, deadline_margin=0.05, max_concurrency=2)
    async def handler(record):
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            if number(record):
                raise ValueError("of the cleaning up") from None

    begin = time.perf_counter()
    result = handler.process(sqs(2), Clock(0.2, lambda: time.perf_counter() - begin))
    assert [entry.status for entry in result.results] == ["failed", "failed"]


def test_a_record_that_is_cancelled_while_its_letter_is_sent_fails():
    """The deadline may strike in mid-send: the record's own error stands, and it comes back."""

    class Slow(Refusing):
        def put(self, item, *, group):
            time.sleep(0.2)

    @batch_handler(dead_letter=Slow(), deadline_margin=0.01, raise_on_full_failure=False)
    async def handler(record):
        raise Reject("bad")

    begin = time.perf_counter()
    result = handler.process(sqs(1), Clock(0.1, lambda: time.perf_counter() - begin))
    assert [type(entry.error) for entry in result.failed] == [Reject]


def test_an_interrupt_while_a_letter_is_sent_is_raised():
    """Ctrl-C is no refusal."""

    class Interrupted(Refusing):
        def put(self, item, *, group):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch_handler(fails(Reject("bad"), 0), dead_letter=Interrupted())(sqs(1))


def test_a_group_that_cannot_be_had_may_be_permanent():
    """A poison pill that `group_by` chokes on goes to the dead letter too, and holds nothing up; refused, it does."""
    event = kinesis("aaa")
    event["Records"][1]["kinesis"]["data"] = "bm90IEpTT04="  # not JSON
    options = {"group_by": lambda record: record.json() % 2, "permanent": PayloadError, "error_policy": "skip_group"}
    result = batch_handler(lambda record: None, dead_letter=discard, **options).process(event)
    assert [entry.status for entry in result.results] == ["succeeded", "dead_lettered", "succeeded"]
    result = batch_handler(lambda record: None, dead_letter=Refusing(), **options).process(event)
    assert [entry.status for entry in result.results] == ["succeeded", "failed", "skipped"]

    async def awaits(record):
        return None

    handler = batch_handler(awaits, dead_letter=discard, **options)
    assert [entry.status for entry in asyncio.run(handler.aprocess(event)).dead_lettered] == ["dead_lettered"]


def test_discard_drops_on_purpose():
    """`discard` takes everything and keeps nothing."""
    result = batch_handler(fails(Reject("bad"), 0, 1), dead_letter=discard).process(sqs(2))
    assert [entry.status for entry in result.results] == ["dead_lettered"] * 2
    assert result.response == {"batchItemFailures": []}
    assert not result.full_failure
    assert repr(discard) == "discard"


def test_windows_settle_each_record_before_the_next():
    """A window's state never holds what comes back: a dead letter that is refused stops before the next record runs."""
    window = {"window": {"start": "s", "end": "e"}, "state": {"sum": 0}, "isFinalInvokeForWindow": False}
    event = kinesis("abc", **window)

    def body(record, state):
        if number(record) == 1:
            raise Reject("bad")
        return {"sum": state["sum"] + number(record)}

    assert batch_handler(body, dead_letter=discard)(event)["state"] == {"sum": 2}
    response = batch_handler(body, dead_letter=Refusing())(event)
    assert response["state"] == {"sum": 0}
    assert reported(response) == ["1", "2"]


def test_a_windows_state_cannot_go_to_a_sink():
    """What the function returns is one of the two: refused at decoration."""
    with pytest.raises(ConfigurationError, match="'state' parameter"):
        batch_handler(lambda record, state: state, sink=ScriptedSink())


def test_letters_hold_what_is_needed_to_replay():
    """The raw record and its error, where it came from and when, as plain JSON."""
    event = sqs(1, receives=[3])
    before = datetime.now(UTC)
    _, letters = letters_of(event, fails(Reject("bad"), 0))
    (letter,) = letters
    assert before <= datetime.fromisoformat(letter.pop("time")) <= datetime.now(UTC)
    assert letter == {
        "record": event["Records"][0],
        "error": {"type": "Reject", "text": "bad"},
        "identifier": "m0",
        "source_arn": "arn:aws:sqs:eu-west-1:123456789012:orders",
        "receive_count": 3,
    }


class Lazy(ScriptedSink):
    """A sink of one's own, one of whose methods returns what it should have done."""

    def __init__(self, method, returned):
        super().__init__()
        self._method, self._returned = method, returned

    def open(self, **options):
        session = super().open(**options)
        if self._method == "open":
            return self._returned()
        setattr(session, self._method, lambda *_, **__: self._returned())
        return session


class Kept(Refusing):
    """A sink that accepts everything and counts how often it was closed."""

    closed = 0

    def flush(self):
        return []

    def close(self):
        self.closed += 1


async def _sends():
    raise AssertionError


def _yields():
    raise AssertionError
    yield


@RUNNERS
@pytest.mark.parametrize("method", ["open", "put", "flush"])
@pytest.mark.parametrize(
    "returned",
    [_sends, lambda: partial(print, 1), Future, lambda: [_sends()]],
    ids=["coroutine", "partial", "future", "list"],
)
def test_a_session_that_returns_what_it_should_have_done_fails_its_records(method, returned, kind, workers):
    """A coroutine that nobody awaits has sent nothing, whatever the method."""
    handler = make(number, kind, workers, sink=Lazy(method, returned), raise_on_full_failure=False)
    result = handler.process(sqs(3))
    assert [entry.status for entry in result.results] == ["failed"] * 3
    if returned is _sends:
        message = f"the sink's {method}() returned an awaitable (coroutine) that nobody awaits"
        assert all(message in str(entry.error) for entry in result.failed)


@pytest.mark.parametrize("method", ["open", "put", "flush"])
def test_a_dead_letter_session_that_returns_what_it_should_have_done_refuses(method):
    """The record is not put aside, and comes back."""
    handler = make(fails(Reject(), 1), dead_letter=Lazy(method, _sends))
    assert reported(handler(sqs(2))) == ["m1"]


def test_a_generator_as_put_fails_its_records():
    """A `yield` in `put` keeps all of it from running."""
    assert len(make(number, sink=Lazy("put", _yields)).process(sqs(2)).failed) == 2


def test_a_generator_as_flush_is_run():
    """It gives the items that were not accepted, like a list."""

    class Yields(Refusing):
        def flush(self):
            yield from super().flush()

    assert len(make(number, sink=Yields()).process(sqs(2)).failed) == 2


def test_a_future_as_flush_hides_no_refusal():
    """A done future of asyncio can be iterated over, and gives nothing: the refusals are in its result."""
    loop = asyncio.new_event_loop()

    class Answers(Refusing):
        def flush(self):
            future = loop.create_future()
            future.set_result(super().flush())
            return future

    failed = make(number, sink=Answers()).process(sqs(2)).failed
    loop.close()
    assert [str(entry.error) for entry in failed] == ["the sink's flush() returned a value of type Future, no list"] * 2


@pytest.mark.parametrize("answer", ["", b"", {}, None, 0, False, "0", [None], ["m0"], [3]])
def test_a_flush_that_answers_with_no_list_of_refusals_fails_its_records(answer):
    """Nobody can tell what was accepted."""
    assert len(make(number, sink=Lazy("flush", lambda: answer)).process(sqs(2)).failed) == 2


@pytest.mark.parametrize("answers", [_sends, OSError, BaseException], ids=["coroutine", "error", "odd error"])
def test_a_session_that_cannot_be_closed_is_logged(answers, caplog):
    """What it had accepted is not in doubt, and the session of the dead letter is closed all the same."""

    def close():
        if answers is not _sends:
            raise answers
        return _sends()

    letters = Kept()
    handler = make(fails(Reject(), 1), sink=Lazy("close", close), dead_letter=letters)
    assert reported(handler(sqs(2))) == []
    assert "the session of a sink could not be closed" in caplog.text
    assert letters.closed == 1


def test_an_interrupt_of_close_is_raised():
    """Once the other session is closed too."""

    def close():
        raise SystemExit

    letters = Kept()
    handler = make(fails(Reject(), 1), sink=Lazy("close", close), dead_letter=letters)
    with pytest.raises(SystemExit):
        handler(sqs(2))
    assert letters.closed == 1


class Broken:
    """A sink that takes all, and is its own session, which raises when it is closed."""

    def __init__(self, raised):
        self.raised = raised

    def open(self, *, ordered, seconds_left):
        return self

    def put(self, item, *, group):
        pass

    def flush(self):
        return []

    def close(self):
        raise self.raised


@RUNNERS
@pytest.mark.parametrize("raised", [RuntimeError, Abrupt, asyncio.CancelledError, GeneratorExit])
def test_whatever_a_close_raises_changes_nothing(kind, workers, raised):
    """What is sent is sent, and the call goes on."""

    def body(record):
        if number(record) == 1:
            raise Reject
        return number(record)

    handler = make(body, kind, workers, sink=Broken(raised), dead_letter=Broken(raised))
    assert handler(sqs(3)) == {"batchItemFailures": []}
    assert asyncio.run(handler.aprocess(sqs(3))).response == {"batchItemFailures": []}


class Nameless(type):
    """Makes classes that raise when they are asked for their name."""

    @property
    def __name__(cls):
        raise RuntimeError


class Unnamed(Exception, metaclass=Nameless):
    pass


def answer(handler):
    """Return the response; pytest itself cannot show the error."""
    with suppress(RuntimeError):
        return handler(sqs(3))


@RUNNERS
def test_an_error_without_a_name_in_a_close_changes_nothing(kind, workers):
    """The line about it is written all the same."""

    def body(record):
        if number(record) == 1:
            raise Reject
        return number(record)

    handler = make(body, kind, workers, sink=Broken(Unnamed()), dead_letter=Broken(Unnamed()))
    assert answer(handler) == {"batchItemFailures": []}


def test_a_dead_letter_callable_that_raises_an_error_without_a_name_refuses():
    """The record comes back, as from any other refusal."""

    def refuse(letter):
        raise Unnamed

    assert reported(answer(make(fails(Reject(), 1), dead_letter=refuse))) == ["m1"]


@RUNNERS
def test_an_interrupt_in_a_close_is_raised_at_the_end(kind, workers):
    """``SystemExit`` ends the process, once the batch has been told to have ended."""
    ended = []
    hook = SimpleNamespace(on_batch_end=lambda result: ended.append(len(result.succeeded)))
    with pytest.raises(SystemExit):
        make(number, kind, workers, sink=Broken(SystemExit), hooks=[hook])(sqs(3))
    assert ended == [3]


@RUNNERS
@pytest.mark.parametrize(
    ("errors", "fate"),
    [
        ([Reject("a")], "dead_lettered"),
        ([Reject("a"), KeyError("b")], "dead_lettered"),
        ([ExceptionGroup("inner", [KeyError("a")]), Reject("b")], "dead_lettered"),
        ([Reject("a"), ValueError("b")], "failed"),
        ([KeyError("a"), RetryAfter(5)], "failed"),
        ([ExceptionGroup("inner", [ValueError("a"), Reject("b")])], "failed"),
    ],
)
def test_a_group_is_permanent_if_all_that_it_holds_is(kind, workers, errors, fate):
    """``Reject`` and ``permanent`` types count inside an ``ExceptionGroup``: every leaf must be one of them."""

    def body(record):
        raise ExceptionGroup("unhandled errors in a TaskGroup", errors)

    handler = make(body, kind, workers, permanent=KeyError, dead_letter=lambda letter: None)
    assert [entry.status for entry in handler.process(sqs(2)).results] == [fate] * 2


@RUNNERS
@pytest.mark.parametrize("raised", [RuntimeError, Abrupt, SystemExit])
def test_a_permanent_type_whose_metaclass_raises_fails_its_record_alone(kind, workers, raised):
    """In doubt the record comes back; an interrupt is raised once running records have ended."""

    class Meta(type):
        def __instancecheck__(cls, instance):
            raise raised

    class Odd(Exception, metaclass=Meta):
        pass

    def body(record):
        if number(record) == 1:
            raise ValueError

    handler = make(body, kind, workers, permanent=Odd, dead_letter=lambda letter: None)
    if raised is SystemExit:
        with pytest.raises(SystemExit):
            handler(sqs(4))
    else:
        assert reported(handler(sqs(4))) == ids([1])


def test_an_interrupt_before_a_batch_begins_opens_no_session():
    """A group that raises an interrupt ends the call, and there is nothing to close."""

    class Interrupting(Plain):
        def group(self, raw):
            raise SystemExit("now")

    sink, letters = ScriptedSink(), ScriptedSink()
    with pytest.raises(SystemExit, match="now"):
        batch_handler(lambda record: 1, sink=sink, dead_letter=letters, source=Interrupting())(sqs(2))
    assert (sink.opened, letters.opened, sink.closed, letters.closed) == ([], [], 0, 0)
