"""``partialbatch invoke``, by way of the command."""

from __future__ import annotations

import html
import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from partialbatch.cli import main
from partialbatch.testing import dynamodb_event, kafka_event, kinesis_event, pipes_event, sqs_event

ODD_FAILS = """
from partialbatch import batch_handler

@batch_handler(raise_on_full_failure=False)
def handler(record):
    print("handling", record.text)
    if int(record.text) % 2:
        raise ValueError(f"odd: {record.text}")
"""
CHANGE = """
from partialbatch import batch_handler

@batch_handler
def handler(record):
    if record.new_image["n"] == 2:
        raise ValueError("two")
"""


@pytest.fixture
def save(tmp_path):
    """Writes an event into a file."""

    def write(event, name="event.json"):
        (tmp_path / name).write_text(event if isinstance(event, str) else json.dumps(event))
        return name

    return write


def run(*arguments, stdin=None):
    return CliRunner().invoke(main, ["invoke", *arguments], input=stdin)


def told(*arguments, stdin=None):
    """Return the exit code and the only invocation of ``--json``."""
    done = run(*arguments, "--json", stdin=stdin)
    (invocation,) = json.loads(done.stdout)["invocations"]
    return done.exit_code, invocation


def statuses(invocation):
    return [record["status"] for record in invocation["records"]]


def ends(invocation):
    return [record["started"] + record["duration"] for record in invocation["records"]]


REPORTS = """
def handler(event, context):
    return {'batchItemFailures': [{'itemIdentifier': event['Records'][NUMBER]['messageId']}]}
"""


def test_records_the_response_and_the_verdict(module, save):
    """The lines name each record with status, duration and error, followed by the response and Lambda's reaction."""
    done = run(f"{module(ODD_FAILS)}:handler", save(sqs_event(["0", "1", "2"])))
    lines = done.stdout.splitlines()
    assert done.exit_code == 1
    assert re.fullmatch(r"event\.json: sqs, 2 succeeded, 1 failed, in [\d.]+ ms", lines[0])
    assert lines[1].split() == ["#", "identifier", "group", "status", "duration", "Lambda", "error"]
    assert re.fullmatch(r"0  0{8}-\S+0  +succeeded  [\d.]+ ms +deleted", lines[2])
    assert re.fullmatch(r"1  0{8}-\S+1  +failed     [\d.]+ ms +returns  ValueError: odd: 1 \(\w+\.py:8\)", lines[3])
    assert lines[5] == "Response:"
    assert json.loads(lines[6]) == {"batchItemFailures": [{"itemIdentifier": "00000000-0000-4000-8000-000000000001"}]}
    assert lines[7].startswith("Lambda: partial. 1 of 3 messages are reported: they become visible again")
    assert done.stderr == "handling 0\nhandling 1\nhandling 2\n"
    assert "Lost" not in done.stdout
    assert not logging.getLogger("partialbatch").disabled


STACKED = """
import functools
from partialbatch import batch_handler

def decorator(function):
    @functools.wraps(function)
    def wrapper(event, context):
        CHANGE
        return function(event, context)
    return wrapper

@decorator
@batch_handler
def handler(record):
    if record.text == "bad":
        raise ValueError("it is bad")
"""


def test_records_are_observed_through_decorators(module, save):
    """Status, error and duration of each record are seen through the decorators above the handler."""
    name = module(STACKED.replace("CHANGE", "event['seen'] = True; del event['seen']"))
    code, invocation = told(f"{name}:handler", save(sqs_event(["a", "bad"])))
    assert (code, statuses(invocation)) == (1, ["succeeded", "failed"])
    assert invocation["records"][1]["error"] == "ValueError: it is bad"
    assert invocation["records"][0]["duration"] is not None
    assert "plain function" not in run(f"{name}:handler", "event.json").stderr


@pytest.mark.parametrize("change", ["event = {'Records': event['Records'][:1]}", "return {'batchItemFailures': []}"])
def test_statuses_come_from_the_response_if_a_decorator_changes_the_event(module, save, change):
    """If the handler got another event, or was not called, the statuses come from the response."""
    name = module(STACKED.replace("CHANGE", change))
    _, invocation = told(f"{name}:handler", save(sqs_event(["a", "bad"])))
    assert statuses(invocation) == ["succeeded", "succeeded"]
    assert [record["duration"] for record in invocation["records"]] == [None, None]


RAISES = """
import json
from partialbatch import batch_handler
from partialbatch.retries import discard

@batch_handler(permanent=KeyError, dead_letter=discard)
def handler(record):
    if record.text == "letter":
        raise KeyError("k")
    json.loads(record.text)

@batch_handler
def validated(order: dict):
    pass

def plain(event, context):
    return json.loads("no json")
"""


