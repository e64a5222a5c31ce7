"""Sinks that refuse items as a test tells them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from partialbatch.types import Unprocessed


class ScriptedSink:
    """A sink that sends in batches of `size`, and refuses each item as often as its script says.

    It checks its use: one session for each call, and no call from two threads at once.
    """

    def __init__(self, refusals: dict[Any, int] | None = None, *, size: int = 3, pause: float = 0.0) -> None:
        self.refusals = Counter(refusals or {})
        self.size = size
        self.pause = pause
        self.accepted: list[Any] = []
        self.opened: list[dict[str, Any]] = []
        self.flushes = 0
        self.closed = 0
        self.busy = threading.Lock()

    def open(self, *, ordered, seconds_left):
        self.opened.append({"ordered": ordered, "seconds_left": seconds_left})
        return ScriptedSession(self)


class ScriptedSession:
    def __init__(self, sink: ScriptedSink) -> None:
        self.sink = sink
        self.held: list[Any] = []
        self.refused: list[Unprocessed] = []
        self.groups: list[Any] = []

    def put(self, item, *, group):
        with self._alone():
            if item == "invalid":
                raise ValueError("no such item can be sent")
            self.groups.append(group)
            self.held.append(item)
            if len(self.held) >= self.sink.size:
                self._send()

    def flush(self):
        with self._alone():
            self.sink.flushes += 1
            self._send()
            refused, self.refused = self.refused, []
            return refused

    def close(self):
        self.sink.closed += 1

    def _send(self) -> None:
        time.sleep(self.sink.pause)
        for item in self.held:
            if self.sink.refusals[item] > 0:
                self.sink.refusals[item] -= 1
                self.refused.append(Unprocessed(item, code="Scripted", attempts=1, reason="throttled"))
            else:
                self.sink.accepted.append(item)
        self.held = []

    def _alone(self):
        assert not self.sink.busy.locked(), "a session was used by two threads at once"
        return self.sink.busy


class Refusing:
    """A sink that rejects every item for good."""

    def __init__(self, reason: str = "rejected") -> None:
        self.reason = reason
        self.held: list[Any] = []

    def open(self, **_):
        return self

    def put(self, item, *, group):
        self.held.append(item)

    def flush(self):
        held, self.held = self.held, []
        return [Unprocessed(item, code="Scripted", reason=self.reason) for item in held]
