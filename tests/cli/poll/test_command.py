"""Tests of the command's options, output and errors."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import closing
from pathlib import Path

import pytest

from partialbatch.cli.poll.checkpoints import Checkpoints

PLAIN = """
from collections import Counter
sizes = []
def handler(event, context):
    sizes.append(len(event["Records"]))
    print("the handler speaks")
def fails(event, context):
    raise ValueError("the database is away")
"""


def endpoint(services):
    return services.sqs.meta.endpoint_url


def last(result):
    return json.loads(result.stdout.splitlines()[-1])


def queue(services, bodies, **options):
    url, dead = services.queue(**options)
    services.send(url, bodies)
    return url, dead


def test_json_prints_one_object_per_batch(services, poll, app, handled, events):
    """Each batch is one JSON object a line, with the identifiers that return and never a body; then the figures."""
    url, dead = queue(services, ["a", "bad"], max_receive_count=2)
    result = poll(f"{app}:handler", "--queue", url, "--wait", 0, "--retry-after", 0, "--until-empty", "--json")
    assert result.exit_code == 0
    told = events(result.stdout)
    assert [event["event"] for event in told] == ["polling", "invocation", "invocation", "stopped"]
    assert told[0] | {"time": ""} == {"event": "polling", "time": "", "source": url, "handler": f"{app}:handler"}
    assert (told[1]["records"], told[1]["verdict"], len(told[1]["returned"])) == (2, "partial", 1)
    assert told[2]["returned"] == told[1]["returned"]
    figures = {"invocations": 2, "delivered": 3, "handled": 1, "returned": 2, "given_up": 0}
    assert {key: told[3][key] for key in figures} == figures
    assert '"bad"' not in result.stdout
    assert handled() == ["a", "bad", "bad"]
    assert services.bodies(dead) == ["bad"]


def test_plain_prints_one_line_per_batch(services, poll, module):
    """Without --json there is one line per batch; a plain function gets a note, and prints to stderr."""
    url, _ = queue(services, ["a"])
    result = poll(f"{module(PLAIN)}:handler", "--queue", url, "--wait", 0, "--until-empty")
    assert result.exit_code == 0
    lines = [line[10:] for line in result.stdout.splitlines()]
    assert lines[0].startswith(f"polling {url} module_")
    assert lines[1].startswith("success 1 record in ")
    assert lines[2] == "stopped: 1 invocation, 1 record handled, 0 returned"
    assert "is a plain function" in result.stderr
    assert "the handler speaks" in result.stderr


def test_window_and_large_batches(services, poll, module):
    """With a window a batch holds more messages than one receive gives, and all of them are deleted."""
    name = module(PLAIN)
    url, _ = queue(services, [f"m{number}" for number in range(25)], visibility=60)
    options = ["--batch-size", 25, "--window", 5, "--wait", 0, "--until-empty", "--json"]
    result = poll(f"{name}:handler", "--queue", url, *options)
    assert (result.exit_code, result.stderr.count("Note")) == (0, 1)
    assert last(result)["invocations"] == 1
    assert last(result)["handled"] == 25


def test_a_partial_batch_is_handled_after_its_window(services, poll, module):
    """A batch that does not fill up is handled when its window is over."""
    url, _ = queue(services, ["a"], visibility=60)
    began = time.monotonic()
    result = poll(f"{module(PLAIN)}:handler", "--queue", url, "--window", 1, "--wait", 0, "--until-empty", "--json")
    assert last(result)["handled"] == 1
    assert time.monotonic() - began > 0.9


def test_visibility_overrides_the_queues_setting(services, poll, module):
    """--visibility overrides the queue's setting for received messages."""
    url, dead = queue(services, ["a"], visibility=600, max_receive_count=1)
    options = ["--visibility", 1, "--timeout", 1, "--wait", 1, "--until-empty", "--json", "--concurrency", 2]
    result = poll(f"{module(PLAIN)}:fails", "--queue", url, *options)
    assert last(result)["returned"] == 1
    assert services.bodies(dead) == ["a"]


def test_without_report_deletes_reported_messages(services, poll, app):
    """--without-report deletes the messages that a response names, as the service does."""
    url, dead = queue(services, ["a", "bad"], max_receive_count=1)
    result = poll(f"{app}:handler", "--queue", url, "--wait", 0, "--without-report", "--until-empty", "--json")
    assert last(result)["handled"] == 2
    assert services.bodies(dead) == []


