"""A check for each option. It returns the value, or raises a `ConfigurationError` that names the values it takes."""

from __future__ import annotations

import inspect
from typing import Any, TypeGuard

from partialbatch._backoff import Backoff
from partialbatch._callables import gives_coroutine, has_plain, yields
from partialbatch.errors import ConfigurationError, is_number
from partialbatch.sources import VIEWS
from partialbatch.types import ErrorPolicy

OFF = ("off", "none")
SOURCES = ("auto", *VIEWS.values())
ENVELOPES = ("sns", "eventbridge")
MOMENTS = ("on_batch_start", "around_record", "on_record_end", "on_batch_end")
"""The methods of a hook."""


def is_integer(value: object) -> bool:
    """Tell whether a value is a whole number, which isn't a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_seconds(value: object) -> TypeGuard[float]:
    """Tell whether a value is a finite number of seconds, at least 0."""
    return is_number(value) and value >= 0


def source(option: str, value: Any) -> Any:
    """Check an event source: a name, or an object with all members of `EventSource`."""
    if isinstance(value, str):
        if value in SOURCES:
            return value
    elif value is not None and not isinstance(value, type):
        missing = [name for name in _EVENT_SOURCE if not hasattr(value, name)]
        if not missing:
            return value
        raise ConfigurationError(
            f"{option}: {type(value).__name__} isn't an EventSource, because it lacks {', '.join(missing)}"
        )
    raise ConfigurationError.bad_value(option, value, f"{', '.join(map(repr, SOURCES))} or an EventSource object")


_EVENT_SOURCE = (
    *("name", "partial_response", "matches", "records"),
    *("identifier", "payload", "view", "group", "policy"),
)


def fifo(option: str, value: Any) -> Any:
    """Check ``fifo``."""
    if isinstance(value, bool) or value == "auto":
        return value
    raise ConfigurationError.bad_value(option, value, "'auto', True or False")


def policy(option: str, value: Any) -> ErrorPolicy:
    """Check an error policy."""
    try:
        return ErrorPolicy(value)
    except ValueError:
        pass
    raise ConfigurationError.bad_value(option, value, ", ".join(repr(policy.value) for policy in ErrorPolicy))


def boolean(option: str, value: Any) -> bool:
    """Check a boolean."""
    if isinstance(value, bool):
        return value
    allowed = "true, false, 1, 0, yes, no, on or off" if option.isupper() else "True or False"
    raise ConfigurationError.bad_value(option, value, allowed)


def concurrency(option: str, value: Any) -> int:
    """Check a number of workers."""
    if is_integer(value) and (value >= 1 or value == -1):
        return int(value)
    raise ConfigurationError.bad_value(option, value, "a whole number from 1 on, or -1 for the number of vCPUs")


def margin(option: str, value: Any) -> float | None:
    """Check a number of seconds, None or a word for no deadline."""
    if value is None or value in OFF:
        return None
    if is_seconds(value):
        return float(value)
    raise ConfigurationError.bad_value(option, value, "a number of seconds from 0 on, or None or 'off' for no deadline")


def timeout(option: str, value: Any) -> float | None:
    """Check a number of seconds above 0, or None."""
    if value is None:
        return None
    if is_seconds(value) and value > 0:
        return float(value)
    raise ConfigurationError.bad_value(option, value, "a number of seconds above 0, or None")


def receives(option: str, value: Any) -> int | None:
    """Check a queue's ``maxReceiveCount``, or None."""
    if value is None or (is_integer(value) and 1 <= value <= 1000):  # SQS's own limits
        count: int | None = value
        return count
    raise ConfigurationError.bad_value(option, value, "the queue's maxReceiveCount, a whole number from 1 to 1000")


def window_end(option: str, value: Any) -> Any:
    """Check a callable, or None. A generator function is refused, because calling it runs nothing."""
    if value is None or (callable(value) and not yields(value)):
        return value
    raise ConfigurationError.bad_value(option, value, "a function that isn't a generator, or None")


def group_by(option: str, value: Any) -> Any:
    """Check a plain callable, or None. An async one is refused: each coroutine would be a group of its own."""
    if value is None or (callable(value) and not gives_coroutine(value) and not yields(value)):
        return value
    raise ConfigurationError.bad_value(option, value, "a function that is neither async nor a generator, or None")


def envelope(option: str, value: Any) -> Any:
    """Check an envelope."""
    if value is None or (callable(value) and not gives_coroutine(value)) or value in ENVELOPES:
        return value
    raise ConfigurationError.bad_value(
        option, value, "'sns', 'eventbridge', a function from payload to payload that isn't async, or None"
    )


def exceptions(option: str, value: Any) -> tuple[type[Exception], ...]:
    """Check an exception type, or a tuple of them."""
    kinds = value if isinstance(value, tuple) else (value,)
    if all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
        return kinds
    raise ConfigurationError.bad_value(option, value, "an exception type, or a tuple of them")


def sink(option: str, value: Any) -> Any:
    """Check a `Sink`, or a callable, or None."""
    if not isinstance(value, type) and gives_coroutine(getattr(value, "open", None)):
        raise ConfigurationError.bad_value(option, value, "a Sink with a plain `open`: nobody would await an async one")
    if value is None or (not isinstance(value, type) and (_opens(value) or _takes_calls(value))):
        return value
    raise ConfigurationError.bad_value(
        option, value, "a Sink (an object with `open(*, ordered, seconds_left)`, such as a producer) or a function"
    )


def dead_letter(option: str, value: Any) -> Any:
    """Check a `Sink`, or a plain callable, or None."""
    if not hasattr(value, "open") and (gives_coroutine(value) or yields(value)):
        raise ConfigurationError.bad_value(
            option, value, "a plain function: nobody would await an async one, or iterate over a generator"
        )
    return sink(option, value)


def _opens(value: Any) -> bool:
    """Tell whether `open` makes a session. The ``open`` of a path or a file takes other arguments."""
    try:
        inspect.signature(value.open).bind(ordered=True, seconds_left=None)
    except (AttributeError, TypeError):
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True


def _takes_calls(value: Any) -> bool:
    return callable(value) and not hasattr(value, "open") and not inspect.isasyncgenfunction(value)


def backoff(option: str, value: Any) -> Backoff | None:
    """Check a `Backoff`, or None."""
    if value is None or isinstance(value, Backoff):
        return value
    raise ConfigurationError.bad_value(option, value, "a Backoff(base, cap), or None")


def ledger(option: str, value: Any) -> Any:
    """Check a `ResumeLedger`, or None."""
    if value is None or (not isinstance(value, type) and has_plain(value, "done_behind", "remember")):
        return value
    raise ConfigurationError.bad_value(option, value, "a ResumeLedger, none of whose methods is async, or None")


def hooks(option: str, value: Any) -> tuple[Any, ...]:
    """Check a sequence of hooks."""
    if isinstance(value, list | tuple) and all(map(_is_hook, value)):
        return tuple(value)
    raise ConfigurationError.bad_value(
        option,
        value,
        f"a list or tuple of objects with any of {', '.join(MOMENTS)}, none of them async or a generator",
    )


def _is_hook(hook: Any) -> bool:
    moments = [moment for moment in MOMENTS if hasattr(hook, moment)]
    return bool(moments) and has_plain(hook, *moments) and not isinstance(hook, type)
