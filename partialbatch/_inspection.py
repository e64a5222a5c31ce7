"""Look at exceptions safely, whatever their classes raise, and into groups of them."""

from __future__ import annotations

from typing import Any

__all__ = ["holds", "is_a", "kind_of", "leaves", "members", "safe_str"]


def kind_of(error: object) -> str:
    """Return the name of an exception's type, also of one whose metaclass raises."""
    name: str = vars(type)["__name__"].__get__(type(error))
    return name


def is_a(error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Tell whether an exception is of a type, also one whose ``__class__`` raises."""
    return issubclass(type(error), kinds)


def members(error: BaseException) -> tuple[BaseException, ...]:
    """Return the exceptions of a group; none of any other exception."""
    if not is_a(error, BaseExceptionGroup):
        return ()
    found: tuple[BaseException, ...] = vars(BaseExceptionGroup)["exceptions"].__get__(error)
    return found


def leaves(error: BaseException) -> list[Any]:
    """Return the exceptions that a group holds at any depth; of any other exception, itself."""
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
    """Tell whether an exception, or one inside the group that it is, is of a type."""
    return any(is_a(leaf, kinds) for leaf in leaves(error))


def safe_str(error: BaseException) -> str:
    """Return an exception's text, also of one whose ``__str__`` raises."""
    try:
        return str(error)
    except BaseException:
        return f"<{kind_of(error)} whose str raises>"
