"""Frozen, slotted value classes, without `dataclasses` at every cold start.

That module, `copy` with it, and the code that it compiles for each class took 9 of the 40 ms of an
import of the package; this takes half of one.
"""

from __future__ import annotations

from typing import Any, TypeVar, dataclass_transform

__all__ = ["value"]

Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True)
def value(cls: Class) -> Class:
    """Make a frozen, slotted class of annotated fields, equal by type and fields.

    What the class defines itself stays: ``__repr__``, or ``__eq__`` with ``__hash__``. A
    ``__post_init__`` may check the fields.
    """
    fields = tuple(cls.__annotations__)
    defaults = {name: vars(cls)[name] for name in fields if name in vars(cls)}
    left_out = {*fields, "__dict__", "__weakref__"}
    body: dict[str, Any] = {name: member for name, member in vars(cls).items() if name not in left_out}
    made: Any = type(cls)(cls.__name__, cls.__bases__, {**_methods(fields), **body, "__slots__": fields})
    made.__init__ = _initializer(made, fields, defaults)
    return made  # type: ignore[no-any-return]  # the class, made again with slots


def _initializer(made: type, fields: tuple[str, ...], defaults: dict[str, Any]) -> Any:
    setters = [vars(made)[name].__set__ for name in fields]

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - becomes the class's own
        if len(args) != len(fields):
            args = _complete(made.__name__, fields, defaults, args, kwargs)
        elif kwargs:
            raise TypeError(f"{made.__name__} got a field twice, or one that it doesn't have: {', '.join(kwargs)}")
        for setter, argument in zip(setters, args, strict=True):
            setter(self, argument)
        if hasattr(self, "__post_init__"):
            self.__post_init__()

    return __init__


def _complete(
    name: str, fields: tuple[str, ...], defaults: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """Put arguments in the order of the fields."""
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
    """Return what all value classes have in common."""

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
