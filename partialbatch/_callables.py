"""Tell plain functions from async functions and generators."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["gives_coroutine", "has_plain", "yields"]


def gives_coroutine(value: Any) -> bool:
    """Tell whether a value is an async function, or an object that is called as one."""
    return any(map(inspect.iscoroutinefunction, (value, _called(value))))


def yields(value: Any) -> bool:
    """Tell whether a value is a generator function, async or not, or an object that is called as one."""
    kinds = (inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return any(is_kind(function) for is_kind in kinds for function in (value, _called(value)))


def _called(value: Any) -> Any:
    return type(value).__call__  # each type has one: objects that can't be called have that of their type


def has_plain(value: Any, *names: str) -> bool:
    """Tell whether an object has methods that are neither async nor generators."""
    methods = [getattr(value, name, None) for name in names]
    return all(callable(method) and not gives_coroutine(method) and not yields(method) for method in methods)
