"""Entries of a resume ledger: how long they are kept, how they are written, and how much one holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LIFETIME", "decoded", "encoded", "fitting"]

LIFETIME = 86_400
"""Seconds that an entry is kept: a day, as long as a Kinesis stream keeps records by default."""

LARGEST = 290_000
"""Bytes of an entry's identifiers; with its key it stays under 300 KB, and DynamoDB takes items of up to 400 KB."""


def encoded(done: Iterable[str]) -> str:
    """Write identifiers as JSON; `decoded` reads it."""
    return json.dumps(list(done), separators=(",", ":"))


def decoded(text: str) -> frozenset[str]:
    """Read the text that `encoded` returned."""
    return frozenset(json.loads(text))


def fitting(done: Iterable[str]) -> list[str]:
    """Return as many identifiers as an entry holds; the last are left out, and run again."""
    size = len("[]") - 1  # one comma less than there are identifiers
    kept: list[str] = []
    for identifier in done:
        size += len(encoded([identifier])) - 1  # with its comma, without brackets
        if size > LARGEST:
            break
        kept.append(identifier)
    return kept
