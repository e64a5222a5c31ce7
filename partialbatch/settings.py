"""A handler's settings: arguments first, then the environment, then the defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeGuard

from partialbatch.errors import ConfigurationError, is_number
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from partialbatch.types import EventSource

__all__ = ["Options", "Settings", "resolve"]

UNSET: Any = type("Unset", (), {"__repr__": lambda _: "UNSET"})()
"""Stands for an option that was not given, where None is a value of its own."""

SOURCES = ("auto", "sqs", "kinesis", "dynamodb", "kafka")
ENVELOPES = ("sns", "eventbridge")
MARGIN = 0.5
_OFF = ("off", "none")
_WORDS = dict.fromkeys(("true", "1", "yes", "on"), True) | dict.fromkeys(("false", "0", "no", "off"), False)


class Options(TypedDict, total=False):
    """The keyword arguments of `batch_handler`; the docs describe each."""

    source: Literal["auto", "sqs", "kinesis", "dynamodb", "kafka"] | EventSource
    fifo: Literal["auto"] | bool
    error_policy: ErrorPolicy | Literal["derive", "continue", "stop", "skip_group"]
    raise_on_full_failure: bool
    max_concurrency: int
    group_by: Callable[[Any], Hashable] | None
    deadline_margin: float | Literal["off"] | None
    record_timeout: float | None
    model: Any
    envelope: Literal["sns", "eventbridge"] | Callable[[Any], Any] | None
    max_receive_count: int | None
    window_end: Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a handler was told, checked; the defaults are those of the documentation."""

    source: str | EventSource
    fifo: bool | Literal["auto"]
    error_policy: ErrorPolicy
    raise_on_full_failure: bool
    max_concurrency: int
    group_by: Callable[[Any], Hashable] | None
    deadline_margin: float | None
    record_timeout: float | None
    model: Any
    envelope: str | Callable[[Any], Any] | None
    max_receive_count: int | None
    window_end: Callable[[Any], Any] | None

    @property
    def source_name(self) -> str:
        """The source's name, ``"auto"`` where the event tells."""
        return self.source if isinstance(self.source, str) else self.source.name


def resolve(  # noqa: PLR0913 - the options are the contract
    *,
    source: Any = UNSET,
    fifo: Any = "auto",
    error_policy: Any = UNSET,
    raise_on_full_failure: Any = UNSET,
    max_concurrency: Any = UNSET,
    group_by: Any = None,
    deadline_margin: Any = UNSET,
    record_timeout: Any = UNSET,
    model: Any = None,
    envelope: Any = None,
    max_receive_count: Any = UNSET,
    window_end: Any = None,
) -> Settings:
    """Check the options and fill in the rest from the environment and the defaults.

    Raises:
        ConfigurationError: A value that is not possible; it names option, value and what is allowed.
    """
    settings = Settings(
        source=_setting("source", source, "auto", str.lower, _source),
        fifo=_fifo(fifo),
        error_policy=_setting("error_policy", error_policy, "derive", str.lower, _policy),
        raise_on_full_failure=_setting("raise_on_full_failure", raise_on_full_failure, True, _word, _boolean),
        max_concurrency=_setting("max_concurrency", max_concurrency, 1, _number, _concurrency),
        group_by=_callable("group_by", group_by),
        deadline_margin=_setting("deadline_margin", deadline_margin, MARGIN, _number_or_off, _margin),
        record_timeout=_setting("record_timeout", record_timeout, None, _number_or_off, _timeout),
        model=model,
        envelope=_envelope(envelope),
        max_receive_count=_setting("max_receive_count", max_receive_count, None, _number_or_off, _receives),
        window_end=_callable("window_end", window_end),
    )
    _check_source_options(settings)
    return settings


def _check_source_options(settings: Settings) -> None:
    """Refuse what the source cannot do, where the source is known."""
    name = settings.source_name
    for option, given, sources in (
        ("fifo", settings.fifo is not False and settings.fifo != "auto", ("sqs",)),
        ("max_receive_count", settings.max_receive_count is not None, ("sqs",)),
        ("window_end", settings.window_end is not None, ("kinesis", "dynamodb")),
    ):
        if given and name not in ("auto", *sources):
            raise ConfigurationError(
                f"{option} works with {' and '.join(sources)}, not with source={name!r}; remove it"
            )


