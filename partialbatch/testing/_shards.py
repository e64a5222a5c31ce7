"""Shards, whose batches are retried in place: the part that simulated streams and topics share."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from partialbatch.testing._limits import PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from partialbatch.testing._simulation_loop import SimulationLoop, TrackedRecord
    from partialbatch.testing._verdict import Verdict

__all__ = ["RetrySettings", "Shard", "drain"]

_LONGEST_WAIT = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """The settings by which batches are made and retried.

    Attributes:
        batch_size: The largest number of records in a batch.
        event: Makes the event of a batch from the JSON texts of its records.
        returned: Returns the positions of the records that are delivered again.
        retries: The largest number of retries of a batch. None: no limit.
        maximum_age: The age in seconds at which a record is given up.
        bisect: Whether a failed batch is split.
        destination: Whether records that are given up go to an on-failure destination.
    """

    batch_size: int
    event: Callable[[tuple[str, ...]], Any]
    returned: Callable[[Verdict, list[TrackedRecord]], Iterable[int]]
    retries: int | None
    maximum_age: float
    bisect: bool = False
    destination: bool = False


@dataclass(slots=True)
class Shard:
    """Records that are delivered in order, one batch at a time.

    A shard of a stream is one of these, or several with a parallelization factor. The partitions of a topic
    are one together.

    Attributes:
        waiting: The records that weren't in a batch yet.
        failed: Batches to retry, the next one last, each with its number of retries so far.
        order: The sort key for the records of a batch.
    """

    waiting: deque[TrackedRecord] = field(default_factory=deque)
    failed: list[tuple[list[TrackedRecord], int]] = field(default_factory=list)
    order: Callable[[TrackedRecord], str] = lambda _: ""

    def take(self, batch_size: int) -> tuple[list[TrackedRecord], int]:
        """Return the next batch, and its number of retries so far."""
        if self.failed:
            return self.failed.pop()
        batch: list[TrackedRecord] = []
        size = 0
        while self.waiting and len(batch) < batch_size:
            size += len(self.waiting[0].text)
            if batch and size > PAYLOAD_LIMIT:
                break
            batch.append(self.waiting.popleft())
        return sorted(batch, key=self.order), 0


def drain(loop: SimulationLoop, shards: Iterable[Shard], settings: RetrySettings) -> None:
    """Deliver until the shards are empty, or until the largest number of invocations."""
    ready = [(0.0, number, shard) for number, shard in enumerate(shards) if shard.waiting]
    while ready and not loop.exhausted:
        moment, number, shard = heapq.heappop(ready)
        loop.wait_until(moment)
        batch, retried = shard.take(settings.batch_size)
        wait = 0.0
        if loop.now > settings.maximum_age:
            _give_up(batch, settings)
        else:
            verdict = loop.invoke(partial(settings.event, tuple(entry.text for entry in batch)), batch)
            wait = _settle(shard, batch, retried, settings.returned(verdict, batch), settings)
        if shard.waiting or shard.failed:
            heapq.heappush(ready, (loop.now + wait, number, shard))


def _settle(
    shard: Shard, batch: list[TrackedRecord], retried: int, returned: Iterable[int], settings: RetrySettings
) -> float:
    """Set the fate of each record, queue the retries, and return the seconds until the next one."""
    rest = [batch[position] for position in returned]
    again = set(rest)
    for entry in batch:
        entry.fate = "remaining" if entry in again else "deleted"
    if not rest:
        return 0.0
    if settings.bisect and len(rest) < len(batch):
        shard.failed.append((rest, retried))
    elif settings.bisect and len(rest) > 1:
        middle = len(rest) // 2
        shard.failed += [(rest[middle:], retried), (rest[:middle], retried)]
    elif settings.retries is not None and retried >= settings.retries:
        _give_up(rest, settings)
    else:
        shard.failed.append((rest, retried + 1))
    # Lambda waits between retries; for how long isn't documented.
    return min(_LONGEST_WAIT, 2.0 ** min(retried, 6))


def _give_up(entries: Iterable[TrackedRecord], settings: RetrySettings) -> None:
    for entry in entries:
        entry.give_up(destination=settings.destination)
