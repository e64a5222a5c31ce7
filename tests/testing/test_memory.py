"""The memory of a simulation, in allocated bytes, which don't depend on the load of the machine."""

from __future__ import annotations

import gc
import itertools
import traceback
import tracemalloc

import pytest

from partialbatch import batch_handler
from partialbatch.testing import SimulatedQueue, SimulatedStream, SimulatedTopic
from partialbatch.testing._simulation_loop import TRACEBACKS_KEPT

RECORDS = 2_000
LIMIT = 2_048
"""Bytes a record, at the peak."""
ITEMS = [{"id": f"order-{number}", "group": f"group-{number % 20}"} for number in range(RECORDS)]


calls = itertools.count()


@batch_handler
def nothing(record):
    """Succeed. Garbage waits for the collector longer on Python 3.14; the bound is for memory in use."""
    if next(calls) % 200 == 0:
        gc.collect()


def peak_of(run):
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        delivery = run()
        return delivery, tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "simulated",
    [
        SimulatedQueue,
        lambda items: SimulatedQueue(items, fifo=True, groups=[item["group"] for item in items]),
        lambda items: SimulatedQueue(items, batch_size=1),
        SimulatedStream,
        lambda items: SimulatedStream(items, source="dynamodb"),
        lambda items: SimulatedTopic({"orders-0": items[::2], "orders-1": items[1::2]}),
    ],
    ids=["queue", "fifo", "queue one by one", "kinesis", "dynamodb", "kafka"],
)
def test_a_simulated_record_takes_at_most_2_kb(simulated):
    """From the simulator to the delivery, a record takes at most 2 KB, including its history and its event."""
    simulated(ITEMS[:10]).run(nothing)  # the first call fills caches
    delivery, peak = peak_of(lambda: simulated(ITEMS).run(nothing))
    assert len(delivery.records) == RECORDS
    assert delivery.fates == {"deleted": RECORDS}
    assert peak / RECORDS <= LIMIT


def test_a_record_that_fails_for_ever_keeps_one_error():
    """Hundreds of failed deliveries of the same records keep one error, not each one's event."""
    handler = batch_handler(lambda record: 1 / 0, error_policy="stop")
    delivery = SimulatedStream(ITEMS[:20], max_invocations=200).run(handler)
    assert len(delivery.invocations) == 200
    assert len({id(entry.error) for entry in delivery.invocations}) == 1


def test_other_records_keep_an_error_of_their_own():
    """An equal error of other records is kept, because it refers to them."""

    def handler(event, context):
        raise ValueError

    delivery = SimulatedQueue(ITEMS[:2], batch_size=1, max_receive_count=2).run(handler)
    assert len({id(entry.error) for entry in delivery.invocations}) == 2


def test_errors_beyond_the_first_hundred_have_no_traceback():
    """The first 100 errors keep their traceback; later ones keep type, text and cause."""

    def handler(event, context):
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ExceptionGroup(event["Records"][0]["messageId"], [error, error]) from error

    queue = SimulatedQueue(ITEMS[: TRACEBACKS_KEPT + 1], batch_size=1, max_receive_count=1)
    first, *_, last = [entry.error for entry in queue.run(handler).invocations]
    assert "raise KeyError" in "".join(traceback.format_exception(first))
    told = "".join(traceback.format_exception(last))
    assert "in handler" not in told
    assert "KeyError: 'inner'" in told
    assert "ExceptionGroup: 00000000-0000-4000-8000-000000000100" in told


def test_full_batch_failure_loses_the_tracebacks_of_its_records():
    """A `FullBatchFailure` beyond the first hundred still has its errors and its result."""
    handler = batch_handler(lambda record: 1 / 0)
    queue = SimulatedQueue(ITEMS[: TRACEBACKS_KEPT + 1], batch_size=1, max_receive_count=1)
    last = queue.run(handler).invocations[-1].error
    assert [type(error) for error in last.errors] == [ZeroDivisionError]
    assert last.errors[0].__traceback__ is None
    assert last.result.failed


def test_records_and_events_are_parsed_anew_each_time():
    """A test may change a record or an event of a delivery: the next access returns the original."""
    delivery = SimulatedQueue(["a"]).run(nothing)
    story, invocation = delivery.records[0], delivery.invocations[0]
    story.raw.clear()
    invocation.event["Records"].clear()
    assert story.raw["body"] == "a"
    assert invocation.event == {"Records": [story.raw]}


def test_event_has_the_receive_counts_of_its_invocation():
    """The event of each invocation shows the receive count and the receipt handle that it was sent with."""
    delivery = SimulatedQueue(["a"], max_receive_count=3).run(lambda event, context: 1 / 0)
    sent = [entry.event["Records"][0] for entry in delivery.invocations]
    assert [raw["attributes"]["ApproximateReceiveCount"] for raw in sent] == ["1", "2", "3"]
    assert len({raw["receiptHandle"] for raw in sent}) == 3
