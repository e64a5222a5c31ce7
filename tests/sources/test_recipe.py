"""The recipe "add a source": one object with the methods of `EventSource`, given as ``source=``."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import ErrorPolicy, Record, batch_handler
from partialbatch.errors import EventError
from partialbatch.sources import Record as PublicRecord

LINES = ["a:1", "b:2", "a:3", "b:4", "a:5"]


class Journal:
    """Lines of a journal, ``key:number``, each at an offset; lines of one key have an order."""

    name, partial_response = "journal", True

    def matches(self, event):
        return isinstance(event, dict) and "journal" in event

    def records(self, event):
        return [{"offset": offset, "line": line} for offset, line in enumerate(event["journal"])]

    def identifier(self, raw):
        return {"journal": "main", "offset": raw["offset"]}

    def payload(self, raw):
        return raw["line"].partition(":")[2]

    def view(self, raw):
        return Record(raw, self)

    def group(self, raw):
        return raw["line"].partition(":")[0]

    def policy(self, records):
        return ErrorPolicy.SKIP_GROUP


def offsets(response):
    return [failure["itemIdentifier"]["offset"] for failure in response["batchItemFailures"]]


def make(kind, workers, body):
    async def awaits(payload: str):
        await asyncio.sleep(0)
        body(int(payload))

    def plain(payload: str):
        body(int(payload))

    return batch_handler(awaits if kind == "async" else plain, source=Journal(), max_concurrency=workers)


RUNNERS = pytest.mark.parametrize(("kind", "workers"), [("plain", 1), ("plain", 3), ("async", 1), ("async", 3)])


@RUNNERS
def test_a_source_of_ones_own_gives_payloads_groups_policy_and_identifiers(kind, workers):
    """Nothing but the object is needed: its payloads are decoded, and its policy holds back its groups."""
    ran = []

    def body(payload):
        ran.append(payload)
        if payload == 1:
            raise ValueError

    handler = make(kind, workers, body)
    assert offsets(handler({"journal": LINES})) == [0, 2, 4]
    assert sorted(ran) == [1, 2, 4]
    result = handler.process({"journal": LINES})
    assert [entry.status for entry in result.results] == ["failed", "succeeded", "skipped", "succeeded", "skipped"]
    assert all(isinstance(entry.record, PublicRecord) for entry in result.results)
    assert offsets(asyncio.run(handler.aprocess({"journal": LINES})).response) == [0, 2, 4]


def test_an_event_that_the_source_does_not_know_is_refused():
    """The handler serves this source alone."""
    with pytest.raises(EventError, match="journal"):
        make("plain", 1, print)({"Records": []})


def test_an_event_without_records_is_an_empty_batch():
    """The source decides which records there are: none is no failure."""
    assert make("plain", 1, print)({"journal": []}) == {"batchItemFailures": []}


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.sets(st.integers(0, 7)))
def test_each_line_runs_in_its_groups_order_or_is_reported(keys, failing):
    """Whatever fails: behind it nothing of its group runs, and everything that has not succeeded is reported."""
    ran = []

    def body(payload):
        ran.append(payload)
        if payload in failing:
            raise ValueError

    handler = batch_handler(lambda record: body(int(record.payload)), source=Journal(), raise_on_full_failure=False)
    back = offsets(handler({"journal": [f"{key}:{index}" for index, key in enumerate(keys)]}))
    assert sorted([*back, *(index for index in ran if index not in failing)]) == list(range(len(keys)))
    for key in set(keys):
        mine = [index for index, other in enumerate(keys) if other == key]
        first = next((index for index in mine if index in failing), None)
        assert [index for index in ran if index in mine] == [i for i in mine if first is None or i <= first]
