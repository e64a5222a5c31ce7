"""Buffers for records that wait to be sent. They form batches, and keep the order of each key if there is one."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from partialbatch.errors import RecordError
from partialbatch.producers._entry import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from partialbatch.producers._entry import Entry, Stats

__all__ = ["Buffer", "KeyedBuffer"]

_HELD_BACK = Failure(FailureKind.UNSENT, message="held back: an earlier record of its group was not accepted")


class Buffer:
    """A buffer for records that have no order.

    Attributes:
        held: The number of records that are queued or in flight.
        ready: Records that can be sent now.
        bytes: The size of `ready`.
        halves: Halves of calls that were refused as a whole; each one is sent as it is.
        returned: Records that the buffer itself hands back.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.held = 0
        self.ready: deque[Entry] = deque()
        self.bytes = 0
        self.halves: list[list[Entry]] = []
        self.returned: list[Entry] = []

    def add(self, entry: Entry) -> bool:
        """Take a record, and tell whether a full batch is ready."""
        self.held += 1
        self.ready.append(entry)
        self.bytes += entry.size
        return len(self.ready) >= self.max_entries or self.bytes >= self.max_bytes

    def has_full_batch(self) -> bool:
        """Tell whether there is a batch that has no room for another record."""
        return bool(self.halves) or len(self.ready) >= self.max_entries or self.bytes >= self.max_bytes

    def has_batch(self) -> bool:
        """Tell whether there is anything to send."""
        return bool(self.ready or self.halves)

    def take_batch(self) -> tuple[list[Entry], bool]:
        """Return the records of the next call, and whether they are half of a refused call."""
        if self.halves:
            return self.halves.pop(), True
        if len(self.ready) <= self.max_entries and self.bytes <= self.max_bytes:
            batch = list(self.ready)
            self.ready.clear()
            self.bytes = 0
        else:
            batch = self._pack()
        self._mark_in_flight(batch)
        return batch, False

    def _pack(self) -> list[Entry]:
        ready = self.ready
        batch = [ready.popleft()]
        size = batch[0].size
        while ready and len(batch) < self.max_entries and size + ready[0].size <= self.max_bytes:
            entry = ready.popleft()
            size += entry.size
            batch.append(entry)
        self.bytes -= size
        return batch

    def _mark_in_flight(self, batch: list[Entry]) -> None:
        """Note that records are being sent."""

    def bisect(self, batch: list[Entry]) -> None:
        """Split a refused call in two. The first half is sent first."""
        middle = len(batch) // 2
        self.halves += [batch[middle:], batch[:middle]]

    def requeue(self, entries: Sequence[Entry]) -> None:
        """Put records back in front of all others, to be sent again."""
        self.ready.extendleft(reversed(entries))
        self.bytes += sum(entry.size for entry in entries)

    def release(self, entries: Sequence[Entry], *, accepted: bool = False) -> None:
        """Remove records that the service has accepted or rejected."""
        self.held -= len(entries)

    def clear(self) -> list[Entry]:
        """Remove and return all records that aren't in flight, in the order of the puts."""
        queued = [*self.ready, *(entry for half in self.halves for entry in half)]
        self.ready.clear()
        self.halves.clear()
        self.bytes = 0
        self.held -= len(queued)
        return sorted(queued, key=_seq)

    def block(self, entries: Iterable[Entry]) -> None:
        """Send nothing more of these records' groups. This buffer has no groups."""

    def unblock(self) -> None:
        """Let blocked groups continue. This buffer has no groups."""


