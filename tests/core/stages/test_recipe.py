"""The recipe "add a stage": a module, a line in the order, an option, and nothing else."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from batches import ids, kinesis, number, reported, sqs
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import FullBatchFailure, batch_handler
from partialbatch._core import handler, stages
from partialbatch._core.options import resolve
from partialbatch._core.stages.base import Stage
from partialbatch.errors import RecordSkipped
from partialbatch.retries import discard


class Closed(RecordSkipped):
    """The reason that the made-up stage gives."""


class Gate(Stage):
    """A made-up stage: it lets some records not start, knows others as done, and writes a story."""

    def __init__(self, gate):
        self.closed = gate.get("closed", ())
        self.done = gate.get("done", ())
        self.known_late = gate.get("known_late", ())
        self.broken = gate.get("broken", {})
        self.story = gate["story"]
        self.threads = gate.get("threads", [])

    def wait(self, *_):
        """Do what may block: the story of a test shows in which thread."""
        self.threads.append(threading.current_thread())

    async def begin(self, batch, calling):
        batch.memory[self] = []
        await calling.call(self.wait)
        for index in self.done:
            batch.resume(index)
        self.story.append("begin")

    async def admit(self, batch, index, calling):
        await calling.call(self.wait)
        if index in self.broken:
            raise self.broken[index]
        if index in self.known_late:
            batch.resume(index)
        return Closed("the gate is closed") if index in self.closed else None

    @contextmanager
    def around(self, batch, index):
        batch.memory[self].append(f"enter {index}")
        try:
            yield
        finally:
            batch.memory[self].append(f"leave {index}")

    def ended(self, batch, index):
        batch.memory[self].append(f"ended {index} {batch.states[index]}")

    async def finish(self, batch, calling):
        await calling.call(self.wait)
        self.story.append(batch.memory[self])
        self.story.append("finish interrupted" if batch.was_interrupted else "finish")

    def close(self, batch):
        self.story.append("close")

    async def end(self, batch, response, calling):
        await calling.call(self.wait)
        self.story.append("end without a response" if response is None else "end")


def idle(moment):
    """Return a method that overrides one of `Stage`, and does the same."""
    inherited = getattr(Stage, moment)

    def override(self, *arguments):
        return inherited(self, *arguments)

    return override


MOMENTS = ("policy", "begin", "admit", "around", "take", "rescue", "settle", "ended", "finish", "close", "end")
Idle = type("Idle", (Stage,), {moment: idle(moment) for moment in MOMENTS})


class Settings:
    """The settings, with the value of one more option."""

    def __init__(self, settings, gate):
        self._settings = settings
        self.gate = gate

    def __getattr__(self, name):
        return getattr(self._settings, name)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Do what the recipe says: the module, the line in the order, the option."""
    module = SimpleNamespace(create=lambda settings: Gate(settings.gate) if isinstance(settings.gate, dict) else Idle())
    monkeypatch.setitem(sys.modules, "partialbatch._core.stages.gate", module)
    *before, hooks, window_end = stages.ORDER
    monkeypatch.setattr(stages, "ORDER", (*before, ("gate", "gate"), hooks, window_end))
    monkeypatch.setattr(handler, "resolve", lambda gate=None, **options: Settings(resolve(**options), gate))


def make(kind, workers=1, body=number, **options):
    async def awaits(record):
        await asyncio.sleep(0)
        return body(record)

    return batch_handler(awaits if kind == "async" else body, max_concurrency=workers, **options)


CALLS = {
    "handle": lambda handler, event: handler(event),
    "process": lambda handler, event: handler.process(event).response,
    "aprocess": lambda handler, event: asyncio.run(handler.aprocess(event)).response,
}
RUNNERS = pytest.mark.parametrize(("kind", "workers"), [("plain", 1), ("plain", 3), ("async", 1), ("async", 3)])
EACH_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@EACH_CALL
@RUNNERS
def test_a_stage_is_called_at_each_moment_in_order(kind, workers, call):
    """Begin, each record from entering to its status, finish, close, end; on every runner, however it is called."""
    story = []
    handler = make(kind, workers, gate={"story": story})
    assert call(handler, sqs(3)) == {"batchItemFailures": []}
    begin, records, *rest = story
    assert [begin, *rest] == ["begin", "finish", "close", "end"]
    for index in range(3):
        told = [line for line in records if str(index) in line.split()[1]]
        assert told == [f"enter {index}", f"leave {index}", f"ended {index} 1"]


@EACH_CALL
@RUNNERS
@pytest.mark.parametrize(
    ("policy", "expected"), [("continue", ["1"]), ("skip_group", ["1", "3"]), ("stop", ["1", "2", "3", "4"])]
)
def test_a_record_that_is_not_admitted_is_reported_and_holds_back_like_a_failure(kind, workers, policy, expected, call):
    """The record comes back, and the policies treat it as a failed one."""
    ran, story = [], []
    handler = make(
        kind,
        workers,
        lambda record: ran.append(number(record)),
        gate={"story": story, "closed": {1}},
        error_policy=policy,
    )
    found = reported(call(handler, kinesis("abcba")))
    if policy == "stop" and workers > 1:
        assert found[0] == "1"  # others may have started before it
    else:
        assert found == expected
    assert 1 not in ran
    assert sorted({*found, *map(str, ran)}) == list("01234")


