"""Inspect and describe values and exceptions safely, even if their classes raise."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "clip",
    "counted",
    "holds",
    "is_a",
    "is_number",
    "kind_of",
    "leaves",
    "listing",
    "members",
    "safe_repr",
    "safe_str",
    "shape",
]

_NAMES_SHOWN = 10
_NAME_LENGTH = 120


def kind_of(error: object) -> str:
    """Return the name of an exception's type, even if its metaclass raises."""
    name: str = vars(type)["__name__"].__get__(type(error))
    return name


def is_a(error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Tell whether an exception is of a type, even if its ``__class__`` raises."""
    return issubclass(type(error), kinds)


def members(error: BaseException) -> tuple[BaseException, ...]:
    """Return the exceptions of a group; an exception that isn't a group has none."""
    if not is_a(error, BaseExceptionGroup):
        return ()
    found: tuple[BaseException, ...] = vars(BaseExceptionGroup)["exceptions"].__get__(error)
    return found


def leaves(error: BaseException) -> list[Any]:
    """Return the exceptions in a group at any depth, or the exception itself if it isn't a group."""
    found: list[Any] = []
    pending = [error]
    while pending:
        link = pending.pop()
        inside = members(link)
        if inside:
            pending.extend(reversed(inside))
        else:
            found.append(link)
    return found


def holds(error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Tell whether an exception, or any exception in it if it is a group, is of a type."""
    if not is_a(error, BaseExceptionGroup):
        return is_a(error, kinds)
    return any(is_a(leaf, kinds) for leaf in leaves(error))


def safe_str(error: BaseException) -> str:
    """Return an exception's text, even if its ``__str__`` raises."""
    try:
        return str(error)
    except BaseException:
        return f"<{kind_of(error)} whose str raises>"


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number that a float can hold. Booleans, NaN and infinity aren't."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def clip(text: str, limit: int = _NAME_LENGTH) -> str:
    """Cut a text to `limit` characters, with an ellipsis if it was longer."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def safe_repr(value: object, limit: int = _NAME_LENGTH) -> str:
    """Return a short repr of a value, even if its ``__repr__`` raises."""
    try:
        return clip(repr(value), limit)
    except BaseException:
        return f"<{kind_of(value)} whose repr raises>"


def listing(names: Iterable[object], shown: int = _NAMES_SHOWN) -> str:
    """Join at most ten names, and count the rest."""
    every = [name if isinstance(name, str) else safe_repr(name) for name in names]
    head = ", ".join(clip(name) for name in every[:shown])
    return head if len(every) <= shown else f"{head} and {len(every) - shown} more"


def shape(event: object) -> str:
    """Describe an event by its type and keys."""
    if isinstance(event, list) and event:
        # Without recursion: lists may be nested to any depth.
        return f"a list whose first entry is {_shape(event[0])}"
    return _shape(event)


def _shape(value: object) -> str:
    if isinstance(value, dict):
        return f"a dict with the keys {listing(map(str, value)) or '(none)'}"
    return f"a value of type {type(value).__name__}"


def counted(names: Iterable[str]) -> str:
    """Count each name, the most frequent first."""
    return listing(f"{count} {name}" for name, count in Counter(names).most_common())
