"""Which records run when: groups asked for once, unknown groups, windows and the deadline."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from batches import Clock, Plain, ids, kinesis, number, reported, sqs
from sinks import ScriptedSink

from partialbatch import ErrorPolicy, RawRecord, Reject, batch_handler
from partialbatch._core.options import resolve
from partialbatch._core.planning import Planner
from partialbatch._core.stages import build
from partialbatch.retries import ResumeLedger, discard


def planner(**options):
    settings = resolve(**options)
    return Planner(settings, build(settings))


def test_concurrency_is_a_number_of_workers():
    """-1 stands for the number of vCPUs."""
    assert planner(max_concurrency=3).concurrency == 3
    assert planner(max_concurrency=-1).concurrency == (os.cpu_count() or 1)


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
def test_a_window_stops_and_a_ledger_never_runs_past_a_failure_of_a_group(options, window, expected):
    """A window stops; with a ledger `derive` never runs past a failure inside a group; else the source decides."""
    source = SimpleNamespace(policy=lambda records: ErrorPolicy.CONTINUE)
    batch = SimpleNamespace(source=source, window=window, records=[])
    assert planner(**options).policy(batch) is expected


def test_an_empty_batch_derives_nothing():
    """Without a source there is nothing to ask."""
    batch = SimpleNamespace(source=None, window=None)
    assert planner().policy(batch) is ErrorPolicy.DERIVE


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
    assert planner(deadline_margin=None).deadline(SimpleNamespace(context=Clock(1))) is None
    assert planner(deadline_margin=1).deadline(SimpleNamespace(context=Clock(3))).seconds_left == pytest.approx(2)


class Hostile:
    """A group that hashes like all others, and cannot be compared."""

    def __init__(self, name):
        self.name = name

    def __hash__(self):
        return 1

    def __eq__(self, other):
        raise RuntimeError(self.name)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("options", [{}, {"sink": lambda succeeded: succeeded[:1]}, {"dead_letter": discard}])
def test_a_group_that_cannot_be_compared_fails_its_record_alone(workers, options):
    """Comparing groups is code of the user's: it runs once, where its failure is its record's."""
    handler = batch_handler(
        lambda record: None,
        group_by=lambda record: Hostile(record.body) if number(record) > 1 else "a",
        error_policy="continue",
        max_concurrency=workers,
        **options,
    )
    result = handler.process(sqs(4))
    # The first of its kind has nothing to be compared with.
    assert reported(result.response) == (["m0", "m3"] if "sink" in options else ["m3"])
    assert isinstance(result.results[3].error, RuntimeError)


@pytest.mark.parametrize("policy", ["stop", "skip_group"])
def test_a_group_of_a_source_of_ones_own_that_cannot_be_compared_fails_its_record(policy):
    """The same holds for what the source says."""

    class Grouped(Plain):
        def group(self, raw):
            return Hostile(raw["messageId"])

    handler = batch_handler(lambda record: None, source=Grouped(), error_policy=policy, dead_letter=discard)
    assert reported(handler(sqs(3))) == ["m1", "m2"]


async def awaits():
    raise AssertionError


def test_a_coroutine_is_no_group():
    """Each would be a group of its own, and nothing would be in order: such records fail."""
    ran = []
    handler = batch_handler(
        ran.append, group_by=lambda record: awaits() if number(record) else "a", error_policy="continue"
    )
    result = handler.process(sqs(3))
    assert [entry.status for entry in result.results] == ["succeeded", "failed", "failed"]
    assert "group_by returned an awaitable (coroutine) that nobody awaits" in str(result.failed[0].error)


def test_a_coroutine_of_a_source_of_ones_own_is_no_group():
    """Whatever tells the group must have run."""

    class Grouped(Plain):
        def group(self, raw):
            return awaits()

    handler = batch_handler(print, source=Grouped(), max_concurrency=2)
    result = handler.process(sqs(1))
    assert "the event source's group() returned an awaitable" in str(result.failed[0].error)


@pytest.mark.parametrize("policy", ["stop", "skip_group"])
@pytest.mark.parametrize("fifo", [True, False])
def test_an_unknown_group_holds_no_last_attempt_of_another_message_group_back(policy, fifo):
    """SQS would take it into the dead-letter queue, unrun; what must wait for its own group waits."""
    groups = "abacba" if fifo else None
    ran = []
    handler = batch_handler(
        lambda record: ran.append(number(record)),
        group_by=lambda record: 1 // (number(record) - 2) and record.body,
        max_receive_count=3,
        error_policy=policy,
        fifo=fifo,
    )
    result = handler.process(sqs(6, groups=groups, receives=[1, 1, 1, 3, 3, 3]))
    # m4 is behind m1 in its group, which ran; m5 behind m2, whose group is unknown.
    expected = [0, 1, 3] if fifo else [0, 1, 3, 4, 5]
    assert ran == expected
    assert reported(result.response) == ids(sorted({*range(6)} - {*expected}))


def test_an_unknown_group_at_the_last_attempt_is_settled_behind_another():
    """It fails, or is a dead letter, for nothing holds it back either."""
    letters = []

    def group_by(record):
        raise Reject if number(record) == 2 else ValueError

    handler = batch_handler(
        print, group_by=group_by, max_receive_count=3, error_policy="stop", dead_letter=letters.append
    )
    result = handler.process(sqs(3, groups="abc", receives=[1, 1, 3]))
    assert [entry.status for entry in result.results] == ["failed", "skipped", "dead_lettered"]
    assert [letter["identifier"] for letter in letters] == ["m2"]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("policy", ["derive", "stop"])
def test_receive_counts_are_those_that_were_delivered(workers, policy):
    """A function that empties its record at the last attempt holds back no other message's last attempt."""
    ran = []

    def empties(record):
        ran.append(record.body)
        record.raw.clear()
        raise ValueError

    handler = batch_handler(empties, max_receive_count=3, error_policy=policy, max_concurrency=workers)
    result = handler.process(sqs(4, groups="abcd", receives=[3, 3, 3, 3]))
    assert sorted(ran) == ["0", "1", "2", "3"]
    assert reported(result.response) == ids(range(4))