def test_each_error_names_the_users_own_line(module, save):
    """The file and line that the user wrote stand beside each error, also where a library raised it."""
    name = module(RAISES)
    _, invocation = told(f"{name}:handler", save(sqs_event(["{}", "no json", "letter"])))
    assert [record["place"] for record in invocation["records"]] == [None, f"{name}.py:10", f"{name}.py:9"]
    _, invocation = told(f"{name}:plain", "event.json")
    assert invocation["place"] == f"{name}.py:17"
    assert f"\nRaised at {name}.py:17\n" in run(f"{name}:plain", "event.json").stdout


def test_an_error_before_the_function_names_no_line(module, save):
    """A record that fails before any line of the user's ran has no place to name."""
    name = module(RAISES)
    done = run(f"{name}:validated", save(sqs_event(["no json", "{}"])))
    assert "PayloadError: " in done.stdout
    assert ".py:" not in done.stdout


def test_a_batch_without_failures_ends_with_0(module, save):
    """A batch without failures ends with 0."""
    done = run(f"{module(ODD_FAILS)}:handler", save(sqs_event(["0", "2"])))
    assert done.exit_code == 0
    assert "Lambda: success. The response reports no failure: all 2 messages are deleted from the queue." in done.stdout


@given(fails=st.lists(st.booleans(), min_size=1, max_size=8))
def test_the_exit_code_and_every_status(odd_fails, fails):
    """Each failed record has its own status, only failed ones are delivered again, and any makes the exit code 1."""
    event = sqs_event([str(int(fail)) for fail in fails])
    code, invocation = told(f"{odd_fails}:handler", "-", stdin=json.dumps(event))
    assert statuses(invocation) == ["failed" if fail else "succeeded" for fail in fails]
    assert [record["delivered_again"] for record in invocation["records"]] == fails
    assert code == int(any(fails))


@pytest.fixture(scope="module")
def odd_fails(tmp_path_factory):
    """The path of a module; hypothesis takes no fixtures of a function."""
    path = tmp_path_factory.mktemp("odd") / "odd_fails.py"
    path.write_text(ODD_FAILS)
    before = list(sys.path)
    yield path
    sys.path[:] = before
    sys.modules.pop("odd_fails", None)


@pytest.mark.parametrize(
    ("event", "code", "groups"),
    [
        (
            sqs_event(["0", "2"], fifo=True, groups=["a", "b"]),
            ODD_FAILS,
            ["a", "b"],
        ),
        (kinesis_event(["0", "2"], partition_keys=["a", "b"]), ODD_FAILS, ["a", "b"]),
        (pipes_event(kinesis_event(["0", "2"], partition_keys="a")), ODD_FAILS, ["a", "a"]),
        (kafka_event({"t-0": ["0"], "t-1": ["2"]}), ODD_FAILS, ["t-0", "t-1"]),
        (dynamodb_event([{"id": "x", "n": 1}], keys=("id", "n")), CHANGE, ["id=x, n=1"]),
    ],
)
def test_every_source_and_its_groups(module, save, event, code, groups):
    """Records of each source are shown with the groups that they must stay in order with."""
    exit_code, invocation = told(f"{module(code)}:handler", save(event))
    assert exit_code == 0
    assert invocation["source"] in json.dumps(event)
    assert [record["group"] for record in invocation["records"]] == groups


def test_kafka_records_are_named_by_partition_and_offset(module, save):
    """A Kafka record is shown as partition@offset."""
    done = run(f"{module(ODD_FAILS)}:handler", save(kafka_event({"t-0": ["0", "1"]})))
    assert "  t-0@1  " in done.stdout
    assert "done" in done.stdout
    assert "again" in done.stdout


def test_a_stream_delivers_all_records_after_the_first_failure_again(module, save):
    """On a stream all records from the first failure on are delivered again, even those that succeeded."""
    code, invocation = told(f"{module(ODD_FAILS)}:handler", save(kinesis_event(["0", "1", "2"])))
    assert code == 1
    assert statuses(invocation) == ["succeeded", "failed", "succeeded"]
    assert [record["delivered_again"] for record in invocation["records"]] == [False, True, True]


def test_skipped_records_say_why(module, save):
    """A record that was not started has a reason and no duration."""
    _, invocation = told(f"{module(ODD_FAILS)}:handler", save(sqs_event(["1", "2"], fifo=True)))
    skipped = invocation["records"][1]
    assert (skipped["status"], skipped["duration"], skipped["started"], skipped["worker"]) == (
        "skipped",
        None,
        None,
        None,
    )
    assert skipped["error"] == "not started: a record before it failed (error_policy 'stop')"


