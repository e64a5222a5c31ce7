"""One run: the step, and what a value gives away."""

from __future__ import annotations

import asyncio
import logging

import pytest
from batches import ids, number, reported, sqs

from partialbatch import Reject, batch_handler
from partialbatch._core import logs
from partialbatch._core.runners.step import check_value
from partialbatch.retries import discard


def generator():
    yield 1


async def agenerator():
    yield 1


async def coroutine():
    return 1


class Awaitable:
    def __await__(self):
        yield


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    ("make", "why"),
    [(generator, "generator"), (agenerator, "generator"), (coroutine, "awaitable"), (Awaitable, "awaitable")],
)
def test_a_value_that_shows_that_nothing_ran_fails_its_record(make, why, workers):
    """A plain function that returns an awaitable or a generator has not done its work: the record fails, with why."""
    handler = batch_handler(lambda record: make() if number(record) == 1 else None, max_concurrency=workers)
    assert reported(handler(sqs(3))) == ["m1"]
    error = handler.process(sqs(3)).results[1].error
    assert isinstance(error, TypeError)
    assert why in str(error)


def test_an_async_function_that_returns_an_awaitable_fails_its_record():
    """An ``async def`` that forgot an ``await`` inside has not done its work either."""

    @batch_handler
    async def handler(record):
        return coroutine()

    (entry,) = handler.process(sqs(1)).results
    assert "awaitable" in str(entry.error)


@pytest.mark.parametrize("value", [None, True, 3, "x", 1.5, b"", {}, [], (), set(), object(), ValueError, iter([])])
def test_other_values_are_results(value):
    """Whatever else a record function returns is its value."""
    check_value(value)
    assert batch_handler(lambda record: value).process(sqs(1)).results[0].value is value


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("interrupt", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("call", ["handle", "process", "aprocess"])
def test_interrupts_propagate_once_running_records_have_ended(workers, interrupt, asynchronous, call):
    """``SystemExit`` and ``KeyboardInterrupt`` reach the caller, and nothing is started after they were seen."""
    begun, ended = [], []

    def before(record):
        begun.append(number(record))
        if number(record) == 1:
            raise interrupt("now")

    async def waiting(record):
        before(record)
        await asyncio.sleep(0.01)
        ended.append(number(record))

    def plain(record):
        before(record)
        ended.append(number(record))

    handler = batch_handler(waiting if asynchronous else plain, max_concurrency=workers)
    calls = {
        "handle": handler,
        "process": handler.process,
        "aprocess": lambda event: asyncio.run(handler.aprocess(event)),
    }
    with pytest.raises(interrupt, match="now"):
        calls[call](sqs(50))
    assert sorted(begun) == sorted([*ended, 1])
    if workers == 1:
        assert begun == [0, 1]
    elif asynchronous:
        assert begun == [0, 1]  # the others would have begun after it


def test_the_first_of_two_interrupts_is_raised():
    """What was interrupted first is what the caller sees."""

    @batch_handler(max_concurrency=2)
    async def handler(record):
        raise SystemExit("first") if number(record) == 0 else KeyboardInterrupt("second")

    with pytest.raises(SystemExit, match="first"):
        handler(sqs(2))


class Odd(BaseException):
    """Neither an Exception nor an interrupt."""


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        GeneratorExit(),
        Odd(),
        ExceptionGroup("many", [ValueError(), KeyError()]),
        BaseExceptionGroup("odd", [Odd(), SystemExit()]),
        StopIteration(3),
        StopAsyncIteration(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_any_other_exception_fails_its_record_alone(workers, error, asynchronous):
    """``CancelledError`` and all other ``BaseException``s cost no other record its result."""

    def body(record):
        if number(record) == 1:
            raise error

    async def abody(record):
        await asyncio.sleep(0)
        body(record)

    handler = batch_handler(abody if asynchronous else body, max_concurrency=workers)
    assert reported(handler(sqs(4))) == ["m1"]
    results = handler.process(sqs(4)).results
    assert [entry.status for entry in results] == ["succeeded", "failed", "succeeded", "succeeded"]
    if not isinstance(error, StopIteration | StopAsyncIteration):
        assert results[1].error is error


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_logging_filter_that_raises_costs_nobody_a_result(workers, asynchronous):
    """A broken filter on our logger stops no record, hangs nothing, and gives no batch back."""

    def broken(entry):
        raise RuntimeError("broken filter")

    def body(record):
        if number(record) % 2:
            raise ValueError

    async def abody(record):
        body(record)

    logger = logging.getLogger("partialbatch")
    logger.addFilter(broken)
    try:
        handler = batch_handler(abody if asynchronous else body, max_concurrency=workers)
        responses = handler(sqs(6)), handler.process(sqs(6)).response
    finally:
        logger.removeFilter(broken)
    assert list(map(reported, responses)) == [ids([1, 3, 5])] * 2


def test_durations_and_values_are_those_of_their_record():
    """``process`` gives each record its value and the seconds that it took."""

    @batch_handler(max_concurrency=3)
    async def handler(record):
        await asyncio.sleep(0.3 if number(record) == 1 else 0)
        if number(record) == 2:
            raise ValueError
        return number(record)

    results = handler.process(sqs(3)).results
    assert [entry.value for entry in results] == [0, 1, None]
    assert results[1].duration >= 0.29 > results[0].duration >= 0
    assert results[2].duration >= 0


RUNNERS = pytest.mark.parametrize(("asynchronous", "workers"), [(False, 1), (False, 3), (True, 1), (True, 3)])


class Raising(logging.Filter):
    """Raises for the lines of failed records."""

    def __init__(self, raised):
        super().__init__()
        self.raised = raised

    def filter(self, line):
        if hasattr(line, "record_error"):
            raise self.raised
        return True


@pytest.fixture
def filtered():
    """Put a filter on the logger for the time of a test."""
    put = []

    def add(raised):
        put.append(Raising(raised))
        logs.logger.addFilter(put[-1])

    yield add
    for each in put:
        logs.logger.removeFilter(each)


def failing(asynchronous, workers):
    begun = []

    def plain(record):
        begun.append(number(record))
        if number(record) == 1:
            raise ValueError

    async def waiting(record):
        plain(record)

    return batch_handler(waiting if asynchronous else plain, max_concurrency=workers), begun


@RUNNERS
@pytest.mark.parametrize("raised", [ValueError, Odd, asyncio.CancelledError, GeneratorExit])
def test_whatever_a_logger_raises_changes_nothing(filtered, asynchronous, workers, raised):
    """A filter or handler that raises any exception but an interrupt costs no record its result."""
    filtered(raised)
    handler, begun = failing(asynchronous, workers)
    assert reported(handler(sqs(5))) == ["m1"]
    assert sorted(begun) == list(range(5))


@RUNNERS
@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt])
def test_an_interrupt_in_a_logger_is_raised_once_running_records_have_ended(filtered, asynchronous, workers, raised):
    """An interrupt is one wherever it strikes: nothing more is started, and the call raises it."""
    filtered(raised)
    handler, begun = failing(asynchronous, workers)
    with pytest.raises(raised):
        handler(sqs(50))
    assert len(begun) < 50


