"""The demo as users see it: a subprocess, on a terminal and without one."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from partialbatch.cli.demo import command
from partialbatch.cli.demo.local_sources import _CLICKS, _CUSTOMERS, _ORDERS, _PAYMENTS
from partialbatch.cli.demo.progress import NoProgress

COMMAND = [sys.executable, "-c", "from partialbatch.cli import main; main()", "demo"]
# Settings of a user that would lead boto3 elsewhere, or nowhere.
HOSTILE = {
    "AWS_PROFILE": "there-is-none",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "PYTHONIOENCODING": "ascii",
    "PYTHONWARNINGS": "error",
}


def run(*arguments):
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, env=os.environ | HOSTILE, timeout=60
    )


def on_a_terminal(*arguments, act=None):
    """Run on a pseudo-terminal of 80 columns and return the exit status and the output."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"}
        os.execv(sys.executable, [*COMMAND, *arguments])
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # how a pseudo-terminal says that its other end is closed
            break
        if not piece:
            break
        shown += piece
        if act is not None and act(pid, shown):
            act = None
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.fixture(scope="module")
def result():
    done = run("--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_every_record_is_accounted_for(result):
    """Each source has its records, each handled or dead-lettered, and none lost."""
    sources = {source["source"]: source for source in result["sources"]}
    plans = {
        "SQS queue": _ORDERS,
        "SQS FIFO queue": _PAYMENTS,
        "Kinesis stream": _CLICKS,
        "DynamoDB stream": _CUSTOMERS,
    }
    assert list(sources) == list(plans)
    assert result["lost"] == 0
    for name, plan in plans.items():
        hopeless = sum(times == -1 for times in plan.values())
        source = sources[name]
        assert (source["records"], source["dead_lettered"], source["lost"]) == (len(plan), hopeless, [])
        assert source["handled"] == len(plan) - hopeless
        assert source["retried"] >= sum(times != 0 for times in plan.values())
        assert source["invocations"] > len(plan) / 10


def test_only_streams_repeat_work(result):
    """On queues no handled record runs again; on streams those behind the checkpoint do."""
    duplicated = [source["duplicated_work"] for source in result["sources"]]
    assert duplicated[:2] == [0, 0]
    assert all(count > 0 for count in duplicated[2:])


def test_the_example_is_a_partial_failure_response(result):
    """The sample is a partial failure response of the first source."""
    assert result["sample"]["source"] == "SQS queue"
    failures = result["sample"]["response"]["batchItemFailures"]
    assert 0 < len(failures) < 10
    assert all(set(failure) == {"itemIdentifier"} for failure in failures)


def test_the_demo_takes_less_than_half_a_minute(result):
    """It is done well within the half minute that a newcomer may wait."""
    assert 0 < result["seconds"] < 30


def test_in_a_pipe_there_is_one_line_per_invocation():
    """Without a terminal there is a line an invocation, no control character, and nothing on standard error."""
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.isascii()
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "SQS queue       10 records: 2 reported as failed, 2 returned\n" in done.stdout
    assert "SQS FIFO queue  1 record: the invocation failed (FullBatchFailure), all returned\n" in done.stdout
    assert "Kinesis stream  1 record given up after" in done.stdout
    assert "Nothing was lost" in done.stdout
    shown = re.search(r"An example response \(SQS queue: (\d+) of 10 records reported\):\n(.*)", done.stdout, re.DOTALL)
    assert len(json.loads(shown[2])["batchItemFailures"]) == int(shown[1])


def test_on_a_terminal_there_are_bars_and_a_table():
    """On a terminal there are bars that move, and the closing table fits 80 columns."""
    status, shown = on_a_terminal()
    assert status == 0
    assert "\x1b[" in shown
    for source in ("SQS queue", "SQS FIFO queue", "Kinesis stream", "DynamoDB stream"):
        assert shown.count(source) > 5
    assert "reported as failed" not in shown
    assert "duplicated" in shown
    assert "Nothing was lost" in shown


def test_without_report_records_are_lost():
    """Without ReportBatchItemFailures failed records are lost and named, and the exit status is 1."""
    done = run("--without-report")
    assert (done.returncode, done.stderr) == (1, "")
    assert "15 records were lost: order-04, order-09" in done.stdout
    assert "ReportBatchItemFailures" in done.stdout
    done = run("--without-report", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["lost"], document["sample"]) == (1, 15, None)
    assert document["sources"][1]["lost"] == ["c-2", "a-3", "d-6"]


def test_an_unknown_option_is_a_usage_error():
    """A wrong option is a usage error in a few lines."""
    done = run("--nonsense")
    assert done.returncode == 2
    assert "No such option" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_shown_before_all_sources_run():
    """Ctrl-C at something shown meets threads that are waited for: one whose start it cut short would not be."""
    running = [threading.Event() for _ in range(4)]

    class Waiting(NoProgress):
        @contextmanager
        def during(self, trackers):
            assert all(event.wait(30) for event in running)
            yield

    command._run(
        [SimpleNamespace(tracker=None, run=lambda _, event=event: event.set()) for event in running], Waiting()
    )


def test_ctrl_c_ends_the_demo_without_a_traceback():
    """Ctrl-C ends it soon, without a traceback."""
    sent = []

    def interrupt(pid, shown):
        if b"Kinesis stream" not in shown:
            return False
        sent.append(time.monotonic())
        os.kill(pid, signal.SIGINT)
        return True

    status, shown = on_a_terminal(act=interrupt)
    assert time.monotonic() - sent[0] < 5
    assert status == 1
    assert "Aborted!" in shown
    assert "Traceback" not in shown
    assert "lost" not in shown
