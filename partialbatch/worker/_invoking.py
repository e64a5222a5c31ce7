"""One invocation of a handler, and what the service makes of its answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from partialbatch.testing._context import LambdaContext
from partialbatch.testing._verdict import Outcome, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch.types import RawRecord
    from partialbatch.worker._shards import GivenUp

    Handler = Callable[[Any, Any], Any]

__all__ = ["Invocation", "Observer", "Silent", "invoke"]


@dataclass(frozen=True, slots=True)
class Invocation:
    """A handler's call.

    Attributes:
        records: The raw records of the event, in order.
        outcome: What the handler returned, or how it failed.
        verdict: What the service makes of that.
        duration: Seconds that the call took.
    """

    records: Sequence[RawRecord]
    outcome: Outcome
    verdict: Verdict
    duration: float

    @property
    def returned(self) -> list[RawRecord]:
        """The records that are delivered again, in event order."""
        return [self.records[position] for position in self.verdict.returned]


class Observer(Protocol):
    """Who is told what a poller does; called in the poller's thread."""

    def invoked(self, invocation: Invocation) -> None:
        """Take note of a call, before the records are settled."""
        ...

    def gave_up(self, given_up: GivenUp) -> None:
        """Take note of stream records whose retries are exhausted."""
        ...

    def waiting(self, error: BaseException, seconds: float) -> None:
        """Take note of an error that may pass, and of the seconds until the next attempt."""
        ...


class Silent:
    """The observer that takes no notes."""

    def invoked(self, invocation: Invocation) -> None:
        """Do nothing."""

    def gave_up(self, given_up: GivenUp) -> None:
        """Do nothing."""

    def waiting(self, error: BaseException, seconds: float) -> None:
        """Do nothing."""


def invoke(handler: Handler, records: Sequence[RawRecord], *, timeout: float, report: bool) -> Invocation:
    """Call a handler with an event of these records and judge its answer.

    Args:
        handler: Called with the event and a context; it gets a copy of the records.
        records: At least one raw record.
        timeout: The function's timeout in seconds. A call cannot be ended from
            outside: an answer that comes later counts as a timeout, as on Lambda.
        report: Whether the mapping has ``ReportBatchItemFailures``.
    """
    event = json.loads(json.dumps({"Records": records}))
    started = monotonic()
    try:
        outcome = Outcome.returned(handler(event, LambdaContext(timeout, monotonic, "local")))
    except KeyboardInterrupt:  # the user stops the poller: nothing has been settled
        raise
    except BaseException as error:
        outcome = Outcome.raised(error)
    duration = monotonic() - started
    if duration > timeout:
        outcome = Outcome.timed_out(timeout)
    verdict = judge({"Records": records}, outcome, report_batch_item_failures=report)
    return Invocation(records, outcome, verdict, duration)
