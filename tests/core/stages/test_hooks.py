"""Hooks: called at their moments, and unable to change anything."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import time
import weakref
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest
from batches import Clock, Plain, ids, kafka, kinesis, number, reported, sqs
from sinks import Refusing, ScriptedSink

from partialbatch import Reject, batch_handler
from partialbatch.errors import ConfigurationError, EventError
from partialbatch.retries import discard

MOMENTS = ("on_batch_start", "around_record", "on_record_end", "on_batch_end")
RUNNERS = pytest.mark.parametrize(("kind", "workers"), [("plain", 1), ("plain", 3), ("async", 1), ("async", 3)])
depth = contextvars.ContextVar("depth", default=0)


def make(function, kind, workers, **options):
    async def awaits(record):
        await asyncio.sleep(0)
        return function(record)

    return batch_handler(awaits if kind == "async" else function, max_concurrency=workers, **options)


class Story:
    """Writes down what it is told."""

    def __init__(self, name="hook"):
        self.name = name
        self.told = []

    def on_batch_start(self, records, context):
        self.told.append(("start", [record.identifier for record in records], context))

    @contextmanager
    def around_record(self, record):
        self.told.append(("enter", record.identifier))
        token = depth.set(depth.get() + 1)
        try:
            yield
        except BaseException as error:
            self.told.append(("raised", type(error).__name__))
            raise
        finally:
            depth.reset(token)
            self.told.append(("leave", record.identifier))

    def on_record_end(self, result):
        self.told.append(("end", result.record.identifier, result.status))

    def on_batch_end(self, result):
        self.told.append(("over", repr(result)))


def body(record):
    assert depth.get() == 1
    if number(record) == 1:
        raise KeyError("one")
    return number(record)


@RUNNERS
def test_each_moment_is_told(kind, workers):
    """In their order: the batch starts, each record is entered, left and ended, the batch ends."""
    story, context = Story(), Clock(900)
    assert reported(make(body, kind, workers, hooks=[story])(sqs(3), context)) == ["m1"]
    assert story.told[0] == ("start", ["m0", "m1", "m2"], context)
    assert story.told[-1] == ("over", "BatchResult(succeeded=2, failed=1, skipped=0, dead_lettered=0)")
    assert len(story.told) == 2 + 3 * 3 + 1
    for index in range(3):
        of_record = [entry for entry in story.told[1:-1] if entry[1] == f"m{index}"]
        status = "failed" if index == 1 else "succeeded"
        assert of_record == [("enter", f"m{index}"), ("leave", f"m{index}"), ("end", f"m{index}", status)]
    assert ("raised", "KeyError") in story.told
    assert depth.get() == 0


class Abrupt(BaseException):
    """No `Exception`, and no interrupt."""


RAISED = pytest.mark.parametrize("raised", [RuntimeError, asyncio.CancelledError, Abrupt])


@RAISED
@RUNNERS
def test_a_hook_that_raises_changes_nothing(kind, workers, raised, caplog):
    """At every moment, whatever it raises: the error is logged, and the results are those without hooks."""

    class Broken:
        def on_batch_start(self, records, context):
            raise raised("start")

        def around_record(self, record):
            raise raised("around")

        def on_record_end(self, result):
            raise raised("end")

        def on_batch_end(self, result):
            raise raised("over")

    story = Story()
    assert reported(make(body, kind, workers, hooks=(Broken(), story))(sqs(3))) == ["m1"]
    told = [entry.getMessage() for entry in caplog.records if "hook" in entry.getMessage()]
    assert sorted(set(told)) == sorted(f"a hook raised in {moment}" for moment in MOMENTS)
    assert len(told) == 1 + 3 + 3 + 1
    assert len(story.told) == 12


@RAISED
@pytest.mark.parametrize("moment", ["enter", "exit"])
def test_a_context_manager_that_raises_changes_nothing(moment, raised, caplog):
    """Those around it are left all the same, and the record's own error stands."""

    class Manager:
        def __enter__(self):
            if moment == "enter":
                raise raised("enter")

        def __exit__(self, kind, error, traceback):
            if error is not None:
                raise error  # gives the record's own back: no error of the hook
            raise raised("exit")

    class Broken:
        def around_record(self, record):
            return Manager()

    story = Story()
    result = batch_handler(body, hooks=[story, Broken()]).process(sqs(2))
    assert [entry.status for entry in result.results] == ["succeeded", "failed"]
    assert isinstance(result.failed[0].error, KeyError)
    assert sum(entry[0] == "leave" for entry in story.told) == 2
    told = sum("around_record" in entry.getMessage() for entry in caplog.records)
    assert told == (2 if moment == "enter" else 1)


