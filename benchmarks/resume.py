"""The time that a ledger adds to a successful invocation."""

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

ROUNDS = 150
"""Ten times the usual: the row is a small difference of two figures."""


def _nothing(record: Any) -> None:
    """Stand for a record function."""


def run() -> list[dict[str, Any]]:
    """Time a batch with a ledger, without one under the same policy, and without one under the default policy."""
    event = events.kinesis(10)
    handlers = {
        "ledger": batch_handler(_nothing, resume=ResumeLedger.in_memory()),
        "skip_group": batch_handler(_nothing, error_policy="skip_group"),
        "default": batch_handler(_nothing),
    }
    best = race({name: partial(handler, event, None) for name, handler in handlers.items()}, ROUNDS)
    took = {name: seconds * 1e6 for name, seconds in best.items()}
    added = max(0.0, took["ledger"] - took["skip_group"])
    return [
        row("resume in memory, clean batch: added", (added, ALLOWED * 1e6), "µs", 1.0, "the allowance"),
        row("resume in memory, clean batch of 10", (took["ledger"], took["default"]), "µs", against="no options"),
    ]
