"""Batches that are retried in place: what shards and topic-partitions have in common."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from partialbatch.testing._simulation_loop import PAYLOAD_LIMIT, Tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from partialbatch.testing._simulation_loop import Engine
    from partialbatch.testing._verdict import Verdict

__all__ = ["Lane", "Retrying", "drain"]

_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Retrying:
    """How batches are made and retried.

    Attributes:
        batch_size: The most records in a batch.
        event: Makes the event of a batch from the JSON texts of its records.
        returned: Gives the positions that are delivered again.
        retries: The most retries of a batch; None: no limit.
        longest: The age in seconds after which a record is given up.
        bisect: Whether a failed batch is split.
        destination: Whether what is given up goes to a destination.
    """

    batch_size: int
    event: Callable[[tuple[str, ...]], Any]
    returned: Callable[[Verdict, list[Tracked]], Iterable[int]]
    retries: int | None
    longest: float
    bisect: bool = False
    destination: bool = False


@dataclass(slots=True)
class Lane:
    """Records that are handled in order, one batch at a time.

    Attributes:
        waiting: The records that were in no batch yet.
        segments: Batches to be retried, the next one last, each with its retries so far.
        order: What the records of a batch are sorted by.
    """

    waiting: deque[Tracked] = field(default_factory=deque)
    segments: list[tuple[list[Tracked], int]] = field(default_factory=list)
    order: Callable[[Tracked], str] = lambda _: ""

    def take(self, batch_size: int) -> tuple[list[Tracked], int]:
        """Return the next batch and its retries so far."""
        if self.segments:
            return self.segments.pop()
        batch: list[Tracked] = []
        size = 0
        while self.waiting and len(batch) < batch_size:
            size += len(self.waiting[0].text)
            if batch and size > PAYLOAD_LIMIT:
                break
            batch.append(self.waiting.popleft())
        return sorted(batch, key=self.order), 0


def drain(engine: Engine, lanes: Iterable[Lane], how: Retrying) -> None:
    """Deliver until the lanes are empty, or the engine's bound is hit."""
    ready = [(0.0, number, lane) for number, lane in enumerate(lanes) if lane.waiting]
    while ready and not engine.exhausted:
        moment, number, lane = heapq.heappop(ready)
        engine.wait_until(moment)
        batch, retried = lane.take(how.batch_size)
        wait = 0.0
        if engine.now > how.longest:
            _give_up(batch, how)
        else:
            verdict = engine.invoke(partial(how.event, tuple(entry.text for entry in batch)), batch)
            wait = _settle(lane, batch, retried, how.returned(verdict, batch), how)
        if lane.waiting or lane.segments:
            heapq.heappush(ready, (engine.now + wait, number, lane))


def _settle(lane: Lane, batch: list[Tracked], retried: int, returned: Iterable[int], how: Retrying) -> float:
    """Put back what is delivered again, and return the seconds until then."""
    rest = [batch[position] for position in returned]
    again = set(rest)
    for entry in batch:
        entry.fate = "remaining" if entry in again else "deleted"
    if not rest:
        return 0.0
    if how.bisect and len(rest) < len(batch):
        lane.segments.append((rest, retried))
    elif how.bisect and len(rest) > 1:
        middle = len(rest) // 2
        lane.segments += [(rest[middle:], retried), (rest[:middle], retried)]
    elif how.retries is not None and retried >= how.retries:
        _give_up(rest, how)
    else:
        lane.segments.append((rest, retried + 1))
    # Lambda backs off between retries and does not say how.
    return min(_LONGEST_WAIT, 2.0 ** min(retried, 6))


def _give_up(entries: Iterable[Tracked], how: Retrying) -> None:
    for entry in entries:
        entry.give_up(destination=how.destination)