def test_an_interrupt_of_a_hook_leaves_those_around_it():
    """`SystemExit` in a hook that is entered or left ends the batch; what was entered is left."""

    class Exits:
        def around_record(self, record):
            raise SystemExit

    class ExitsLate:
        @contextmanager
        def around_record(self, record):
            yield
            raise SystemExit

    for exits in (Exits(), ExitsLate()):
        story = Story()
        with pytest.raises(SystemExit):
            batch_handler(body, hooks=[story, exits])(sqs(1))
        assert [entry[0] for entry in story.told if entry[0] in ("enter", "leave")] == ["enter", "leave"]


def test_an_interrupt_of_a_hook_at_another_moment_is_raised():
    """`SystemExit` is nobody's mistake to be forgiven."""

    class Exits:
        def on_record_end(self, result):
            raise SystemExit

    with pytest.raises(SystemExit):
        batch_handler(body, hooks=[Exits()])(sqs(1))


def test_hooks_are_nested():
    """Entered in the order given, and left in reverse."""
    outer, inner = Story("outer"), Story("inner")
    told = []

    class Told(list):
        def append(self, entry):
            if entry[0] in ("enter", "leave"):
                told.append((self.name, entry[0]))

    for story in (outer, inner):
        story.told = Told()
        story.told.name = story.name
    batch_handler(number, hooks=[outer, inner])(sqs(1))
    assert told == [("outer", "enter"), ("inner", "enter"), ("inner", "leave"), ("outer", "leave")]


def test_a_hook_cannot_swallow_a_failure(caplog):
    """A context manager that says that it handled the error has not: a failure is a failure."""

    class Swallows:
        @contextmanager
        def around_record(self, record):
            with suppress(KeyError):
                yield

    assert reported(batch_handler(lambda record: {}[number(record)], hooks=[Swallows()]).process(sqs(1)).response)
    assert not [entry for entry in caplog.records if "hook" in entry.getMessage()]


def test_a_hook_needs_one_moment_only():
    """An object with any of the methods is a hook."""

    class Last:
        def on_batch_end(self, result):
            self.result = result

    last = Last()
    assert batch_handler(number, hooks=[last])(sqs(2)) == {"batchItemFailures": []}
    assert [entry.value for entry in last.result.results] == [0, 1]
    assert all(entry.duration is not None for entry in last.result.results)


@pytest.mark.parametrize("value", [[object()], [Story], Story(), ["on_batch_end"], [Story(), None], None])
def test_what_is_no_hook(value):
    """Objects without any of the methods, and classes in place of objects, are refused at decoration."""
    with pytest.raises(ConfigurationError, match=r"hooks=.*on_batch_start, around_record"):
        batch_handler(number, hooks=value)


def test_async_hooks_are_refused():
    """Nobody would await one."""

    class Async:
        async def on_batch_end(self, result):
            pass

    class NoMethod:
        on_batch_end = 5

    for hook in (Async(), NoMethod()):
        with pytest.raises(ConfigurationError, match="none of them async"):
            batch_handler(number, hooks=[hook])


