"""Failed entries in a response with status 200, reported by id or by position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.producers._entry import Entry, Failure, FailureKind
from partialbatch.producers._failures import kind_of_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Failures", "failures_by_id", "failures_by_position"]

Failures = list[Failure | None]
"""One for each record of a call, in its order; None for an accepted record. An empty list: all were accepted."""

_UNMENTIONED = Failure(FailureKind.TRANSIENT, message="the response doesn't mention this record")


def failures_by_id(response: dict[str, Any], entries: Sequence[Entry]) -> Failures:
    """Read a response of SQS or SNS. If an id is in both lists, it failed."""
    failed = response.get("Failed")
    successful = [row.get("Id") for row in response.get("Successful") or ()]
    # Hot: services answer in the order of the entries. Comparing lists takes half the time of building a set.
    if not failed and successful == [entry.wire["Id"] for entry in entries]:
        return []
    accepted = set(successful)
    failures = {row.get("Id"): _failure(row) for row in failed or ()}
    return [
        failures.get(entry.wire["Id"]) or (None if entry.wire["Id"] in accepted else _UNMENTIONED) for entry in entries
    ]


def _failure(row: dict[str, Any]) -> Failure:
    code = row.get("Code")
    kind = kind_of_code(code)
    if kind is not FailureKind.THROTTLED:
        kind = FailureKind.REJECTED if row.get("SenderFault") else FailureKind.TRANSIENT
    return Failure(kind, code, row.get("Message"))


def failures_by_position(
    rows: Sequence[dict[str, Any]] | None, entries: Sequence[Entry], kind_of: Callable[[str], FailureKind]
) -> Failures:
    """Read a response of Kinesis, Firehose or EventBridge: one row for each record, with a code if it failed."""
    codes = [row.get("ErrorCode") for row in rows or ()]
    if len(codes) == len(entries) and not any(codes):
        return []
    failures: Failures = [
        Failure(kind_of(row["ErrorCode"]), row["ErrorCode"], row.get("ErrorMessage")) if row.get("ErrorCode") else None
        for row in (rows or ())[: len(entries)]
    ]
    return failures + [_UNMENTIONED] * (len(entries) - len(failures))
