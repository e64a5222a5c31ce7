"""Which records run when: groups asked for once, unknown groups, windows and the deadline."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from batches import Clock, kinesis, number, reported, sqs

from partialbatch import ErrorPolicy, batch_handler
from partialbatch.planning import Planner
from partialbatch.retries import ResumeLedger
from partialbatch.settings import resolve


def test_concurrency_is_a_number_of_workers():
    """-1 stands for the number of vCPUs."""
    assert Planner(resolve(max_concurrency=3)).concurrency == 3
    assert Planner(resolve(max_concurrency=-1)).concurrency == (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("options", "window", "expected"),
    [
        ({}, None, ErrorPolicy.CONTINUE),
        ({"error_policy": "stop"}, None, ErrorPolicy.STOP),
        ({"resume": ResumeLedger.in_memory()}, None, ErrorPolicy.SKIP_GROUP),
        ({"resume": ResumeLedger.in_memory(), "error_policy": "stop"}, None, ErrorPolicy.STOP),
        ({"error_policy": "skip_group"}, object(), ErrorPolicy.STOP),
    ],
)
def test_policies(options, window, expected):
    """A window stops; with a ledger `derive` never runs past a failure inside a group; else the source decides."""
    source = SimpleNamespace(policy=lambda records: ErrorPolicy.CONTINUE)
    invocation = SimpleNamespace(source=source, window=window, records=[])
    assert Planner(resolve(**options)).policy(invocation) is expected


def test_an_empty_batch_derives_nothing():
    """Without a source there is nothing to ask."""
    invocation = SimpleNamespace(source=None, window=None)
    assert Planner(resolve()).policy(invocation) is ErrorPolicy.DERIVE


@pytest.mark.parametrize("workers", [1, 3])
def test_group_by_is_called_once_a_record_before_the_first_starts(workers):
    """Groups are asked for in event order, and then records run."""
    story = []

    def group_by(record):
        story.append(("group", number(record)))

    batch_handler(lambda record: story.append(("run", number(record))), group_by=group_by, max_concurrency=workers)(
        sqs(3)
    )
    assert story == [("group", 0), ("group", 1), ("group", 2), ("run", 0), ("run", 1), ("run", 2)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("continue", ["0", "2"]), ("stop", ["0", "1", "2", "3"]), ("skip_group", ["0", "1", "2", "3"])],
)
def test_an_unknown_group_holds_back_what_might_be_of_it(policy, expected):
    """Under `continue` only its record fails; else nothing behind it runs, for it may be of the same group."""

    def group_by(record):
        if number(record) in (0, 2):
            raise ValueError
        return [] if number(record) == 5 else "a"

    handler = batch_handler(lambda record: None, group_by=group_by, error_policy=policy, raise_on_full_failure=False)
    assert reported(handler(kinesis("aaaa"))) == expected


def test_what_is_before_an_unknown_group_runs():
    """Only what comes after it might be of its group."""

    def group_by(record):
        return [number(record)] if number(record) == 2 else number(record)  # a list cannot be hashed

    handler = batch_handler(lambda record: None, group_by=group_by, error_policy="stop")
    result = handler.process(kinesis("aaaa"))
    assert [entry.status for entry in result.results] == ["succeeded", "succeeded", "failed", "skipped"]
    assert "the group of a record before it is unknown" in str(result.skipped[0].error)


def test_an_unknown_group_at_the_last_attempt_holds_nothing_back():
    """SQS takes that message away: the others go on."""
    event = sqs(2, groups="aa", receives=[3, 1])
    handler = batch_handler(
        lambda record: None, group_by=lambda record: 1 // number(record), max_receive_count=3, error_policy="stop"
    )
    assert reported(handler(event)) == ["m0"]


@pytest.mark.parametrize("interrupt", [SystemExit, KeyboardInterrupt])
def test_an_interrupt_in_group_by_is_raised(interrupt):
    """Nothing runs, and all comes back."""
    ran = []

    def group_by(record):
        raise interrupt

    with pytest.raises(interrupt):
        batch_handler(ran.append, group_by=group_by)(sqs(2))
    assert ran == []


def test_none_is_a_group_like_any_other():
    """Records for which `group_by` gives None stay in order with each other."""
    ran = []

    @batch_handler(group_by=lambda record: None, error_policy="skip_group", max_concurrency=3)
    def handler(record):
        ran.append(number(record))
        raise ValueError

    assert handler.process(sqs(3)).failed[0].record.identifier == "m0"
    assert ran == [0]


def test_windows_run_one_record_at_a_time():
    """Whatever the concurrency, for each sees the state of the one before."""
    event = kinesis("abc", window={"start": "s", "end": "e"}, state={"seen": []})
    handler = batch_handler(
        lambda record, state: {"seen": [*state["seen"], number(record)]}, max_concurrency=3, group_by=number
    )
    assert handler(event)["state"] == {"seen": [0, 1, 2]}


def test_no_deadline_without_a_margin():
    """`None` means that records start until the end."""
    assert Planner(resolve(deadline_margin=None)).deadline(Clock(1)) is None
    assert Planner(resolve(deadline_margin=1)).deadline(Clock(3)).seconds_left == pytest.approx(2)
