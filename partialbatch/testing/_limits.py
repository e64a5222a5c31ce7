"""Lambda's limits for the size of a batch."""

from __future__ import annotations

__all__ = ["BATCH_LIMIT", "FIFO_LIMIT", "PAYLOAD_LIMIT"]

BATCH_LIMIT = 10_000
"""The largest number of records in one batch, except for a FIFO queue."""

FIFO_LIMIT = 10
"""The largest number of messages in one batch of a FIFO queue."""

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""The largest size of an event, in bytes."""
