"""Find values whose code has not run: coroutines, generators, pending futures, and lists of these.

A record whose function returns such a value has not been handled, and yet it would be deleted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from functools import lru_cache, partial, partialmethod
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["PLAIN", "check_value", "holds_code", "is_awaitable"]

PLAIN = frozenset((bool, int, str, float, bytes, dict, type(None)))
"""Types of values that need no `check_value`. A lookup here takes 15 ns, and a call 100 ns."""

_MANY: tuple[type, ...] = (list, tuple, set, frozenset, deque, type({}.keys()), type({}.values()), type({}.items()))
_GENERATORS = (GeneratorType, AsyncGeneratorType)
_LAZY = (map, filter, zip)
_PARTIAL = (partial, partialmethod)

_ORDINARY, _LIST, _FUTURE, _UNRUN = range(4)  # ordinary is false


def is_awaitable(value: object) -> bool:
    """Tell whether a value must be awaited."""
    # Without `hasattr`: a metaclass's `__getattr__`, such as pydantic's, takes 1.2 µs to find nothing.
    return issubclass(type(value), Awaitable)


def holds_code(value: object) -> bool:
    """Tell whether a value is code that has not run: a coroutine, a generator, a `map`, a `partial`."""
    return _sort_of(type(value)) == _UNRUN


def check_value(value: object, what: str = "the record function", cure: str = "write `async def`, or await it") -> bool:
    """Refuse a value that shows that code has not run, or that its work failed.

    Args:
        value: The value that was returned.
        what: The name of the function that returned it, for the error.
        cure: The advice for an awaitable, for the error.

    Returns:
        Whether all values of this type are fine. False for futures and lists, which are checked one by one.

    Raises:
        TypeError: A coroutine or another awaitable, a generator, a `map`, `filter`, `zip` or `itertools` object, a
            `functools.partial`, a pending future, or a list with one of these in it.
        BaseException: The error of a future that failed.
    """
    sort = _sort_of(type(value))
    if sort == _ORDINARY:
        return True
    if sort == _LIST:
        values: Any = value
        _check_each(values, what, cure)
        return False
    _check_one(value, sort, f"{what} returned", cure)
    return False


def _check_each(values: Iterable[Any], what: str, cure: str) -> None:
    """Check all elements, and those of lists in the list."""
    # For most lists, it is enough to compare the types: 10 ns an element.
    kinds = set(map(type, values))
    if kinds <= PLAIN or not any(map(_sort_of, kinds)):
        return
    lists, known = [values], {id(values)}
    for each in lists:  # grows in the loop, and keeps all lists, so that no id is used again
        for element in each:
            sort = _sort_of(type(element))
            if sort == _LIST and id(element) not in known:
                known.add(id(element))
                lists.append(element)
            elif sort > _LIST:
                try:
                    _check_one(element, sort, f"{what} returned a list of values, one of them", cure)
                finally:
                    for other in each:
                        _close(other)


def _check_one(value: Any, sort: int, returned: str, cure: str) -> None:
    """Check a future, or refuse a value of another sort."""
    if sort == _UNRUN:
        _close(value)
        _refuse(value, returned, cure)
    if not value.done():
        raise TypeError(
            f"{returned} a future ({type(value).__name__}) that isn't done, and nobody waits for it: "
            "return its result()"
        )
    # Raises what it failed with; a future that a pool made of an async function holds a coroutine.
    check_value(value.result(), f"{returned} a future, whose call", cure)


def _refuse(value: object, returned: str, cure: str) -> NoReturn:
    kind = type(value)
    if issubclass(kind, Awaitable):
        raise TypeError(
            f"{returned} an awaitable ({kind.__name__}) that nobody awaits, so its work was not done: {cure}"
        )
    if issubclass(kind, _PARTIAL):
        raise TypeError(f"{returned} a function ({kind.__name__}) that nobody calls, so its work was not done: call it")
    name = "a generator" if issubclass(kind, _GENERATORS) else "an iterator"
    raise TypeError(f"{returned} {name} ({kind.__name__}), whose code has not run: return its items as a list")


def _close(value: object) -> None:
    """Close a coroutine, so that Python doesn't also warn that it was never awaited."""
    if isinstance(value, CoroutineType):
        value.close()


def _asked_sort(kind: type) -> int:
    """Return how to check values of a type."""
    if kind in PLAIN:
        return _ORDINARY
    if issubclass(kind, _MANY):
        return _LIST
    if all(callable(getattr(kind, name, None)) for name in ("done", "result")):
        return _FUTURE
    if issubclass(kind, (*_GENERATORS, *_LAZY, *_PARTIAL, Awaitable)) or kind.__module__ == "itertools":
        return _UNRUN
    return _ORDINARY


_sort_of: Callable[[Any], int] = lru_cache(maxsize=256)(_asked_sort)  # finding it out takes microseconds
