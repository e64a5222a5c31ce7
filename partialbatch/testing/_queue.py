"""The simulator of an SQS queue with a Lambda function, on a simulated clock."""

from __future__ import annotations

import heapq
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._arns import queue_arn
from partialbatch.testing._event_layout import given_records
from partialbatch.testing._event_records import sqs_records
from partialbatch.testing._limits import BATCH_LIMIT, FIFO_LIMIT, PAYLOAD_LIMIT
from partialbatch.testing._records import receipt_handle
from partialbatch.testing._simulation_loop import SimulationLoop, TrackedRecord
from partialbatch.testing._validation import bound, seconds, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from partialbatch.testing._delivery import Delivery

__all__ = ["RECEIVES", "SimulatedQueue"]

RECEIVES = 100
"""The number of receives after which a message stays on a queue that has no redrive policy."""


class SimulatedQueue:
    """An SQS queue that delivers its messages to a handler as Lambda does.

    One invocation runs at a time. A failed message becomes visible again when its visibility timeout, counted
    from its receive, has passed; the simulation doesn't sleep meanwhile. In a FIFO queue, a message group
    waits while one of its messages is in flight.

    Args:
        messages: Bodies (text stays as it is, other values become JSON), raw records, or an event. The receive
            count of raw records counts towards ``max_receive_count``.
        fifo: Whether the queue is a FIFO queue.
        groups: The message group ids, as in `sqs_event`.
        batch_size: The largest number of messages in one invocation: 1 to 10,000, for a FIFO queue 1 to 10.
        visibility_timeout: The visibility timeout in seconds: 0 to 43,200.
        max_receive_count: The ``maxReceiveCount`` of the redrive policy: 1 to 1,000. By default, there is no
            dead-letter queue: a message that has failed 100 times stays on the queue with the fate
            ``remaining``, and its group waits behind it.
        retention: The seconds after which a message expires: 60 to 1,209,600.
        report_batch_item_failures: Whether the event source mapping has that setting.
        max_invocations: The largest number of invocations in a run. By default, 1,000 and 10 for each message.

    Raises:
        ConfigurationError: A setting is out of its range, or the messages don't fit the queue.

    Example:
        >>> from partialbatch.testing import SimulatedQueue
        >>> def handler(event, context):
        ...     failed = [raw["messageId"] for raw in event["Records"] if raw["body"] == "harp"]
        ...     return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}
        >>> delivery = SimulatedQueue(["tea", "harp"], max_receive_count=3).run(handler)
        >>> [(record.fate, record.invocations) for record in delivery.records]
        [('deleted', (0,)), ('dead_lettered', (0, 1, 2))]
    """

    def __init__(
        self,
        messages: Iterable[Any],
        *,
        fifo: bool = False,
        groups: str | Sequence[str | None] | None = None,
        batch_size: int = 10,
        visibility_timeout: float = 30,
        max_receive_count: int | None = None,
        retention: float = 345_600,
        report_batch_item_failures: bool = True,
        max_invocations: int | None = None,
    ) -> None:
        # Kept as text, because a parsed record takes three times the memory.
        self._texts = [json.dumps(raw) for raw in _raw_records(messages, groups, fifo=fifo)]
        self.fifo = fifo or (bool(self._texts) and json.loads(self._texts[0])["eventSourceARN"].endswith(".fifo"))
        self.batch_size = whole("batch_size", batch_size, 1, FIFO_LIMIT if self.fifo else BATCH_LIMIT)
        self.visibility_timeout = seconds("visibility_timeout", visibility_timeout, 0, 43_200)
        self.max_receive_count = max_receive_count
        if max_receive_count is not None:
            whole("max_receive_count", max_receive_count, 1, 1_000)
        self.retention = seconds("retention", retention, 60, 1_209_600)
        self.report_batch_item_failures = report_batch_item_failures
        self.max_invocations = bound(max_invocations, len(self._texts))

    def run(
        self,
        handler: Callable[[Any, Any], Any],
        context: Any = None,
        succeeded: Callable[[Any], bool | None] | None = None,
    ) -> Delivery:
        """Deliver until no message can be received any more, or until ``max_invocations``.

        Args:
            handler: Any callable ``(event, context)``.
            context: The second argument of the handler. A `LambdaContext` starts anew for each invocation,
                and its timeout applies. By default, a new one with its own clock.
            succeeded: For handlers not made by partialbatch. Takes each raw record after each invocation, and
                returns True, False, or None for a record that this invocation didn't run.

        Raises:
            ConfigurationError: The handler or ``succeeded`` can't be called, or ``succeeded`` returns
                another value.
        """
        loop = SimulationLoop(
            "sqs",
            handler,
            context,
            succeeded,
            ordered=self.fifo,
            report=self.report_batch_item_failures,
            bound=self.max_invocations,
        )
        run = _QueueRun(self, loop, self._texts)
        while not loop.exhausted and run.step():
            pass
        return loop.delivery(run.tracked)


