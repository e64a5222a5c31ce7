"""Decide whether there is time left to start another record."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Deadline", "measure", "seconds_left"]

_NUMBER = (int, float)  # a constant: `int | float` is made anew at each look, 40 ns


def measure(context: Any, margin: float | None) -> tuple[Callable[[], float], float, float] | None:
    """Read how much time is left.

    Args:
        context: Lambda's context object, or whatever a test gives in its place.
        margin: Seconds to keep free.

    Returns:
        A clock, its reading now, and its reading when the margin begins; None without a margin, or for a context
        that cannot tell the time left.
    """
    if margin is None:
        return None
    if type(context).__module__ == "awslambdaric.lambda_context":
        # The runtime client subtracts the wall clock from a fixed time at each call. Doing the
        # same here takes 30 ns a record in place of 150.
        left = context.get_remaining_time_in_millis()
        now = time()
        return time, now, now + left / 1000 - margin
    read: Any = getattr(context, "get_remaining_time_in_millis", None)
    left = read() if callable(read) else None
    if not isinstance(left, _NUMBER):
        return None  # a mock answers with another mock
    # This clock counts up to 0, when nothing is left.
    # Whole milliseconds, and rounding: a microsecond makes "exactly enough left" enough.
    return lambda: -read() / 1000, -left / 1000, 1e-6 - margin


class Deadline:
    """The time that an invocation has left; the clock is read for each start.

    A record may start when at least the margin and the duration of the slowest record of this batch
    are left. A record that still runs counts with the time that it has taken so far. All times are
    seconds on one clock.

    Attributes:
        clock: Gives the time.
        end: When the margin begins.
        now: The last reading.
        slowest: The longest that a record has taken so far.
        running: When the records that run were started, the earliest first, by index.
    """

    __slots__ = ("clock", "end", "now", "running", "slowest")

    def __init__(self, clock: Callable[[], float], now: float, end: float) -> None:
        self.clock = clock
        self.now = now
        self.end = end
        self.slowest = 0.0
        self.running: dict[int, float] = {}

    @classmethod
    def of(cls, context: Any, margin: float | None) -> Deadline | None:
        """Start a deadline; None without one, see `measure`."""
        measured = measure(context, margin)
        return cls(*measured) if measured is not None else None

    @property
    def seconds_left(self) -> float:
        """Seconds from the last reading until the margin begins; below 0 once it has."""
        return self.end - self.now

    def allows(self) -> bool:
        """Tell whether another record may start, as of the last reading."""
        now = self.now
        if now + self.slowest > self.end:
            return False
        # The first is the one that has run for the longest time.
        earliest = next(iter(self.running.values()), now)
        return now + (now - earliest) <= self.end

    def read(self) -> None:
        """Read the clock, for a record that starts now."""
        self.now = self.clock()

    def record_started(self, index: int) -> None:
        """Note that a record starts, at the last reading."""
        self.running[index] = self.now

    def record_ended(self, index: int) -> None:
        """Read the clock at the end of a record; the record that starts right after it shares the reading."""
        self.now = self.clock()
        self.slowest = max(self.slowest, self.now - self.running.pop(index))


RESERVE = 0.5
"""Seconds kept for the response itself, when everything has been sent."""


def seconds_left(context: Any, margin: float | None) -> Callable[[], float] | None:
    """Return a function that gives the seconds left for sending; None if there is no deadline."""
    read = getattr(context, "get_remaining_time_in_millis", None)
    if margin is None or not callable(read) or not isinstance(read(), _NUMBER):
        return None
    reserve = min(RESERVE, margin)
    return lambda: max(0.0, read() / 1000 - reserve)
