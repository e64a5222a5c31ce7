"""A Lambda context whose clock a test can move."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from partialbatch.errors import ConfigurationError
from partialbatch.testing._arns import ACCOUNT, REGION
from partialbatch.testing._validation import seconds as _seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["Clock", "LambdaContext"]

_LONGEST_TIMEOUT = 900  # seconds: Lambda's quota
_FOREVER = 10**9


class Clock:
    """A clock that stands still until you move it. Calling it returns its time in seconds.

    Args:
        now: The time at the start, in seconds.

    Example:
        >>> from partialbatch.testing import Clock
        >>> clock = Clock()
        >>> clock.advance(2.5)
        >>> clock()
        2.5
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ConfigurationError: The number of seconds is negative, or isn't a number.
        """
        self._now += _seconds("seconds", seconds, 0, _FOREVER)


class LambdaContext:
    """The second argument of a handler, with every attribute of Lambda's own context.

    Args:
        timeout: The function's timeout, in seconds: 0.001 to 900.
        clock: Any function that returns seconds, such as ``time.monotonic``. By default, a new `Clock`,
            which you can move as ``context.clock``.
        function_name: The name of the function.

    Raises:
        ConfigurationError: The timeout is out of range, or the clock can't be called.

    Example:
        >>> from partialbatch.testing import LambdaContext
        >>> context = LambdaContext(timeout=3)
        >>> context.clock.advance(2.6)
        >>> context.get_remaining_time_in_millis()
        400
    """

    def __init__(
        self,
        timeout: float = 3.0,
        clock: Callable[[], float] | None = None,
        function_name: str = "handler",
    ) -> None:
        if clock is not None and not callable(clock):
            raise ConfigurationError.bad_value("clock", clock, "a function that returns seconds, such as Clock()")
        self.timeout = _seconds("timeout", timeout, 0.001, _LONGEST_TIMEOUT)
        self.clock: Any = Clock() if clock is None else clock
        self.function_name = function_name
        self.function_version = "$LATEST"
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function_name}"
        self.memory_limit_in_mb = "128"
        self.aws_request_id = self._request_id = str(uuid4())
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.log_stream_name = "2026/01/01/[$LATEST]c7c1a0f2b4d84f4f9f0e6c7a5d3b2e10"
        self.identity = None
        self.client_context = None
        self.tenant_id = None
        self._deadline: float = self.clock() + self.timeout

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""
        return max(0, round(1000 * (self._deadline - float(self.clock()))))

    def anew(self) -> Self:
        """Return a context with the same settings, for an invocation that starts now."""
        renewed = copy(self)  # with the attributes that a test has set, and of its subclass
        vars(renewed)["_deadline"] = self.clock() + self.timeout
        if self.aws_request_id == self._request_id:
            renewed.aws_request_id = vars(renewed)["_request_id"] = str(uuid4())
        return renewed
