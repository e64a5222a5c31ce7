"""What waits to be sent: packed into batches, and in order where there is one."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from partialbatch.errors import RecordError
from partialbatch.producers._entry import Fault, Kind

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from partialbatch.producers._entry import Entry, Stats

__all__ = ["Buffer", "Lanes"]

_HELD_BACK = Fault(Kind.UNSENT, message="held back: an earlier record of its group was not accepted")


class Buffer:
    """Records without an order among them; `held` counts those in flight too."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.held = 0
        self.ready: deque[Entry] = deque()
        self.bytes = 0  # of what is ready
        self.splits: list[list[Entry]] = []  # parts of a poisoned call, each sent as it is
        self.returned: list[Entry] = []  # what the buffer itself gives back

    def add(self, entry: Entry) -> bool:
        """Take a record, and tell whether a full call is ready."""
        self.held += 1
        self.ready.append(entry)
        self.bytes += entry.size
        return len(self.ready) >= self.max_entries or self.bytes >= self.max_bytes

    def full(self) -> bool:
        """Tell whether there is a call that no further record would fit into."""
        return bool(self.splits) or len(self.ready) >= self.max_entries or self.bytes >= self.max_bytes

    def any(self) -> bool:
        """Tell whether there is anything to send."""
        return bool(self.ready or self.splits)

    def take(self) -> tuple[list[Entry], bool]:
        """Return the next call's records, and whether they are part of a poisoned call."""
        if self.splits:
            return self.splits.pop(), True
        if len(self.ready) <= self.max_entries and self.bytes <= self.max_bytes:
            batch = list(self.ready)
            self.ready.clear()
            self.bytes = 0
        else:
            batch = self._pack()
        self._left(batch)
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

    def _left(self, batch: list[Entry]) -> None:
        """Note that records are on their way."""

    def split(self, batch: list[Entry]) -> None:
        """Halve a poisoned call; the first half goes first."""
        middle = len(batch) // 2
        self.splits += [batch[middle:], batch[:middle]]

    def requeue(self, entries: Sequence[Entry]) -> None:
        """Put records that are to be sent again in front of all others."""
        self.ready.extendleft(reversed(entries))
        self.bytes += sum(entry.size for entry in entries)

    def release(self, entries: Sequence[Entry], *, accepted: bool = False) -> None:
        """Let go of records that the service has accepted or rejected."""
        self.held -= len(entries)

    def clear(self) -> list[Entry]:
        """Give up all that is not in flight, in the order in which it was put."""
        queued = [*self.ready, *(entry for part in self.splits for entry in part)]
        self.ready.clear()
        self.splits.clear()
        self.bytes = 0
        self.held -= len(queued)
        return sorted(queued, key=_seq)

    def hold(self, entries: Iterable[Entry]) -> None:
        """Send nothing more of the groups of these records; no groups here."""

    def forget(self) -> None:
        """Let held groups go on; no groups here."""


class Lanes(Buffer):
    """Records of which at most one a key is unacknowledged.

    Args:
        max_entries: Records a call.
        max_bytes: Bytes a call.
        stats: Where superseded records are counted.
        duplicates: What another record with a held key means: ``serialize`` it waits,
            ``last`` it replaces what was not sent yet, ``first`` it is left out, ``standby`` it
            waits, and is left out once the other is accepted, ``error`` it is refused.
        hold: Whether a record that is handed back holds the rest of its lane back.
    """

    def __init__(self, max_entries: int, max_bytes: int, stats: Stats, duplicates: str, *, hold: bool = False) -> None:
        super().__init__(max_entries, max_bytes)
        self._hold = hold
        self._stats = stats
        self._duplicates = duplicates
        # Three plain containers: an object a key made DynamoDB's own cost twice as high.
        self._heads: dict[Hashable, Entry] = {}  # the first of each key: ready, split off or in flight
        self._waiting: dict[Hashable, deque[Entry]] = {}  # those behind it, where there are any
        self._shut: set[Hashable] = set()

    def add(self, entry: Entry) -> bool:
        key = entry.key
        if key is None:
            return super().add(entry)
        if self._shut and key in self._shut:
            entry.blame(_HELD_BACK)
            self.returned.append(entry)
            return False
        # Hot: a key is hashed twice in all, 60 ns each, here and when it is released.
        head = self._heads.setdefault(key, entry)
        if head is entry:
            # Buffer.add once more: the call takes 80 ns, a tenth of what the engine takes in all.
            self.held += 1
            self.ready.append(entry)
            self.bytes += entry.size
            return len(self.ready) >= self.max_entries or self.bytes >= self.max_bytes
        if self._duplicates == "error":
            raise RecordError("key", "an operation on this key is still held or in flight (on_duplicate='error')")
        self.held += 1
        if self._duplicates == "first":
            self._supersede()
            return False
        if self._duplicates == "last":
            self._replace(head, entry)
        else:
            self._waiting.setdefault(key, deque()).append(entry)
        return self.full()

    def _replace(self, head: Entry, entry: Entry) -> None:
        key = entry.key
        if not head.flying:
            self.bytes += entry.size - head.size
            head.become(entry)
        elif key in self._waiting:
            self._waiting[key][0] = entry
        else:
            self._waiting[key] = deque([entry])
            return
        self._supersede()

    def _supersede(self) -> None:
        self.held -= 1
        self._stats.superseded += 1

    def _left(self, batch: list[Entry]) -> None:
        for entry in batch:
            entry.flying = True

    def requeue(self, entries: Sequence[Entry]) -> None:
        again = []
        for entry in entries:
            if self._duplicates == "last" and entry.key in self._waiting:
                # A late retry of the older operation would undo the newer one.
                self._supersede()
                self._advance(entry.key)
            else:
                entry.flying = False
                again.append(entry)
        super().requeue(again)

    def release(self, entries: Sequence[Entry], *, accepted: bool = False) -> None:
        super().release(entries)
        stands_in = accepted and self._duplicates == "standby"
        for entry in entries:
            if self._waiting and entry.key in self._waiting:
                if stands_in:
                    self._drop(entry.key)
                else:
                    self._advance(entry.key)
            else:
                self._heads.pop(entry.key, None)

    def _drop(self, key: Hashable) -> None:
        """Leave out what waits behind an operation that was accepted."""
        del self._heads[key]
        for _ in self._waiting.pop(key):
            self._supersede()

    def _advance(self, key: Hashable) -> None:
        """Make the next of a key ready, and its first one from now on."""
        waiting = self._waiting[key]
        head = self._heads[key] = waiting.popleft()
        if not waiting:
            del self._waiting[key]
        self.ready.append(head)
        self.bytes += head.size

    def hold(self, entries: Iterable[Entry]) -> None:
        if not self._hold:
            return
        for key in {entry.key for entry in entries} - {None}:
            self._shut.add(key)
            waiting = self._waiting.pop(key, ())
            for entry in waiting:
                entry.blame(_HELD_BACK)
            self.held -= len(waiting)
            self.returned += waiting

    def forget(self) -> None:
        self._shut.clear()

    def clear(self) -> list[Entry]:
        queued = super().clear()
        waiting = [entry for line in self._waiting.values() for entry in line]
        self._waiting.clear()
        self.held -= len(waiting)
        for entry in queued:
            self._heads.pop(entry.key, None)
        return sorted(queued + waiting, key=_seq)


def _seq(entry: Entry) -> int:
    return entry.seq
