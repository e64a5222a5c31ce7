"""Tests of tasks that run at their times, and of their errors."""

from __future__ import annotations

import time
from threading import Event

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from partialbatch.cli.poll import periodic as module
from partialbatch.cli.poll.periodic import PeriodicTasks

AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")


@pytest.fixture
def waits():
    return []


@pytest.fixture
def make(waits, monkeypatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    made = []

    def build(threads=1, patience=5.0):
        made.append(PeriodicTasks(threads, patience, lambda error, seconds: waits.append(seconds)))
        return made[-1]

    yield build
    for tasks in made:
        tasks.stop()


def ended(tasks):
    ends = time.monotonic() + 10
    while tasks.running:
        assert time.monotonic() < ends
        time.sleep(0.005)
    return True


def test_tasks_take_turns(make):
    """Tasks that want to run at once take turns; one that wants no more is dropped."""
    tasks, calls = make(), []

    def task(name, times):
        def step():
            calls.append(name)
            if calls.count("b") == 4:
                tasks.stop()
            return 0.0 if calls.count(name) < times else None

        return step

    tasks.add(task("a", 2))
    tasks.add(task("b", 9))
    tasks.start()
    assert ended(tasks)
    assert calls == ["a", "b", "a", "b", "b", "b"]
    assert tasks.error is None


def test_a_task_is_not_run_before_its_time(make):
    """A task runs again no sooner than it wants to."""
    tasks, times = make(), []

    def step():
        times.append(time.monotonic())
        if len(times) == 2:
            tasks.stop()
        return 0.1

    tasks.add(step)
    tasks.start()
    assert ended(tasks)
    assert times[1] - times[0] >= 0.1


def test_two_threads_run_two_tasks_at_once(make):
    """Two threads run two tasks at the same time."""
    tasks, first, second = make(2), Event(), Event()

    def meet(mine, other):
        mine.set()
        assert other.wait(5)
        tasks.stop()

    tasks.add(lambda: meet(first, second))
    tasks.add(lambda: meet(second, first))
    tasks.start()
    assert ended(tasks)
    assert tasks.error is None


def test_a_task_added_while_idle_is_started(make):
    """A task that is added while no other has anything to do starts."""
    tasks = make()
    tasks.start()
    tasks.add(tasks.stop)
    assert ended(tasks)


def test_a_transient_error_is_retried_after_growing_pauses(make, waits):
    """A transient error is retried after growing pauses; a success resets them."""
    tasks, outcomes = make(), iter([AWAY, AWAY, AWAY, None, AWAY])

    def step():
        outcome = next(outcomes, "end")
        if outcome == "end":
            tasks.stop()
        elif outcome:
            raise outcome
        return 0.0

    tasks.add(step)
    tasks.start()
    assert ended(tasks)
    assert waits == [0.01, 0.02, 0.04, 0.01]
    assert tasks.error is None


def test_pauses_have_a_limit(make, waits, monkeypatch):
    """However often a task fails, no pause is longer than the limit."""
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.02)
    tasks = make()

    def step():
        if len(waits) == 5:
            tasks.stop()
            return
        raise AWAY

    tasks.add(step)
    tasks.start()
    assert ended(tasks)
    assert waits == [0.01, 0.02, 0.02, 0.02, 0.02]


def test_an_error_that_outlasts_the_patience_stops_the_tasks(make, waits):
    """An error that lasts longer than the patience stops the tasks."""
    tasks = make(patience=0.05)

    def step():
        raise AWAY

    tasks.add(step)
    tasks.start()
    assert ended(tasks)
    assert tasks.error is AWAY
    assert sum(waits[:-1]) < 0.05


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), KeyboardInterrupt(), ClientError({"Error": {"Code": "AccessDenied"}}, "GetRecords")]
)
def test_another_error_stops_the_tasks_at_once(make, waits, error):
    """An error that isn't transient stops the tasks at once, and the first error is kept."""
    tasks, both = make(2), [Event(), Event()]

    def fail(number, what):
        both[number].set()
        both[1 - number].wait(5)
        while number and tasks.error is None:
            time.sleep(0.005)
        raise what

    tasks.add(lambda: fail(0, error))
    tasks.add(lambda: fail(1, RuntimeError("later")))
    tasks.start()
    assert ended(tasks)
    assert tasks.error is error
    assert waits == []
