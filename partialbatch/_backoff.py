"""The wait before the next attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partialbatch._frozen import value
from partialbatch.errors import ConfigurationError, is_number

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff"]


@value
class Backoff:
    """Exponential waits with full jitter, for ``retry_delay=`` and for producers.

    A wait at a level is a random number of seconds from 0 to ``min(cap, base * 2**level)``.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    >>> from partialbatch import Backoff
    >>> [Backoff(base=10, cap=60).ceiling(level) for level in range(4)]
    [10.0, 20.0, 40.0, 60]

    Attributes:
        base: The longest wait at level 0, in seconds; above 0.
        cap: The longest wait at any level, in seconds; above 0.
        max_stalls: The calls in a row, from 1 on, in which the service accepts no record before a producer hands
            back all records that it holds.

    Raises:
        ConfigurationError: A value is out of range.
    """

    base: float = 0.1
    cap: float = 20.0
    max_stalls: int = 10

    def __post_init__(self) -> None:
        for option in ("base", "cap"):
            value = getattr(self, option)
            if not (is_number(value) and value > 0):
                raise ConfigurationError.bad_value(f"Backoff.{option}", value, "a number of seconds above 0")
        stalls = self.max_stalls
        if not (is_number(stalls) and isinstance(stalls, int) and stalls >= 1):
            raise ConfigurationError.bad_value("Backoff.max_stalls", stalls, "a whole number from 1 on")

    def ceiling(self, level: int) -> float:
        """Return the longest wait at a level, in seconds."""
        # The cap is far below 2**60, and a float would overflow at 2**1024.
        return min(self.cap, self.base * 2.0 ** min(max(level, 0), 60))

    def wait(self, level: int, random: Callable[[], float]) -> float:
        """Return a wait in seconds; `random` returns numbers from 0 to 1."""
        return random() * self.ceiling(level)
