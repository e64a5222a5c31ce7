"""Lazy properties of a slotted view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lazy", "Unread"]

Value = TypeVar("Value")


class Unread:
    """Stands in a slot for a value that hasn't been computed yet.

    Reading an empty slot costs up to 20 times as much. A class stays itself in copies and pickles of a view.
    """


class Lazy(Generic[Value]):
    """A property that is computed at its first use, and kept in the slot of its name with a ``_`` before it."""

    def __init__(self, read: Callable[[Any], Value]) -> None:
        self._read = read
        self._slot = f"_{read.__name__}"
        self.__doc__ = read.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        value = getattr(instance, self._slot, Unread)
        if value is Unread:
            value = self._read(instance)
            setattr(instance, self._slot, value)
        return value
