"""How a 200 reports what it did not take: by id, or entry by entry in the order of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.producers._entry import Entry, Fault, Kind
from partialbatch.producers._failures import by_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Faults", "aligned", "by_id"]

Faults = list[Fault | None]
"""One a record of the call, in its order; None: accepted. Empty: all were accepted."""

_UNMENTIONED = Fault(Kind.TRANSIENT, message="the answer does not mention this record")


def by_id(answer: dict[str, Any], entries: Sequence[Entry]) -> Faults:
    """Read the answer of SQS and SNS; `Failed` wins where an id stands in both lists."""
    failed = answer.get("Failed")
    accepted = {row.get("Id") for row in answer.get("Successful") or ()}
    if not failed and all([entry.wire["Id"] in accepted for entry in entries]):  # noqa: C419 - a third faster
        return []
    faults = {row.get("Id"): _failed(row) for row in failed or ()}
    return [faults.get(entry.wire["Id"]) or _unless(entry.wire["Id"] in accepted) for entry in entries]


def _unless(accepted: bool) -> Fault | None:  # private, one caller
    return None if accepted else _UNMENTIONED


def _failed(row: dict[str, Any]) -> Fault:
    code = row.get("Code")
    kind = by_code(code)
    if kind is not Kind.THROTTLED:
        kind = Kind.REJECTED if row.get("SenderFault") else Kind.TRANSIENT
    return Fault(kind, code, row.get("Message"))


def aligned(rows: Sequence[dict[str, Any]] | None, entries: Sequence[Entry], kind_of: Callable[[str], Kind]) -> Faults:
    """Read the answer of Kinesis, Firehose and EventBridge: one row a record, failed where it has a code."""
    codes = [row.get("ErrorCode") for row in rows or ()]
    if len(codes) == len(entries) and not any(codes):
        return []
    faults: Faults = [
        Fault(kind_of(row["ErrorCode"]), row["ErrorCode"], row.get("ErrorMessage")) if row.get("ErrorCode") else None
        for row in (rows or ())[: len(entries)]
    ]
    return faults + [_UNMENTIONED] * (len(entries) - len(faults))