def test_a_second_run_continues_at_the_checkpoints(services, poll, app, handled):
    """With --checkpoints a second run repeats nothing, and reads the new records."""
    arn = services.stream(shards=2)
    services.put(arn, "abcd")
    options = ["--stream", arn.rpartition("/")[2], "--endpoint-url", endpoint(services), "--checkpoints", "at.json"]
    assert poll(f"{app}:handler", *options, "--until-empty").exit_code == 0
    services.put(arn, "ef")
    result = poll(f"{app}:handler", *options, "--until-empty", "--json")
    assert sorted(handled()) == list("abcdef")
    assert last(result)["delivered"] == 2
    document = json.loads(Path("at.json").read_text())
    assert document["stream"].startswith(f"{arn} of 2")
    assert set(document["shards"]) == {"shardId-000000000000", "shardId-000000000001"}


def test_a_bad_stream_record_is_isolated_and_given_up(services, poll, app, handled):
    """Bisect, retries and the on-failure queue isolate a record; with --until-empty giving up is exit code 1."""
    arn = services.stream()
    services.put(arn, ["a", "bad", "c"])
    dead, _ = services.queue()
    options = ["--stream", arn, "--endpoint-url", endpoint(services), "--on-failure", dead, "--until-empty"]
    result = poll(f"{app}:handler", *options, "--bisect", "--retries", 1, "--backoff", 0.01)
    assert result.exit_code == 1
    assert result.stderr.endswith("Error: records were given up: 1\n")
    assert "gave up 1 record, 2 to 2 of shardId-000000000000: RetryAttemptsExhausted" in result.stdout
    (message,) = services.bodies(dead)
    assert json.loads(message)["KinesisBatchInfo"]["startSequenceNumber"] == "2"
    assert set(handled()) == {"a", "bad", "c"}


def test_old_records_are_given_up(services, poll, app, handled):
    """Records past --max-age are reported to the on-failure queue and not delivered."""
    arn = services.stream()
    services.put(arn, ["a"])
    services.age(arn, 61)
    services.put(arn, ["b"])
    dead, _ = services.queue()
    options = ["--stream", arn, "--endpoint-url", endpoint(services), "--max-age", 60, "--on-failure", dead]
    result = poll(f"{app}:handler", *options, "--until-empty", "--backoff", 0, "--window", 0)
    assert result.exit_code == 1
    assert handled() == ["b"]
    condition = json.loads(services.bodies(dead)[0])["requestContext"]["condition"]
    assert condition == "RecordAgeExceeded"


def test_dynamodb_stream_from_now_on(services, poll, app, handled):
    """--start now leaves out existing records, and a restart reads all that arrived since the first start."""
    name, arn = services.table()
    services.dynamodb.put_item(TableName=name, Item={"id": {"S": "before"}})
    time.sleep(1.1)
    options = ["--dynamodb-stream", arn, "--endpoint-url", endpoint(services), "--start", "now", "--until-empty"]
    assert poll(f"{app}:handler", *options, "--checkpoints", "at.json").exit_code == 0
    assert handled() == []
    time.sleep(1.1)
    services.dynamodb.put_item(TableName=name, Item={"id": {"S": "since"}})
    assert poll(f"{app}:handler", *options, "--checkpoints", "at.json").exit_code == 0
    assert handled() == ["since"]


def test_kinesis_from_now_on(services, poll, app, handled):
    """--start now on a Kinesis stream reads from that time on."""
    arn = services.stream()
    services.put(arn, ["before"])
    time.sleep(0.1)
    options = ["--stream", arn, "--endpoint-url", endpoint(services), "--start", "now", "--until-empty"]
    assert poll(f"{app}:handler", *options).exit_code == 0
    assert handled() == []


def test_checkpoints_of_a_deleted_stream_are_refused(services, poll, app):
    """Checkpoints of a deleted stream of the same name are refused, because sequence numbers start over."""
    arn = services.stream()
    document = {"stream": f"{arn} of 2001-01-01T00:00:00Z", "since": None, "shards": {"shardId-000000000000": "9"}}
    Path("at.json").write_text(json.dumps(document))
    options = ["--stream", arn, "--endpoint-url", endpoint(services), "--checkpoints", "at.json"]
    result = poll(f"{app}:handler", *options)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "2001-01-01T00:00:00Z, not to" in result.stderr