@RUNNERS
def test_the_reason_of_a_stage_is_the_records_error(kind, workers):
    """A result tells why a record was skipped; it never entered, and has no duration."""
    handler = make(kind, workers, gate={"story": [], "closed": {1}}, error_policy="continue")
    result = handler.process(sqs(3)).results[1]
    assert (result.status, type(result.error), str(result.error)) == ("skipped", Closed, "the gate is closed")
    assert result.duration is None


@RUNNERS
def test_records_that_a_stage_knows_as_done_do_not_run(kind, workers):
    """Known before the batch or as late as at their start: they count as succeeded, and are marked as resumed."""
    ran = []
    handler = make(
        kind, workers, lambda record: ran.append(number(record)), gate={"story": [], "done": [0], "known_late": [2]}
    )
    result = handler.process(sqs(4))
    assert sorted(ran) == [1, 3]
    assert [(each.status, each.resumed) for each in result.results] == [
        ("succeeded", True),
        ("succeeded", False),
        ("succeeded", True),
        ("succeeded", False),
    ]


@RUNNERS
def test_an_error_in_admit_fails_its_record_alone(kind, workers):
    """In doubt the record comes back; it is no dead letter, for it has not run."""
    handler = make(
        kind, workers, gate={"story": [], "broken": {1: OSError("down")}}, dead_letter=discard, permanent=OSError
    )
    assert [each.status for each in handler.process(sqs(3)).results] == ["succeeded", "failed", "succeeded"]


@EACH_CALL
@RUNNERS
def test_an_interrupt_in_admit_is_raised_and_the_stage_finishes(kind, workers, call):
    """Finish, close and end are called whatever happens, and end knows that there is no response."""
    story = []
    handler = make(kind, workers, gate={"story": story, "broken": {1: SystemExit(3)}})
    with pytest.raises(SystemExit):
        call(handler, sqs(9))
    assert story[0] == "begin"
    assert story[2:] == ["finish interrupted", "close", "end without a response"]


def test_a_batch_of_which_nothing_was_admitted_is_no_full_failure():
    """Nothing failed: the response gives the records back, as at the deadline."""
    handler = make("plain", gate={"story": [], "closed": {0, 1}})
    assert reported(handler(sqs(2))) == ids([0, 1])


def test_a_stage_may_end_a_batch_that_fails_fully():
    """The response is known to the stages before the failure is raised."""
    story = []
    with pytest.raises(FullBatchFailure):
        make("plain", body=lambda record: 1 / 0, gate={"story": story})(sqs(1))
    assert story[-1] == "end"


@RUNNERS
def test_calls_that_may_block_never_run_in_an_event_loops_thread(kind, workers):
    """Under `aprocess`, and under an async record function, another thread waits for them."""
    threads, loops = [], []

    async def main():
        loops.append(threading.current_thread())
        await handler.aprocess(sqs(3))

    handler = make(kind, workers, gate={"story": [], "threads": threads})
    asyncio.run(main())
    assert len(threads) == 6  # begin, three records, finish, end
    assert loops[0] not in threads


@RUNNERS
def test_hooks_are_told_of_started_records_only(kind, workers):
    """A record that was not admitted has not begun, so nothing of it ends."""
    told = []
    hook = SimpleNamespace(on_record_end=lambda result: told.append(number(result.record)))
    make(kind, workers, gate={"story": [], "closed": {1}}, hooks=[hook], error_policy="continue")(sqs(3))
    assert sorted(told) == [0, 2]


@given(st.sets(st.integers(0, 5)), st.sampled_from([("plain", 1), ("plain", 3), ("async", 2)]))
def test_no_record_is_lost(closed, runner):
    """Whatever a stage turns away: a record either runs or is reported."""
    ran = []
    handler = make(*runner, lambda record: ran.append(f"m{number(record)}"), gate={"story": [], "closed": closed})
    back = reported(handler(sqs(6)))
    assert sorted([*ran, *back]) == ids(range(6))


@EACH_CALL
@RUNNERS
def test_a_stage_that_does_nothing_changes_nothing(kind, workers, call):
    """Each moment of `Stage` itself lets a batch go on as without the stage."""

    def body(record):
        return 1 / (number(record) - 1)

    expected = call(make(kind, workers, body), kinesis("abab"))
    assert reported(expected) == ["1"]
    assert call(make(kind, workers, body, gate="idle"), kinesis("abab")) == expected


def test_a_handler_without_the_option_has_no_stage():
    """The option creates the stage, when the handler is made."""
    assert make("plain")._self_pipeline._stages.all == ()
    made = make("plain", gate={"story": []}, hooks=[SimpleNamespace(on_batch_end=print)], dead_letter=discard)
    names = [type(stage).__name__ for stage in made._self_pipeline._stages.all]
    assert names == ["DeadLetterStage", "Gate", "HooksStage"]
