"""The adaptive rate: after throttling, so many records a second as the service took."""

from __future__ import annotations

__all__ = ["Pacer"]

# Seconds in which the rate grows by what the service last took. A stream of 1,000
# records a second is used to 94 %, and 16 % are sent twice; at 10 s 91 and 21 %.
_RECOVERY = 20.0
# The rate that is forgotten: the service takes twice what it took when it throttled.
_RECOVERED = 2.0
# The shortest time, in seconds, over which a rate can be told.
_WINDOW = 0.5
# The longest time between two calls, in seconds, that counts as sending.
_IDLE = 20.0
# What is left of the rate when the service throttles again within that time.
_CUT = 0.9


class Pacer:
    """Keeps to the rate at which a throttling service accepts, in records or capacity units.

    It is made when a service first throttles: what went before was its burst.

    Args:
        now: The clock's reading, in seconds.
        floor: The rate it never goes below.
    """

    def __init__(self, now: float, floor: float) -> None:
        self.rate: float | None = None
        self._floor = floor
        self._since = self._last = self._next = now
        self._accepted = 0.0
        self._seen = 0.0  # the rate that the service last took while it throttled

    def pause(self, now: float) -> float:
        """Return the seconds to wait before the next call."""
        return self._next - now if self.rate is not None and self._next > now else 0.0

    def note(self, now: float, accepted: float, *, throttled: bool, recovers: bool | None = None) -> None:
        """Learn from a call.

        Args:
            now: The clock's reading, in seconds.
            accepted: How much of it the service took.
            throttled: Whether the service throttled most of it.
            recovers: Whether the rate may grow; by default after each call that was not throttled.
        """
        idle = now - max(self._last, self._next)
        if idle > _IDLE:
            self._since += idle  # nothing was sent then, so nothing could be accepted
        self._accepted += accepted
        if throttled:
            self._slow(now)
        elif self.rate is not None and recovers is not False:
            self._recover(now)
        if self.rate is not None:
            # What was refused cost the service nothing; idle time earns one call's worth.
            self._next = max(self._next, self._last) + accepted / self.rate
        self._last = now

    def _slow(self, now: float) -> None:
        elapsed = now - self._since
        if elapsed >= _WINDOW and self._accepted:
            self._seen = max(self._floor, self._accepted / elapsed)
            self.rate = self._seen if self.rate is None else min(self._seen, self.rate)
        elif self.rate is not None:
            self.rate = max(self._floor, self.rate * _CUT)
        if elapsed >= _WINDOW:
            self._since, self._accepted = now, 0.0

    def _recover(self, now: float) -> None:
        grown = (self.rate or 0.0) + self._seen * (now - self._last) / _RECOVERY
        self.rate = grown if grown < _RECOVERED * self._seen else None