def test_a_second_poller_with_the_same_checkpoints_is_refused(services, poll, app, tmp_path):
    """A second poller is refused before it reads a record."""
    arn = services.stream()
    services.put(arn, ["a"])
    options = ["--stream", arn, "--endpoint-url", endpoint(services), "--checkpoints", "at.json", "--until-empty"]
    assert poll(f"{app}:handler", *options).exit_code == 0
    identity = json.loads(Path("at.json").read_text())["stream"]
    with closing(Checkpoints(tmp_path / "at.json", identity)):
        problem = "--checkpoints at.json: another poller is using it; stop that poller, or name another file"
        assert refused(poll(f"{app}:handler", *options), 2, problem)
    assert poll(f"{app}:handler", *options).exit_code == 0


def test_a_full_disk_names_the_file_of_checkpoints(services, poll, app, monkeypatch):
    """A checkpoint that cannot be written ends the run with one line that names the file, and exit code 2."""
    arn = services.stream()
    services.put(arn, ["a"])
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    options = ["--stream", arn, "--endpoint-url", endpoint(services), "--checkpoints", "at.json"]
    result = poll(f"{app}:handler", *options)
    assert refused(result, 2, "Error: --checkpoints at.json: No space left on device; nothing is lost")


def test_tracebacks_begin_with_the_users_line(services, started, app, tmp_path):
    """The log of a failed record has only the user's frames."""
    url, _ = queue(services, ["bad"], max_receive_count=1)
    process = started(f"{app}:handler", "--queue", url, "--wait", 0, "--retry-after", 0, "--until-empty")
    _, told = process.communicate(timeout=60)
    assert "ValueError: no good" in told
    assert set(re.findall(r'File "(.*?)"', told)) == {str(tmp_path / f"{app}.py")}


def test_failed_messages_wait_for_the_queues_visibility_timeout(services, poll, app, handled):
    """A queue whose visibility timeout is shorter than --timeout keeps its own, and a note says so."""
    url, dead = queue(services, ["bad"], visibility=1, max_receive_count=2)
    result = poll(f"{app}:handler", "--queue", url, "--timeout", 600, "--wait", 1, "--until-empty", "--json")
    assert (result.exit_code, handled()) == (0, ["bad", "bad"])
    assert services.bodies(dead) == ["bad"]
    assert "kept invisible for up to 600 s" in result.stderr


def test_verbose_shows_info_logs(services, poll, app):
    """--verbose lets information through the logs."""
    url, _ = queue(services, [])
    assert poll(f"{app}:handler", "--queue", url, "--wait", 0, "--until-empty", "--verbose").exit_code == 0


