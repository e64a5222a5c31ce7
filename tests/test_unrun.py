"""Values whose code has not run: a failure wherever code of the user's returns one."""

from __future__ import annotations

import asyncio
import functools
import itertools
import operator
import sqlite3
import tempfile
from collections import deque
from concurrent.futures import Future
from contextlib import closing

import pytest
from batches import ids, number, reported, sqs

from partialbatch import batch_handler
from partialbatch._unrun import PLAIN, check_value, holds_code


async def coroutine():
    return 1


async def agenerator():
    yield 1


def generator():
    yield 1


class Awaitable:
    def __await__(self):
        yield


def pending():
    return Future()


def failed(error=KeyError):
    future = Future()
    future.set_exception(error("lost"))
    return future


def done():
    future = Future()
    future.set_result(1)
    return future


UNRUN = {
    "coroutine": coroutine,
    "awaitable": Awaitable,
    "generator": generator,
    "async generator": agenerator,
    "map": lambda: map(abs, [1]),
    "filter": lambda: filter(None, [1]),
    "zip": lambda: zip([1], strict=True),
    "starmap": lambda: itertools.starmap(abs, [(1,)]),
    "chain": lambda: itertools.chain([1]),
    "groupby": lambda: itertools.groupby([1]),
    "partial": lambda: functools.partial(abs, 1),
    "pending": pending,
    "list": lambda: [1, coroutine()],
    "list of two": lambda: [coroutine(), coroutine()],
    "tuple": lambda: ("m0", generator()),
    "set": lambda: {coroutine()},
    "frozenset": lambda: frozenset([pending()]),
    "deque": lambda: deque([map(abs, [1])]),
    "values": lambda: dict.fromkeys("a", pending()).values(),
    "nested": lambda: [[1], [[(coroutine(),)]]],
    "nested pending": lambda: [[pending()]],
    "list subclass": lambda: type("Rows", (list,), {})([coroutine()]),
}


PENDING = "a future (Future) that isn't done, and nobody waits for it: return its result()"


@pytest.mark.parametrize("make", UNRUN.values(), ids=UNRUN)
def test_a_value_whose_code_has_not_run_is_refused(make):
    """Coroutines, generators, lazy iterators, partials, pending futures, and lists with one of them in it."""
    with pytest.raises(TypeError, match=r"^the record function returned .*(nobody|has not run)"):
        check_value(make())


@pytest.mark.parametrize("make", UNRUN.values(), ids=UNRUN)
@pytest.mark.parametrize("kind", ["plain", "threads", "async", "kept"])
def test_a_record_whose_function_returns_one_fails(make, kind):
    """It fails alone, on every runner, also where a value of the same type was fine before."""

    def plain(record):
        return make() if number(record) == 2 else [1] if number(record) else done()

    async def awaits(record):
        return plain(record)

    handler = batch_handler(awaits if kind == "async" else plain, max_concurrency=3 if kind == "threads" else 1)
    response = handler.process(sqs(4)).response if kind == "kept" else handler(sqs(4))
    assert reported(response) == ids([2])


ORDINARY = {
    "iterator": lambda: iter([1]),
    "range": lambda: range(3),
    "list": lambda: [1, "a", None, {"b": 2.5}, [], (), [[1], (2, b"")]],
    "objects": lambda: [object(), operator],
    "function": lambda: number,
    "class": lambda: Awaitable,
    "done": done,
    "done in a list": lambda: [done(), done()],
}


@pytest.mark.parametrize("make", ORDINARY.values(), ids=ORDINARY)
def test_iterators_classes_and_done_futures_are_ordinary_values(make):
    """Iterators other than lazy ones, functions and classes, and futures that are done."""
    check_value(make())
    assert batch_handler(lambda record: make())(sqs(1)) == {"batchItemFailures": []}


def test_cursors_and_files_are_ordinary_values():
    """They are iterators too, and there is nothing of the user's code that they have yet to run."""
    with closing(sqlite3.connect(":memory:")) as base, tempfile.TemporaryFile() as file:
        for value in (base.execute("select 1"), file):
            check_value(value)
            assert batch_handler(lambda record, value=value: value)(sqs(1)) == {"batchItemFailures": []}


def test_values_of_one_type_may_all_be_fine():
    """Then none of them needs another look; futures and lists do."""
    assert check_value(object())
    assert all(check_value(kind()) for kind in PLAIN)
    assert not check_value([1])
    assert not check_value(done())


def test_a_future_that_failed_fails_its_record_with_its_own_error():
    """So that `permanent` and the log see what went wrong; the first one of a list counts."""
    result = batch_handler(lambda record: failed()).process(sqs(1))
    assert isinstance(result.failed[0].error, KeyError)
    result = batch_handler(lambda record: [done(), failed(), failed(ValueError)]).process(sqs(1))
    assert isinstance(result.failed[0].error, KeyError)


def test_a_future_that_was_cancelled_fails_its_record():
    """Nobody has done its work."""
    future = Future()
    future.cancel()
    assert batch_handler(lambda record: future).process(sqs(1)).failed


def test_futures_of_asyncio_count_as_others_do():
    """A task that nobody waits for has not done its work; one that is done has."""

    @batch_handler
    async def handler(record):
        task = asyncio.ensure_future(coroutine())
        if number(record) == 1:
            await task
        return task

    assert reported(handler(sqs(2))) == ["m0"]


@pytest.mark.parametrize("held", [coroutine, generator, lambda: map(abs, [1]), lambda: [failed()], pending])
def test_what_a_future_holds_is_looked_at_too(held):
    """A pool that is given an async function finishes at once, with a coroutine that nobody awaits."""

    def submit(record):
        future = Future()
        future.set_result(held())
        return future

    with pytest.raises((TypeError, KeyError)):
        check_value(submit(None))
    assert reported(batch_handler(submit, raise_on_full_failure=False)(sqs(2))) == ["m0", "m1"]


def test_a_list_in_itself_is_looked_at_once():
    """Lists may hold themselves, or one list a thousand times."""
    value = [object()]
    value.append(value)
    check_value(value)
    inner = [object()] * 1000
    check_value([[inner] * 1000] * 1000)
    with pytest.raises(TypeError):
        check_value([*value, coroutine()])


def test_hooks_may_return_all_but_code():
    """A future is at work already."""
    assert not holds_code(pending())
    assert not holds_code(3)
    assert holds_code(generator())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            UNRUN["coroutine"],
            "f() returned an awaitable (coroutine) that nobody awaits, so its work was not done: await it",
        ),
        (
            UNRUN["generator"],
            "f() returned a generator (generator), whose code has not run: return its items as a list",
        ),
        (UNRUN["map"], "f() returned an iterator (map), whose code has not run: return its items as a list"),
        (
            UNRUN["partial"],
            "f() returned a function (partial) that nobody calls, so its work was not done: call it",
        ),
        (UNRUN["pending"], f"f() returned {PENDING}"),
        (UNRUN["nested pending"], f"f() returned a list of values, one of them {PENDING}"),
    ],
)
def test_errors_say_what_to_do(make, message):
    """Each names what was returned, by what, and the cure."""
    with pytest.raises(TypeError) as caught:
        check_value(make(), "f()", "await it")
    assert str(caught.value) == message
