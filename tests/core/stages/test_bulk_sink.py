"""Bulk steps: one call after the record functions, for all that succeeded."""

from __future__ import annotations

import asyncio
import copy
import sqlite3
import threading

import pytest
from batches import Plain, ids, kinesis, number, reported, sqs

from partialbatch import PartialBatchError, RawRecord, RecordResult, Reject, batch_handler
from partialbatch.errors import ConfigurationError, RecordSkipped
from partialbatch.retries import discard


def make(kind, sink, **options):
    async def awaits(record):
        return number(record)

    return batch_handler(awaits if kind == "async" else number, sink=sink, raise_on_full_failure=False, **options)


KINDS = pytest.mark.parametrize("kind", ["plain", "async"])
WAYS = pytest.mark.parametrize("way", ["handler", "process", "aprocess"])


def answer(handler, event, way):
    """Run a batch in one of three ways; return the response."""
    if way == "handler":
        return handler(event)
    if way == "process":
        return handler.process(event).response
    return asyncio.run(handler.aprocess(event)).response


@WAYS
@KINDS
def test_one_call_for_all_that_succeeded(kind, way):
    """The function gets the results with their values, once; what it returns fails."""
    calls = []

    def store(succeeded):
        calls.append([(entry.record.identifier, entry.value) for entry in succeeded])
        return [entry for entry in succeeded if entry.value == 1]

    assert reported(answer(make(kind, store), sqs(3), way)) == ["m1"]
    assert calls == [[("m0", 0), ("m1", 1), ("m2", 2)]]


@WAYS
@KINDS
def test_async_bulk_steps_are_awaited(kind, way):
    """Over plain and async record functions alike; also a callable object."""

    class Store:
        async def __call__(self, succeeded):
            await asyncio.sleep(0)
            return succeeded[:1]

    assert reported(answer(make(kind, Store()), sqs(2), way)) == ["m0"]


@KINDS
def test_an_async_bulk_step_inside_a_loop_is_refused_before_a_record_runs(kind):
    """As with an async record function, `aprocess` is what is wanted there; nothing is run in vain."""
    ran = []

    async def store(succeeded):
        raise AssertionError

    handler = batch_handler(ran.append, sink=store) if kind == "plain" else make(kind, store)

    async def main():
        handler(sqs(2))

    with pytest.raises(RuntimeError, match=r"cannot be driven .*await handler\.aprocess"):
        asyncio.run(main())
    assert ran == []


@KINDS
def test_a_plain_bulk_step_does_not_block_the_callers_loop(kind):
    """In `aprocess` it is called beside the loop."""
    threads = []

    def store(succeeded):
        threads.append(threading.current_thread())

    async def main():
        return await make(kind, store).aprocess(sqs(2))

    assert len(asyncio.run(main()).succeeded) == 2
    assert threads != [threading.main_thread()]


class Abrupt(BaseException):
    """No `Exception`, and no interrupt."""


@KINDS
@pytest.mark.parametrize("awaits", [False, True])
@pytest.mark.parametrize("raised", [sqlite3.OperationalError, asyncio.CancelledError, Abrupt])
@pytest.mark.parametrize("way", ["process", "aprocess"])
def test_a_bulk_step_that_raises_fails_all(kind, awaits, raised, way):
    """All it was given come back, with its error, whatever that is."""

    def store(succeeded):
        raise raised("locked")

    async def async_store(succeeded):
        store(succeeded)

    handler = make(kind, async_store if awaits else store)
    result = handler.process(sqs(2)) if way == "process" else asyncio.run(handler.aprocess(sqs(2)))
    assert [type(entry.error) for entry in result.failed] == [raised] * 2
    assert [entry.value for entry in result.failed] == [None, None]


@KINDS
@pytest.mark.parametrize("awaits", [False, True])
def test_an_interrupt_of_a_bulk_step_is_raised(kind, awaits):
    """`SystemExit` fails no record: it ends the call."""

    def store(succeeded):
        raise SystemExit

    async def async_store(succeeded):
        store(succeeded)

    with pytest.raises(SystemExit):
        make(kind, async_store if awaits else store).process(sqs(2))


@KINDS
def test_a_caller_that_is_cancelled_in_the_bulk_step_gets_its_cancellation(kind):
    """What cancels `aprocess` is no failure of the records."""

    async def main():
        begun = asyncio.Event()

        async def store(succeeded):
            begun.set()
            await asyncio.Event().wait()

        call = asyncio.create_task(make(kind, store).aprocess(sqs(2)))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(main())


