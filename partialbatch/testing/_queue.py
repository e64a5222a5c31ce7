"""A queue with a Lambda function behind it, on a virtual clock."""

from __future__ import annotations

import heapq
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._arns import queue_arn
from partialbatch.testing._event_layout import given_records
from partialbatch.testing._events import BATCH_LIMIT, FIFO_LIMIT, sqs_records
from partialbatch.testing._records import receipt_handle
from partialbatch.testing._simulation_loop import PAYLOAD_LIMIT, Engine, Tracked
from partialbatch.testing._validation import bound, seconds, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from partialbatch.testing._delivery import Delivery

__all__ = ["RECEIVES", "SimulatedQueue"]

RECEIVES = 100
"""Receives after which a message of a queue without a redrive policy is left where it is."""


class SimulatedQueue:
    """An SQS queue that delivers its messages to a handler as Lambda does.

    One invocation at a time; what fails is visible again when its visibility timeout,
    counted from its receipt, is over, and nothing sleeps meanwhile. A message group of
    a FIFO queue waits as long as one of its messages is in flight.

    Args:
        messages: Bodies (text as it is, other values as JSON), or raw records, or an event;
            what raw records were received before counts towards `max_receive_count`.
        fifo: Whether it is a FIFO queue.
        groups: The message group ids, as in `sqs_event`.
        batch_size: At most so many messages an invocation, 1 to 10,000, FIFO 10.
        visibility_timeout: Seconds, 0 to 43,200.
        max_receive_count: The redrive policy's ``maxReceiveCount``, 1 to 1,000. Without it,
            there is no dead-letter queue: a message that has failed 100 times stays on the
            queue, its fate is ``remaining``, and its group waits behind it.
        retention: Seconds after which a message expires, 60 to 1,209,600.
        report_batch_item_failures: Whether the event source mapping has that setting.
        max_invocations: The bound of a run; without, 1,000 and 10 more a message.
    """

    def __init__(  # the settings of a queue and its mapping
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
        # As text: parsed, a record takes three times the memory.
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
        """Deliver until nothing more can be received, or the bound is hit.

        Args:
            handler: Any callable ``(event, context)``.
            context: Its context; a `LambdaContext` (its timeout counts) starts anew each time.
            succeeded: Raw record -> whether it has succeeded, for handlers that are not
                ours: True, False, or None if this invocation did not run it, which is neither
                a success nor a failure. Asked after each invocation.
        """
        engine = Engine(
            "sqs",
            handler,
            context,
            succeeded,
            ordered=self.fifo,
            report=self.report_batch_item_failures,
            bound=self.max_invocations,
        )
        run = _QueueRun(self, engine, self._texts)
        while not engine.exhausted and run.step():
            pass
        return engine.delivery(run.tracked)


def _raw_records(messages: Any, groups: Any, *, fifo: bool) -> Iterable[Any]:
    given, are_raw = given_records("messages", messages, ("sqs",))
    if not are_raw:
        return sqs_records(given, queue_arn("orders", fifo=fifo), groups=groups)
    if fifo and not all(raw["eventSourceARN"].endswith(".fifo") for raw in given):
        raise ConfigurationError("fifo=True: these records are of a standard queue, as their eventSourceARN says")
    if groups is not None:
        raise ConfigurationError("groups is for bodies: raw records have their MessageGroupId already")
    return given


class _QueueRun:
    """The state of one run: a heap of groups, by the moment at which they can be received.

    On a standard queue each message is a group of its own. A group is a list whose last
    entry is received first: a deque takes 760 bytes, be it for one message.
    """

    def __init__(self, queue: SimulatedQueue, engine: Engine, texts: list[str]) -> None:
        self._queue, self._engine = queue, engine
        self.tracked = [Tracked.of(text, "sqs") for text in texts]
        groups: dict[Any, list[Tracked]] = {}
        for number, entry in enumerate(self.tracked):
            groups.setdefault(number if entry.group is None else entry.group, []).append(entry)
        for waiting in groups.values():
            waiting.reverse()
        # The number decides between groups that are visible since the same moment.
        self._waiting = [(0.0, number, waiting) for number, waiting in enumerate(groups.values())]

    def step(self) -> bool:
        """Receive and deliver one batch; False when there is none."""
        if not self._waiting:
            return False
        self._engine.wait_until(self._waiting[0][0])
        at = self._engine.now
        batch, taken = self._receive()
        again: set[Tracked] = set()
        if batch:
            make = partial(_event, tuple(entry.text for entry in batch), tuple(entry.receives for entry in batch))
            verdict = self._engine.invoke(make, batch)
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

    def _receive(self) -> tuple[list[Tracked], list[tuple[int, list[Tracked], list[Tracked]]]]:
        """Take messages that are visible, group after group, until the batch is full."""
        batch: list[Tracked] = []
        taken: list[tuple[int, list[Tracked], list[Tracked]]] = []
        size = 0
        while self._waiting and self._waiting[0][0] <= self._engine.now and len(batch) < self._queue.batch_size:
            _, number, waiting = heapq.heappop(self._waiting)
            received: list[Tracked] = []
            taken.append((number, waiting, received))
            while waiting and len(batch) < self._queue.batch_size:
                size += len(waiting[-1].text)
                if batch and size > PAYLOAD_LIMIT:
                    return batch, taken
                entry = waiting.pop()
                if self._stays(entry):
                    received.append(entry)
                    batch.append(entry)
        return batch, taken

    def _stuck(self, entry: Tracked) -> bool:
        """Tell whether a message would be received for as long as SQS keeps it: nothing new comes of that."""
        return self._queue.max_receive_count is None and len(entry.runs) >= RECEIVES

    def _stays(self, entry: Tracked) -> bool:
        """Count a receipt; False where the message goes off the queue instead."""
        limit = self._queue.max_receive_count
        if self._engine.now > self._queue.retention:
            entry.give_up()
        elif limit is not None and entry.receives >= limit and entry.runs:  # a raw record is a delivery to come
            entry.fate = "dead_lettered"
        else:
            entry.receives += 1
            return True
        return False


def _event(texts: Iterable[str], receives: Iterable[int]) -> dict[str, Any]:
    records = [json.loads(text) for text in texts]
    for raw, count in zip(records, receives, strict=True):
        # What it was given with is kept: a raw record is the delivery that it says it is.
        if raw["attributes"]["ApproximateReceiveCount"] != str(count):
            raw["attributes"]["ApproximateReceiveCount"] = str(count)
            raw["receiptHandle"] = receipt_handle(raw["eventSourceARN"], raw["messageId"], count)
    return {"Records": records}
