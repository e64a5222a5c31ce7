"""A handler's settings, from the arguments, the environment and the defaults, in this order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from partialbatch._core import validation
from partialbatch._frozen import value
from partialbatch.errors import ConfigurationError
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from partialbatch._backoff import Backoff
    from partialbatch.types import EventSource, Ledger, Sink

__all__ = ["Options", "Settings", "resolve"]

UNSET: Any = type("Unset", (), {"__repr__": lambda _: "UNSET"})()
"""Stands for an option that was not given, because None can be a value of it."""

_STREAMS = ("kinesis", "dynamodb")
PARTICULAR = {
    "fifo": ("sqs",),
    "max_receive_count": ("sqs",),
    "retry_delay": ("sqs",),
    "resume": _STREAMS,
    "window_end": _STREAMS,
}
"""The options that not every event source has, each with the sources that have it."""

MARGIN = 0.5
LATE_MARGIN = 2.0  # if something is sent after the last record
_WORDS = dict.fromkeys(("true", "1", "yes", "on"), True) | dict.fromkeys(("false", "0", "no", "off"), False)


class Options(TypedDict, total=False):
    """The keyword arguments of `batch_handler`, whose docstring describes each."""

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
    permanent: type[Exception] | tuple[type[Exception], ...]
    dead_letter: Sink | Callable[[Any], Any] | None
    retry_delay: Backoff | None
    sink: Sink | Callable[[Any], Any] | None
    resume: Ledger | None
    window_end: Callable[[Any], Any] | None
    hooks: Sequence[Any]


@value
class Settings:
    """A handler's options, checked and complete."""

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
    permanent: tuple[type[Exception], ...]
    dead_letter: Any
    retry_delay: Backoff | None
    sink: Any
    resume: Ledger | None
    window_end: Callable[[Any], Any] | None
    hooks: tuple[Any, ...]

    @property
    def source_name(self) -> str:
        """The source's name, or ``"auto"`` if each event tells its source."""
        return self.source if isinstance(self.source, str) else self.source.name

    @property
    def particular(self) -> dict[str, tuple[str, ...]]:
        """The options of `PARTICULAR` that are set."""
        given = {
            "fifo": self.fifo is True,
            "max_receive_count": self.max_receive_count is not None,
            "retry_delay": self.retry_delay is not None,
            "resume": self.resume is not None,
            "window_end": self.window_end is not None,
        }
        return {option: sources for option, sources in PARTICULAR.items() if given[option]}


def resolve(  # the options are the contract
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
    permanent: Any = (),
    dead_letter: Any = None,
    retry_delay: Any = None,
    sink: Any = None,
    resume: Any = None,
    window_end: Any = None,
    hooks: Any = (),
) -> Settings:
    """Check the options and fill in the rest from the environment and the defaults.

    Raises:
        ConfigurationError: An option has a value that it doesn't take.
    """
    late = any(option is not None for option in (dead_letter, retry_delay, sink, resume))
    settings = Settings(
        source=_setting("source", source, "auto", str.lower, validation.source),
        fifo=validation.fifo("fifo", fifo),
        error_policy=_setting("error_policy", error_policy, "derive", str.lower, validation.policy),
        raise_on_full_failure=_setting("raise_on_full_failure", raise_on_full_failure, True, _word, validation.boolean),
        max_concurrency=_setting("max_concurrency", max_concurrency, 1, _number, validation.concurrency),
        group_by=validation.group_by("group_by", group_by),
        deadline_margin=_setting(
            "deadline_margin", deadline_margin, LATE_MARGIN if late else MARGIN, _number_or_off, validation.margin
        ),
        record_timeout=_setting("record_timeout", record_timeout, None, _number_or_off, validation.timeout),
        model=model,
        envelope=validation.envelope("envelope", envelope),
        max_receive_count=_setting("max_receive_count", max_receive_count, None, _number_or_off, validation.receives),
        permanent=validation.exceptions("permanent", permanent),
        dead_letter=validation.dead_letter("dead_letter", dead_letter),
        retry_delay=validation.backoff("retry_delay", retry_delay),
        sink=validation.sink("sink", sink),
        resume=validation.ledger("resume", resume),
        window_end=validation.window_end("window_end", window_end),
        hooks=validation.hooks("hooks", hooks),
    )
    if settings.source_name != "auto":
        check_source(settings.particular, settings.source_name)
    _check_together(settings)
    return settings


# Python's own TypeError for an unknown option then names the function that the user has called.
resolve.__qualname__ = "batch_handler"


def check_source(particular: Mapping[str, tuple[str, ...]], name: str) -> None:
    """Check that an event source has the options that are set.

    Args:
        particular: `Settings.particular`.
        name: The source's name.

    Raises:
        ConfigurationError: It doesn't have one of them.
    """
    for option, sources in particular.items():
        if name not in sources:
            raise ConfigurationError(
                f"{option} works with {' and '.join(sources)}, not with source={name!r}; remove it"
            )


def _check_together(settings: Settings) -> None:
    """Check that the options don't contradict each other."""
    if settings.permanent and settings.dead_letter is None:
        raise ConfigurationError(
            "permanent needs dead_letter, which takes the records that no retry cures: give dead_letter= a producer, "
            "a function, or `discard` from partialbatch.retries"
        )
    if settings.resume is not None and settings.error_policy is ErrorPolicy.CONTINUE:
        raise ConfigurationError(
            "resume does not go with error_policy='continue': a record that failed would run after later records of "
            "its group, and old data would be written last. Use 'skip_group' (the default with resume) or 'stop'"
        )


def _setting(
    option: str, given: Any, default: Any, parse: Callable[[str], Any], check: Callable[[str, Any], Any]
) -> Any:
    """Return the argument, the environment variable or the default, in this order."""
    if given is not UNSET:
        return check(option, given)
    variable = f"PARTIALBATCH_{option.upper()}"
    text = os.environ.get(variable, "").strip()
    return check(variable, parse(text)) if text else check(option, default)


def _number_or_off(text: str) -> Any:
    return None if text.lower() in validation.OFF else _number(text)


def _word(text: str) -> Any:
    return _WORDS.get(text.lower(), text)


def _number(text: str) -> Any:
    """Read a number. Other text stays as it is, and the check refuses it."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
