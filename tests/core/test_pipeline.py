"""From event to response, whatever the records do."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import threading
import weakref
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal

import pytest
from batches import Clock, Plain, dynamodb, ids, kafka, kinesis, number, reported, sqs
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import FullBatchFailure, RawRecord, SQSRecord, batch_handler
from partialbatch.errors import ConfigurationError, EventError
from partialbatch.types import ErrorPolicy

EVENTS = {
    "sqs": sqs,
    "fifo": lambda count: sqs(count, groups=["g"] * count),
    "kinesis": lambda count: kinesis(["k"] * count),
    "dynamodb": lambda count: dynamodb(["k"] * count),
    "kafka": lambda count: kafka([0] * count),
}


def named(event):
    """Return the identifiers of an event's records, in event order."""
    if "records" in event:
        return [
            {"partition": partition, "offset": raw["offset"]}
            for partition, raws in event["records"].items()
            for raw in raws
        ]
    return [
        raw.get("messageId") or raw.get("kinesis", {}).get("sequenceNumber") or raw["dynamodb"]["SequenceNumber"]
        for raw in event["Records"]
    ]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_subset_of_failures_up_to_eight_records(workers, asynchronous):
    """Each subset of failing records is reported whole, in event order, none twice."""
    failing = set()

    def body(record):
        if number(record) in failing:
            raise ValueError

    async def abody(record):
        body(record)

    handler = batch_handler(abody if asynchronous else body, max_concurrency=workers, raise_on_full_failure=False)
    logging.disable()
    try:
        for count in range(1, 9):
            event = sqs(count)
            for size in range(count + 1):
                for subset in itertools.combinations(range(count), size):
                    failing = set(subset)
                    assert reported(handler(event)) == ids(subset)
    finally:
        logging.disable(logging.NOTSET)


@given(st.sampled_from(sorted(EVENTS)), st.integers(1, 60), st.data())
def test_any_subset_of_failures_in_any_batch(source, count, data):
    """Beyond eight records, over all sources: what failed is reported, in event order, none twice."""
    failing = data.draw(st.sets(st.integers(0, count - 1)))
    event = EVENTS[source](count)

    def body(record):
        if number(record) in failing:
            raise ValueError

    handler = batch_handler(body, error_policy="continue", raise_on_full_failure=False)
    assert reported(handler(event)) == [named(event)[index] for index in sorted(failing)]


@pytest.mark.parametrize("source", sorted(EVENTS))
def test_stop_reports_all_from_the_first_failure_on(source):
    """Under ``stop`` nothing is started after the first failure, nor parsed."""
    event, ran = EVENTS[source](5), []

    def body(record):
        ran.append(number(record))
        if number(record) == 2:
            raise ValueError

    handler = batch_handler(body, error_policy=ErrorPolicy.STOP)
    assert reported(handler(event)) == named(event)[2:]
    assert ran == [0, 1, 2]


def test_derive_stops_on_fifo_and_goes_on_elsewhere():
    """The derived policy is that of the source; a FIFO queue is known by its ARN alone."""
    for source, make in EVENTS.items():
        event = make(4)
        handler = batch_handler(lambda record: 1 / (number(record) - 1))
        assert reported(handler(event)) == named(event)[1 : 4 if source == "fifo" else 2]
    fair = sqs(4, groups=["g"] * 4)
    for raw in fair["Records"]:
        raw["eventSourceARN"] = "arn:aws:sqs:eu-west-1:123456789012:orders"
    assert reported(handler(fair)) == ["m1"]


@pytest.mark.parametrize("workers", [1, 3])
def test_skip_group_ends_that_group_only(workers):
    """The records behind a failure in its group are reported unrun; other groups go on."""
    ran = []

    def body(record):
        ran.append(number(record))
        if number(record) == 0:
            raise ValueError

    handler = batch_handler(body, error_policy="skip_group", max_concurrency=workers)
    event = sqs(6, groups=["a", "b", "a", "b", "a", "c"])
    assert reported(handler(event)) == ["m0", "m2", "m4"]
    assert sorted(ran) == [0, 1, 3, 5]
    skipped = handler.process(event).skipped
    assert {str(entry.error) for entry in skipped} == {
        "not started: a record of its group failed before it (error_policy 'skip_group')"
    }


