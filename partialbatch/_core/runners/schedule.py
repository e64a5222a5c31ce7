"""Decide which record may start next, without a clock, thread or loop of its own."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from partialbatch._core.reasons import DEADLINE, STOPPED
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Sequence

    from partialbatch._core.runners.deadline import Deadline

__all__ = ["Schedule", "successors"]


def successors(groups: Iterable[Hashable]) -> list[int]:
    """Return, for each record, the index of the next one of its group, -1 for the last.

    Args:
        groups: The group of each record; None for a record that stands alone.
    """
    following: list[int] = []
    last: dict[Hashable, int] = {}
    for index, group in enumerate(groups):
        following.append(-1)
        if group is not None:
            if group in last:
                following[last[group]] = index
            last[group] = index
    return following


class Schedule:
    """The records that may start now, the earliest first.

    At most one record of each group is ready or running. The next one becomes ready when it ends,
    or never: error policies are no more than that.
    """

    __slots__ = ("_closed", "_deadline", "_first", "_following", "_later", "_left", "_policy", "_spared", "_stopped")

    def __init__(
        self,
        records: Sequence[int],
        following: Sequence[int],
        policy: ErrorPolicy,
        deadline: Deadline | None = None,
        spared: Collection[int] = (),
    ) -> None:
        """Start with the first record of each group.

        Args:
            records: The indexes of the records to run, ascending.
            following: The next index of the group, by index; see `successors`.
            policy: The meaning of a failure for the records behind it.
            deadline: When to stop starting records; None: never.
            spared: Indexes of records that start even after a stop.
        """
        self._following = following
        behind = {following[index] for index in records}
        # The records that are ready: the first of each group, in order, and a heap of those that follow.
        self._first = deque(index for index in records if index not in behind)
        self._later: list[int] = []
        self._left = len(records)
        self._policy = policy
        self._deadline = deadline
        self._spared = spared
        self._stopped = False
        self._closed = ""

    @property
    def closed(self) -> str:
        """Why records were not started; empty while all may be."""
        return self._closed or (STOPPED if self._stopped else "")

    @property
    def gives_more(self) -> bool:
        """Whether a record may still start, now or later."""
        return self._left > 0 and not self._closed and (not self._stopped or bool(self._spared))

    @property
    def width(self) -> int:
        """How many records may start now; there will never be more at once."""
        return len(self._first) + len(self._later)

    def take(self) -> int:
        """Return the next record to start, -1 if none may start now, as of the deadline's last reading."""
        first, later = self._first, self._later
        if self._closed or not (first or later):
            return -1
        if self._deadline is not None and not self._deadline.allows():
            self.close(DEADLINE)
            return -1
        self._left -= 1
        index = first.popleft() if first and not (later and later[0] < first[0]) else heappop(later)
        if self._deadline is not None:
            self._deadline.record_started(index)
        return index

    def ended(self, index: int, *, passes: bool | None) -> None:
        """Take note that a record has ended.

        Args:
            index: The record.
            passes: Whether it holds nothing back; None while it waits for its deliveries, and its group with it.
        """
        if passes is None:
            return
        if not passes and self._policy is ErrorPolicy.STOP:
            self._stop()
        if self._closed or (not passes and self._policy is not ErrorPolicy.CONTINUE):
            return
        following = self._following[index]
        if following >= 0 and (not self._stopped or following in self._spared):
            heappush(self._later, following)

    def _stop(self) -> None:
        self._stopped = True
        self._first = deque(index for index in self._first if index in self._spared)
        self._later = [index for index in self._later if index in self._spared]
        heapify(self._later)

    def close(self, why: str) -> None:
        """Start nothing any more; the first reason stands."""
        # Records that are ready stay in place: another thread may be taking from them.
        self._closed = self.closed or why
