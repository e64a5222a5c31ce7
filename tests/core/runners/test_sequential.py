"""One record after another: the inlined runner and the stepping one agree."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest
from batches import Clock, dynamodb, kafka, kinesis, number, reported, sqs
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import FullBatchFailure, batch_handler
from partialbatch._core.runners.without_loop import drive

OUTCOMES = st.sampled_from(["fine", "value", "fails", "cancelled", "generator"])
EVENTS = {
    "sqs": sqs,
    "fifo": lambda count: sqs(count, groups=[f"g{index % 2}" for index in range(count)]),
    "kinesis": lambda count: kinesis(["k"] * count),
    "dynamodb": lambda count: dynamodb(["k"] * count),
    "kafka": lambda count: kafka([0] * count),
}


def act(outcome):
    if outcome == "fails":
        raise ValueError
    if outcome == "cancelled":
        raise asyncio.CancelledError
    if outcome == "generator":
        return (each for each in "ab")
    return 5 if outcome == "value" else None


@given(
    st.sampled_from(sorted(EVENTS)),
    st.lists(OUTCOMES, min_size=1, max_size=12),
    st.sampled_from(["derive", "continue", "stop"]),
    st.none() | st.lists(st.integers(1, 4), min_size=12, max_size=12),
    st.none() | st.integers(0, 30),
    st.lists(st.integers(0, 5), min_size=12, max_size=12),
)
def test_the_handler_and_process_agree(  # what a batch may be made of
    source, outcomes, policy, receives, left, durations
):
    """The inlined runner of ``handler(...)`` and the step of ``.process(...)`` do the same to any batch."""
    clock = None if left is None else Clock(left)
    calls = []

    def body(record):
        index = number(record)
        calls.append(index)
        if clock is not None:
            clock.left -= durations[index]
        return act(outcomes[index])

    last = 3 if source == "sqs" and receives else None
    handler = batch_handler(body, error_policy=policy, max_receive_count=last, raise_on_full_failure=False)
    event = EVENTS[source](len(outcomes))
    for raw, receive in zip(event.get("Records", []), receives or [], strict=False):
        if last:
            raw["attributes"]["ApproximateReceiveCount"] = str(receive)
    response = handler(event, clock)
    reads, ran = clock.reads if clock else 0, list(calls)
    calls.clear()
    if clock is not None:
        clock.left, clock.reads = left, 0
    result = handler.process(event, clock)
    assert response == result.response
    assert ran == calls
    assert reads == (clock.reads if clock else 0)
    assert reads <= len(outcomes)
    assert [entry.status != "skipped" for entry in result.results] == [index in ran for index in range(len(outcomes))]


def test_they_agree_on_a_full_failure():
    """The result on ``FullBatchFailure`` says of each record what ``process`` says."""
    handler = batch_handler(lambda record: 1 / 0)
    with pytest.raises(FullBatchFailure) as caught:
        handler(sqs(4, groups=list("aabb")))
    result = handler.process(sqs(4, groups=list("aabb")))
    assert [entry.status for entry in caught.value.result.results] == [entry.status for entry in result.results]
    assert [str(entry.error) for entry in caught.value.result.skipped] == [str(e.error) for e in result.skipped]


@pytest.mark.parametrize("asked", ["handler", "process"])
def test_one_clock_reading_a_record_and_no_line_when_nothing_is_left_over(asked, caplog):
    """N records cost N readings; time that runs out with the last record leaves nothing over to warn of."""
    clock = Clock(10)

    def body(record):
        clock.left = 10 if number(record) < 4 else 0

    handler = batch_handler(body)
    response = handler(sqs(5), clock) if asked == "handler" else handler.process(sqs(5), clock).response
    assert response == {"batchItemFailures": []}
    assert clock.reads == 5
    assert not caplog.records


@pytest.mark.parametrize("asked", ["handler", "process"])
def test_the_deadline_leaves_the_rest_and_says_how_much(asked, caplog):
    """Records that time is too short for are reported unrun, and a warning counts them."""
    clock = Clock(3)
    ran = []

    def body(record):
        ran.append(number(record))
        clock.left -= 1

    handler = batch_handler(body, deadline_margin=0.5)
    response = handler(sqs(5), clock) if asked == "handler" else handler.process(sqs(5), clock).response
    # 3 s left: 0 runs; 2 s: 1 s and the margin fit; 1 s: they do not.
    assert ran == [0, 1]
    assert reported(response) == ["m2", "m3", "m4"]
    (line,) = [entry for entry in caplog.records if hasattr(entry, "batch_left_over")]
    assert line.batch_left_over == 3
    assert line.levelname == "WARNING"


@pytest.mark.parametrize("left", [0.4, 0, -1])
def test_a_batch_that_comes_too_late_is_given_back_whole(left):
    """With less than the margin left at the start nothing runs, and a batch of skipped records is no full failure."""
    handler = batch_handler(lambda record: 1 / 0)
    assert reported(handler(sqs(3), Clock(left))) == ["m0", "m1", "m2"]
    assert not handler.process(sqs(3), Clock(left)).full_failure


variable = ContextVar("variable", default="unset")
CALLS = {
    "handler": lambda handler, event: handler(event),
    "process": lambda handler, event: handler.process(event),
    "aprocess": lambda handler, event: asyncio.run(handler.aprocess(event)),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("options", [{}, {"deadline_margin": "off"}, {"error_policy": "skip_group"}])
def test_each_record_has_a_fresh_copy_of_the_callers_context(call, options):
    """What a record sets reaches no other record, no later batch, and not the caller."""
    seen = []

    def body(record):
        seen.append(variable.get())
        variable.set(record.message_id)
        if number(record) == 1:
            raise ValueError

    handler = batch_handler(body, **options)
    token = variable.set("of the caller")
    try:
        for _ in range(2):
            CALLS[call](handler, sqs(4))
        assert variable.get() == "of the caller"
    finally:
        variable.reset(token)
    assert seen == ["of the caller"] * 8


def test_what_a_window_sees_of_the_context_is_the_callers():
    """The records of a tumbling window, too, leave no context variable behind."""
    seen = []

    @batch_handler(window_end=lambda state: seen.append(variable.get()))
    def handler(record, state):
        seen.append(variable.get())
        variable.set("set")
        return state

    handler(kinesis(["k"] * 2, window={}, state={}, isFinalInvokeForWindow=True))
    assert seen == ["unset"] * 3


def test_a_step_that_waits_for_a_loop_is_refused():
    """Driving what awaits without a loop is an error, and closes the coroutine."""
    closed = []

    async def waits():
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError, match="waited for an event loop"):
        drive(waits())
    assert closed
