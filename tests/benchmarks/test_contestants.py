"""The contestants of the benchmarks do the same work."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module

import pytest


@pytest.fixture
def records(monkeypatch):
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    return import_module("benchmarks.records")


@pytest.fixture
def runtime():
    return import_module("benchmarks.runtime")


@pytest.fixture
def _own_loop():
    """An event loop for Powertools, which takes the thread's current one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("_own_loop")
def test_all_contestants_of_a_row_give_the_same_response(records, runtime):
    """Each row's contestants return the response that is due, for the event and the context that they race with."""
    for case in records.CASES:
        event = case.make(20)
        failing = [event["Records"][at]["messageId"] for at in (7, 17)] if "failures" in case.handlers else []
        due = {"batchItemFailures": [{"itemIdentifier": one} for one in failing]}
        for handler in records.contestants(case).values():
            assert runtime.delivered(handler, event, has_context=case.has_context)()() == due


def test_both_sides_log_where_a_row_says_so(records, caplog):
    """With logging on, each contestant writes a line for the batch and, with its traceback, one for each failure."""
    event = records.events.sqs(10)
    for case in records.CASES:
        for handler in records.contestants(case).values() if case.logs else ():
            caplog.clear()
            with caplog.at_level("INFO"):
                handler(event, None)
            failures = 1 if "failures" in case.handlers else 0
            assert sum(line.exc_info is not None for line in caplog.records) == failures
            assert len(caplog.records) == failures + 1


def test_the_hand_written_loop_fails_closed(runtime):
    """It reports failed records, and those that come too late; an event that it can't answer raises."""
    bare, events = import_module("benchmarks.bare"), import_module("benchmarks.events")
    event = events.sqs(2)
    first, second = ({"itemIdentifier": record["messageId"]} for record in event["Records"])
    assert bare.fail_closed(event, runtime.context()) == {"batchItemFailures": []}
    late = runtime.LambdaContext("request", None, None, 0)
    assert bare.fail_closed(event, late) == {"batchItemFailures": [first, second]}
    del event["Records"][1]["body"]
    assert bare.fail_closed(event, runtime.context()) == {"batchItemFailures": [second]}
    del event["Records"][0]["body"]
    with pytest.raises(RuntimeError, match="no message succeeded"):
        bare.fail_closed(event, runtime.context())
    event["Records"][0]["messageId"] = event["Records"][1]["messageId"]
    with pytest.raises(ValueError, match="two with the same"):
        bare.fail_closed(event, runtime.context())


def test_events_come_from_the_decoder(runtime):
    """Each contestant decodes its own event, and gets the runtime client's context with a deadline to come."""
    seen, event = [], {"Records": []}
    for _ in range(2):
        runtime.delivered(lambda event, context: seen.append((event, context)), event)()()
    (first, context), (second, _) = seen
    assert first == second == event
    assert len({id(first), id(second), id(event)}) == 3
    assert 0 < context.get_remaining_time_in_millis() <= runtime.TIMEOUT * 1000


def test_stages_do_what_they_are_measured_for(runtime):
    """Each option of the stages takes part in a batch, which succeeds with it."""
    stages = import_module("benchmarks.stages")
    for stage in stages.STAGES:
        handler = stages.batch_handler(stage.function, **stage.options)
        assert runtime.delivered(handler, stage.make(10))()() == {"batchItemFailures": []}
        (hooks,) = stage.options.get("hooks", [stages.Counter()])
        assert (hooks.records, hooks.batches) == ((10, 1) if "hooks" in stage.options else (0, 0))


@pytest.mark.parametrize("module", ["ours", "powertools", "bare"])
def test_the_runtime_client_runs_whole_invocations(module):
    """A process of the runtime client answers the stand-in, one invocation after the other."""
    invocation, events = import_module("benchmarks.invocation"), import_module("benchmarks.events")
    with invocation.Runtime(f"benchmarks.{module}.lambda_handler") as runtime:
        for _ in range(2):
            seconds, response = runtime.invoke(json.dumps(events.sqs(10)).encode())
            assert json.loads(response) == {"batchItemFailures": []}
            assert seconds > 0


def test_greedy_scheduling_is_known():
    """The oracle of the scheduling benchmark is greedy list scheduling."""
    makespan = import_module("benchmarks.concurrency").makespan
    assert makespan([3, 1, 1, 1], 2) == 3
    assert makespan([1, 1, 1, 3], 2) == 4
    assert makespan([2.5], 8) == 2.5