@RUNNERS
def test_records_end_once_their_items_are_accepted(kind, workers):
    """Whoever waits for a sink or a dead letter has not ended; then it is told once."""

    def gives(record):
        if number(record) == 0:
            raise Reject
        return number(record)

    story = Story()
    handler = make(gives, kind, workers, sink=ScriptedSink({2: 1}), dead_letter=discard, hooks=[story])
    assert reported(handler(sqs(3))) == ["m2"]
    ends = [entry for entry in story.told if entry[0] == "end"]
    assert sorted(ends) == [("end", "m0", "dead_lettered"), ("end", "m1", "succeeded"), ("end", "m2", "failed")]
    first_end = next(index for index, entry in enumerate(story.told) if entry[0] == "end")
    assert all(entry[0] != "enter" for entry in story.told[first_end:])


def test_records_end_after_the_bulk_step():
    """With a bulk step a success is none before it, and each record ends once."""
    story, ran = Story(), []

    def store(succeeded):
        assert [entry[0] for entry in story.told].count("end") == 1
        ran.append(len(succeeded))
        return [succeeded[0].with_error(ValueError())]

    handler = batch_handler(lambda record: 1 / number(record), sink=store, hooks=[story])
    assert reported(handler(sqs(4))) == ["m0", "m1"]
    ends = [entry[1:] for entry in story.told if entry[0] == "end"]
    assert ends == [("m0", "failed"), ("m1", "failed"), ("m2", "succeeded"), ("m3", "succeeded")]
    assert ran == [3]


def test_skipped_records_are_in_the_batch_result_alone():
    """What was not started was not entered, and has no end of its own."""
    story = Story()
    batch_handler(body, hooks=[story], error_policy="stop")(sqs(4))
    assert [entry[1] for entry in story.told if entry[0] == "end"] == ["m0", "m1"]
    assert "skipped=2" in story.told[-1][1]


def test_records_of_an_unknown_group_end_too():
    """A record that `group_by` failed for is told of like any other."""
    story = Story()
    handler = batch_handler(number, hooks=[story], group_by=lambda record: 1 / number(record))
    assert reported(handler(sqs(2))) == ["m0"]
    assert sorted(entry[1:] for entry in story.told if entry[0] == "end") == [
        ("m0", "failed"),
        ("m1", "succeeded"),
    ]


class Source(Plain):
    def view(self, raw):
        if raw["body"] == "1":
            raise ValueError("no view")
        return raw


def test_a_view_that_cannot_be_made_fails_its_record_alone():
    """Hooks want views: a source whose view raises costs that record only, as without hooks."""

    seen = []

    class Hook:
        def on_batch_start(self, records, context):
            seen.append([record and record["messageId"] for record in records])

        def on_batch_end(self, result):
            seen.append([entry.status for entry in result.results])

    assert reported(batch_handler(lambda record: None, source=Source(), hooks=[Hook()])(sqs(3))) == ["m1"]
    assert seen == [["m0", None, "m2"], ["succeeded", "failed", "succeeded"]]


@RUNNERS
def test_a_view_that_is_cancelled_fails_its_record_alone(kind, workers):
    """A `CancelledError` of a source's own cancels nothing."""

    class Cancelled(Plain):
        def view(self, raw):
            if raw["body"] == "1":
                raise asyncio.CancelledError
            return raw

    story = SimpleNamespace(on_record_end=lambda result: None)
    handler = make(lambda record: None, kind, workers, source=Cancelled(), hooks=[story])
    result = handler.process(sqs(3))
    assert [entry.status for entry in result.results] == ["succeeded", "failed", "succeeded"]
    assert result.results[1].record is None


def test_an_interrupt_in_a_view_is_raised():
    """``SystemExit`` ends the process, also where only a result is made."""

    class Exits(Plain):
        looks = 0

        def view(self, raw):
            self.looks += 1
            if self.looks > 1:
                raise SystemExit
            return raw

    with pytest.raises(SystemExit):
        batch_handler(lambda record: None, source=Exits()).process(sqs(1))