@RUNNERS
def test_whatever_a_logger_raises_of_a_dead_letter_changes_nothing(filtered, asynchronous, workers):
    """The line of a dead letter is like that of a failure."""
    filtered(Odd)

    def plain(record):
        raise Reject

    async def waiting(record):
        raise Reject

    handler = batch_handler(waiting if asynchronous else plain, max_concurrency=workers, dead_letter=discard)
    assert handler(sqs(3)) == {"batchItemFailures": []}


@RUNNERS
@pytest.mark.parametrize("where", ["isEnabledFor", "presentable", "attributes"])
def test_whatever_goes_wrong_in_telling_of_a_failure_changes_nothing(monkeypatch, asynchronous, workers, where):
    """A logger class of the user's own, or what they have put into a record, may raise at any moment."""

    class Evil:
        def __getitem__(self, name):
            raise Odd

    def raising(*_):
        raise Odd

    def plain(record):
        if number(record) == 1:
            record.raw["attributes"] = Evil()
            raise ValueError

    async def waiting(record):
        plain(record)

    if where != "attributes":
        monkeypatch.setattr(logs.logger if where == "isEnabledFor" else logs, where, raising)
    handler = batch_handler(waiting if asynchronous else plain, max_concurrency=workers)
    assert reported(handler(sqs(4))) == ["m1"]


def test_an_interrupt_where_it_is_asked_whether_a_line_is_wanted_is_raised(monkeypatch):
    """An interrupt is one there, too."""

    def raising(level):
        raise SystemExit("now")

    monkeypatch.setattr(logs.logger, "isEnabledFor", raising)
    with pytest.raises(SystemExit, match="now"):
        batch_handler(lambda record: 1 / 0)(sqs(2))
