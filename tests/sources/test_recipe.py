"""The recipes "add an event source": a user's own is one object, and a built-in one a module and four lines."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import partialbatch
from partialbatch import ErrorPolicy, Record, batch_handler
from partialbatch._core import validation
from partialbatch.errors import EventError
from partialbatch.sources import BUILT_IN, VIEWS, _refusal
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


RABBIT = '''
from __future__ import annotations

from partialbatch.sources._detection import RECORDS, Listed
from partialbatch.sources.record import Record
from partialbatch.types import ErrorPolicy


class RabbitRecord(Record):
    """A view of a message."""

    __slots__ = ()


class RabbitSource(Listed):
    """Messages of a queue."""

    name = "rabbit"
    origins = ((RECORDS, "aws:rabbit"),)
    partial_response = True

    def identifier(self, raw):
        return raw["tag"]

    def payload(self, raw):
        return raw["body"]

    def view(self, raw):
        return RabbitRecord(raw, self)

    def group(self, raw):
        return None

    def policy(self, records):
        return ErrorPolicy.CONTINUE


RabbitRecord._default_source = RabbitSource()
'''
EDITS = (
    (
        "sources/__init__.py",
        "from partialbatch.sources.record",
        "from partialbatch.sources.rabbit import RabbitRecord, RabbitSource\n",
    ),
    ("sources/__init__.py", "    SQSSource,\n", "    RabbitSource,\n"),
    ("sources/__init__.py", '    SQSRecord: "sqs",\n', '    RabbitRecord: "rabbit",\n'),
    ("sources/_refusal.py", '"aws:sqs", "aws:kinesis"', '"aws:rabbit", '),
)
"""Files, and the lines to add before others: all that the core needs for one more event source."""

HAVE_THEM = "(only kinesis and dynamodb do)"
TRIAL = """
import json
from partialbatch import ErrorPolicy, batch_handler
from partialbatch.errors import ConfigurationError, EventError
from partialbatch.sources.rabbit import RabbitRecord

def number(order: dict, record: RabbitRecord):
    return 1 / order["n"]

def fold(record, state):
    return state

records = [{"eventSource": "aws:rabbit", "tag": f"t{n}", "body": json.dumps({"n": n})} for n in range(3)]
print(batch_handler(number)({"Records": records}))
print(batch_handler(source="rabbit", max_concurrency=2)(number)({"Records": records}))
print(batch_handler(lambda view: view)(({"Records": records})), RabbitRecord(records[0]).source)
for wrong in (
    lambda: batch_handler(number)(records[0]),
    lambda: batch_handler(source="rabbit", max_receive_count=3)(number),
    lambda: batch_handler(source="rabbit")(fold),
    lambda: batch_handler(source="sqs")(number)({"Records": records}),
):
    try:
        wrong()
    except (ConfigurationError, EventError) as error:
        print(error)
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package to which the recipe for a built-in source was applied."""
    package = Path(partialbatch.__file__).parent
    shutil.copytree(package, tmp_path / "partialbatch", ignore=shutil.ignore_patterns("cli", "testing", "__pycache__"))
    (tmp_path / "partialbatch" / "sources" / "rabbit.py").write_text(RABBIT)
    for name, line, addition in EDITS:
        path = tmp_path / "partialbatch" / name
        before, found, after = path.read_text().partition(line)
        assert found, line
        path.write_text(f"{before}{addition}{found}{after}")
    return tmp_path


def test_a_built_in_source_needs_a_module_and_four_lines(copy):
    """Events tell it by themselves, ``source=`` takes its name, and options of other sources are refused."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment["PYTHONPATH"] = os.fspath(copy)
    command = [sys.executable, "-c", TRIAL]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.count("ZeroDivisionError: ") == 2, done.stderr
    failed = "{'batchItemFailures': [{'itemIdentifier': 't0'}]}"
    auto, named, views, *refusals = done.stdout.splitlines()
    assert (auto, named, views) == (failed, failed, "{'batchItemFailures': []} rabbit")
    single, *refusals = refusals
    assert single.startswith("this is one record from aws:rabbit and not a batch; ")
    assert refusals == [
        "max_receive_count works with sqs, not with source='rabbit'; remove it",
        f"fold has a 'state' parameter, and source='rabbit' has no tumbling windows {HAVE_THEM}: remove the parameter",
        "the handler has source='sqs', and the event is from rabbit; correct source=, or remove it",
    ]


def test_built_in_sources_are_named_alike_everywhere():
    """The classes, the views, the values of ``source=`` and the senders whose single records are known agree."""
    names = {source.name for source in BUILT_IN}
    assert names == set(VIEWS.values()) == set(validation.SOURCES) - {"auto"}
    assert {sender for source in BUILT_IN for _, sender in source.origins} == set(_refusal._KNOWN)
