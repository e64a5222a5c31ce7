"""Hooks, sinks and functions that change all they are given: Lambda is told what happened all the same."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import contextmanager

import pytest
from batches import dynamodb, kafka, kinesis, number, sqs
from hypothesis import given, settings
from hypothesis import strategies as st

from partialbatch import Reject, batch_handler
from partialbatch._core.results import BatchResult

few = settings(max_examples=settings().max_examples // 2)
MOST = 6
outcomes = st.lists(st.sampled_from(["succeeds", "raises", "rejects"]), min_size=1, max_size=MOST)
EVENTS = {
    "sqs": sqs,
    "fifo": lambda count: sqs(count, groups=("ab" * MOST)[:count]),
    "kinesis": lambda count: kinesis(("ab" * MOST)[:count]),
    "dynamodb": lambda count: dynamodb(("ab" * MOST)[:count]),
    "kafka": lambda count: kafka([0] * count),
}


def spoil(value, seen):
    """Empty whatever can be emptied in what was given, views included."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, BatchResult):
        spoil([list(value.results), value.response], seen)
    elif isinstance(value, dict | list):
        for each in list(value.values() if isinstance(value, dict) else value):
            spoil(each, seen)
        value.clear()
    elif hasattr(value, "record"):
        spoil([value.record, value.value], seen)
    elif hasattr(value, "raw"):
        spoil(value.raw, seen)
        value.raw = {"messageId": "other"}


class Spoils:
    """Hooks that spoil what they are given once the record function has seen the record."""

    def on_batch_start(self, records, context):
        records.sort(key=id)
        records.pop()

    @contextmanager
    def around_record(self, record):
        yield
        record.raw = {}

    def on_record_end(self, result):
        spoil(result, set())

    def on_batch_end(self, result):
        spoil(result, set())


class Filters(logging.Filter):
    """A filter that spoils what it finds on a log record."""

    def filter(self, entry):
        spoil(vars(entry).get("record_identifier"), set())
        return False


@pytest.fixture
def hostile_logger():
    """Have a filter spoil what is logged."""
    logger, hostile = logging.getLogger("partialbatch"), Filters()
    logger.addFilter(hostile)
    yield
    logger.removeFilter(hostile)


def expected(event, told, policy):
    """Return the identifiers that must be reported for these outcomes, one worker or many."""
    names, groups = zip(*event, strict=True)
    failed = {index for index, outcome in enumerate(told) if outcome == "raises"}
    held = set()
    for index in range(len(told)):
        before = [earlier for earlier in range(index) if groups[earlier] == groups[index] and groups[index] is not None]
        if policy == "skip_group" and any(earlier in failed or earlier in held for earlier in before):
            held.add(index)
    return [names[index] for index in range(len(told)) if index in held or (index in failed)]


def described(source, count):
    """Return the identifier and the group of each record."""
    groups = [None if source == "sqs" else "t" if source == "kafka" else ("ab" * MOST)[index] for index in range(count)]
    names = {
        "kafka": lambda index: {"partition": "orders-0", "offset": index},
        "sqs": lambda index: f"m{index}",
        "fifo": lambda index: f"m{index}",
    }
    return [(names.get(source, str)(index), groups[index]) for index in range(count)]


@pytest.mark.parametrize("source", EVENTS)
@pytest.mark.parametrize("policy", ["continue", "skip_group"])
@pytest.mark.parametrize(("kind", "workers"), [("plain", 1), ("plain", 4), ("async", 1), ("async", 4)])
@pytest.mark.usefixtures("hostile_logger")
def test_the_response_is_what_the_states_say(source, policy, kind, workers):
    """Whatever hooks, filters, dead letters and functions do to what they are given, on any number of workers."""

    @few
    @given(told=outcomes, way=st.sampled_from(["handler", "process", "aprocess"]))
    def check(told, way):
        letters, lock = [], threading.Lock()

        def body(record):
            index = number(record)
            spoil(record, set())
            if told[index] == "raises":
                raise ValueError
            if told[index] == "rejects":
                raise Reject
            return {"index": [index]}

        async def abody(record):
            await asyncio.sleep(0)
            return body(record)

        def keeps(letter):
            with lock:
                letters.append(
                    letter["identifier"] if isinstance(letter["identifier"], str) else {**letter["identifier"]}
                )
            spoil(letter, set())

        handler = batch_handler(
            abody if kind == "async" else body,
            max_concurrency=workers,
            error_policy=policy,
            dead_letter=keeps,
            hooks=[Spoils(), Spoils()],
            raise_on_full_failure=False,
        )
        event = EVENTS[source](len(told))
        records = described(source, len(told))
        if way == "handler":
            response = handler(event)
        elif way == "process":
            response = handler.process(event).response
        else:
            response = asyncio.run(handler.aprocess(event)).response
        wanted = expected(records, told, policy)
        assert response == {"batchItemFailures": [{"itemIdentifier": name} for name in wanted]}
        rejected = [records[index][0] for index, outcome in enumerate(told) if outcome == "rejects"]
        assert sorted(letters, key=str) == sorted((name for name in rejected if name not in wanted), key=str)

    check()


@pytest.mark.parametrize(("kind", "workers"), [("plain", 1), ("plain", 4), ("async", 1), ("async", 4)])
@pytest.mark.usefixtures("hostile_logger")
def test_a_bulk_step_may_spoil_all_that_it_does_not_return(kind, workers):
    """What it returned fails, and nothing else."""

    @few
    @given(told=st.lists(st.booleans(), min_size=1, max_size=MOST))
    def check(told):
        async def abody(record):
            return number(record)

        def store(succeeded):
            failed = [entry for entry in succeeded if not told[entry.value]]
            for entry in succeeded:
                spoil(entry, set())
            succeeded.clear()
            return failed

        handler = batch_handler(
            abody if kind == "async" else number,
            max_concurrency=workers,
            sink=store,
            hooks=[Spoils()],
            raise_on_full_failure=False,
        )
        wanted = [f"m{index}" for index, fine in enumerate(told) if not fine]
        assert [failure["itemIdentifier"] for failure in handler(sqs(len(told)))["batchItemFailures"]] == wanted

    check()


def test_a_state_may_be_spoiled_by_all_who_see_it():
    """What the response holds is what the functions returned, at the time."""

    @few
    @given(told=st.lists(st.booleans(), min_size=1, max_size=MOST))
    def check(told):
        kept, ended = [], []

        def fold(record, state):
            for earlier in kept:
                spoil(earlier, set())
            state["seen"].append(number(record))
            kept.append(state)
            if not told[number(record)]:
                raise ValueError
            return state

        def window_end(state):
            ended.append(state["seen"])
            spoil(state, set())

        handler = batch_handler(fold, window_end=window_end, hooks=[Spoils()], raise_on_full_failure=False)
        event = kinesis("a" * len(told), window={}, state={"seen": []}, isFinalInvokeForWindow=True)
        response = handler(event)
        good = told.index(False) if False in told else len(told)
        assert response["state"] == {"seen": list(range(good))}
        assert len(ended) == all(told)

    check()
