"""Whole invocations: the runtime client in a process of its own, against a stand-in for Lambda's Runtime API.

The time runs from the answer that carries the event to the next request for one: reading and decoding the event, the
handler, sending the response, and clearing up. HTTP goes over the loopback interface.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any, Self

from . import events
from .runtime import TASK_ROOT, TIMEOUT
from .table import Row
from .timing import Times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZE = 10
ROUNDS = 121
CALLS = 40
"""Invocations of one contestant in a round."""

PATIENCE = 60.0
MODULES = {"ours": "ours", "peer": "powertools", "floor": "bare"}
ADDED = Row("invocation-added", f"added to a bare loop, a batch of {SIZE}")
WHOLE = Row("invocation-whole", f"an invocation in all, a batch of {SIZE}")
ROWS = (ADDED, WHOLE)


class Runtime:
    """A process of the runtime client, and Lambda's side of the connection to it."""

    def __init__(self, handler: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            env={
                **os.environ,
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._listener.getsockname()[1]}",
                "LAMBDA_TASK_ROOT": TASK_ROOT,
            },
        )
        self._connection: socket.socket | None = None
        self._held = b""

    def __enter__(self) -> Self:
        try:
            self._accept()
            self._asked()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._listener.close()

    def invoke(self, event: bytes) -> tuple[float, bytes]:
        """Hand over an event; return the seconds until the client asks for the next one, and the response."""
        answer = _answer(event)
        start = time.perf_counter()
        self._send(answer)
        request, response = self._receive()
        if not request.startswith(b"POST") or b"/response " not in request.partition(b"\r\n")[0]:
            raise AssertionError(f"the handler failed: {response.decode()}")
        self._send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        self._asked()
        return time.perf_counter() - start, response

    def _asked(self) -> None:
        request, _ = self._receive()
        if not request.startswith(b"GET /2018-06-01/runtime/invocation/next "):
            raise AssertionError(f"the client asks for another thing: {request.decode()}")

    def _accept(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(PATIENCE)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _send(self, data: bytes) -> None:
        assert self._connection is not None
        self._connection.sendall(data)

    def _receive(self) -> tuple[bytes, bytes]:
        """Return the head and the body of the next request, on this connection or, once it is closed, on a new one."""
        head = self._until(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        if fields.get(b"transfer-encoding") != b"chunked":
            return head, self._take(int(fields.get(b"content-length", 0)))
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._take(size)
            self._take(2)
        self._take(2)
        return head, body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._held:
            self._fill()
        before, self._held = self._held.split(mark, 1)
        return before

    def _take(self, size: int) -> bytes:
        while len(self._held) < size:
            self._fill()
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _fill(self) -> None:
        assert self._connection is not None
        received = self._connection.recv(65_536)
        if not received:
            self._accept()
        self._held += received


def _answer(event: bytes) -> bytes:
    deadline = int((time.time() + TIMEOUT) * 1000)
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Content-Type: application/json\r\n"
        "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
        f"Lambda-Runtime-Deadline-Ms: {deadline}\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:orders\r\n"
        "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n"
        f"Content-Length: {len(event)}\r\n\r\n"
    )
    return head.encode() + event


def run(wanted: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Invoke the three processes in turns."""
    times = _race()
    micro = {name: times.median(name) * 1e6 for name in MODULES}
    ours, peer = (times.median(lambda floor, name=name, **f: f[name] - floor) * 1e6 for name in ("ours", "peer"))
    entries = (
        ADDED.measured(ours, peer),
        WHOLE.measured(**micro, ratio=times.median(lambda ours, peer, **_: ours / peer)),
    )
    yield from (entry for row, entry in zip(ROWS, entries, strict=True) if row in wanted)


def _race() -> Times:
    event = json.dumps(events.sqs(SIZE)).encode()
    times: dict[str, list[float]] = {name: [] for name in MODULES}
    names = list(MODULES)
    with ExitStack() as stack:
        runtimes = {
            name: stack.enter_context(Runtime(f"benchmarks.{module}.lambda_handler"))
            for name, module in MODULES.items()
        }
        for number in range(ROUNDS + 1):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                seconds = median(runtimes[name].invoke(event)[0] for _ in range(CALLS))
                if number:
                    times[name].append(seconds)
    return Times(times)