def test_a_handler_that_raises_has_no_response(module, save):
    """If the handler raises, there is no response, and the records keep their own statuses."""
    name = module(ODD_FAILS.replace("(raise_on_full_failure=False)", ""))
    code, invocation = told(f"{name}:handler", save(sqs_event(["1", "3"])))
    assert code == 1
    assert (invocation["verdict"], invocation["response"]) == ("failure", None)
    assert invocation["error"].startswith("FullBatchFailure: 2 of 2 sqs records failed")
    assert [record["error"] for record in invocation["records"]] == ["ValueError: odd: 1", "ValueError: odd: 3"]


def test_group_by_names_the_groups(module, save):
    """With group_by the groups are those of the handler; where it raises there is none."""
    name = module(
        "from partialbatch import batch_handler\n"
        "@batch_handler(group_by=lambda record: {'a': 1, 'b': 'two', 'c': None}[record.text])\n"
        "def handler(record): pass"
    )
    _, invocation = told(f"{name}:handler", save(sqs_event(["a", "b", "c", "d"])))
    assert [record["group"] for record in invocation["records"]] == ["1", "two", None, None]
    assert statuses(invocation) == ["succeeded", "succeeded", "succeeded", "failed"]


def test_workers_and_times_of_threads(module, save):
    """Records that run side by side have different workers and overlapping times; a worker has one at a time."""
    name = module(
        "import threading\nfrom partialbatch import batch_handler\nboth = threading.Barrier(2)\n"
        "@batch_handler(max_concurrency=2)\ndef handler(record): both.wait(10)"
    )
    _, invocation = told(f"{name}:handler", save(sqs_event(["a", "b"])))
    first, second = invocation["records"]
    assert first["worker"] != second["worker"]
    assert max(first["started"], second["started"]) < min(
        record["started"] + record["duration"] for record in (first, second)
    )


def test_async_records_at_work_have_different_numbers(module, save):
    """Async records at work at once have different numbers, each free again when its record ends."""
    name = module(
        "import asyncio\nfrom partialbatch import batch_handler\n"
        "@batch_handler(max_concurrency=2)\n"
        "async def handler(record):\n    await asyncio.sleep(float(record.text))\n    assert record.text != '0.02'"
    )
    _, invocation = told(f"{name}:handler", save(sqs_event(["0.1", "0.01", "0.02", "0.01"])))
    assert [record["worker"] for record in invocation["records"]] == ["task 1", "task 2", "task 2", "task 2"]
    assert statuses(invocation) == ["succeeded", "succeeded", "failed", "succeeded"]
    assert invocation["records"][2]["started"] >= ends(invocation)[1]
    assert invocation["records"][0]["duration"] >= 0.1


def test_an_async_handler_that_cannot_be_called(module, save):
    """A record whose payload doesn't fit an async function fails before there is anything to await."""
    name = module("from partialbatch import batch_handler\n@batch_handler\nasync def handler(order: dict): pass")
    _, invocation = told(f"{name}:handler", save(sqs_event(["no json", "{}"])))
    assert statuses(invocation) == ["failed", "succeeded"]
    assert [record["worker"] for record in invocation["records"]] == ["task 1", "task 1"]


def test_a_plain_functions_records_are_read_from_its_response(module, save):
    """A plain function's records are read from its response, which the output says."""
    name = module(REPORTS.replace("NUMBER", "0"))
    done = run(f"{name}:handler", save(sqs_event(["a", "b"])))
    assert done.exit_code == 1
    assert done.stderr.startswith(f"Note: {name}:handler is a plain function")
    assert "(The statuses are read from the response; they are the handler's own claims.)" in done.stdout
    _, invocation = told(f"{name}:handler", "event.json")
    assert statuses(invocation) == ["failed", "succeeded"]
    assert invocation["inferred"] is True


def test_only_the_first_reported_record_of_a_plain_function_surely_ran(module, save):
    """If several records of a FIFO queue are reported, only the first certainly ran."""
    name = module(
        "def handler(event, context):\n"
        "    return {'batchItemFailures': [{'itemIdentifier': raw['messageId']} for raw in event['Records'][1:]]}"
    )
    _, invocation = told(f"{name}:handler", save(sqs_event(["a", "b", "c"], fifo=True)))
    assert statuses(invocation) == ["succeeded", "failed", "unknown"]