def _raw_records(messages: Any, groups: Any, *, fifo: bool) -> Iterable[Any]:
    given, are_raw = given_records("messages", messages, ("sqs",))
    if not are_raw:
        return sqs_records(given, queue_arn("orders", fifo=fifo), groups=groups)
    if fifo and not all(raw["eventSourceARN"].endswith(".fifo") for raw in given):
        raise ConfigurationError("fifo=True: these records come from a standard queue, as their eventSourceARN shows")
    if groups is not None:
        raise ConfigurationError("groups is for bodies: raw records already have their MessageGroupId")
    return given


class _QueueRun:
    """The state of one run: a heap of message groups, ordered by the time at which they become visible.

    In a standard queue, each message is a group of its own. A group is a list whose last entry is received
    first, because a deque takes 760 bytes even for one message.
    """

    def __init__(self, queue: SimulatedQueue, loop: SimulationLoop, texts: list[str]) -> None:
        self._queue, self._loop = queue, loop
        self.tracked = [TrackedRecord.of(text, "sqs") for text in texts]
        groups: dict[Any, list[TrackedRecord]] = {}
        for number, entry in enumerate(self.tracked):
            groups.setdefault(number if entry.group is None else entry.group, []).append(entry)
        for waiting in groups.values():
            waiting.reverse()
        # The number decides between groups that become visible at the same time.
        self._waiting = [(0.0, number, waiting) for number, waiting in enumerate(groups.values())]

    def step(self) -> bool:
        """Receive and deliver one batch; return False if the queue is empty."""
        if not self._waiting:
            return False
        self._loop.wait_until(self._waiting[0][0])
        at = self._loop.now
        batch, taken = self._receive()
        again: set[TrackedRecord] = set()
        if batch:
            make = partial(_event, tuple(entry.text for entry in batch), tuple(entry.receives for entry in batch))
            verdict = self._loop.invoke(make, batch)
            again = {batch[position] for position in verdict.returned}
        for entry in batch:
            entry.fate = "remaining" if entry in again else "deleted"
        for number, waiting, received in taken:
            back = [entry for entry in received if entry in again]
            waiting.extend(reversed(back))
            if waiting and not (back and self._stuck(back[0])):
                visible = at + self._queue.visibility_timeout if back else at
                heapq.heappush(self._waiting, (visible, number, waiting))
        return True

    def _receive(self) -> tuple[list[TrackedRecord], list[tuple[int, list[TrackedRecord], list[TrackedRecord]]]]:
        """Receive visible messages, group after group, until the batch is full."""
        batch: list[TrackedRecord] = []
        taken: list[tuple[int, list[TrackedRecord], list[TrackedRecord]]] = []
        size = 0
        while self._waiting and self._waiting[0][0] <= self._loop.now and len(batch) < self._queue.batch_size:
            _, number, waiting = heapq.heappop(self._waiting)
            received: list[TrackedRecord] = []
            taken.append((number, waiting, received))
            while waiting and len(batch) < self._queue.batch_size:
                size += len(waiting[-1].text)
                if batch and size > PAYLOAD_LIMIT:
                    return batch, taken
                entry = waiting.pop()
                if self._is_received(entry):
                    received.append(entry)
                    batch.append(entry)
        return batch, taken

    def _stuck(self, entry: TrackedRecord) -> bool:
        """Tell whether a message has failed so often that more receives would show nothing new."""
        return self._queue.max_receive_count is None and len(entry.runs) >= RECEIVES

    def _is_received(self, entry: TrackedRecord) -> bool:
        """Count a receive; return False if the message leaves the queue instead."""
        limit = self._queue.max_receive_count
        if self._loop.now > self._queue.retention:
            entry.give_up()
        elif limit is not None and entry.receives >= limit and entry.runs:
            # A raw record that hasn't run yet is delivered once: its receive count includes that delivery.
            entry.fate = "dead_lettered"
        else:
            entry.receives += 1
            return True
        return False


def _event(texts: Iterable[str], receives: Iterable[int]) -> dict[str, Any]:
    records = [json.loads(text) for text in texts]
    for raw, count in zip(records, receives, strict=True):
        # The first delivery of a raw record keeps its receive count and its receipt handle.
        if raw["attributes"]["ApproximateReceiveCount"] != str(count):
            raw["attributes"]["ApproximateReceiveCount"] = str(count)
            raw["receiptHandle"] = receipt_handle(raw["eventSourceARN"], raw["messageId"], count)
    return {"Records": records}
