"""Lambda's quota for an event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from partialbatch.errors import ConfigurationError
from partialbatch.testing.shapes import records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PAYLOAD_LIMIT", "deliverable"]

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""In bytes, of the whole event as JSON (gettingstarted-limits)."""

_Event = TypeVar("_Event")


_PAYLOADS: dict[str, Callable[[Any], int]] = {
    "sqs": lambda raw: len(raw["body"].encode()) + raw["body"].count('"'),
    "kinesis": lambda raw: len(raw.get("kinesis", raw)["data"]),
    "dynamodb": lambda raw: int(raw["dynamodb"].get("SizeBytes", 0)),
    "kafka": lambda raw: len(raw.get("key", "")) + len(raw.get("value", "")),
}
"""About how long the part of a record is by which records differ."""


def deliverable(source: str, event: _Event) -> _Event:
    """Return an event that is not too large for Lambda.

    Raises:
        ConfigurationError: It is too large.
    """
    records = records_of(event)
    # To write all of it doubles the time that an event takes to make, so that is for those that may be too large.
    if records and _estimate(records, _PAYLOADS[source]) > PAYLOAD_LIMIT:
        length = _length(event)
        if length > PAYLOAD_LIMIT:
            raise ConfigurationError(
                f"the event has {length:,} bytes as JSON, more than the {PAYLOAD_LIMIT:,} that Lambda delivers"
            )
    return event


def _estimate(records: Sequence[Any], size: Callable[[Any], int]) -> int:
    frame = max(0, _length(records[0]) - size(records[0]))
    return frame * len(records) + sum(map(size, records))


def _length(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
