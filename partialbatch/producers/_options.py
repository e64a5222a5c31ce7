"""The options that all producers share, checked once."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypedDict

from partialbatch._backoff import Backoff
from partialbatch.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch.producers._entry import Stats

__all__ = ["CommonOptions", "Limits", "Settings", "deadline", "one_of", "text", "whole"]

_PENDING_CALLS = 10
_MOST_WORKERS = 1_000


class CommonOptions(TypedDict, total=False):
    """What every producer takes.

    Attributes:
        client: A boto3 client; None: one is made, with retries left to the producer.
        max_entries: Records a call, at most what the service allows.
        max_bytes: Bytes a call, at most what the service allows.
        max_pending: Records held at the most, queued or in flight; `put` sends or waits.
        backoff: The waits after throttling, and when to give up.
        workers: Threads that send; 0: the caller's own.
        serializer: Turns a record into what the service takes.
        progress: Called with the `Stats` after each call.
        sleep: Takes seconds; for tests.
        clock: Gives seconds, monotonic; for tests.
        random: Gives numbers from 0 to 1; for tests.
    """

    client: Any
    max_entries: int | None
    max_bytes: int | None
    max_pending: int | None
    backoff: Backoff
    workers: int
    serializer: Callable[[Any], Any] | None
    progress: Callable[[Stats], object] | None
    sleep: Callable[[float], object] | None
    clock: Callable[[], float]
    random: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call of a service can carry."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked options; shared by a producer and its sessions."""

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
    def checked(cls, limits: Limits, options: CommonOptions) -> Settings:
        """Check the options against a service's limits."""
        entries = _given("max_entries", options, limits.entries, 1, limits.entries)
        workers = _given("workers", options, 0, 0, _MOST_WORKERS)
        room = entries * max(_PENDING_CALLS, 2 * workers)
        backoff = options.get("backoff", Backoff())
        if not isinstance(backoff, Backoff):
            raise ConfigurationError.bad_value("backoff", backoff, "a Backoff")
        for name in ("serializer", "progress", "sleep", "clock", "random"):
            _callable(name, options.get(name))
        return cls(
            max_entries=entries,
            max_bytes=_given("max_bytes", options, limits.bytes, 1, limits.bytes),
            max_pending=_given("max_pending", options, room, entries, None),
            backoff=backoff,
            workers=workers,
            progress=options.get("progress"),
            sleep=options.get("sleep"),
            clock=options.get("clock") or time.monotonic,
            # Clones of one snapshot share the state of any other generator.
            random=options.get("random") or SystemRandom().random,
        )


def whole(name: str, value: object, least: int, most: int | None) -> int:
    """Return a whole number within bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        upper = "" if most is None else f" to {most}"
        raise ConfigurationError.bad_value(name, value, f"a whole number from {least}{upper}")
    return value


def _given(name: str, options: CommonOptions, default: int, least: int, most: int | None) -> int:
    value = options.get(name)
    return default if value is None else whole(name, value, least, most)


def text(name: str, value: object, what: str) -> str:
    """Return a str that is not empty."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError.bad_value(name, value, what)
    return value


def one_of(name: str, value: object, allowed: Sequence[str]) -> str:
    """Return a str that is one of a few."""
    if not isinstance(value, str) or value not in allowed:
        raise ConfigurationError.bad_value(name, value, " or ".join(map(repr, allowed)))
    return value


def _callable(name: str, value: object) -> None:
    if value is not None and not callable(value):
        raise ConfigurationError.bad_value(name, value, "a callable")


def deadline(seconds: float | Callable[[], float] | None, clock: Callable[[], float]) -> Callable[[], float]:
    """Turn a time limit into a callable that gives the seconds left."""
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