@pytest.mark.parametrize("annotation", [dict, RawRecord])
def test_a_record_that_is_skipped_is_never_parsed(annotation):
    """A broken body behind the failure is not looked at: it is skipped, not failed."""

    def body(record):
        raise ValueError

    body.__annotations__["record"] = annotation
    event = sqs(3, groups=["g"] * 3)
    event["Records"][1]["body"] = "{"
    result = batch_handler(body).process(event)
    assert [entry.status for entry in result.results] == ["failed", "skipped", "skipped"]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_last_attempt_holds_nothing_back(workers):
    """A FIFO record that fails at its last attempt is reported, and what is behind it runs."""
    ran = []

    def body(record):
        ran.append(number(record))
        if number(record) in (0, 2):
            raise ValueError

    event = sqs(4, groups=["g"] * 4, receives=[5, 1, 4, 1])
    handler = batch_handler(body, max_receive_count=5, max_concurrency=workers)
    assert reported(handler(event)) == ["m0", "m2", "m3"]
    assert ran == [0, 1, 2]


def test_a_receive_count_that_cannot_be_read_is_no_last_one():
    """In doubt a failure holds back what is behind it."""
    event = sqs(2, groups=["g"] * 2)
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "many"
    options = {"max_receive_count": 2, "raise_on_full_failure": False}
    assert reported(batch_handler(lambda record: 1 / number(record), **options)(event)) == ["m0", "m1"]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_warm_call_and_one_after_a_raise_see_nothing_of_the_last(workers):
    """What one call did, or raised, is not in the next."""

    def body(record):
        if record.raw.get("act") == "exit":
            raise SystemExit
        if record.raw.get("act"):
            raise ValueError

    handler = batch_handler(body, max_concurrency=workers)
    clean, partial, full, exits = (sqs(3) for _ in range(4))
    partial["Records"][1]["act"] = exits["Records"][1]["act"] = "fail"
    exits["Records"][1]["act"] = "exit"
    for raw in full["Records"]:
        raw["act"] = "fail"
    for _ in range(3):
        assert handler(clean) == {"batchItemFailures": []}
        assert reported(handler(partial)) == ["m1"]
        with pytest.raises(FullBatchFailure):
            handler(full)
        assert reported(handler(partial)) == ["m1"]
        with pytest.raises(SystemExit):
            handler(exits)
        with pytest.raises(EventError):
            handler({})


def test_two_threads_calling_one_sequential_handler():
    """The handler keeps no state of a call, so threads may share it."""
    ready = threading.Barrier(4)

    @batch_handler
    def handler(record):
        if number(record) == 0:
            ready.wait(10)
        if number(record) % record.raw["each"]:
            raise ValueError

    def call(each):
        event = sqs(40)
        for raw in event["Records"]:
            raw["each"] = each
        return reported(handler(event)) == ids(index for index in range(40) if index % each)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(call, [2, 3, 4, 5]))


@pytest.mark.parametrize("source", sorted(EVENTS))
def test_nothing_is_referenced_after_the_call(source):
    """Raw records, views, values and errors are gone once the caller lets go of them."""

    class Tracked(dict):
        """A dict that takes weak references."""

    alive = []

    def body(record):
        alive.append(weakref.ref(record.raw["tracked"]))
        if number(record) == 1:
            raise ValueError(record)
        return record

    def call():
        event = EVENTS[source](3)
        for raw in event.get("Records") or event["records"]["orders-0"]:
            raw["tracked"] = Tracked()
        handler(event)
        handler.process(event)

    handler = batch_handler(body, error_policy="continue")
    logging.disable()  # pytest keeps what is logged, tracebacks included
    try:
        call()
    finally:
        logging.disable(logging.NOTSET)
    gc.collect()
    assert len(alive) == 6
    assert [ref() for ref in alive if ref() is not None] == []