@RUNNERS
def test_nothing_is_kept_after_the_call(kind, workers):
    """With hooks, a sink and dead letters: no cycle is left for the collector."""

    class Kept(dict):
        pass

    event = sqs(2)
    event["Records"] = [Kept(raw) for raw in event["Records"]]
    seen = [weakref.ref(raw) for raw in event["Records"]]
    handler = make(
        lambda record: number(record) or None,
        kind,
        workers,
        hooks=[Last()],
        sink=ScriptedSink(),
        dead_letter=Refusing(),
    )
    handler(sqs(1))
    gc.collect()
    gc.disable()
    try:
        handler(event)
        del event
        for _ in range(1000):  # a thread of the loop's executor lets go of a call a little after its end
            if [ref() for ref in seen] == [None, None]:
                return
            time.sleep(0.002)
        pytest.fail("the records are still referenced")
    finally:
        gc.enable()


class Last:
    def on_record_end(self, result):
        pass


def test_an_empty_batch_is_told_of_at_its_end():
    """There is no source that could name records: the batch ends, with no result in it."""
    story = Story()
    batch_handler(number, hooks=[story])({"Records": []})
    assert story.told == [("over", "BatchResult(succeeded=0, failed=0, skipped=0, dead_lettered=0)")]


def test_windows_are_told_of():
    """A tumbling window is a batch like any other."""
    story = Story()
    batch_handler(lambda record, state: state, hooks=[story])(kinesis("a", window={}, state={}))
    assert [entry[0] for entry in story.told] == ["start", "enter", "leave", "end", "over"]


@RUNNERS
def test_a_hook_that_clears_its_response_deletes_no_record(kind, workers):
    """Each hook has a response of its own; Lambda gets the one that the states say."""
    seen = []

    class Clears:
        def on_batch_end(self, result):
            seen.append(reported(result.response))
            result.response["batchItemFailures"].clear()
            result.response.clear()

    def fails(record):
        raise ValueError

    handler = make(fails, kind, workers, hooks=[Clears(), Clears()], raise_on_full_failure=False)
    assert reported(handler(sqs(3))) == ids(range(3))
    assert reported(handler.process(sqs(3)).response) == ids(range(3))
    assert seen == [ids(range(3))] * 4


def test_a_hook_cannot_change_a_kafka_identifier():
    """Identifiers of several parts are copied as well."""

    class Changes:
        def on_batch_end(self, result):
            for failure in result.response["batchItemFailures"]:
                failure["itemIdentifier"]["offset"] = 99

    handler = batch_handler(lambda record: 1 / 0, hooks=[Changes()], raise_on_full_failure=False)
    assert reported(handler(kafka([0, 0]))) == [{"partition": "orders-0", "offset": n} for n in (0, 1)]


def test_a_hook_cannot_change_the_state_of_a_window():
    """The response's state is not the one that hooks see."""

    class Changes:
        def on_record_end(self, result):
            result.value["n"] = 99

        def on_batch_end(self, result):
            result.response["state"]["n"] = 99

    handler = batch_handler(lambda record, state: {"n": state["n"] + 1}, hooks=[Changes()])
    assert handler(kinesis("aaa", window={}, state={"n": 0}))["state"] == {"n": 3}


@RUNNERS
@pytest.mark.parametrize("change", ["reverse", "clear", "pop"])
def test_a_hook_may_change_its_list_of_records(kind, workers, change):
    """All records run, and each is shown to `around_record` as itself."""
    ran, around = [], []

    class Changes:
        def on_batch_start(self, records, context):
            getattr(records, change)()

        @contextmanager
        def around_record(self, record):
            around.append(record.body)
            yield

    class Counts:
        def on_batch_start(self, records, context):
            assert [record.body for record in records] == ["0", "1", "2"]

    def body(record):
        assert around[-1] == record.body or workers > 1
        ran.append(record.body)

    assert reported(make(body, kind, workers, hooks=[Changes(), Counts()])(sqs(3))) == []
    assert sorted(ran) == sorted(around) == ["0", "1", "2"]


