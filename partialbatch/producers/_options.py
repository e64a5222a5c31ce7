"""Options that all producers take, and their checks."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypedDict, get_args

from partialbatch._backoff import Backoff
from partialbatch.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.producers._entry import Stats

__all__ = [
    "CommonOptions",
    "Limits",
    "ReaderOptions",
    "Settings",
    "check_choice",
    "check_int",
    "check_name",
    "countdown",
]

_PENDING_CALLS = 10
_MOST_WORKERS = 1_000


class ReaderOptions(TypedDict, total=False):
    """Options that `DynamoDBReader` shares with all producers.

    >>> from partialbatch.producers import DynamoDBReader, ReaderOptions
    >>> options: ReaderOptions = {"max_entries": 50}
    >>> list(DynamoDBReader("orders", client=object(), **options).get([]))
    []

    Attributes:
        client: Your own boto3 client. Default: one is created when you create the producer, with the
            credentials and the region of your environment, and without botocore's own retries.
        max_entries: The most records in a call, from 1. Default: the most that the service allows.
        max_pending: The most records held, queued or in flight; from ``max_entries``. At this number, ``put``
            sends or waits. Default: 10 full calls, or with ``workers`` twice as many as there are workers if
            that is more.
        backoff: The waits after throttled and failed calls, in seconds, and the number of calls without an
            accepted record after which all records are handed back. Default: ``Backoff(0.1, 20.0, 10)``.
        progress: A callable that gets the `Stats` after each call. Default: none.
        sleep: A callable that takes seconds, for tests. Default: ``time.sleep``.
        clock: A callable that returns seconds and never goes back, for tests. Default: ``time.monotonic``.
        random: A callable that returns numbers from 0 to 1, for tests. Default: ``SystemRandom().random``.
    """

    client: Any
    max_entries: int | None
    max_pending: int | None
    backoff: Backoff
    progress: Callable[[Stats], object] | None
    sleep: Callable[[float], object] | None
    clock: Callable[[], float]
    random: Callable[[], float]


class CommonOptions(ReaderOptions, total=False):
    """Options that every producer takes: those of `ReaderOptions`, and these.

    >>> from partialbatch.producers import CommonOptions, SQSProducer
    >>> options: CommonOptions = {"workers": 4, "max_pending": 5_000}
    >>> orders = SQSProducer("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", client=object(), **options)
    >>> orders.stats.records
    0

    Attributes:
        max_bytes: The most bytes in a call, from 1. Default: the most that the service allows.
        workers: The number of threads that send, from 0 to 1,000. Default: 0, the thread that calls ``put``.
        serializer: A callable that turns each record into a value that the service takes. Default: text and
            bytes stay as they are, and other values become JSON.
    """

    max_bytes: int | None
    workers: int
    serializer: Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The most records and bytes that one call of a service takes."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked options. A producer shares them with its sessions."""

    max_entries: int
    max_bytes: int
    max_pending: int
    backoff: Backoff
    workers: int
    progress: Callable[[Stats], object] | None
    sleep: Callable[[float], object] | None
    clock: Callable[[], float]
    random: Callable[[], float]

    @classmethod
    def checked(cls, limits: Limits, options: CommonOptions | ReaderOptions) -> Settings:
        """Check the options against a service's limits."""
        entries = _check_option("max_entries", options, limits.entries, 1, limits.entries)
        workers = _check_option("workers", options, 0, 0, _MOST_WORKERS)
        pending = entries * max(_PENDING_CALLS, 2 * workers)
        backoff = options.get("backoff", Backoff())
        if not isinstance(backoff, Backoff):
            raise ConfigurationError.bad_value("backoff", backoff, "a Backoff")
        for name in ("serializer", "progress", "sleep", "clock", "random"):
            _check_callable(name, options.get(name))
        return cls(
            max_entries=entries,
            max_bytes=_check_option("max_bytes", options, limits.bytes, 1, limits.bytes),
            max_pending=_check_option("max_pending", options, pending, entries, None),
            backoff=backoff,
            workers=workers,
            progress=options.get("progress"),
            sleep=options.get("sleep"),
            clock=options.get("clock") or time.monotonic,
            # Any other generator would be in the same state in all clones of a snapshot.
            random=options.get("random") or SystemRandom().random,
        )


def check_int(name: str, value: object, least: int, most: int | None) -> int:
    """Return an option's whole number, if it is within both bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        upper = "" if most is None else f" to {most}"
        raise ConfigurationError.bad_value(name, value, f"a whole number from {least}{upper}")
    return value


def _check_option(name: str, options: CommonOptions | ReaderOptions, default: int, least: int, most: int | None) -> int:
    value = options.get(name)
    return default if value is None else check_int(name, value, least, most)


def check_name(name: str, value: object, allowed: str) -> str:
    """Return an option's text, if it isn't empty."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError.bad_value(name, value, allowed)
    return value


def check_choice(name: str, value: object, choices: Any) -> str:
    """Return an option's text, if it is one of a `Literal`'s."""
    allowed: tuple[str, ...] = get_args(choices)
    if not isinstance(value, str) or value not in allowed:
        raise ConfigurationError.bad_value(name, value, " or ".join(map(repr, allowed)))
    return value


def _check_callable(name: str, value: object) -> None:
    if value is not None and not callable(value):
        raise ConfigurationError.bad_value(name, value, "a callable")


def countdown(seconds: float | Callable[[], float] | None, clock: Callable[[], float]) -> Callable[[], float]:
    """Turn a time limit into a callable that returns the seconds left."""
    if seconds is None:
        return _no_limit
    if callable(seconds):
        return seconds
    given: Any = seconds
    if isinstance(given, bool) or not isinstance(given, int | float) or math.isnan(given):
        raise ConfigurationError.bad_value("seconds", seconds, "a number of seconds, a callable or None")
    end = clock() + seconds
    return lambda: end - clock()


def _no_limit() -> float:
    return math.inf
