"""The command, run in this process and as a process of its own, over moto's server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64decode
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from click.testing import CliRunner

from partialbatch.cli import main

COMMAND = [sys.executable, "-c", "from partialbatch.cli import main; main(prog_name='partialbatch')", "poll"]

_SERVER = """
import sys, threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""

HANDLER = """
import base64, json, os, time
from partialbatch import batch_handler

def body_of(record):
    if record["eventSource"] == "aws:dynamodb":
        return record["dynamodb"]["Keys"]["id"]["S"]
    return record["body"] if "body" in record else base64.b64decode(record["kinesis"]["data"]).decode()

def note(body, name="handled.txt"):
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{body}\\n".encode())
    os.close(file)

from partialbatch import RawRecord

@batch_handler
def handler(record: RawRecord):
    note(body_of(record), "begun.txt")
    while body_of(record) == os.environ.get("HELD") and not os.path.exists("let_go"):
        time.sleep(0.01)
    time.sleep(float(os.environ.get("PACE", "0")))
    note(body_of(record))
    if body_of(record).startswith("bad"):
        raise ValueError("no good")
"""


class Server:
    """moto's server as a process of its own."""

    def __init__(self):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("COV_", "COVERAGE_"))}
        command = [sys.executable, "-W", "ignore", "-c", _SERVER]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def client(self, service):
        return boto3.Session("local", "local", region_name="us-east-1").client(
            service, endpoint_url=self.url, config=Config(proxies={})
        )

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def own_server():
    """A server that the test may stop."""
    made = Server()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def app(module):
    """The name of a module with a handler that notes what it handles; ``bad…`` fails.

    In the environment: ``PACE`` seconds a record, and ``HELD``, a body that waits for a file ``let_go``.
    """
    return module(HANDLER)


def _lines(name):
    return Path(name).read_text().splitlines() if Path(name).exists() else []


@pytest.fixture
def handled():
    return lambda: _lines("handled.txt")


@pytest.fixture
def begun():
    return lambda: _lines("begun.txt")


@pytest.fixture
def poll():
    """Runs the command in this process."""

    def run(*arguments):
        return CliRunner().invoke(main, ["poll", *map(str, arguments)])

    return run


@pytest.fixture(scope="session")
def events():
    """Reads lines of JSON."""
    return lambda text: [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.fixture
def started():
    """Starts the command as a separate process, which is killed at the end if it still runs."""
    processes = []

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture
def until():
    """Waits until something is true."""

    def wait(condition, seconds=20):
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, "it did not come true in time"
            time.sleep(0.02)

    return wait


class _Scripted:
    """Fails each body as often as the plan says, and goes on after it."""

    def __init__(self, plan=None):
        self.plan = dict(plan or {})
        self.batches = []
        self.handled = []

    def __call__(self, event, context):
        failures = []
        bodies = [b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]
        self.batches.append(bodies)
        for body, record in zip(bodies, event["Records"], strict=True):
            if self.plan.get(body, 0):
                self.plan[body] -= 1
                failures.append({"itemIdentifier": record["kinesis"]["sequenceNumber"]})
            else:
                self.handled.append(body)
        return {"batchItemFailures": failures}


@pytest.fixture
def scripted_bodies():
    return _Scripted