def test_a_hook_that_returns_code_that_nobody_runs_is_logged(caplog):
    """A plain method that returns a coroutine or a generator has done nothing; a future is at work."""

    async def tells():
        raise AssertionError

    hook = SimpleNamespace(
        on_batch_start=lambda records, context: tells(),
        on_record_end=lambda result: (item for item in ()),
        on_batch_end=lambda result: Future(),
    )
    assert batch_handler(lambda record: None, hooks=[hook])(sqs(1)) == {"batchItemFailures": []}
    assert "a hook raised in on_batch_start" in caplog.text
    assert "the hook's on_batch_start returned an awaitable (coroutine) that nobody awaits" in caplog.text
    assert "the hook's on_record_end returned a generator (generator), whose code has not run" in caplog.text
    assert "on_batch_end" not in caplog.text


class Ends:
    """Keeps the result that it is told of."""

    def __init__(self):
        self.results = []

    def on_batch_end(self, result):
        self.results.append(result)


@RUNNERS
@pytest.mark.parametrize("call", ["handler", "process", "aprocess"])
def test_the_end_is_told_where_the_response_is_refused(kind, workers, call):
    """A record without an identifier gives back the whole batch: the result says so by an empty one."""
    hook, event = Ends(), sqs(3)
    event["Records"][1]["messageId"] = ""

    def body(record):
        if number(record) == 1:
            raise ValueError

    handler = make(body, kind, workers, hooks=[hook])
    calls = {"handler": handler, "process": handler.process, "aprocess": lambda e: asyncio.run(handler.aprocess(e))}
    with pytest.raises(EventError):
        calls[call](event)
    (result,) = hook.results
    assert result.response == {"batchItemFailures": [{"itemIdentifier": ""}]}
    assert [entry.status for entry in result.results] == ["succeeded", "failed", "succeeded"]


@RUNNERS
def test_the_end_is_told_of_an_interrupted_batch(kind, workers):
    """``SystemExit`` is raised after the hooks have been told; one that a hook raises itself changes nothing then."""
    hook, last = Ends(), Ends()
    last.on_batch_end = lambda result: exit_(5)

    def exit_(code):
        raise SystemExit(code)

    handler = make(lambda record: exit_(3), kind, workers, hooks=[hook, last])
    with pytest.raises(SystemExit, match="3"):
        handler(sqs(9))
    (result,) = hook.results
    assert result.failed


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_end_is_told_where_the_clock_fails(asynchronous):
    """Records that were not settled when the call broke off are told as such."""
    hook, kind = Ends(), "async" if asynchronous else "plain"

    class Broken(Clock):
        def get_remaining_time_in_millis(self):
            if self.reads > 3:
                raise OSError("no clock")
            return super().get_remaining_time_in_millis()

    with pytest.raises(OSError, match="no clock"):
        make(number, kind, 1, hooks=[hook])(sqs(9), Broken(10))
    (result,) = hook.results
    statuses = [entry.status for entry in result.results]
    assert statuses[-1] == "skipped"
    assert sorted(statuses, reverse=True) == statuses


@RUNNERS
def test_a_record_whose_items_were_not_sent_is_a_failure_with_a_reason(kind, workers):
    """Where an interrupt ends the call, the result of a record that waited for its sink says so."""
    hook = Ends()

    def body(record):
        if number(record) == 1:
            raise SystemExit
        return number(record)

    with pytest.raises(SystemExit):
        make(body, kind, workers, hooks=[hook], sink=ScriptedSink(size=10))(sqs(2))
    (result,) = hook.results
    assert [entry.status for entry in result.results] == ["failed", "failed"]
    assert str(result.results[0].error) == "the call ended before the outcome of the record was known"


def test_hooks_are_told_of_no_end_of_a_batch_whose_beginning_they_were_not_told_of():
    """An async sink is refused in a running loop, before the batch begins."""
    told = []
    hook = SimpleNamespace(on_batch_start=lambda *_: told.append("start"), on_batch_end=lambda _: told.append("end"))

    async def sink(succeeded):
        return None

    async def main():
        with pytest.raises(RuntimeError, match="an async sink cannot be driven"):
            batch_handler(lambda record: None, sink=sink, hooks=[hook])(sqs(1))

    asyncio.run(main())
    assert told == []
