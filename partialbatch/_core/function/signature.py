"""Read a record function's signature, and plan how to call it."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from partialbatch._core.function.annotations import evaluate, inner, innermost, read
from partialbatch._core.options import PARTICULAR
from partialbatch._core.validation import SOURCES
from partialbatch._frozen import value
from partialbatch.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from partialbatch._core.function.annotations import Reading
    from partialbatch._core.options import Settings
    from partialbatch.types import EventSource

__all__ = ["Plan", "is_async", "plan"]

INJECTED = ("record", "context", "lambda_context", "state")


@value
class Plan:
    """A plan for calling a record function.

    Attributes:
        first: The way to make the first argument.
        positional: The further arguments in order: a name to fill, or a value.
        keywords: The names to fill by keyword.
        awaits: Whether the result of a call must be awaited.
        relays: Whether a call may return a coroutine, because a plain function wraps an async one.
        takes_extras: Whether the function takes more than one argument.
        takes_state: Whether the function has a ``state`` parameter, for tumbling windows.
        universal: Whether the function takes the records of every source.
        is_plain: Whether a record is done as soon as its call has returned.
    """

    first: Reading
    positional: tuple[tuple[str, Any], ...]
    keywords: tuple[str, ...]
    awaits: bool
    relays: bool
    takes_extras: bool
    takes_state: bool
    universal: bool
    is_plain: bool

    def check_source(self, source: EventSource) -> None:
        """Check that the event source has the first argument.

        Raises:
            ConfigurationError: The annotation is for another source.
        """
        self.first.check_source(source.name)


def plan(function: Any, settings: Settings, namespace: Mapping[str, Any], *, bound: bool) -> Plan:
    """Plan how to call a record function.

    Args:
        function: The function. If `bound`, it still has its ``self`` or ``cls``.
        settings: The handler's settings.
        namespace: The local variables at the decorator, for annotations that are strings.
        bound: Whether the first parameter is ``self`` or ``cls``.

    Raises:
        ConfigurationError: The function can't be called with a record, or not with these settings.
    """
    name = getattr(function, "__qualname__", None) or repr(function)
    parameters = _parameters(function, yields=settings.sink is not None)
    if bound and parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        del parameters[0]
    first = _first(name, parameters)
    annotation = settings.model
    if annotation is None:
        # An annotation of *args doesn't describe the record.
        variadic = first.kind is first.VAR_POSITIONAL
        annotation = first.empty if variadic else evaluate(name, first.annotation, function, namespace)
    reading = read(annotation, settings.envelope)
    if settings.source_name != "auto":
        reading.check_source(settings.source_name)
    positional, keywords = _extras(name, first, parameters[1:], _given(function))
    awaits, takes_state = is_async(function), "state" in keywords or any(extra == "state" for extra, _ in positional)
    made = Plan(
        *(reading, positional, keywords),
        awaits=awaits,
        relays=_relays(function),
        takes_extras=bool(positional or keywords),
        takes_state=takes_state,
        universal=reading.universal,
        is_plain=not (awaits or takes_state),
    )
    _check_options(name, made, settings)
    return made


def _check_options(name: str, made: Plan, settings: Settings) -> None:
    """Check that the function works with the options.

    Raises:
        ConfigurationError: It doesn't work with one of them.
    """
    if settings.record_timeout is not None and not made.awaits:
        raise ConfigurationError(
            f"record_timeout={settings.record_timeout:g} needs an async record function, and {name} isn't async: "
            "a running thread cannot be stopped. Remove the option, or write `async def`"
        )
    if made.takes_state and settings.sink is not None:
        raise ConfigurationError(
            f"sink takes the items that {name} returns, and with a 'state' parameter it returns the window's state: "
            "remove one of them, or send the items in window_end"
        )
    if made.takes_state and settings.source_name in set(SOURCES).difference(PARTICULAR["window_end"], {"auto"}):
        raise ConfigurationError(
            f"{name} has a 'state' parameter, and source={settings.source_name!r} has no tumbling windows "
            "(only kinesis and dynamodb do): remove the parameter"
        )


def is_async(function: Any) -> bool:
    """Tell whether the result of a call must be awaited, also behind partials and callable objects.

    A plain wrapper of an async function isn't async, because it may run that function itself.
    """
    while (target := inner(function)) is not function:
        function = target
    return _gives_awaitable(function)


def _relays(function: Any) -> bool:
    """Tell whether a plain function wraps an async one, and may return its coroutine."""
    return not is_async(function) and _gives_awaitable(innermost(function, stop=_gives_awaitable))


def _gives_awaitable(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _parameters(function: Any, *, yields: bool) -> list[inspect.Parameter]:
    if not callable(function) and not isinstance(function, classmethod):
        raise ConfigurationError(
            f"batch_handler takes a record function, and got a value of type {type(function).__name__}"
        )
    target = inner(function)
    if not yields and (inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)):
        raise ConfigurationError(
            f"{target.__qualname__} is a generator: calling it runs nothing, so no record would be handled. "
            "Remove `yield`, or give a `sink=` for the items that it yields"
        )
    described = function.__func__ if isinstance(function, classmethod) else function
    try:
        return list(inspect.signature(described).parameters.values())
    except ValueError:  # a builtin without a signature
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


def _given(function: Any) -> frozenset[str]:
    """Return the names that a partial has bound by keyword, which must not be filled again."""
    return frozenset(function.keywords) if isinstance(function, functools.partial) else frozenset()


def _extras(
    name: str, first: inspect.Parameter, parameters: list[inspect.Parameter], given: frozenset[str]
) -> tuple[tuple[tuple[str, Any], ...], tuple[str, ...]]:
    """Plan the further arguments: by position as far as possible, and otherwise by keyword."""
    positional: list[tuple[str, Any]] = []
    keywords: list[str] = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        known = parameter.name in INJECTED and parameter.name not in given
        if not known and parameter.default is parameter.empty:
            raise ConfigurationError(
                f"{name}: nothing fills the parameter {parameter.name!r}. The first parameter gets the record, and "
                f"further ones are filled by name: {', '.join(INJECTED)}; give any other a default, "
                "or bind it with functools.partial"
            )
        if parameter.kind is not parameter.KEYWORD_ONLY and first.kind is not first.VAR_POSITIONAL:
            positional.append((parameter.name if known else "", parameter.default))
        elif known:
            keywords.append(parameter.name)
    while positional and not positional[-1][0]:  # defaults at the end need no argument
        positional.pop()
    return tuple(positional), tuple(keywords)