@pytest.mark.parametrize(
    ("body", "verdict", "reason"),
    [
        ("raise RuntimeError('boom [x]')", "failure", "RuntimeError: boom [x]"),
        ("raise SystemExit", "failure", "the process exited"),
        ("return {1, 2}", "failure", "Runtime.MarshalError"),
        ("return {'batchItemFailures': [{'id': 'a'}]}", "failure", " batchItemFailures[0] has no key 'itemIdentifier'"),
        ("return {'batchItemFailure': []}", "success", "has no key 'batchItemFailures'"),
        ("return None", "success", "The response is empty"),
        ("return b''", "success", "The response is empty"),
    ],
)
def test_answers_as_lambda_reads_them(module, save, tmp_path, body, verdict, reason):  # fixtures and cases
    """Whatever a plain function answers is judged as Lambda does, and shown without a traceback."""
    name = module(f"def handler(event, context):\n    {body}")
    done = run(f"{name}:handler", save(sqs_event(["a", "b"])), "--report", "out.html")
    assert f"Lambda: {verdict}. " in done.stdout
    assert reason in done.stdout
    assert reason in html.unescape((tmp_path / "out.html").read_text())
    assert done.exit_code == int(verdict == "failure")
    assert "Traceback" not in done.output


def test_without_report_shows_lost_records(module, save):
    """--without-report shows for any handler which records are lost without ReportBatchItemFailures."""
    plain = REPORTS.replace("NUMBER", "1")
    for code in (ODD_FAILS, plain):
        done = run(f"{module(code)}:handler", save(sqs_event(["0", "1"])), "--without-report")
        assert done.exit_code == 1
        assert "Lambda: success. The event source mapping has no ReportBatchItemFailures" in done.stdout
        assert "Lost: 1 record did not succeed and will not be delivered again." in done.stdout
    done = run(f"{module(ODD_FAILS)}:handler", save(sqs_event(["1", "3"])), "--without-report")
    assert "Lost: 2 records did not succeed" in done.stdout


@pytest.mark.parametrize("body", ["return 'text'", "return {'batchItemFailures': 1}"])
def test_a_plain_response_that_nobody_reads(module, save, body):
    """A function that never meant to answer loses nothing by not being read."""
    name = module(f"def handler(event, context):\n    {body}")
    code, invocation = told(f"{name}:handler", save(sqs_event(["a"])), "--without-report")
    assert (code, statuses(invocation)) == (0, ["succeeded"])
    code, invocation = told(f"{name}:handler", save(sqs_event(["a"])))
    assert code == 1


def test_a_plain_function_that_raises_without_report(module, save):
    """An error is a failure of the invocation with or without the setting."""
    name = module("def handler(event, context): raise ValueError")
    code, invocation = told(f"{name}:handler", save(sqs_event(["a"])), "--without-report")
    assert (code, statuses(invocation)) == (1, ["failed"])


def test_several_events_and_standard_input(module, save):
    """Several files run one after another; - is standard input."""
    name = module(ODD_FAILS)
    done = run(
        f"{name}:handler", save(sqs_event(["0"]), "one.json"), "-", "--json", stdin=json.dumps(kinesis_event(["2"]))
    )
    document = json.loads(done.stdout)
    assert document["handler"] == f"{name}:handler"
    assert [invocation["event"] for invocation in document["invocations"]] == ["one.json", "standard input"]
    assert document["not_run"] == []
    assert done.exit_code == 0


def test_one_failure_of_several_events(module, save):
    """The exit code is 1 if any of several events has a failure."""
    events = [save(sqs_event([text]), f"{text}.json") for text in ("0", "1", "2")]
    assert run(f"{module(ODD_FAILS)}:handler", *events).exit_code == 1


def test_the_handler_gets_an_event_of_its_own(module, save):
    """A handler that changes its event doesn't change the output."""
    name = module(
        "from partialbatch import RawRecord, batch_handler\n@batch_handler(raise_on_full_failure=False)\n"
        "def handler(raw: RawRecord):\n    raw.clear()\n    raise ValueError"
    )
    _, invocation = told(f"{name}:handler", save(sqs_event(["a", "b"], fifo=True)))
    assert invocation["records"][1]["identifier"] == "00000000-0000-4000-8000-000000000001"
    assert invocation["records"][1]["group"] == "group"
    assert invocation["reason"].startswith("2 of 2 messages are reported")