URL = "http://127.0.0.1:9/0/orders"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "give one source: --queue, --stream or --dynamodb-stream"),
        (["--queue", URL, "--stream", "s"], "give one source: --queue, --stream or --dynamodb-stream"),
        (["--queue", URL, "--bisect"], "--bisect is for streams only"),
        (["--queue", URL, "--max-age", "60"], "--max-age is for streams only"),
        (["--stream", "s", "--wait", "1"], "--wait is for queues only"),
        (["--stream", "s", "--json", "--plain"], "--json and --plain can't be combined"),
        (["--queue", "orders"], "--queue takes the URL of the queue"),
        (["--queue", URL, "--batch-size", "11"], "--batch-size above 10 needs a --window"),
        (["--queue", URL, "--visibility", "30", "--window", "1"], "--visibility 30 is shorter than"),
        (["--dynamodb-stream", "orders"], "--dynamodb-stream takes the ARN"),
        (["--queue", URL, "--timeout", "0.0004"], "'--timeout': 0.0004 is not in the range"),
        (["--queue", URL, "--concurrency", "0"], "'--concurrency': 0 is not in the range"),
    ],
)
def test_options_that_cannot_be_combined_are_named(poll, options, problem):
    """Options that make no sense, or not together, are usage errors that name them."""
    result = poll("app:handler", *options)
    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--queue", "orders"],
        ["--dynamodb-stream", "orders"],
        ["--queue", URL, "--batch-size", "11"],
        ["--queue", URL, "--visibility", "30", "--window", "1"],
        ["--stream", "s", "--checkpoints", "/tmp"],
    ],
)
def test_an_impossible_value_ends_with_2_and_one_line(poll, options):
    """A value with correct syntax that isn't possible gives one line."""
    result = poll("app:handler", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {options[-2] if '--window' not in options else '--visibility'}")
    assert result.stderr.count("\n") == 1


def refused(result, code, problem):
    assert result.exit_code == code
    assert result.stderr.count("\n") == 1
    assert problem in result.stderr
    return True


def test_a_module_that_fails_to_import_ends_with_2(poll, module):
    """A module that does not import is one line, and exit code 2."""
    assert refused(poll("no_such_module:handler", "--queue", URL), 2, "there is no module 'no_such_module'")


def test_a_missing_queue_or_stream_ends_with_2(services, poll, app):
    """A queue or stream that does not exist is one line that names option and value, and exit code 2."""
    url = endpoint(services)
    options = ["--endpoint-url", url]
    assert refused(poll(f"{app}:handler", "--queue", f"{url}/123456789012/none"), 2, "/none: it does not exist")
    assert refused(poll(f"{app}:handler", "--stream", "none", *options), 2, "--stream none: it does not exist")
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/none/stream/2026-01-01T00:00:00.000"
    assert refused(poll(f"{app}:handler", "--dynamodb-stream", arn, *options), 2, "it does not exist")
    stream, fifo = services.stream(), services.queue(fifo=True)[0]
    result = poll(f"{app}:handler", "--stream", stream, *options, "--on-failure", f"{url}/123456789012/none")
    assert refused(result, 2, "--on-failure")
    assert refused(poll(f"{app}:handler", "--stream", stream, *options, "--on-failure", fifo), 2, "FIFO")
    assert refused(poll(f"{app}:handler", "--queue", fifo, "--window", "1"), 2, "no batching window")


@pytest.mark.parametrize(
    "options",
    [
        ["--queue", "http://[bad/1/q"],
        ["--queue", URL, "--endpoint-url", "localhost:4566"],
        ["--queue", URL, "--region", "no region"],
        ["--dynamodb-stream", "arn:orders", "--endpoint-url", "http://127.0.0.1:1"],
    ],
)
def test_a_malformed_url_or_arn_ends_with_2(poll, app, options):
    """A malformed URL, ARN or region is one line, and exit code 2, as it is refused before anything is sent."""
    assert refused(poll(f"{app}:handler", *options), 2, f"Error: {options[0]} {options[1]}: ")


def test_an_unreachable_service_ends_with_2(poll, app):
    """A service that is unreachable at the start gives one line and exit code 2."""
    assert refused(poll(f"{app}:handler", "--queue", URL), 2, "Could not connect to the endpoint URL")


def test_missing_credentials_are_explained(poll, app, monkeypatch):
    """Without credentials the line says how an emulator is satisfied."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    remedy = "(for an emulator, set AWS_ACCESS_KEY_ID=local and AWS_SECRET_ACCESS_KEY=local)"
    assert refused(poll(f"{app}:handler", "--queue", URL), 2, f"no AWS credentials {remedy}")


def test_a_missing_region_names_the_option(poll, app):
    """Without a region the line names the option."""
    assert refused(poll(f"{app}:handler", "--stream", "clicks"), 2, "no AWS region; give --region or set AWS_REGION")


def test_the_live_display_shows_counts_and_last_events(services, on_terminal, app):
    """On a terminal the counts are above the last lines, and the output of handlers doesn't break them."""
    url, _ = queue(services, ["a", "bad"], max_receive_count=2)
    options = ["--queue", url, "--wait", "0", "--retry-after", "0", "--until-empty"]
    code, shown = on_terminal("poll", f"{app}:handler", *options, columns=100)
    assert code == 0
    assert "invocations   delivered   handled   returned   given up   per second" in shown
    assert "partial 2 records in " in shown
    assert "stopped: 2 invocations, 1 record handled, 2 returned" in shown
    # What is logged stands above the view, which is drawn anew below it.
    below = shown.rpartition("ValueError: no good")[2]
    assert below.lstrip().startswith(f"{app}:handler  queue-")


def test_plain_prints_lines_on_a_terminal(services, on_terminal, app):
    """--plain gives lines on a terminal too."""
    url, _ = queue(services, ["a"])
    options = ["--queue", url, "--wait", "0", "--until-empty", "--plain"]
    code, shown = on_terminal("poll", f"{app}:handler", *options)
    assert code == 0
    assert "per second" not in shown
