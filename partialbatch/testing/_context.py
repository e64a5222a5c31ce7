"""Lambda's context object, with a clock that tests can move."""

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

_LONGEST = 900  # seconds: Lambda's quota for a function's timeout
_FOREVER = 10**9


class Clock:
    """A clock that stands still until it is moved; called, it gives seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += _seconds("seconds", seconds, 0, _FOREVER)


class LambdaContext:
    """What a handler gets as its second argument.

    Args:
        timeout: The function's timeout, in seconds: from 1 to 900 in Lambda, here from 0.001.
        clock: Gives the time in seconds, ``time.monotonic`` say; without, a `Clock`
            of its own, which is then ``context.clock``.
        function_name: The function's name.
    """

    def __init__(
        self,
        timeout: float = 3.0,
        clock: Callable[[], float] | None = None,
        function_name: str = "handler",
    ) -> None:
        if clock is not None and not callable(clock):
            raise ConfigurationError.bad_value("clock", clock, "a callable that gives seconds, such as Clock()")
        self.timeout = _seconds("timeout", timeout, 0.001, _LONGEST)
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
        """Return the milliseconds left until Lambda ends the invocation."""
        return max(0, round(1000 * (self._deadline - float(self.clock()))))

    def anew(self) -> Self:
        """Return a context with the same settings, for an invocation that starts now."""
        again = copy(self)  # what a test has set on it, or made of it, included
        again._deadline = self.clock() + self.timeout  # noqa: SLF001 - its own class
        if self.aws_request_id == self._request_id:
            again.aws_request_id = again._request_id = str(uuid4())  # noqa: SLF001 - as above
        return again
