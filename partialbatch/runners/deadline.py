"""When there is no time left to start another record."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Deadline"]

_NUMBER = (int, float)  # a constant: `int | float` is made anew at each look, 40 ns


class Deadline:
    """The time that an invocation has left; read once a record.

    A record may start when at least the margin and the duration of the slowest record of this batch
    are left. All times are seconds on one clock.

    Attributes:
        clock: Gives the time.
        end: When the margin begins.
        now: What the last reading gave.
        slowest: The longest that a record has taken so far.
    """

    __slots__ = ("clock", "end", "now", "slowest")

    def __init__(self, clock: Callable[[], float], now: float, end: float) -> None:
        self.clock = clock
        self.now = now
        self.end = end
        self.slowest = 0.0

    @classmethod
    def of(cls, context: Any, margin: float | None) -> Deadline | None:
        """Start a deadline; None without a margin, or for a context that cannot tell the time left.

        Args:
            context: Lambda's context object, or whatever a test gives in its place.
            margin: Seconds to keep free.
        """
        read = getattr(context, "get_remaining_time_in_millis", None)
        if margin is None or not callable(read):
            return None
        left = read()
        if not isinstance(left, _NUMBER):
            return None  # a mock answers with another mock
        if type(context).__module__ == "awslambdaric.lambda_context":
            # The runtime client subtracts the wall clock from a fixed time at each call. Doing the
            # same here takes 30 ns a record in place of 150.
            now = time()
            return cls(time, now, now + left / 1000 - margin)
        # Counts up to 0, when nothing is left.
        # Whole milliseconds, and rounding: a microsecond makes "exactly enough left" enough.
        return cls(lambda: -read() / 1000, -left / 1000, 1e-6 - margin)

    @property
    def seconds_left(self) -> float:
        """Seconds from the last reading until the margin begins; below 0 once it has."""
        return self.end - self.now

    def allows(self) -> bool:
        """Tell whether another record may start, as of the last reading."""
        return self.now + self.slowest <= self.end

    def record_ended(self, started: float) -> None:
        """Read the clock at the end of a record: the one reading that it costs.

        Args:
            started: The reading when it started.
        """
        self.now = self.clock()
        self.slowest = max(self.slowest, self.now - started)