def test_identifiers_are_taken_before_the_users_code_runs():
    """A record function that changes the raw record changes nothing of the response."""

    @batch_handler
    def handler(record: RawRecord):
        record["messageId"] = "changed"
        record.pop("body")
        raise ValueError

    with pytest.raises(FullBatchFailure) as caught:
        handler(sqs(2))
    assert reported(caught.value.response) == ["m0", "m1"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_record_that_leaves_the_event_is_no_success(fails):
    """Code that takes records off the event's own list while it runs takes none away from the batch."""
    event, ran = sqs(3), []

    def body(record):
        event["Records"].clear()
        ran.append(record.identifier)
        if fails:
            raise ValueError

    handler = batch_handler(body, raise_on_full_failure=False)
    assert reported(handler(event)) == (["m0", "m1", "m2"] if fails else [])
    assert ran == ["m0", "m1", "m2"]


@pytest.mark.parametrize("missing", [None, "", 5])
def test_a_failed_record_without_identifier_raises(missing):
    """What cannot be named cannot be reported: the batch comes back. A record that succeeds needs no name."""
    event = sqs(3)
    event["Records"][1]["messageId"] = missing
    if missing is None:
        del event["Records"][1]["messageId"]
    assert batch_handler(lambda record: None)(event) == {"batchItemFailures": []}
    assert reported(batch_handler(lambda record: 1 / number(record))(event)) == ["m0"]
    with pytest.raises(EventError, match="record 1 of the sqs batch"):
        batch_handler(lambda record: 1 / (number(record) - 1))(event)
    with pytest.raises(EventError, match="record 1"):  # skipped, behind the failure
        batch_handler(lambda record: 1 / number(record), error_policy="stop")(event)


def test_a_duplicate_identifier_is_reported_once():
    """The same message twice in one batch is named once."""
    event = sqs(3)
    event["Records"][2]["messageId"] = "m0"
    assert reported(batch_handler(lambda record: None if number(record) == 1 else 1 / 0)(event)) == ["m0"]


def test_an_empty_batch_warns_and_returns_no_failures(caplog):
    """An empty batch is a success that somebody should look at."""
    handler = batch_handler(lambda record: 1 / 0)
    for event in ({"Records": []}, []):
        assert handler(event) == {"batchItemFailures": []}
        result = handler.process(event)
        assert (result.results, result.full_failure) == ((), False)
        assert asyncio.run(handler.aprocess(event)).results == ()
    assert {entry.levelname for entry in caplog.records} == {"WARNING"}
    assert len(caplog.records) == 6


class Queue:
    """An event source of the user's own, whose response nobody reads."""

    name = "mq"
    partial_response = False

    def matches(self, event):
        return "messages" in event

    def records(self, event):
        return event["messages"]

    def identifier(self, raw):
        return raw["id"]

    def payload(self, raw):
        return raw["data"]

    def view(self, raw):
        return type("View", (), {"raw": raw, "payload": raw["data"], "identifier": raw["id"]})()

    def group(self, raw):
        return raw.get("group")

    def policy(self, records):
        return ErrorPolicy.CONTINUE


def test_a_source_of_ones_own_may_give_any_iterable():
    """Records that come from a generator all run: it is not used up by asking for their identifiers."""

    class Stream(Queue):
        def records(self, event):
            yield from event["messages"]

    ran = []
    handler = batch_handler(lambda record: ran.append(number(record)), source=Stream())
    assert handler({"messages": [{"id": "q0", "data": "0"}, {"id": "q1", "data": "1"}]}) == {"batchItemFailures": []}
    assert ran == [0, 1]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("policy", "ran"), [("continue", [0, 1, 2]), ("stop", [0, 1]), ("skip_group", [0, 1])])
def test_a_source_of_ones_own_may_name_its_policy(policy, ran, workers):
    """The name of a policy is as good as the member, for one worker and for more; what is none is refused."""

    class Stream(Queue):
        partial_response = True

        def policy(self, records):
            return policy

    event = {"messages": [{"id": f"q{index}", "data": str(index), "group": "g"} for index in range(3)]}
    seen = []

    def body(record):
        seen.append(number(record))
        if number(record) == 1:
            raise ValueError

    handler = batch_handler(body, source=Stream(), max_concurrency=workers)
    assert reported(handler(event)) == [f"q{index}" for index in range(3) if index == 1 or index not in ran]
    assert seen == ran
    policy = "derive"
    with pytest.raises(ConfigurationError, match=r"EventSource\.policy='derive'"):
        handler(event)
    assert seen == ran


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_that_ignores_the_response_raises_on_any_failure(full, workers):
    """Where Lambda does not read the response, any record that did not succeed raises, whatever the options."""
    event = {"messages": [{"id": f"q{index}", "data": str(index)} for index in range(3)]}
    handler = batch_handler(
        lambda record: 1 / (number(record) - 1), source=Queue(), raise_on_full_failure=full, max_concurrency=workers
    )
    with pytest.raises(FullBatchFailure) as caught:
        handler(event)
    assert reported(caught.value.response) == ["q1"]
    assert handler.process(event).response == caught.value.response
    fine = batch_handler(lambda record: None, source=Queue(), max_concurrency=workers)
    assert fine(event) == {"batchItemFailures": []}
    with pytest.raises(FullBatchFailure):
        fine(event, Clock(0))  # skipped by the deadline: not done either


