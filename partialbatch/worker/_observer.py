"""Observers, which are told about each call, each wait, and the records that are given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from partialbatch.worker._given_up import GivenUp
    from partialbatch.worker._handler_call import Invocation

__all__ = ["NullObserver", "Observer"]


class Observer(Protocol):
    """An object that a poller reports to. The poller calls it in its own thread.

    Example:
        >>> from partialbatch.worker import Observer
        >>> class Printer:
        ...     def invoked(self, invocation):
        ...         print(invocation.verdict.kind)
        ...     def gave_up(self, given_up):
        ...         print("gave up", len(given_up.records))
        ...     def waiting(self, error, seconds):
        ...         print(f"next attempt in {seconds:g} s: {error}")
        >>> observer: Observer = Printer()
        >>> observer.waiting(ConnectionError("the service is away"), 0.5)
        next attempt in 0.5 s: the service is away
    """

    def invoked(self, invocation: Invocation) -> None:
        """Receive a call of the handler, before its records are settled."""
        ...

    def gave_up(self, given_up: GivenUp) -> None:
        """Receive stream records that are not tried again."""
        ...

    def waiting(self, error: BaseException, seconds: float) -> None:
        """Receive a transient error, and the seconds until the next attempt."""
        ...


class NullObserver:
    """An observer that does nothing."""

    def invoked(self, invocation: Invocation) -> None:
        """Do nothing."""

    def gave_up(self, given_up: GivenUp) -> None:
        """Do nothing."""

    def waiting(self, error: BaseException, seconds: float) -> None:
        """Do nothing."""