def test_events_of_a_custom_source_run(module, save):
    """Events of a custom source run; Lambda's rules for them are reported as unknown."""
    name = module(
        "from types import SimpleNamespace as Space\n"
        "from partialbatch import batch_handler, ErrorPolicy\n"
        "class Lines:\n"
        "    name, partial_response = 'lines', True\n"
        "    matches = staticmethod(lambda event: 'lines' in event)\n"
        "    records = staticmethod(lambda event: event['lines'])\n"
        "    identifier = staticmethod(lambda raw: raw['id'])\n"
        "    payload = staticmethod(lambda raw: raw)\n"
        "    view = staticmethod(lambda raw: Space(raw=raw, identifier=raw['id'], payload=raw))\n"
        "    group = staticmethod(lambda raw: None)\n"
        "    policy = staticmethod(lambda records: ErrorPolicy.CONTINUE)\n"
        "@batch_handler(source=Lines())\n"
        "def handler(record):\n    if record.identifier == 'b': raise ValueError\n"
        "    if record.identifier == 'z': raise SystemExit\n"
    )
    target = f"{name}:handler"
    code, invocation = told(target, save({"lines": [{"id": "a"}, {"id": "b"}]}))
    assert (code, invocation["verdict"]) == (1, "partial")
    assert [record["delivered_again"] for record in invocation["records"]] == [False, True]
    assert "Lambda's rules for your own event source 'lines' are not known" in invocation["reason"]
    assert told(target, save({"lines": [{"id": "a"}]}))[1]["verdict"] == "success"
    code, invocation = told(target, save({"lines": [{"id": "b"}]}))
    assert (invocation["verdict"], invocation["records"][0]["delivered_again"]) == ("failure", True)
    code, invocation = told(target, save({"lines": [{"id": "a"}, {"id": "z"}]}))
    assert statuses(invocation) == ["succeeded", "failed"]
    assert "the process exited" in invocation["error"]
    done = run(target, save(sqs_event(["a"])))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the handler has source='lines'" in done.stderr


def test_an_empty_batch_succeeds(module, save):
    """An empty batch is handled, and nothing is delivered again."""
    done = run(f"{module(ODD_FAILS)}:handler", save({"Records": []}))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].startswith("event.json: no source, no records")
    assert "Lambda: success. The event has no records." in done.stdout


def test_the_last_event_of_a_window(module, save):
    """A window's last event may carry no records; its answer must have a state all the same."""
    event = save(kinesis_event([], window={"isFinalInvokeForWindow": True}))
    assert told(f"{module(ODD_FAILS)}:handler", event)[1]["verdict"] == "success"
    code, invocation = told(f"{module('def handler(event, context): pass')}:handler", event)
    assert (code, invocation["verdict"]) == (1, "failure")
    assert "must contain 'state'" in invocation["reason"]


def test_a_bad_setting_in_the_environment_ends_with_2(module, save, monkeypatch):
    """A bad setting in the environment gives one line, also for a plain function."""
    monkeypatch.setenv("PARTIALBATCH_MAX_CONCURRENCY", "many")
    for code in (ODD_FAILS, "def handler(event, context): pass"):
        done = run(f"{module(code)}:handler", save(sqs_event(["0"])))
        assert done.exit_code == 2
        assert "PARTIALBATCH_MAX_CONCURRENCY='many' is not possible" in done.stderr.splitlines()[-1]


def test_a_handler_that_refuses_the_event(module, save):
    """An error that a handler raises before any record runs fails the invocation; no record was started."""
    name = module("from partialbatch import batch_handler\n@batch_handler\ndef handler(record, state): pass")
    code, invocation = told(f"{name}:handler", save(kinesis_event(["a"])))
    assert code == 1
    assert statuses(invocation) == ["skipped"]
    assert "'state' parameter" in invocation["error"]


def test_the_window_state_is_part_of_the_response(module, save):
    """The state is part of the response."""
    name = module(
        "from partialbatch import batch_handler\n@batch_handler\n"
        "def handler(record, state): return {'n': state.get('n', 0) + 1}"
    )
    code, invocation = told(f"{name}:handler", save(kinesis_event(["a", "b"], window={})))
    assert (code, invocation["response"]["state"]) == (0, {"n": 2})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "event.json isn't JSON (line 1, column 2)"),
        ("[" * 200_000, "event.json isn't an event: it is nested too deeply"),
        ("5", "event.json isn't an event for this handler: this isn't a batch that partialbatch knows"),
        ('{"Records": [{"Sns": {}}]}', "isn't a batch that partialbatch knows"),
        ('{"eventSource": "aws:kafka", "records": 5}', "event.json isn't an event for this handler"),
        ('[{"eventSource": "aws:sqs"}]', "record 0 of the sqs event can't be reported: it has no 'messageId'"),
        ('[{"eventSource": "aws:sqs", "messageId": ""}]', "record 0 of the sqs event has an empty identifier"),
        ('{"Records": [{"eventSource": "aws:kinesis", "kinesis": 5}]}', "its identifier isn't valid (TypeError)"),
        (
            '{"Records": [{"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "x"}}]}',
            "its identifier isn't valid (ValueError)",
        ),
        ('{"Records": [{"eventSource": "aws:sqs", "messageId": 5}]}', "its identifier is of type int"),
        ('{"Records": {"a": 1}}', "event.json isn't an event for this handler"),
    ],
)
def test_a_file_that_is_not_an_event_ends_with_2(module, save, text, why):
    """A file that isn't an event gives one line, and nothing runs."""
    done = run(f"{module(ODD_FAILS)}:handler", save(text))
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in done.stderr
    assert done.stderr.startswith("Error: event.json")
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_utf8_ends_with_2(module, tmp_path):
    """A file that isn't UTF-8 isn't JSON; a byte order mark does no harm."""
    name = module(ODD_FAILS)
    (tmp_path / "event.json").write_bytes(b"\xff\xff")
    done = run(f"{name}:handler", "event.json")
    assert (done.exit_code, done.stderr) == (2, "Error: event.json isn't JSON: it isn't UTF-8 text\n")
    (tmp_path / "event.json").write_text(json.dumps(sqs_event(["0"])), "utf-8-sig")
    assert run(f"{name}:handler", "event.json").exit_code == 0


