"""What a ledger adds to an invocation in which all goes well."""

from __future__ import annotations

from functools import partial
from typing import Any

from partialbatch import batch_handler
from partialbatch.retries import ResumeLedger

from . import events
from .table import row
from .timing import race

ALLOWED = 5e-6
"""Seconds an invocation."""


def _nothing(record: Any) -> None:
    """Stand for a record function."""


def run() -> list[dict[str, Any]]:
    """Time batches with a ledger and without, by the same policy; the row is their difference against what is allowed."""
    return [_case(size) for size in (10, 100, 1_000)]


def _case(size: int) -> dict[str, Any]:
    event = events.kinesis(size)
    resuming = batch_handler(_nothing, resume=ResumeLedger.in_memory())
    alone = batch_handler(_nothing, error_policy="skip_group")
    best = race({"with": partial(resuming, event, None), "without": partial(alone, event, None)}, rounds=40)
    added = max(0.0, best["with"] - best["without"])
    name = f"resume in memory, clean batch of {size}, added"
    return row(name, (added * 1e6, ALLOWED * 1e6), "µs", 1.0, "allowed")
