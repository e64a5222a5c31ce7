"""Helpers that several rules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from partialbatch.cli.check.findings import Finding, Severity

if TYPE_CHECKING:
    from partialbatch.cli.check.model import Place, Unknown

__all__ = ["REPORTING", "STREAMS", "cannot_tell", "number"]

STREAMS = ("kinesis", "dynamodb")
REPORTING = ("sqs", *STREAMS, "kafka")
"""The sources for which Lambda has ``FunctionResponseTypes``."""


def cannot_tell(rule: str, place: Place, question: str, unknown: Unknown) -> Finding:
    """Return a finding for a setting that isn't known. Unknown settings are never taken as correct."""
    return Finding(rule, Severity.UNKNOWN, place, f"Cannot tell {question}: {unknown.why}.")


def number(value: Any) -> TypeGuard[int | float]:
    """Tell whether a value is a number. True and False don't count as numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)
