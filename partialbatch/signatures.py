"""What a record function asks for, read from its signature."""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin

from partialbatch.errors import ConfigurationError
from partialbatch.payloads import Change, change_decoder, decoder, unwrapper
from partialbatch.settings import UNSET
from partialbatch.sources import VIEWS, Record
from partialbatch.types import RawRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from partialbatch.settings import Settings
    from partialbatch.types import EventSource

__all__ = ["Plan", "is_async", "plan"]

INJECTED = ("record", "context", "lambda_context", "state")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a record function is to be called.

    Attributes:
        kind: What the first argument is: ``"view"``, ``"raw"``, ``"payload"`` or ``"change"``.
        decode: Turns the payload (``"change"``: the view) into the first argument.
        views: The names of the sources whose views the annotation takes; none: all.
        annotation: The first parameter's annotation.
        positional: The further arguments in order: a name to fill, or a value.
        keywords: The names to fill by keyword.
        awaits: Whether what a call gives must be awaited.
        takes_extras: Whether the function has more than one argument.
        takes_state: Whether it folds the records of a tumbling window into a state.
        universal: Whether it takes the records of any source.
    """

    kind: str
    decode: Callable[[Any], Any] | None
    views: frozenset[str]
    annotation: Any
    positional: tuple[tuple[str, Any], ...]
    keywords: tuple[str, ...]
    awaits: bool
    takes_extras: bool
    takes_state: bool
    universal: bool

    def check_source(self, source: EventSource) -> None:
        """Refuse what the event source does not have.

        Raises:
            ConfigurationError: The annotation is for another source.
        """
        _check_source(self, source.name)


def plan(function: Callable[..., Any], settings: Settings, namespace: Mapping[str, Any], *, bound: bool) -> Plan:
    """Read what a record function asks for.

    Args:
        function: The function; with its ``self`` or ``cls`` still there if `bound`.
        settings: The handler's settings, for ``model`` and ``envelope``.
        namespace: The locals of where it was decorated, for annotations that are strings.
        bound: Whether the first parameter is ``self`` or ``cls``.

    Raises:
        ConfigurationError: It cannot be called with a record.
    """
    name = getattr(function, "__qualname__", None) or repr(function)
    parameters = _parameters(function)[1 if bound else 0 :]
    first = _first(name, parameters)
    annotation = first.annotation if settings.model is UNSET else settings.model
    if settings.model is UNSET:
        annotation = _evaluate(name, annotation, function, namespace)
    kind, decode, views = _reading(annotation, settings, variadic=first.kind is first.VAR_POSITIONAL)
    positional, keywords = _extras(name, first, parameters[1:])
    made = Plan(
        *(kind, decode, views, annotation, positional, keywords),
        awaits=is_async(function),
        takes_extras=bool(positional or keywords),
        takes_state="state" in keywords or any(extra == "state" for extra, _ in positional),
        universal=not views and annotation not in (str, bytes),
    )
    if settings.source_name != "auto":
        _check_source(made, settings.source_name)
    if settings.record_timeout is not None and not made.awaits:
        raise ConfigurationError(
            f"record_timeout={settings.record_timeout:g} needs an async record function, and {name} is none: "
            "a running thread cannot be stopped. Remove the option, or write `async def`"
        )
    return made


def is_async(function: Any) -> bool:
    """Tell whether what a call gives must be awaited; looks through partials, callables and wrappers."""
    target = inner(function)
    return any(inspect.iscoroutinefunction(each) for each in (target, inspect.unwrap(target)))


def inner(function: Any) -> Any:
    """Return the function that a call ends in: past partials, and an object's ``__call__``."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, staticmethod | classmethod):
        function = function.__func__
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    return getattr(type(function), "__call__", function)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    if not callable(function) and not isinstance(function, classmethod):
        raise ConfigurationError(
            f"batch_handler takes a record function, not a value of type {type(function).__name__}"
        )
    target = inner(function)
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise ConfigurationError(
            f"{target.__qualname__} is a generator: calling it runs nothing, so no record would be handled. Remove `yield`"
        )
    try:
        return list(
            inspect.signature(function.__func__ if isinstance(function, classmethod) else function).parameters.values()
        )
    except ValueError:  # a builtin that tells nothing
        return [inspect.Parameter("record", inspect.Parameter.POSITIONAL_ONLY)]


def _first(name: str, parameters: list[inspect.Parameter]) -> inspect.Parameter:
    first = parameters[0] if parameters else None
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
        raise ConfigurationError(f"{name} takes no record: give it a first parameter, `def {name}(record): ...`")
    names = [parameter.name for parameter in parameters]
    if names == ["event", "context"] and first.annotation is first.empty:
        raise ConfigurationError(
            f"{name}(event, context) looks like a Lambda handler: under batch_handler the function gets one record "
            f"at a time. Write `def {name}(record): ...`, and remove the loop"
        )
    return first