def window(keys, **fields):
    """Return a Kinesis event of a tumbling window."""
    event = {"window": {"start": "a", "end": "b"}, "state": {}, "shardId": "s", "isFinalInvokeForWindow": False}
    return kinesis(keys, **(event | fields))


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_window_folds_its_records_in_order(workers, asynchronous):
    """Each record gets the state that the one before returned; the response holds the last one."""

    def fold(record, state):
        return {"seen": [*state.get("seen", []), number(record)]}

    async def afold(record, state):
        await asyncio.sleep(0)
        return fold(record, state)

    handler = batch_handler(afold if asynchronous else fold, max_concurrency=workers)
    response = handler(window(["a", "b", "c"], state={"seen": [9]}))
    assert response == {"batchItemFailures": [], "state": {"seen": [9, 0, 1, 2]}}
    assert asyncio.run(handler.aprocess(window(["a", "b"]))).response["state"] == {"seen": [0, 1]}


def test_a_window_keeps_the_state_before_the_first_failure():
    """The policy is ``stop``, so what failed and all behind it are given back, and not in the state."""

    def body(record, state):
        if number(record) == 2:
            raise ValueError
        return state + 1

    for policy in ("derive", "continue"):
        response = batch_handler(body, error_policy=policy)(window(["a"] * 5, state=0))
        assert response["state"] == 2
        assert reported(response) == ["2", "3", "4"]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", [dict, Counter])
def test_a_failure_leaves_nothing_in_the_state(kind, asynchronous):
    """What a record has changed in place before it failed is not in the response, or it would count twice."""
    event = window(["a"] * 4, state={"n": 0, "seen": [], "last": {}})

    def fold(record, state):
        state["n"] += 1
        state["seen"].append(number(record))
        state["last"]["it"] = [number(record)]
        if number(record) == 2:
            raise ValueError
        return kind(state)

    async def afold(record, state):
        return fold(record, state)

    handler = batch_handler(afold if asynchronous else fold)
    for _ in range(2):  # the event is as it was, too
        assert handler(event)["state"] == {"n": 2, "seen": [0, 1], "last": {"it": [1]}}


def test_a_handler_without_state_echoes_it():
    """A response without state would fail the invocation."""
    assert batch_handler(lambda record: 5)(window(["a"], state={"a": 1}))["state"] == {"a": 1}
    assert batch_handler(lambda record: 5).process(window(["a"], state=None)).response["state"] is None
    stops = batch_handler(lambda record: 1 / number(record), raise_on_full_failure=False)
    assert reported(stops(window(["a", "a"]))) == ["0", "1"]


def test_the_first_invocation_of_a_window_has_no_state():
    """Without ``state`` in the event it is None."""
    event = window(["a"])
    del event["state"]
    seen = []

    def body(record, state):
        seen.append(state)
        return 1

    assert batch_handler(body)(event)["state"] == 1
    assert seen == [None]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("keys", [[], ["a", "b"]])
@pytest.mark.parametrize("call", ["handler", "process", "aprocess"])
def test_the_final_invocation_calls_window_end(asynchronous, keys, call):
    """It gets the final state, with records in the last invocation or without, and may be async."""
    ended = []

    async def aend(state):
        await asyncio.sleep(0)
        ended.append(state)

    def body(record, state):
        return state + 1

    handler = batch_handler(body, window_end=aend if asynchronous else ended.append)
    for final in (False, True):
        event = window(keys, state=5, isFinalInvokeForWindow=final)
        if call == "handler":
            response = handler(event)
        elif call == "process":
            response = handler.process(event).response
        else:
            response = asyncio.run(handler.aprocess(event)).response
        assert response == {"batchItemFailures": [], "state": 5 + len(keys)}
        assert ended == ([5 + len(keys)] if final else [])


def test_window_end_waits_for_the_windows_last_record():
    """With a failure in the final invocation the window is not over: its records come again."""
    ended = []

    def body(record, state):
        return 1 / number(record)

    handler = batch_handler(body, window_end=ended.append, raise_on_full_failure=False)
    handler(window(["a", "b"], isFinalInvokeForWindow=True))
    assert ended == []


