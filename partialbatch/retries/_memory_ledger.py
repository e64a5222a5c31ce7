"""Entries of the resume ledger in the memory of an execution environment."""

from __future__ import annotations

import threading
from time import time
from typing import TYPE_CHECKING

from partialbatch.retries._entries import LIFETIME

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MemoryLedger"]

HELD = 200_000
"""Identifiers in memory: 25 MB of Kinesis' numbers. Lambda redelivers at once, so old entries are not missed."""


class MemoryLedger:
    """Entries in a dict, the oldest dropped first."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], tuple[float, frozenset[str]]] = {}
        self._lock = threading.Lock()
        self._held = 0

    def read(self, arn: str, checkpoint: str) -> frozenset[str]:
        """See `Ledger.read`."""
        if not self._entries:
            return frozenset()
        expires, done = self._entries.get((arn, checkpoint), (0.0, frozenset[str]()))
        return done if expires > time() else frozenset()

    def write(self, arn: str, checkpoint: str, done: Sequence[str]) -> None:
        """See `Ledger.write`."""
        with self._lock:
            self._drop((arn, checkpoint))
            self._entries[arn, checkpoint] = (time() + LIFETIME, frozenset(done))
            self._held += len(self._entries[arn, checkpoint][1])
            while self._held > HELD:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: tuple[str, str]) -> None:
        _, done = self._entries.pop(key, (0.0, frozenset[str]()))
        self._held -= len(done)