def test_a_hook_cannot_change_the_order_of_groups():
    """Policy and groups are those of the records as delivered."""

    class Changes:
        def on_batch_start(self, records, context):
            for record in records:
                record.raw["eventSourceARN"] = "arn:aws:sqs:eu-west-1:1:standard"
                record.raw["attributes"]["MessageGroupId"] = record.body

    ran = []

    def fails(record):
        ran.append(number(record))
        raise ValueError

    options = {"hooks": [Changes()], "raise_on_full_failure": False}
    assert reported(batch_handler(fails, **options)(sqs(3, groups="aaa"))) == ids(range(3))
    assert ran == [0]
    ran.clear()
    batch_handler(fails, error_policy="skip_group", **options)(sqs(3, groups="aab"))
    assert ran == [0, 2]


def test_a_source_of_ones_own_cannot_reorder_the_records():
    """Its `policy` gets a list of its own, and what names a record is copied."""

    class Changes(Plain):
        def policy(self, records):
            records.reverse()
            return "continue"

        def identifier(self, raw):
            return raw.setdefault("name", {"id": raw["messageId"]})

    ran = []

    def body(raw: RawRecord):
        ran.append(raw["body"])
        raw["name"]["id"] = "other"
        raise ValueError

    handler = batch_handler(body, source=Changes(), raise_on_full_failure=False)
    assert reported(handler(sqs(3))) == [{"id": name} for name in ids(range(3))]
    assert ran == ["0", "1", "2"]


@pytest.mark.parametrize("refuses", [True, False])
def test_each_record_of_a_window_is_settled_before_the_next_one_starts(refuses):
    """Also where no record has a group: the state must have seen all that is before it, or nothing behind it runs."""

    class Ungrouped(Plain):
        def identifier(self, raw):
            return raw["kinesis"]["sequenceNumber"]

    ran = []

    def fold(raw, state):
        ran.append(raw["eventID"][-1])
        if ran[-1] == "1":
            raise Reject
        return [*state, ran[-1]]

    def letters(letter):
        if refuses:
            raise OSError

    handler = batch_handler(fold, source=Ungrouped(), dead_letter=letters)
    response = handler(kinesis("abc", window={}, state=[]))
    assert ran == (["0", "1"] if refuses else ["0", "1", "2"])
    assert response["state"] == (["0"] if refuses else ["0", "2"])
    assert reported(response) == (["1", "2"] if refuses else [])


def test_a_window_is_in_order_across_its_groups():
    """Records of different groups, too, wait for the one before."""
    ran = []

    def fold(record, state):
        ran.append(number(record))
        if number(record) == 0:
            raise Reject
        return state

    def refuses(letter):
        raise OSError

    handler = batch_handler(fold, dead_letter=refuses, raise_on_full_failure=False)
    assert reported(handler(kinesis("abc", window={}))) == ["0", "1", "2"]
    assert ran == [0]


def test_a_source_without_groups_is_not_ordered():
    """A sink may then send what it is given in any order."""
    sink = ScriptedSink()
    batch_handler(lambda record: record["body"], source=Plain(), sink=sink)(sqs(2))
    assert sink.opened[0]["ordered"] is False


def test_a_record_that_is_done_already_needs_no_group():
    """What had succeeded in an earlier invocation stays a success, and holds nothing back."""
    ran = []

    @batch_handler(resume=ResumeLedger.in_memory())
    def handler(record):
        ran.append(number(record))
        if ran == [0]:
            raise ValueError

    handler(kinesis("abc"))
    event = kinesis("abc")
    del event["Records"][1]["kinesis"]["partitionKey"]
    assert handler(event) == {"batchItemFailures": []}
    assert ran == [0, 1, 2, 0]