def _extras(
    name: str, first: inspect.Parameter, parameters: list[inspect.Parameter]
) -> tuple[tuple[tuple[str, Any], ...], tuple[str, ...]]:
    """Plan the further arguments: by position as far as there are positions, else by keyword."""
    positional: list[tuple[str, Any]] = []
    keywords: list[str] = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        known = parameter.name in INJECTED
        if not known and parameter.default is parameter.empty:
            raise ConfigurationError(
                f"{name}: nothing fills the parameter {parameter.name!r}. Beside the record there are "
                f"{', '.join(INJECTED)}; give any other a default, or bind it with functools.partial"
            )
        if parameter.kind is not parameter.KEYWORD_ONLY and first.kind is not first.VAR_POSITIONAL:
            positional.append((parameter.name if known else "", parameter.default))
        elif known:
            keywords.append(parameter.name)
    while positional and not positional[-1][0]:  # defaults at the end fill themselves
        positional.pop()
    return tuple(positional), tuple(keywords)


def _evaluate(name: str, annotation: Any, function: Any, namespace: Mapping[str, Any]) -> Any:
    """Resolve an annotation that is, or holds, a string."""
    target = inspect.unwrap(inner(function))
    variables = dict(namespace)
    if inspect.isfunction(target):
        variables |= inspect.getclosurevars(target).nonlocals
    holder = type("Holder", (), {"__annotations__": {"first": annotation}})
    try:
        hints = typing.get_type_hints(holder, getattr(target, "__globals__", {}), variables, include_extras=True)
    except Exception as error:
        raise ConfigurationError(
            f"{name}: the annotation {annotation!r} cannot be resolved ({type(error).__name__}: {error}); "
            "define the type before the function, or give it as model="
        ) from error
    # get_type_hints reads a None annotation as NoneType; `empty` stays what it is.
    return hints["first"]


def _reading(annotation: Any, settings: Settings, *, variadic: bool) -> tuple[str, Any, frozenset[str]]:
    """Choose how the first argument is made."""
    kind, decode, views = _view_or_raw(annotation, variadic=variadic)
    if kind:
        if settings.envelope is not None:
            raise ConfigurationError(
                "envelope needs a payload to unwrap, and the record function takes the record itself; "
                "annotate its first parameter with a payload type (dict, say), or remove envelope"
            )
        return kind, decode, views
    if annotation is Change or get_origin(annotation) is Change:
        if settings.envelope is not None:
            raise ConfigurationError(
                "envelope does not go with Change[...]: a DynamoDB image has no envelope; remove it"
            )
        return "change", change_decoder(annotation), frozenset(("dynamodb",))
    _check_typed_dict(annotation)
    if settings.envelope == "eventbridge" and annotation in (str, bytes):
        raise ConfigurationError("envelope='eventbridge' gives an object, not text; annotate dict or a model")
    decode = decoder(annotation)
    if settings.envelope is None:
        return "payload", decode, frozenset()
    unwrap = unwrapper(settings.envelope)
    return "payload", lambda payload: decode(None if payload is None else unwrap(payload)), frozenset()


def _view_or_raw(annotation: Any, *, variadic: bool) -> tuple[str, None, frozenset[str]]:
    """Tell whether the annotation asks for the record itself, and for which sources' views."""
    if annotation is RawRecord:
        return "raw", None, frozenset()
    if variadic or annotation in (inspect.Parameter.empty, Any, object):
        return "view", None, frozenset()
    members = get_args(annotation) if get_origin(annotation) in (typing.Union, _UNION) else (annotation,)
    if not all(isinstance(member, type) and issubclass(member, Record) for member in members):
        return "", None, frozenset()
    if any(member not in VIEWS for member in members):  # Record, or a view of the user's own
        return "view", None, frozenset()
    return "view", None, frozenset(VIEWS[member] for member in members)


_UNION = type(int | str)


def _check_typed_dict(annotation: Any) -> None:
    """Refuse `typing.TypedDict` before 3.12, which pydantic cannot read."""
    if sys.version_info < (3, 12) and typing.is_typeddict(annotation) and type(annotation).__module__ == "typing":
        raise ConfigurationError(
            f"{annotation.__name__} is a typing.TypedDict, which pydantic cannot read before Python 3.12: "
            "take TypedDict from typing_extensions"
        )


def _check_source(made: Plan, source: str) -> None:
    if made.views and source not in made.views:
        wanted = getattr(made.annotation, "__name__", None) or str(made.annotation)
        raise ConfigurationError(f"the record function takes {wanted}, and the event source is {source!r}")
    if source == "dynamodb" and made.annotation in (str, bytes):
        raise ConfigurationError(
            f"a DynamoDB image has no form as {made.annotation.__name__}: annotate dict, a model, or Change[...]"
        )