def test_the_error_may_be_given():
    """A result made anew with an error fails its record with that one; else a general one stands."""

    def store(succeeded):
        yield succeeded[0].with_error(KeyError("mine"))
        yield succeeded[1]

    result = make("plain", store).process(sqs(3))
    assert [entry.status for entry in result.results] == ["failed", "failed", "succeeded"]
    assert isinstance(result.failed[0].error, KeyError)
    assert "returned the record as failed" in str(result.failed[1].error)


class Shared(Plain):
    """A source that shows all records by one view, by none, or cannot show them."""

    def __init__(self, view):
        self._shown = view

    def view(self, raw):
        if self._shown is KeyError:
            raise KeyError
        return self._shown


VIEWS = pytest.mark.parametrize("view", ["shared", None, KeyError])


def body(raw: RawRecord):
    return int(raw["body"])


@VIEWS
@pytest.mark.parametrize(
    "pick",
    [
        lambda result: result,
        lambda result: result.with_error(KeyError()),
        lambda r: r.with_error(KeyError("a")).with_error(ValueError()),
    ],
    ids=["result", "with_error", "with_error twice"],
)
def test_results_are_known_where_records_share_a_view(view, pick):
    """What was refused is told by the result that was handed out, never by the view in it."""
    handler = batch_handler(body, source=Shared(view), sink=lambda succeeded: [pick(succeeded[1])])
    assert reported(handler(sqs(3))) == ["m1"]


@VIEWS
@pytest.mark.parametrize(
    "pick", [lambda result: result.record, lambda result: RecordResult(result.record, "failed"), copy.copy]
)
def test_a_view_of_several_records_puts_all_in_doubt(view, pick):
    """Nobody can tell which of them was meant, so all that was given fails."""
    handler = batch_handler(body, source=Shared(view), sink=lambda succeeded: [pick(succeeded[1])])
    assert len(handler.process(sqs(3)).failed) == 3


@pytest.mark.parametrize(
    "pick",
    [
        lambda r: r.record,
        lambda r: RecordResult(r.record, "failed"),
        copy.copy,
        lambda r: copy.copy(r.with_error(KeyError())),
    ],
)
def test_a_view_of_one_record_stands_for_its_result(pick):
    """A record view, or a result made of it, is as good as the result where no other has that view."""
    assert reported(make("plain", lambda succeeded: [pick(succeeded[1])])(sqs(3))) == ["m1"]


@KINDS
@pytest.mark.parametrize("awaits", [False, True])
@pytest.mark.parametrize("returned", ["", "m0", {"m0": 1}, {}, 0, True])
def test_a_value_that_is_no_list_of_results_fails_all(kind, awaits, returned):
    """Text, a mapping or a number says nothing of which records failed."""

    async def store(succeeded):
        return returned

    result = make(kind, store if awaits else lambda succeeded: returned).process(sqs(2))
    assert [type(entry.error) for entry in result.failed] == [TypeError] * 2


def test_coroutines_for_each_record_fail_all():
    """A step that makes a coroutine a record and awaits none has stored nothing."""

    async def store(result):
        raise AssertionError

    result = make("plain", lambda succeeded: [store(entry) for entry in succeeded]).process(sqs(2))
    assert "the bulk sink returned a list of values, one of them an awaitable" in str(result.failed[1].error)


def test_an_error_that_is_none_is_not_taken_for_one():
    """A result whose error is text fails with a general one."""
    result = make("plain", lambda succeeded: [succeeded[0].with_error("locked")]).process(sqs(2))
    assert "returned the record as failed" in str(result.failed[0].error)


def test_a_step_may_change_its_list():
    """What it pops or sorts is its own."""

    def store(succeeded):
        succeeded.sort(key=lambda entry: -entry.value)
        failed = [succeeded.pop()]
        succeeded.clear()
        return failed

    assert reported(make("plain", store)(sqs(3))) == ["m0"]


@pytest.mark.parametrize("stranger", [object(), None, "m0"])
def test_what_was_never_given_puts_all_in_doubt(stranger):
    """All it was given fail, for nobody knows what the step meant."""
    result = make("plain", lambda succeeded: [succeeded[0], stranger]).process(sqs(2))
    assert len(result.failed) == 2
    assert "was not given" in str(result.failed[1].error)
    assert isinstance(result.failed[1].error, PartialBatchError)


def test_an_awaitable_nobody_awaits_fails_all():
    """A plain callable that returns a coroutine has done nothing."""

    async def store(succeeded):
        raise AssertionError

    class Awaitable:
        def __await__(self):
            yield

    for returns in (store, lambda _: Awaitable()):
        result = make("plain", lambda succeeded, f=returns: f(succeeded)).process(sqs(2))
        assert [type(entry.error) for entry in result.failed] == [TypeError] * 2