def _setting(
    option: str, given: Any, default: Any, parse: Callable[[str], Any], check: Callable[[str, Any], Any]
) -> Any:
    """Take the argument, else the environment variable, else the default."""
    if given is not UNSET:
        return check(option, given)
    variable = f"PARTIALBATCH_{option.upper()}"
    text = os.environ.get(variable, "").strip()
    return check(variable, parse(text)) if text else check(option, default)


def _number_or_off(text: str) -> Any:
    return None if text.lower() in _OFF else _number(text)


def _word(text: str) -> Any:
    return _WORDS.get(text.lower(), text)


def _number(text: str) -> Any:
    """Read a number; whatever else stays text, for the check to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def is_integer(value: object) -> bool:
    """Tell whether a value is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_seconds(value: object) -> TypeGuard[float]:
    """Tell whether a value is a finite number of seconds, at least 0."""
    return is_number(value) and value >= 0


def _source(option: str, value: Any) -> Any:
    if isinstance(value, str):
        if value in SOURCES:
            return value
    elif value is not None and not isinstance(value, type):
        missing = [name for name in _EVENT_SOURCE if not hasattr(value, name)]
        if not missing:
            return value
        raise ConfigurationError(f"{option}: {type(value).__name__} is no EventSource, it lacks {', '.join(missing)}")
    raise ConfigurationError.bad_value(option, value, f"{', '.join(map(repr, SOURCES))} or an EventSource object")


_EVENT_SOURCE = (
    *("name", "partial_response", "matches", "records"),
    *("identifier", "payload", "view", "group", "policy"),
)


def _fifo(value: Any) -> Any:
    if isinstance(value, bool) or value == "auto":
        return value
    raise ConfigurationError.bad_value("fifo", value, "'auto', True or False")


def _policy(option: str, value: Any) -> ErrorPolicy:
    try:
        return ErrorPolicy(value)
    except ValueError:
        pass
    raise ConfigurationError.bad_value(option, value, ", ".join(repr(policy.value) for policy in ErrorPolicy))


def _boolean(option: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    allowed = "true, false, 1, 0, yes, no, on or off" if option.isupper() else "True or False"
    raise ConfigurationError.bad_value(option, value, allowed)


def _concurrency(option: str, value: Any) -> int:
    if is_integer(value) and (value >= 1 or value == -1):
        return int(value)
    raise ConfigurationError.bad_value(option, value, "a whole number from 1 on, or -1 for the number of vCPUs")


def _margin(option: str, value: Any) -> float | None:
    if value is None or value in _OFF:
        return None
    if is_seconds(value):
        return float(value)
    raise ConfigurationError.bad_value(option, value, "a number of seconds from 0 on, or None or 'off' for no deadline")


def _timeout(option: str, value: Any) -> float | None:
    if value is None:
        return None
    if is_seconds(value) and value > 0:
        return float(value)
    raise ConfigurationError.bad_value(option, value, "a number of seconds above 0, or None")


def _receives(option: str, value: Any) -> int | None:
    if value is None or (is_integer(value) and 1 <= value <= 1000):  # noqa: PLR2004 - SQS's own limits
        return value  # type: ignore[no-any-return]  # an int or None, as just checked
    raise ConfigurationError.bad_value(option, value, "the queue's maxReceiveCount, a whole number from 1 to 1000")


def _callable(option: str, value: Any) -> Any:
    if value is None or callable(value):
        return value
    raise ConfigurationError.bad_value(option, value, "a callable or None")


def _envelope(value: Any) -> Any:
    if value is None or callable(value) or value in ENVELOPES:
        return value
    raise ConfigurationError.bad_value(
        "envelope", value, "'sns', 'eventbridge', a callable from payload to payload, or None"
    )
