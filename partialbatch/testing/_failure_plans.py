"""Plans that decide which attempts of a record fail, and how."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from partialbatch.errors import ConfigurationError
from partialbatch.testing._context import Clock

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

__all__ = ["FOREVER", "HOWS", "FailurePlan", "How", "PlannedFailure"]

FOREVER = 1_000_000
"""More failing attempts than any source makes: the record always fails."""

How = Literal["error", "base", "exit", "timeout"]
HOWS: tuple[How, ...] = ("error", "base", "exit", "timeout")


class PlannedFailure(Exception):
    """The error of a planned failure."""


class _PlannedInterrupt(BaseException):
    """The error of a planned failure that `except Exception` doesn't catch."""


class FailurePlan:
    """Makes records fail as planned. Call `attempt` in place of the work of your record function.

    Args:
        failures: By the key of a record, the number of its first attempts that fail, and the way: ``error``
            raises an `Exception`, ``base`` a `BaseException`, ``exit`` a `SystemExit`, and ``timeout`` moves
            the plan's clock forward by 900 s.

    Raises:
        ConfigurationError: A number is negative, or a way doesn't exist.

    Attributes:
        clock: A `Clock` to share with your context: ``LambdaContext(clock=plan.clock)``.
        attempts: The number of attempts of each key.
        done: The keys that succeeded, in order; a key that succeeded twice is there twice.

    Example:
        >>> from partialbatch.testing import FailurePlan
        >>> plan = FailurePlan({"tea": (1, "error")})
        >>> plan.attempt("tea")
        Traceback (most recent call last):
        ...
        partialbatch.testing._failure_plans.PlannedFailure: attempt 1 of 'tea' fails as planned
        >>> plan.attempt("tea")
        >>> plan.done
        ['tea']
    """

    def __init__(self, failures: Mapping[Hashable, tuple[int, How]]) -> None:
        for times, how in failures.values():
            if how not in HOWS or times < 0:
                raise ConfigurationError.bad_value("failures", (times, how), f"a number from 0 on, and one of {HOWS}")
        self.failures = dict(failures)
        self.clock = Clock()
        self.attempts: Counter[Hashable] = Counter()
        self.done: list[Hashable] = []
        self._lock = threading.Lock()

    @property
    def poison(self) -> set[Hashable]:
        """The keys that never succeed."""
        return {key for key, (times, _) in self.failures.items() if times >= FOREVER}

    def attempt(self, key: Hashable) -> None:
        """Count an attempt of a record, and fail if the plan says so.

        Raises:
            PlannedFailure: The plan says ``error``. For ``base`` it is a `BaseException`, for ``exit`` a `SystemExit`.
        """
        with self._lock:
            self.attempts[key] += 1
            times, how = self.failures.get(key, (0, "error"))
            fails = self.attempts[key] <= times
            if not fails:
                self.done.append(key)
                return
        self._fail(key, how)

    def _fail(self, key: Hashable, how: How) -> None:
        if how == "timeout":
            self.clock.advance(900)
            return
        failure: dict[How, type[BaseException]] = {
            "error": PlannedFailure,
            "base": _PlannedInterrupt,
            "exit": SystemExit,
        }
        raise failure[how](f"attempt {self.attempts[key]} of {key!r} fails as planned")

    def __repr__(self) -> str:
        described: dict[Any, str] = {
            key: f"{'always' if times >= FOREVER else times}: {how}" for key, (times, how) in self.failures.items()
        }
        return f"FailurePlan({described})"