class KeyedBuffer(Buffer):
    """A buffer that has at most one unacknowledged record of each key in flight or ready to be sent.

    Args:
        max_entries: The most records in a call.
        max_bytes: The most bytes in a call.
        stats: Counts the superseded records.
        duplicates: The fate of a record whose key is already held. ``"serialize"``: it is sent after the
            held one. ``"last"``: it replaces the held one, unless that is in flight. ``"first"``: it is left
            out. ``"skip_if_accepted"``: it waits, and is left out once the held one is accepted.
            ``"error"``: it is refused.
        blocks: Whether a record that is handed back blocks the rest of its group.
    """

    def __init__(
        self, max_entries: int, max_bytes: int, stats: Stats, duplicates: str, *, blocks: bool = False
    ) -> None:
        super().__init__(max_entries, max_bytes)
        self._blocks = blocks
        self._stats = stats
        self._duplicates = duplicates
        # Three plain containers: with an object for each key, a DynamoDB record cost twice as much.
        self._first: dict[Hashable, Entry] = {}  # the first record of each key: ready, in a half, or in flight
        self._waiting: dict[Hashable, deque[Entry]] = {}  # the records behind it, if there are any
        self._blocked: set[Hashable] = set()

    def add(self, entry: Entry) -> bool:
        key = entry.key
        if key is None:
            return super().add(entry)
        if self._blocked and key in self._blocked:
            entry.set_failure(_HELD_BACK)
            self.returned.append(entry)
            return False
        # Hot: a key is hashed only twice, here and in `release`, at 60 ns each.
        first = self._first.setdefault(key, entry)
        if first is entry:
            # The code of Buffer.add again: the call would take 80 ns.
            self.held += 1
            self.ready.append(entry)
            self.bytes += entry.size
            return len(self.ready) >= self.max_entries or self.bytes >= self.max_bytes
        self._add_duplicate(first, entry)
        return self.has_full_batch()

    def _add_duplicate(self, first: Entry, entry: Entry) -> None:
        if self._duplicates == "error":
            raise RecordError(
                "key", "another operation on this key is still held or in flight (on_duplicate='error'): call flush()"
            )
        self.held += 1
        if self._duplicates == "first":
            self._supersede()
        elif self._duplicates == "last":
            self._replace(first, entry)
        else:
            self._waiting.setdefault(entry.key, deque()).append(entry)

    def _replace(self, first: Entry, entry: Entry) -> None:
        key = entry.key
        if not first.in_flight:
            self.bytes += entry.size - first.size
            first.replace_with(entry)
        elif key in self._waiting:
            self._waiting[key][0] = entry
        else:
            self._waiting[key] = deque([entry])
            return
        self._supersede()

    def _supersede(self) -> None:
        self.held -= 1
        self._stats.superseded += 1

    def _mark_in_flight(self, batch: list[Entry]) -> None:
        for entry in batch:
            entry.in_flight = True

    def requeue(self, entries: Sequence[Entry]) -> None:
        retried = []
        for entry in entries:
            if self._duplicates == "last" and entry.key in self._waiting:
                # A late retry of the older operation would undo the newer one.
                self._supersede()
                self._advance(entry.key)
            else:
                entry.in_flight = False
                retried.append(entry)
        super().requeue(retried)

    def release(self, entries: Sequence[Entry], *, accepted: bool = False) -> None:
        super().release(entries)
        if not self._waiting:
            for entry in entries:
                self._first.pop(entry.key, None)
            return
        skips = accepted and self._duplicates == "skip_if_accepted"
        for entry in entries:
            if entry.key not in self._waiting:
                self._first.pop(entry.key, None)
            elif skips:
                self._skip_waiting(entry.key)
            else:
                self._advance(entry.key)

    def _skip_waiting(self, key: Hashable) -> None:
        """Leave out the records that wait behind an accepted one."""
        del self._first[key]
        for _ in self._waiting.pop(key):
            self._supersede()

    def _advance(self, key: Hashable) -> None:
        """Make the next record of a key ready."""
        waiting = self._waiting[key]
        entry = self._first[key] = waiting.popleft()
        if not waiting:
            del self._waiting[key]
        self.ready.append(entry)
        self.bytes += entry.size

    def block(self, entries: Iterable[Entry]) -> None:
        if not self._blocks:
            return
        for key in {entry.key for entry in entries} - {None}:
            self._blocked.add(key)
            waiting = self._waiting.pop(key, ())
            for entry in waiting:
                entry.set_failure(_HELD_BACK)
            self.held -= len(waiting)
            self.returned += waiting

    def unblock(self) -> None:
        self._blocked.clear()

    def clear(self) -> list[Entry]:
        queued = super().clear()
        waiting = [entry for line in self._waiting.values() for entry in line]
        self._waiting.clear()
        self.held -= len(waiting)
        for entry in queued:
            self._first.pop(entry.key, None)
        return sorted(queued + waiting, key=_seq)


def _seq(entry: Entry) -> int:
    return entry.seq
