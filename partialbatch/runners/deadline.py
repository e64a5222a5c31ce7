"""When there is no time left to start another record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Deadline"]


class Deadline:
    """The time that an invocation has left, read from Lambda's context once a record.

    All times are milliseconds, as the context gives them. A record may start when at least the
    margin and the duration of the slowest record of this batch are left.

    Attributes:
        left: What the last reading gave.
        slowest: The longest that a record has taken so far.
    """

    __slots__ = ("_margin", "_read", "left", "slowest")

    def __init__(self, read: Callable[[], float], left: float, margin: float) -> None:
        self._read = read
        self._margin = margin * 1000
        self.left = left
        self.slowest: float = 0

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
        # A mock answers with another mock.
        return cls(read, left, margin) if isinstance(left, int | float) else None

    @property
    def seconds_to_margin(self) -> float:
        """Seconds from the last reading until the margin begins; below 0 once it has."""
        return (self.left - self._margin) / 1000

    def allows(self) -> bool:
        """Tell whether another record may start, as of the last reading."""
        return self.left >= self._margin + self.slowest

    def record_ended(self, left_at_start: float) -> None:
        """Read the clock at the end of a record: the one reading that it costs.

        Args:
            left_at_start: What was left when it started.
        """
        self.left = self._read()
        self.slowest = max(self.slowest, left_at_start - self.left)
