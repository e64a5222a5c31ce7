"""What the rules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from partialbatch.cli.check.findings import Finding, Severity

if TYPE_CHECKING:
    from partialbatch.cli.check.model import Place, Unknown

__all__ = ["REPORTING", "STREAMS", "cannot_tell", "number"]

STREAMS = ("kinesis", "dynamodb")
REPORTING = ("sqs", *STREAMS, "kafka")
"""The sources for which Lambda has ``FunctionResponseTypes``."""


def cannot_tell(rule: str, place: Place, what: str, unknown: Unknown) -> Finding:
    """Return the finding that something cannot be told; it is never taken as fine."""
    return Finding(rule, Severity.UNKNOWN, place, f"Cannot tell {what}: {unknown.why}.")


def number(value: Any) -> TypeGuard[int | float]:
    """Tell whether a value is a number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
