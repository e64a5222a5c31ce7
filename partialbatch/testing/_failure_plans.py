"""Which record fails on which attempt, and how."""

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
"""As many failing attempts as no source makes: poison."""

How = Literal["error", "base", "exit", "timeout"]
HOWS: tuple[How, ...] = ("error", "base", "exit", "timeout")


class PlannedFailure(Exception):
    """What a record fails with on purpose."""


class _PlannedInterrupt(BaseException):
    """A failure that `except Exception` does not catch."""


class FailurePlan:
    """Makes records fail as planned; call `attempt` where the work would be done.

    Args:
        failures: Key of a record -> how many of its first attempts fail, and how:
            ``error`` raises an `Exception`, ``base`` a `BaseException`, ``exit`` a
            `SystemExit`, and ``timeout`` moves the plan's clock on by 900 s.

    Attributes:
        clock: For the `LambdaContext` of the test.
        attempts: How often each key was tried.
        done: The keys that succeeded, once for each time.
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
        """Do the work of a record, which fails if that is the plan."""
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
        told: dict[Any, str] = {
            key: f"{'always' if times >= FOREVER else times}: {how}" for key, (times, how) in self.failures.items()
        }
        return f"FailurePlan({told})"