def test_unreadable_files_end_with_2(module, save, monkeypatch):
    """Missing files, - given twice and errors in reading are usage errors."""
    target = f"{module(ODD_FAILS)}:handler"
    assert run(target).exit_code == 2
    assert run(target, "nowhere.json").stderr == "Error: File 'nowhere.json' does not exist\n"
    assert run(target, ".").stderr == "Error: File '.' is a directory\n"
    assert "standard input (-) can be read only once; name it once" in run(target, "-", "-").stderr
    done = run(target, "/proc/self/mem")
    assert (done.exit_code, done.stderr) == (2, "Error: /proc/self/mem can't be read: Input/output error\n")


def test_an_unloadable_handler_ends_with_2(module, save):
    """A handler that can't be loaded gives one line, after its module's output."""
    done = run("nowhere_at_all:handler", save(sqs_event(["a"])))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: there is no module 'nowhere_at_all'")
    assert done.stderr.count("\n") == 1


SHOWS_CONTEXT = """
from partialbatch import batch_handler

@batch_handler
def handler(record, context):
    left = 0 < context.get_remaining_time_in_millis() <= 7000
    raise ValueError(f"{context.function_name} {context.memory_limit_in_mb} {left} {len(context.aws_request_id)}")
"""


def test_options_set_the_context(module, save, tmp_path):
    """--timeout sets the remaining time, --context the attributes, as JSON or from a file."""
    target, event = f"{module(SHOWS_CONTEXT)}:handler", save(sqs_event(["a"]))
    given_inline = ("--timeout", "7", "--context", '{"function_name": "orders", "memory_limit_in_mb": 256}')
    _, invocation = told(target, event, *given_inline)
    assert invocation["records"][0]["error"] == "ValueError: orders 256 True 36"
    (tmp_path / "context.json").write_text('{"aws_request_id": "beef"}')
    _, invocation = told(target, event, "--context", "context.json")
    assert invocation["records"][0]["error"] == "ValueError: handler 128 False 4"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("nowhere.json", "nowhere.json can't be read: No such file"),
        ("{", "it isn't JSON"),
        ("list.json", "it isn't a JSON object"),
        ("deep.json", "it isn't JSON"),
        ('{"functionName": "x"}', "the context has no 'functionName'; it has aws_request_id"),
        ('{"timeout": 3}', "; set the remaining time with --timeout"),
        ('{"_deadline": 3}', "the context has no '_deadline'"),
    ],
)
def test_an_unusable_context_is_named(module, save, given, why):
    """A context that can't be used gives one line that names the problem."""
    save("[]", "list.json")
    save("[" * 100_000, "deep.json")
    done = run(f"{module(SHOWS_CONTEXT)}:handler", save(sqs_event(["a"])), "--context", given)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: --context: ")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("timeout", ["0", "0.0004", "-1", "901", "soon"])
def test_the_timeout_has_lambdas_limits(module, save, timeout):
    """The timeout is at least a millisecond and at most 900 seconds, as Lambda's."""
    done = run(f"{module(ODD_FAILS)}:handler", save(sqs_event(["0"])), "--timeout", timeout)
    assert done.exit_code == 2
    assert "--timeout" in done.stderr


HANGS = """
import threading
from partialbatch import batch_handler
released = threading.Event()

@batch_handler(deadline_margin=None)
def handler(record):
    if record.text == "bad":
        raise ValueError("bad")
    if record.text == "hang":
        released.wait(60)

def plain(event, context):
    released.wait(60)
"""


