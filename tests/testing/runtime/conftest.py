"""The runtime client in its own process: against a stand-in for Lambda's runtime API, or the emulator."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from partialbatch.testing._verdict import Outcome

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
PATIENCE = 30  # seconds: a shared machine is slow at times
KILLED_AFTER = 0.2  # seconds beyond the deadline


def start(arguments, **environment):
    """Start a process that finds the handlers and the package."""
    path = os.pathsep.join([str(HERE), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        arguments,
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def stop(process):
    """End a process that was started here."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class StandIn:
    """Lambda's side of the runtime API, for one runtime process: events out, answers in."""

    def __init__(self, handler):
        self.events, self.answers = queue.Queue(), queue.Queue()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _api(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.handler = handler
        self.process = None

    def _started(self):
        """Return the runtime's process; a new one where the last has ended, as Lambda does it."""
        if self.process is None or self.process.poll() is not None:
            address = f"127.0.0.1:{self.server.server_port}"
            arguments = [sys.executable, "-m", "awslambdaric", f"functions.{self.handler}"]
            self.process = start(arguments, AWS_LAMBDA_RUNTIME_API=address, AWS_LAMBDA_FUNCTION_NAME=self.handler)
        return self.process

    def invoke(self, event, timeout=PATIENCE):
        """Send an event and return the `Outcome`; a process that misses the deadline is ended."""
        process = self._started()
        taken = threading.Event()
        self.events.put((event, timeout, taken))
        patience = time.monotonic() + PATIENCE
        while not taken.wait(0.01):
            assert process.poll() is None, "the runtime ended before it asked for an event"
            assert time.monotonic() < patience
        deadline = time.monotonic() + timeout + KILLED_AFTER
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                return self.answers.get(timeout=0.02)
            if process.poll() is not None and self.answers.empty():
                return Outcome.raised(SystemExit())
        stop(process)
        return Outcome.timed_out(timeout)

    def close(self):
        if self.process is not None:
            stop(self.process)
        self.server.shutdown()
        self.server.server_close()


def _api(side):
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body go out one after the other: 40 ms a call otherwise

        def do_GET(self):
            assert self.path == "/2018-06-01/runtime/invocation/next"
            event, timeout, taken = side.events.get()
            taken.set()
            body = json.dumps(event).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", str(uuid.uuid4()))
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + timeout) * 1000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:f")
            self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            body = self._body()
            if self.path.endswith("/response"):
                side.answers.put(Outcome(body.decode()))
            else:
                told = json.loads(body)
                side.answers.put(Outcome(error=f"{told['errorType']}: {told['errorMessage']}"))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _body(self):
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def log_message(self, *arguments):
            """Keep quiet."""

    return Api


class Emulator:
    """The Runtime Interface Emulator: one event at a time (overlapping calls crash it)."""

    def __init__(self, handler):
        self.handler, self.process, self.timeout = handler, None, None

    def _start(self, timeout):
        self.close()
        self.port, api = _free_port(), _free_port()
        arguments = [
            *("aws-lambda-rie", "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}"),
            *("--runtime-api-address", f"127.0.0.1:{api}"),
            *(sys.executable, "-m", "awslambdaric", f"functions.{self.handler}"),
        ]
        self.process = start(arguments, AWS_LAMBDA_FUNCTION_TIMEOUT=str(max(1, round(timeout))))
        self.timeout = timeout

    def invoke(self, event, timeout=PATIENCE):
        """Send an event and return the `Outcome`; errors come as HTTP 200 with an ``errorType``."""
        if self.process is None or self.process.poll() is not None or self.timeout != timeout:
            self._start(timeout)
        text = self._post(json.dumps(event).encode())
        with contextlib.suppress(ValueError):
            told = json.loads(text)
            if isinstance(told, dict) and "errorType" in told:
                return Outcome(error=f"{told['errorType']}: {told['errorMessage']}")
        if text.startswith("Task timed out"):
            return Outcome.timed_out(timeout)
        return Outcome(text)

    def _post(self, body):
        url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        patience = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(url, body, timeout=2 * PATIENCE) as answer:
                    return answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.read().decode()
            except OSError:
                assert time.monotonic() < patience, "the emulator does not answer"
                time.sleep(0.05)

    def close(self):
        if self.process is not None:
            stop(self.process)


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


SIDES = [StandIn] if shutil.which("aws-lambda-rie") is None else [StandIn, Emulator]


@pytest.fixture(params=SIDES, ids=lambda side: side.__name__)
def runtime(request):
    """Give ``runtime(handler)``: a process of the real runtime client with one of the handlers of `functions`."""
    with contextlib.ExitStack() as stack:

        def run(handler):
            side = request.param(handler)
            stack.callback(side.close)
            return side

        yield run
