"""Read the annotation of a record function's first parameter."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from operator import attrgetter
from typing import TYPE_CHECKING, Any, get_args, get_origin

from partialbatch._core.function.payloads import (
    Change,
    bare,
    change_decoder,
    decoder,
    is_text,
    meant,
    name_of,
    unwrapper,
    without_none,
)
from partialbatch._frozen import value
from partialbatch.errors import ConfigurationError
from partialbatch.sources import VIEWS, Record
from partialbatch.types import RawRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Reading", "evaluate", "has_names", "inner", "innermost", "read"]

_NO_VIEWS: frozenset[str] = frozenset()


@value
class Reading:
    """A way to make the first argument.

    Attributes:
        kind: The kind of argument: ``"view"``, ``"raw"``, ``"payload"`` or ``"change"``.
        annotation: The annotation that asks for it.
        decode: Makes the argument from the payload, or from the view for the other kinds.
        views: The names of the sources that have such an argument; empty for all.
    """

    kind: str
    annotation: Any
    decode: Callable[[Any], Any]
    views: frozenset[str] = _NO_VIEWS

    def make(self, record: Any) -> Any:
        """Make the argument from a view."""
        return self.decode(record.payload if self.kind == "payload" else record)

    @property
    def universal(self) -> bool:
        """Whether every event source has such an argument."""
        return not self.views and not (self.kind == "payload" and is_text(self.annotation))

    def check_source(self, source: str) -> None:
        """Check that the event source has such an argument.

        Raises:
            ConfigurationError: The annotation is for another source.
        """
        if self.views:
            if source not in self.views:
                wanted = name_of(self.annotation)
                raise ConfigurationError(
                    f"the record function takes {wanted}, and the event source is {source!r}: "
                    "annotate a type of that source"
                )
        elif source == "dynamodb" and not self.universal:
            raise ConfigurationError(
                f"a DynamoDB image can't be given as {name_of(self.annotation)}: annotate dict, a model, or Change[...]"
            )


def inner(function: Any) -> Any:
    """Return the function that a call runs, behind partials and an object's ``__call__``."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, staticmethod | classmethod):
        function = function.__func__
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    return type(function).__call__


def innermost(function: Any, stop: Callable[[Any], bool] | None = None) -> Any:
    """Return the function that a call runs, also behind wrappers, which may wrap a partial or an object.

    Args:
        function: The callable.
        stop: Ends the search at a wrapper for which it returns True.
    """
    while (target := inspect.unwrap(inner(function), stop=stop)) is not function:
        function = target
    return function


def has_names(function: Any) -> bool:
    """Tell whether an annotation of a function is, or holds, a string. True if the annotations can't be read."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except Exception:  # Python 3.14 evaluates them, and their names may be defined later
        return True
    return any(_has_name(parameter.annotation) for parameter in parameters)


def _has_name(annotation: Any) -> bool:
    return isinstance(annotation, str | typing.ForwardRef) or any(map(_has_name, get_args(annotation)))


def evaluate(name: str, annotation: Any, function: Any, namespace: Mapping[str, Any]) -> Any:
    """Resolve an annotation that is, or holds, a string.

    Args:
        name: The function's name, for the error.
        annotation: The annotation as it is written.
        function: The function, for its globals and its closure.
        namespace: The local variables at the decorator.

    Raises:
        ConfigurationError: The annotation can't be resolved.
    """
    target = innermost(function)
    variables = {**namespace, **_closure(target)}
    holder = type("Holder", (), {"__annotations__": {"first": annotation}})
    try:
        hints = typing.get_type_hints(holder, getattr(target, "__globals__", {}), variables, include_extras=True)
    except Exception as error:
        raise ConfigurationError(
            f"{name}: the annotation {annotation!r} can't be resolved ({type(error).__name__}: {error}); "
            "define the type before the function, or give it as model="
        ) from error
    return hints["first"]


def _closure(function: Any) -> dict[str, Any]:
    """Return the variables of the enclosing functions. Those that are assigned later have no value yet."""
    variables: dict[str, Any] = {}
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=True):
        try:
            variables[name] = cell.cell_contents
        except ValueError:
            continue
    return variables


def read(annotation: Any, envelope: Any) -> Reading:
    """Choose a way to make the first argument.

    Args:
        annotation: The type, resolved.
        envelope: The handler's ``envelope``.

    Raises:
        ConfigurationError: No argument can be made for the annotation, or none with the envelope.
    """
    reading = _record_reading(annotation)
    if reading is None:
        return _payload_reading(annotation, envelope)
    if envelope is None:
        return reading
    what = "Change[...]" if reading.kind == "change" else "the record itself"
    raise ConfigurationError(
        f"envelope needs a payload to unwrap, and the record function takes {what}; "
        "annotate its first parameter with a payload type (dict, say), or remove envelope"
    )


def _record_reading(annotation: Any) -> Reading | None:
    """Return the way to make the record itself, or None if the annotation asks for its payload."""
    if bare(annotation) in (inspect.Parameter.empty, Any, object):
        return Reading("view", annotation, _itself)
    wanted = meant(annotation)
    if wanted is RawRecord:
        return Reading("raw", annotation, attrgetter("raw"))
    if wanted is Change or get_origin(wanted) is Change:
        return Reading("change", annotation, change_decoder(wanted), frozenset(("dynamodb",)))
    union = get_origin(wanted) in (typing.Union, types.UnionType)
    members = [bare(member) for member in get_args(wanted) if member is not type(None)] if union else [wanted]
    if not all(isinstance(member, type) and issubclass(member, Record) for member in members):
        return None
    known = all(member in VIEWS for member in members)  # otherwise Record, or a view of the user's own
    return Reading("view", annotation, _itself, frozenset(map(VIEWS.__getitem__, members)) if known else _NO_VIEWS)


def _itself(record: Any) -> Any:
    return record


def _payload_reading(annotation: Any, envelope: Any) -> Reading:
    """Return the way to make the argument from the payload."""
    _check_typed_dict(annotation)
    if envelope == "eventbridge" and is_text(annotation):
        raise ConfigurationError("envelope='eventbridge' gives an object, not text; annotate dict or a model")
    decode = decoder(annotation)
    if envelope is None:
        return Reading("payload", annotation, decode)
    unwrap = unwrapper(envelope)
    return Reading("payload", annotation, lambda payload: decode(None if payload is None else unwrap(payload)))


def _check_typed_dict(annotation: Any) -> None:
    """Refuse `typing.TypedDict` before Python 3.12, which pydantic can't read."""
    wanted, _ = without_none(annotation)
    if sys.version_info < (3, 12) and typing.is_typeddict(wanted) and type(wanted).__module__ == "typing":
        raise ConfigurationError(
            f"{wanted.__name__} is a typing.TypedDict, which pydantic can't read before Python 3.12: "
            "take TypedDict from typing_extensions"
        )
