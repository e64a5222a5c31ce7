"""Frozen, slotted value classes, without the cost of `dataclasses` at a cold start.

Importing that module and `copy`, and compiling code for each class, took 9 of the 40 ms that the package takes to
import. This module takes half a millisecond.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast, dataclass_transform

__all__ = ["value"]

Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True)
def value(cls: Class) -> Class:
    """Make a frozen, slotted class of annotated fields, equal by type and fields.

    Methods that the class defines stay, such as ``__repr__``, or ``__eq__`` with ``__hash__``. A ``__post_init__``
    can check the fields.
    """
    fields = tuple(cls.__annotations__)
    defaults = {name: vars(cls)[name] for name in fields if name in vars(cls)}
    left_out = {*fields, "__dict__", "__weakref__"}
    body: dict[str, Any] = {name: member for name, member in vars(cls).items() if name not in left_out}
    made: Any = type(cls)(cls.__name__, cls.__bases__, {**_methods(fields), **body, "__slots__": fields})
    made.__init__ = _initializer(made, fields, defaults)
    return cast("Class", made)


def _initializer(made: type, fields: tuple[str, ...], defaults: dict[str, Any]) -> Any:
    setters = [vars(made)[name].__set__ for name in fields]

    def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
        if len(args) != len(fields):
            args = _complete(made.__name__, fields, defaults, args, kwargs)
        elif kwargs:
            raise TypeError(f"{made.__name__} got a field twice, or one that it doesn't have: {', '.join(kwargs)}")
        for setter, argument in zip(setters, args, strict=True):
            setter(self, argument)
        if hasattr(self, "__post_init__"):
            self.__post_init__()

    initialize.__name__ = "__init__"
    return initialize


def _complete(
    name: str, fields: tuple[str, ...], defaults: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """Return the arguments in the order of the fields, with defaults for those that are left out."""
    if len(args) > len(fields):
        raise TypeError(f"{name} has {len(fields)} fields, and got {len(args)} values")
    rest = fields[len(args) :]
    unknown = [given for given in kwargs if given not in rest]
    if unknown:
        raise TypeError(f"{name} got a field twice, or one that it doesn't have: {', '.join(unknown)}")
    missing = [field for field in rest if field not in kwargs and field not in defaults]
    if missing:
        raise TypeError(f"{name} needs {', '.join(missing)}")
    return (*args, *(kwargs[field] if field in kwargs else defaults[field] for field in rest))


def _methods(fields: tuple[str, ...]) -> dict[str, Any]:
    """Return the methods that all value classes have."""

    def values(self: Any) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in fields)

    def frozen(self: Any, name: str, *_: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} can't be changed")

    return {
        "__delattr__": frozen,
        "__eq__": lambda self, other: values(self) == values(other) if type(other) is type(self) else NotImplemented,
        "__hash__": lambda self: hash(values(self)),
        "__match_args__": fields,
        "__reduce__": lambda self: (type(self), values(self)),
        "__replace__": lambda self, **changes: type(self)(
            **{**dict(zip(fields, values(self), strict=True)), **changes}
        ),
        "__repr__": lambda self: (
            f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in fields)})"
        ),
        "__setattr__": frozen,
    }