@KINDS
@pytest.mark.parametrize("awaits", [False, True])
def test_a_future_hides_no_refusal(kind, awaits):
    """A done future of asyncio can be iterated over, and gives nothing: the refusals are in its result."""
    loop = asyncio.new_event_loop()

    def store(succeeded):
        future = loop.create_future()
        future.set_result(list(succeeded))
        return future

    async def later(succeeded):
        return store(succeeded)

    failed = make(kind, later if awaits else store).process(sqs(2)).failed
    loop.close()
    assert {str(entry.error) for entry in failed} == {
        "the bulk sink returned a value of type Future, no list of failed results"
    }
    assert len(failed) == 2


class Odd:
    @property
    def __class__(self):
        raise RuntimeError


@KINDS
def test_an_object_that_raises_when_it_is_looked_at_puts_all_in_doubt(kind):
    """It ends no batch: what failed in its own record function keeps its own error."""

    def store(succeeded):
        return [Odd()]

    async def later(succeeded):
        return [Odd()]

    for step in (store, later):
        assert len(make(kind, step).process(sqs(3)).failed) == 3


def test_an_error_that_raises_when_it_is_looked_at_is_not_taken_for_one():
    """The record fails with a general one."""
    result = make("plain", lambda succeeded: [succeeded[0].with_error(Odd())]).process(sqs(2))
    assert [entry.status for entry in result.results] == ["failed", "succeeded"]


def test_failed_records_are_not_handed_over():
    """Nor is the function called at all where nothing succeeded."""
    calls = []
    handler = batch_handler(lambda record: 1 / number(record), sink=calls.append, raise_on_full_failure=False)
    assert reported(handler(sqs(3))) == ["m0"]
    assert [entry.record.identifier for entry in calls[0]] == ["m1", "m2"]
    assert reported(handler(sqs(1))) == ["m0"]
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("policy", "expected"), [("skip_group", ["0", "2"]), ("stop", ["0", "2"]), ("continue", ["0"]), ("derive", ["0"])]
)
def test_what_is_behind_a_failure_in_its_group_fails_too(policy, expected):
    """Where order counts across a failure, a later record of the group comes back with it, and no other group's."""
    handler = make("plain", lambda succeeded: succeeded[:1], error_policy=policy)
    result = handler.process(kinesis("aba"))
    assert reported(result.response) == expected
    if len(expected) > 1:
        assert isinstance(result.failed[1].error, RecordSkipped)


def test_lone_records_fail_alone():
    """On a queue without groups nothing is behind anything."""
    handler = make("plain", lambda succeeded: succeeded[:1], error_policy="skip_group")
    assert reported(handler(sqs(3))) == ["m0"]


def test_a_permanent_error_of_the_bulk_step_is_a_dead_letter():
    """A row that can never be stored holds nothing up."""

    def store(succeeded):
        return [succeeded[0].with_error(Reject("constraint"))]

    result = make("plain", store, dead_letter=discard, error_policy="skip_group").process(kinesis("aa"))
    assert [entry.status for entry in result.results] == ["dead_lettered", "succeeded"]


def test_interrupts_call_no_bulk_step():
    """A batch that comes back as a whole is not stored."""
    calls = []

    @batch_handler(sink=calls.append)
    def handler(record):
        if number(record):
            raise SystemExit

    with pytest.raises(SystemExit):
        handler(sqs(2))
    assert calls == []


def test_a_bulk_sink_writes_all_rows_with_one_executemany():
    """The case it is for: one statement for all rows of a batch."""
    base = sqlite3.connect(":memory:")
    base.execute("create table orders (id text primary key, n integer)")

    def store(succeeded):
        with base:
            base.executemany("insert into orders values (?, ?)", [entry.value for entry in succeeded])

    handler = batch_handler(lambda record: (record.message_id, number(record)), sink=store)
    assert handler(sqs(5)) == {"batchItemFailures": []}
    assert base.execute("select count(*), sum(n) from orders").fetchone() == (5, 10)
    result = handler.process(sqs(6))  # five are there already: none of the six is stored
    assert [entry.record.identifier for entry in result.failed] == ids(range(6))
    assert base.execute("select count(*) from orders").fetchone() == (5,)
    base.close()


def test_async_generators_are_no_bulk_step():
    """What an async generator yields could not be asked for in a plain call."""

    async def store(succeeded):
        yield succeeded[0]

    with pytest.raises(ConfigurationError, match="sink="):
        batch_handler(number, sink=store)
