"""Find a handler behind other decorators, pickle it by its name, and copy it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BoundReferable", "Referable", "handler_behind"]

_MOST_DECORATORS = 100
"""The search ends here for an object whose ``__wrapped__`` is itself, or a new object each time."""

_Reduced = tuple["Callable[..., Any]", tuple[Any, ...]]


class Referable:
    """A handler, or its bound form, which pickles and copies by its name as functions and methods do."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> _Reduced:
        """Have unpickling find the handler by its module and qualified name.

        Raises:
            PicklingError: The handler can't be found in this way.
        """
        return _by_name(self)

    def __reduce__(self) -> _Reduced:
        """See `__reduce_ex__`."""
        return _by_name(self)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self


class BoundReferable(Referable):
    """A bound handler, which pickles as its instance and name."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> _Reduced:
        """Have unpickling find the handler by its instance, or class, and the method's name.

        Raises:
            PicklingError: The handler can't be found in this way.
        """
        owner, name = _owner(self), _name(self)
        if owner is None:
            return _by_name(self)
        if not _same(handler_behind(getattr(owner, name, None)), self):
            raise _unpicklable(f"{type(owner).__name__}.{name}", "the instance has something else under that name")
        return getattr, (owner, name)

    def __reduce__(self) -> _Reduced:
        """See `__reduce_ex__`."""
        return self.__reduce_ex__(0)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return the handler of a copied instance, so that the copy doesn't call the original."""
        owner = _owner(self)
        if owner is None or isinstance(owner, type):
            return self
        from copy import deepcopy  # few handlers are copied

        copied = deepcopy(owner, memo)
        return _parent(self).__get__(copied, type(copied))


def handler_behind(function: Any) -> Any:
    """Return the handler that a callable is, or wraps. Decorators are followed by ``__wrapped__``.

    Returns:
        The `BatchHandler` or its bound form, or None.
    """
    for _ in range(_MOST_DECORATORS):
        # By its type, because a proxy has the class of the object that it wraps.
        if issubclass(type(function), Referable):
            return function
        try:
            function = function.__wrapped__
        except Exception:  # objects may raise for any name
            return None
    return None


def _by_name(handler: Any) -> _Reduced:
    module, name = getattr(handler, "__module__", None), getattr(handler, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise _unpicklable("a handler", "its record function has no name")
    full = f"{module}.{name}"
    if "<locals>" in name:
        raise _unpicklable(full, "it is defined inside a function; define it at the top of a module")
    try:
        found = _look_up(module, name)
    except (ImportError, AttributeError) as error:
        raise _unpicklable(full, f"the module doesn't have it ({error})") from None
    if not _same(handler_behind(found), handler):
        raise _unpicklable(
            full, "the module has something else under that name; give the handler the name of its record function"
        )
    return _found, (module, name)


def _found(module: str, name: str) -> Any:
    """Find a handler that was pickled."""
    handler = handler_behind(_look_up(module, name))
    if handler is None:
        from pickle import UnpicklingError  # few handlers are pickled

        raise UnpicklingError(f"{module}.{name} was a handler when it was pickled, and isn't one here")
    return handler


def _look_up(module: str, name: str) -> Any:
    from importlib import import_module

    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _unpicklable(what: str, why: str) -> Exception:
    from pickle import PicklingError

    return PicklingError(f"{what} can't be pickled: handlers are pickled by name, and {why}")


def _parent(handler: Any) -> Any:
    return handler._self_parent if issubclass(type(handler), BoundReferable) else handler


def _owner(handler: Any) -> Any:
    """Return the instance that a handler is bound to, or the class of a class method."""
    return getattr(handler.__wrapped__, "__self__", None)


def _name(handler: Any) -> str:
    """Return the handler's name in its class, which may differ from the record function's name."""
    return getattr(_parent(handler), "_self_name", None) or str(handler.__wrapped__.__name__)


def _same(found: Any, handler: Any) -> bool:
    """Tell whether two handlers are the same, or are bound to the same object."""
    if found is None or type(found) is not type(handler) or _parent(found) is not _parent(handler):
        return False
    return not isinstance(handler, BoundReferable) or _owner(found) is _owner(handler)
