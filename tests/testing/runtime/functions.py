"""Handlers for the real runtime; they do what a record's body says."""

from __future__ import annotations

import sys
import time
from decimal import Decimal

from partialbatch import batch_handler


def work(item: dict):
    """Do what the item says."""
    if item.get("exit"):
        sys.exit(3)
    if item.get("fail"):
        raise ValueError("as asked")
    time.sleep(float(item.get("sleep", 0)))


orders = batch_handler(work)
stopping = batch_handler(work, error_policy="stop", deadline_margin=None)
lenient = batch_handler(work, raise_on_full_failure=False)
careful = batch_handler(work, deadline_margin=0.5)
side_by_side = batch_handler(work, max_concurrency=4)


@batch_handler
async def coroutines(item: dict):
    """Do the same in an event loop."""
    work(item)


def echo(event, context):
    """Return what the event's first body says, as it is."""
    return {
        "set": {1, 2},
        "decimals": {"batchItemFailures": [], "n": Decimal("1.50")},
        "bytes": b"{}",
        "nothing": None,
        "nan": float("nan"),
        "object": object(),
        "tuple": ("a", ("b",)),
        "words": {"batchItemFailures": [], "word": "grüezi ☃"},
    }[event["Records"][0]["body"]]
