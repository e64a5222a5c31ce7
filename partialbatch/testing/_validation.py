"""Checks of the testing kit's arguments. A bad one is a `ConfigurationError` that names the allowed values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from partialbatch.errors import ConfigurationError

__all__ = ["bound", "checked_handler", "each", "listed", "seconds", "whole"]


def whole(option: str, value: Any, low: int, high: int) -> int:
    """Return a whole number within its limits."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigurationError.bad_value(option, value, f"a whole number from {low:,} to {high:,}")
    return value


def seconds(option: str, value: Any, low: float, high: float) -> float:
    """Return a number of seconds within its limits."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigurationError.bad_value(option, value, f"a number of seconds from {low:g} to {high:,g}")
    return value


def listed(option: str, value: Any) -> list[Any]:
    """Return several values as a list. Text is refused, because it would be split into characters."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{option} takes a list with one entry for each record, not a {type(value).__name__}")
    return list(value)


def each(option: str, value: Any, count: int) -> list[Any]:
    """Return one value for each record, given a list of that length, or one value for all."""
    if isinstance(value, str | int) or value is None:
        return [value] * count
    values = listed(option, value)
    if len(values) != count:
        raise ConfigurationError(
            f"{option} has {len(values)} entries for {count} records: pass one for each, or one for all"
        )
    return values


def checked_handler(handler: Any) -> Any:
    """Return the handler, if it can be called."""
    if not callable(handler):
        raise ConfigurationError.bad_value("handler", handler, "a function that takes (event, context)")
    return handler


def bound(max_invocations: Any, records: int) -> int:
    """Return the largest number of invocations of a run: by default 1,000, and 10 for each record."""
    return 1_000 + 10 * records if max_invocations is None else whole("max_invocations", max_invocations, 1, 10**9)
