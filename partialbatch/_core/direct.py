"""The fast path: a plain record function, one record after another, with no stage.

It reads like the loop that one would write by hand, and behaves as the general path does
(`runners`), which takes four times as long for a record.
"""

from __future__ import annotations

from contextvars import copy_context
from operator import length_hint
from typing import TYPE_CHECKING, Any, cast

from partialbatch._core.batch import BatchState
from partialbatch._core.reasons import DEADLINE, STOPPED
from partialbatch._core.runners.deadline import measure
from partialbatch._unrun import PLAIN, check_value
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch.types import Identifier, RawRecord

__all__ = ["Route", "run_directly"]

MOST_ROUTES = 100
"""How many ARNs a handler remembers, which has one as a rule."""


class Route:
    """The way from a source to the record function, which all batches of one queue or stream share.

    Attributes:
        identify: Returns the records' identifiers; None if the records are of several sources.
        invoke: Calls the record function for a raw record.
        margin: Seconds to keep free before the function's timeout; None without a deadline.
        stops: Whether a failure ends a batch.
    """

    __slots__ = ("_first", "identify", "invoke", "margin", "stops")

    identify: Callable[[list[RawRecord]], list[Any] | None]

    def __init__(self, batch: BatchState, margin: float | None) -> None:
        """Take the way of a batch that `Pipeline.prepare` has made."""
        self._first = batch.plan, batch.source, batch.stages, batch.policy
        self.invoke = batch.invoke
        self.margin = margin
        self.stops = batch.policy is ErrorPolicy.STOP

    def note(self, routes: dict[str, Route], event: Any) -> None:
        """Note the way for later batches of the same ARN, if the event has nothing but records of a source of ours."""
        if type(event) is dict and len(event) == 1 and "Records" in event:
            arn = event["Records"][0].get("eventSourceARN")
            if type(arn) is str:
                self.identify = cast("Any", self._first[1]).identifiers
                if len(routes) >= MOST_ROUTES:
                    routes.clear()
                routes[arn] = self

    def state(
        self, records: Sequence[RawRecord], identifiers: Sequence[Identifier | None], context: Any, begun: float
    ) -> BatchState:
        """Return the state of a batch of which something must be noted."""
        plan, source, stages, policy = self._first
        batch = BatchState(plan, source, records, identifiers, self.invoke, None, context, stages)
        batch.started, batch.policy = begun, policy
        return batch

    def succeeded(
        self, records: Sequence[RawRecord], identifiers: Sequence[Identifier | None], context: Any, begun: float
    ) -> BatchState:
        """Return the state of a batch whose records have all succeeded."""
        batch = self.state(records, identifiers, context, begun)
        batch.succeed_up_to(len(records))
        return batch


def run_directly(  # noqa: C901 - one loop: the calls that would make it two cost each record a quarter more
    route: Route,
    records: Sequence[RawRecord],
    identifiers: Sequence[Identifier | None],
    context: Any,
    begun: float,
    batch: BatchState | None = None,
) -> BatchState | None:
    """Run the records of a batch in event order, each in a fresh copy of the caller's context.

    Args:
        route: How the record function is called, and until when.
        records: The raw records. Nobody asks for the values and durations.
        identifiers: Their identifiers.
        context: Lambda's context object.
        begun: The time at which the call began.
        batch: The state of the batch, if there is one already.

    Returns:
        The state of the batch; None if all records succeeded, and nothing was noted.
    """
    invoke, fresh, remaining = route.invoke, copy_context, iter(records)
    clock, started, slowest, end, read = None, 0.0, 0.0, 0.0, False
    unrun, checked = 0, None
    if context is not None and (measured := measure(context, route.margin)) is not None:
        clock, started, end = measured
        if started > end:
            batch = batch or route.state(records, identifiers, context, begun)
            batch.left_over = DEADLINE
            return batch
    for raw in remaining:
        if clock is not None:
            if read:
                now = clock()
                if now - started > slowest:  # noqa: PLR1730 - `max` takes three times as long
                    slowest = now - started
                if now + slowest > end:
                    batch = batch or route.state(records, identifiers, context, begun)
                    batch.left_over, unrun = DEADLINE, 1
                    break
                started = now
            read = True  # the reading just before was the first record's
        try:
            value = fresh().run(invoke, raw)
            # One look per type, for types whose values need no look each.
            if value is not None and (kind := type(value)) is not checked and (kind in PLAIN or check_value(value)):
                checked = kind
        except BaseException as error:  # as in `runners.step`
            batch = batch or route.state(records, identifiers, context, begun)
            # Counting the records instead would cost each of them a quarter more.
            holds_back = batch.fail(len(records) - length_hint(remaining) - 1, error)
            if (holds_back and route.stops) or batch.interrupt is not None:
                batch.left_over = STOPPED
                break
    if batch is not None:
        batch.succeed_up_to(len(records) - length_hint(remaining) - unrun)
    return batch