def test_a_window_end_that_raises_fails_the_invocation():
    """What the window's end could not do is not done: the invocation fails, and Lambda tries again."""
    handler = batch_handler(lambda record, state: 1, window_end=lambda state: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        handler(window(["a"], isFinalInvokeForWindow=True))


def test_a_state_parameter_without_a_window_raises():
    """A function that folds cannot run over an event of no window."""
    with pytest.raises(EventError, match="TumblingWindowInSeconds"):
        batch_handler(lambda record, state: 1)(kinesis(["a"]))


@pytest.mark.parametrize(
    ("state", "fits"),
    [
        ("x" * (1_048_576 - 2), True),
        ("x" * (1_048_576 - 1), False),
        ("é" * 524_287, True),
        ("é" * 524_288, False),
        ("\ud800", True),
        ({"sum": Decimal("1.5")}, True),
    ],
    ids=["just fits", "one too many", "two bytes each", "one character too many", "lone surrogate", "decimal"],
)
def test_a_states_size_is_that_of_its_json(state, fits):
    """Up to 1 MB of UTF-8 as the runtime client writes it; more raises an error that names both sizes."""
    handler = batch_handler(lambda record, state=None: value)
    value = state
    if fits:
        assert handler(window(["a"]))["state"] == state
    else:
        with pytest.raises(EventError, match=r"1048577|1048578.*1048576"):
            handler(window(["a"]))


def test_a_state_that_is_no_json_names_its_type():
    """The error says what type cannot be written."""
    with pytest.raises(TypeError, match="of type set"):
        batch_handler(lambda record, state: {1})(window(["a"]))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_context_reaches_the_record_function(workers):
    """``context`` is filled with what Lambda gave."""
    seen = []
    context = Clock(100)
    batch_handler(lambda record, context: seen.append(context), max_concurrency=workers)(sqs(2), context)
    assert seen == [context] * 2


def test_deadline_margin_off_runs_all():
    """Without a margin the clock is never read."""
    clock = Clock(0)
    assert batch_handler(lambda record: None, deadline_margin="off")(sqs(3), clock) == {"batchItemFailures": []}
    assert clock.reads == 0


def test_the_environment_names_the_options_value(monkeypatch):
    """``PARTIALBATCH_MAX_CONCURRENCY`` is read at decoration."""
    monkeypatch.setenv("PARTIALBATCH_MAX_CONCURRENCY", "3")
    both = threading.Barrier(3)
    handler = batch_handler(lambda record: both.wait(10) and None)
    monkeypatch.delenv("PARTIALBATCH_MAX_CONCURRENCY")
    assert handler(sqs(3)) == {"batchItemFailures": []}


def test_async_window_end_inside_a_loop_raises_and_leaves_nothing_unawaited():
    """Calling a handler with an async ``window_end`` where a loop runs names ``aprocess``."""

    async def aend(state):
        return None

    async def main():
        batch_handler(lambda record, state: 1, window_end=aend)(window(["a"], isFinalInvokeForWindow=True))

    with pytest.raises(RuntimeError, match="aprocess"):
        asyncio.run(main())
    gc.collect()


def test_window_end_may_return_any_awaitable():
    """What can be awaited is awaited, coroutine or not."""
    awaited = []

    class Later:
        def __await__(self):
            awaited.append(True)
            yield from asyncio.sleep(0).__await__()

    batch_handler(lambda record, state: 1, window_end=lambda state: Later())(window(["a"], isFinalInvokeForWindow=True))
    assert awaited == [True]


def test_a_view_of_another_source_is_refused():
    """A function annotated for one source's view does not run over another's records."""

    @batch_handler
    def handler(record: SQSRecord):
        return record.message_id

    assert [entry.value for entry in handler.process(sqs(2)).results] == ["m0", "m1"]
    with pytest.raises(ConfigurationError, match="'kinesis'"):
        handler(kinesis(["a"]))


def test_a_stop_spares_last_attempts_of_other_groups_only():
    """Under `stop` a last attempt runs past another group's failure, never past one of its own group."""
    event = sqs(5, groups=["a", "b", "a", "b", "c"])
    for raw, count in zip(event["Records"], "13332", strict=True):
        raw["attributes"]["ApproximateReceiveCount"] = count
    ran = []

    @batch_handler(max_receive_count=3, raise_on_full_failure=False)
    def handler(record):
        ran.append(record.identifier)
        return 1 / (record.identifier != "m0")

    assert reported(handler(event)) == ["m0", "m2", "m4"]
    assert ran == ["m0", "m1", "m3"]
    del event["Records"][1]["attributes"]["MessageGroupId"]
    assert reported(handler(event)) == ["m0", "m1", "m2", "m3", "m4"]
    for raw in event["Records"]:
        raw["eventSourceARN"] = raw["eventSourceARN"].removesuffix(".fifo")
    stopping = batch_handler(handler.__wrapped__, error_policy="stop", max_receive_count=3, raise_on_full_failure=False)
    assert reported(stopping(event)) == ["m0", "m4"]


def test_a_source_of_ones_own_may_know_no_last_attempt():
    """A queue whose messages do not say how often they came: each failure holds back what is behind it."""

    class Queue(Plain):
        name = "sqs"

        def policy(self, records):
            return ErrorPolicy.STOP

    handler = batch_handler(
        lambda record: 1 / int(record["body"]), source=Queue(), max_receive_count=1, raise_on_full_failure=False
    )
    assert reported(handler(sqs(2))) == ["m0", "m1"]


@pytest.mark.parametrize("identifier", [None, "", 5])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_missing_identifier_hides_no_error_where_the_response_is_ignored(identifier, workers):
    """A source that takes no partial response needs no identifiers: `FullBatchFailure` carries the records' errors."""

    class Nameless(Queue):
        def identifier(self, raw):
            return identifier

    event = {"messages": [{"id": None, "data": str(index)} for index in range(3)]}
    handler = batch_handler(lambda record: 1 / (number(record) - 1), source=Nameless(), max_concurrency=workers)
    with pytest.raises(FullBatchFailure) as caught:
        handler(event)
    assert [type(error) for error in caught.value.errors] == [ZeroDivisionError]
    assert str(caught.value).endswith(f"records: {identifier or None}")
    assert [entry.status for entry in handler.process(event).results] == ["succeeded", "failed", "succeeded"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_state_that_is_changed_later_counts_as_it_was(asynchronous):
    """An object that the function keeps carries nothing of a failed record into the response."""
    seen = []

    def fold(record, state):
        seen.append(number(record))
        if number(record) == 2:
            raise ValueError
        return seen

    async def afold(record, state):
        return fold(record, state)

    assert batch_handler(afold if asynchronous else fold)(window("aaa", state=None))["state"] == [0, 1]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    "make",
    [threading.Lock, lambda: {"it": threading.Lock()}, lambda: map(abs, [1]), Future],
    ids=["lock", "inside", "map", "future"],
)
def test_a_state_that_cannot_be_copied_fails_its_record(asynchronous, make):
    """The state stays the one before it."""

    def fold(record, state):
        return make() if number(record) == 1 else number(record)

    async def afold(record, state):
        return fold(record, state)

    response = batch_handler(afold if asynchronous else fold)(window("aaa", state=None))
    assert response == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}], "state": 0}


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), Decimal("nan"), [{"a": float("-inf")}]])
def test_a_state_that_json_cannot_hold_raises(odd):
    """Lambda would refuse a NaN or an infinity, for JSON has none."""
    with pytest.raises(EventError, match="the tumbling window's state is no JSON, which has no NaN or infinity"):
        batch_handler(lambda record, state: odd)(window("a"))


def test_a_window_end_gets_a_state_of_its_own():
    """What it does to it is not in the response."""
    handler = batch_handler(lambda record, state: {"n": 1}, window_end=lambda state: state.clear())
    assert handler(window("a", isFinalInvokeForWindow=True))["state"] == {"n": 1}


async def _ends(state=None):
    raise AssertionError


async def _ends_badly(state):
    return [_ends()]


@pytest.mark.parametrize("call", ["handler", "process", "aprocess"])
@pytest.mark.parametrize(
    "window_end",
    [lambda state: [_ends()], lambda state: map(print, state), lambda state: (x for x in state), _ends_badly],
    ids=["list", "map", "generator", "async"],
)
def test_a_window_end_whose_code_has_not_run_fails_the_invocation(window_end, call):
    """The window's last records come back, for nothing was done with their state."""
    handler = batch_handler(lambda record, state: [1], window_end=window_end)
    event = window("a", isFinalInvokeForWindow=True)
    calls = {
        "handler": handler,
        "process": handler.process,
        "aprocess": lambda event: asyncio.run(handler.aprocess(event)),
    }
    with pytest.raises(TypeError, match=r"^window_end returned .*(nobody awaits|has not run)"):
        calls[call](event)
