"""Sources to poll: a queue with several pollers, or a stream with one poller per shard."""

from __future__ import annotations

import json
from functools import partial
from math import ceil
from random import SystemRandom
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from partialbatch.cli.command_error import CommandError
from partialbatch.cli.poll.checkpoints import SHARD_END
from partialbatch.cli.poll.clients import naming_option
from partialbatch.worker import QueuePoller, ShardPoller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from partialbatch._backoff import Backoff
    from partialbatch.cli.poll.checkpoints import Checkpoints
    from partialbatch.cli.poll.periodic import PeriodicTasks
    from partialbatch.worker import GivenUp, Observer, QueueMapping, ShardReader, StreamMapping
    from partialbatch.worker._handler_call import Handler

__all__ = ["QueueSource", "Source", "StreamSource", "on_failure_sender"]

_IDLE = 1.0  # seconds between reads of an empty shard; the service allows five reads per second
_BEHIND = 0.2
_DISCOVERY = 10.0
_FIFO_BATCH = 10


class Source(Protocol):
    """A queue or a stream."""

    def add_tasks(self, tasks: PeriodicTasks, observer: Observer) -> None:
        """Add the tasks that poll the source."""
        ...

    def drained(self) -> bool:
        """Return whether nothing is left to do for now."""
        ...


class QueueSource:
    """An SQS queue.

    Attributes:
        note: A remark for the user; empty if there is none.
    """

    def __init__(self, client: Any, url: str, handler: Handler, mapping: QueueMapping, pollers: int) -> None:
        with naming_option("--queue", url):
            attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        if attributes["QueueArn"].endswith(".fifo") and (mapping.batch_size > _FIFO_BATCH or mapping.window):
            raise CommandError(
                "a FIFO queue has no batching window (--window) and at most 10 messages per batch (--batch-size)"
            )
        self.note = ""
        needed = ceil(mapping.timeout + mapping.window)
        visibility = int(attributes["VisibilityTimeout"])
        if mapping.visibility is None and visibility < needed:
            self.note = (
                f"the queue's visibility timeout ({visibility} s) is shorter than --timeout and --window together: "
                f"messages of a batch that runs longer are kept invisible for up to {needed} s"
            )
        self._client, self._url, self._handler = client, url, handler
        self._mapping, self._count = mapping, pollers
        self._pollers: list[QueuePoller] = []

    def add_tasks(self, tasks: PeriodicTasks, observer: Observer) -> None:
        """Add one task per poller."""
        for _ in range(self._count):
            poller = QueuePoller(
                self._client, self._url, self._handler, self._mapping, observer, stopping=lambda: tasks.stopping
            )
            self._pollers.append(poller)
            tasks.add(partial(self._step, poller))

    def drained(self) -> bool:
        """Return whether the queue has no visible, in-flight or delayed messages."""
        return self._pollers[0].drained()

    def _step(self, poller: QueuePoller) -> float:
        return 0.0 if poller.step() or self._mapping.wait else _IDLE


class StreamSource:
    """A stream. A shard is read after its parents are done, so that the records of a key stay in order."""

    def __init__(
        self,
        shards: Callable[[], Iterable[ShardReader]],
        handler: Handler,
        mapping: StreamMapping,
        checkpoints: Checkpoints,
        backoff: Backoff | None,
    ) -> None:
        self._shards, self._handler, self._mapping = shards, handler, mapping
        self._checkpoints, self._backoff = checkpoints, backoff
        self._active: dict[str, ShardPoller] = {}
        self._discovered = False
        self._lock = Lock()

    def add_tasks(self, tasks: PeriodicTasks, observer: Observer) -> None:
        """Add the task that finds the shards. It then adds one task per shard."""
        tasks.add(partial(self._discover, tasks, observer))

    def drained(self) -> bool:
        """Return whether every shard is read to its end, and each record is handled or given up."""
        with self._lock:
            pollers = self._active.values()
            # A finished poller is still active until the children of its shard are found.
            return self._discovered and all(poller.drained and not poller.finished for poller in pollers)

    def _discover(self, tasks: PeriodicTasks, observer: Observer) -> float:
        with self._lock:
            readers = {reader.shard_id: reader for reader in self._shards()}
            for shard_id, reader in readers.items():
                if shard_id not in self._active and self._ready(reader, readers):
                    poller = ShardPoller(reader, self._handler, self._mapping, self._checkpoints, observer)
                    self._active[shard_id] = poller
                    tasks.add(partial(self._step, shard_id, poller, tasks, observer))
            for gone in [shard for shard, at in self._checkpoints.items() if at == SHARD_END and shard not in readers]:
                del self._checkpoints[gone]
            self._discovered = True
        return _DISCOVERY

    def _ready(self, reader: ShardReader, listed: Iterable[str]) -> bool:
        if self._checkpoints.get(reader.shard_id) == SHARD_END:
            return False
        return all(self._checkpoints.get(parent) == SHARD_END or parent not in listed for parent in reader.parents)

    def _step(self, shard_id: str, poller: ShardPoller, tasks: PeriodicTasks, observer: Observer) -> float | None:
        busy = poller.step()
        if poller.finished:
            self._checkpoints[shard_id] = SHARD_END
            self._discover(tasks, observer)  # its children may start
            with self._lock:
                self._active.pop(shard_id, None)
            return None
        if busy:
            return self._pause(poller.stalls)
        return _IDLE if poller.drained or not poller.idle else _BEHIND

    def _pause(self, stalls: int) -> float:
        if not stalls or self._backoff is None:
            return 0.0
        return self._backoff.wait(stalls - 1, SystemRandom().random)


def on_failure_sender(client: Any, url: str) -> Callable[[GivenUp], None]:
    """Return a function that sends to an on-failure destination, which is a standard queue.

    Raises:
        CommandError: There is no such queue, or it is a FIFO queue.
    """
    with naming_option("--on-failure", url):
        attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    if attributes["QueueArn"].endswith(".fifo"):
        raise CommandError(f"--on-failure {url}: a FIFO queue can't be a destination; name a standard queue")

    def send(given_up: GivenUp) -> None:
        client.send_message(QueueUrl=url, MessageBody=json.dumps(given_up.message()))

    return send