def command(*arguments):
    line = [sys.executable, "-c", "from partialbatch.cli import main; main(prog_name='partialbatch')", "invoke"]
    environment = os.environ | {"PYTHONUNBUFFERED": ""}  # what is not flushed shall be missed
    return subprocess.Popen(
        [*line, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_a_handler_that_hangs_is_ended(module, save):
    """At the timeout the process ends, telling how far each record got; the other events are named as not run."""
    name = module(HANGS)
    started = monotonic()
    process = command(
        f"{name}:handler",
        save(sqs_event(["a", "bad", "hang", "b"])),
        save(sqs_event(["a"]), "next.json"),
        "--timeout",
        "1",
        "--json",
        "--report",
        "out.html",
    )
    stdout, stderr = process.communicate(timeout=50)
    document = json.loads(stdout)
    (invocation,) = document["invocations"]
    assert process.returncode == 1
    assert monotonic() - started < 40
    assert statuses(invocation) == ["succeeded", "failed", "running", "skipped"]
    assert all(record["delivered_again"] for record in invocation["records"])
    assert "Task timed out after 1.00 seconds" in invocation["error"]
    assert document["not_run"] == ["next.json"]
    assert "Error: not run because of the timeout: next.json" in stderr
    assert "Report: out.html" in stderr


@pytest.mark.parametrize(
    ("target", "expected"),
    [("handler", ["succeeded", "failed", "running", "skipped"]), ("plain", ["unknown"] * 4)],
)
def test_statuses_at_a_timeout_are_those_reached(module, save, monkeypatch, target, expected):
    """At the timeout our records have the statuses reached; those of a plain function are unknown."""
    name = module(HANGS)
    codes = []

    def exit_instead(code):
        codes.append(code)
        sys.modules[name].released.set()

    monkeypatch.setattr("partialbatch.cli.invoke.command.os._exit", exit_instead)
    events = save(sqs_event(["a", "bad", "hang", "b"])), save(sqs_event(["a"]), "next.json")
    done = run(f"{name}:{target}", *events, "--timeout", "0.5", "--json")
    invocation = json.JSONDecoder().raw_decode(done.stdout)[0]["invocations"][0]
    assert codes == [1]
    assert statuses(invocation) == expected
    assert "timed out after 0.50 seconds" in invocation["reason"]
    assert "Error: not run because of the timeout: next.json" in done.stderr


def test_ctrl_c_ends_the_command_without_a_traceback(module, save, tmp_path):
    """Ctrl-C ends the command at once, with a word and no traceback."""
    name = module(HANGS.replace('if record.text == "hang":', "open('running', 'w').close()\n    if 1:"))
    process = command(f"{name}:handler", save(sqs_event(["hang"])))
    while not (tmp_path / "running").exists() and process.poll() is None:
        sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert (stdout, stderr.strip()) == ("", "Aborted!")


def test_verbose_lets_the_logs_through(module, save):
    """Without --verbose our own log lines are kept back; with it they go to standard error."""
    name, event = module(ODD_FAILS), save(sqs_event(["0", "1"]))
    _, quiet = command(f"{name}:handler", event).communicate(timeout=50)
    stdout, loud = command(f"{name}:handler", event, "-v", "--json").communicate(timeout=50)
    assert quiet == "handling 0\nhandling 1\n"
    assert "WARNING partialbatch sqs record 00000000-0000-4000-8000-000000000001 failed: ValueError" in loud
    assert "Traceback" in loud
    assert re.findall(r'File "(.*)", line (\d+)', loud) == [(str(Path(f"{name}.py").resolve()), "8")]
    json.loads(stdout)


REFUSES = """
from partialbatch import batch_handler

class Hook:
    def on_batch_end(self, result):
        raise RuntimeError("of a hook")

def refuse(letter):
    raise RuntimeError("of a queue")

@batch_handler(permanent=ValueError, dead_letter=refuse, hooks=[Hook()])
def handler(record):
    raise ValueError("of a record")
"""


def test_logs_that_say_more_than_the_table_are_shown(module, save, caplog):
    """A refused dead letter and a hook that raised are on standard error; errors in the table are not."""
    assert run(f"{module(REFUSES)}:handler", save(sqs_event(["a"]))).exit_code == 1
    first, second = [record.getMessage() for record in caplog.records]
    assert first.startswith("the dead letter of sqs record")
    assert second == "a hook raised in on_batch_end"


def test_the_report_is_written(module, save, tmp_path):
    """--report writes a page and says where."""
    done = run(f"{module(ODD_FAILS)}:handler", save(sqs_event(["0"])), "--report", "out.html")
    assert done.exit_code == 0
    assert done.stderr.endswith("Report: out.html\n")
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")


def test_a_report_is_written_where_the_command_was_started(module, save, tmp_path, monkeypatch):
    """A handler that changes the working directory does not take the report along."""
    name = module("import os\ndef handler(event, context): os.chdir('/')")
    assert run(f"{name}:handler", save(sqs_event(["0"])), "--report", "out.html").exit_code == 0
    assert (tmp_path / "out.html").exists()


def test_an_unwritable_report_is_named(module, save, tmp_path):
    """A missing folder is reported before anything runs; a failed write afterwards, with the result."""
    target, event = f"{module(ODD_FAILS)}:handler", save(sqs_event(["0"]))
    done = run(target, event, "--report", "nowhere/out.html")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "there is no folder nowhere" in done.stderr
    done = run(target, event, "--report", "/dev/full")
    assert done.exit_code == 2
    assert "Lambda: success" in done.stdout
    assert done.stderr.endswith("Error: --report /dev/full: No space left on device\n")


def test_on_80_columns_identifiers_are_shortened(module, save, on_terminal):
    """On 80 columns identifiers are cut in the middle, empty columns left out, and markup in errors is text."""
    name = module(ODD_FAILS.replace("odd: ", "[bold]odd[/bold] "))
    code, shown = on_terminal("invoke", f"{name}:handler", save(sqs_event(["0", "1"])))
    assert code == 1
    assert "00000000…00000001" in shown
    assert "[bold]odd[/bold]" in shown
    assert " group" not in shown.partition("Response")[0]
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert '      "itemIdentifier": "00000000-0000-4000-8000-000000000001"' in shown


@pytest.mark.parametrize("columns", [40, 80])
def test_control_characters_of_a_record_are_escaped(module, save, on_terminal, columns):
    """Control characters in a record's error or group are escaped for the terminal."""
    name = module(ODD_FAILS.replace("odd: ", "\\x1b]0;title\\x07\\x9b2J"))
    event = save(sqs_event(["1"], fifo=True, groups=["\x1b[2J"]))
    code, shown = on_terminal("invoke", f"{name}:handler", event, columns=columns)
    assert (code, "\x1b" in shown, "\x9b" in shown) == (1, False, False)
    words = "".join(shown.split())
    assert "\\x1b[2J" in words
    assert "ValueError:\\x1b]0;title\\x07\\x9b2J" in words


def test_a_terminal_too_narrow_for_a_table(module, save, on_terminal):
    """On fewer columns each record has lines of its own, in which nothing is left out."""
    event = save(sqs_event(["1", "2", "3"], fifo=True, groups=["a", "b", "a"]))
    code, shown = on_terminal("invoke", f"{module(ODD_FAILS)}:handler", event, columns=40)
    assert code == 1
    assert all(len(line) <= 40 for line in shown.splitlines())
    words = " ".join(shown.split())
    assert re.search(r"0 00000000…00000000 a failed \S+ ms returns ValueError: odd: 1", words)
    assert "1 00000000…00000001 b skipped returns 2 " in words
    assert words.count("not started") == 1


def test_on_a_wide_terminal_identifiers_are_complete(module, save, on_terminal):
    """On a wide terminal identifiers are complete, and the reason for skipped records is printed once."""
    code, shown = on_terminal(
        "invoke", f"{module(ODD_FAILS)}:handler", save(sqs_event(["1", "2", "3"], fifo=True)), columns=160
    )
    assert code == 1
    assert "00000000-0000-4000-8000-000000000001" in shown
    assert shown.count("2 not started: a record before it failed") == 1
    assert shown.count("not started") == 1


def test_repeated_work_has_another_colour(module, save, on_terminal):
    """A record that succeeded and is delivered again has that in another colour."""
    event = save(kinesis_event(["0", "1", "2"]))
    code, shown = on_terminal("invoke", f"{module(ODD_FAILS)}:handler", event, colours=True)
    assert code == 1
    assert shown.count("\x1b[33magain") == 1


def test_of_a_large_batch_only_failures_are_shown(module, save, on_terminal):
    """For a large batch, a terminal shows the records that did not succeed and the number of the others."""
    texts = ["0"] * 60 + ["1"] + ["0"] * 20
    code, shown = on_terminal("invoke", f"{module(ODD_FAILS)}:handler", save(kinesis_event(texts)))
    assert code == 1
    assert "ValueError: odd: 1" in shown
    assert "(80 more records; use a pipe or --json to see all of them)" in shown
    code, shown = on_terminal("invoke", f"{module(ODD_FAILS)}:handler", save(sqs_event(["0"] * 60)))
    assert "(60 more records; use a pipe or --json to see all of them)" in shown
    code, shown = on_terminal("invoke", f"{module(ODD_FAILS)}:handler", save(sqs_event(["1"] * 60)))
    assert "(10 more records;" in shown
    assert '{"batchItemFailures": [{"itemIdentifier": ' in shown
