"""Which records succeeded in an invocation: seen through the handler, told, or inferred."""

from __future__ import annotations

import inspect
from contextlib import nullcontext
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from partialbatch._core.references import handler_behind
from partialbatch._core.results import DEAD_LETTERED, FAILED, SKIPPED, SUCCEEDED
from partialbatch._unrun import is_awaitable
from partialbatch.testing._verdict import Outcome
from partialbatch.testing._watching import watching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch._core.batch import BatchState
    from partialbatch.testing._delivery import RunStatus
    from partialbatch.testing._verdict import Verdict

__all__ = ["Answer", "call", "statuses"]

_STATUSES: dict[int, RunStatus] = {
    SKIPPED: "skipped",
    SUCCEEDED: "succeeded",
    FAILED: "failed",
    DEAD_LETTERED: "dead_lettered",
}


class Answer(NamedTuple):
    """What a call of the handler gave.

    Attributes:
        outcome: What goes over the wire.
        response: The value that was returned; None where it raised.
        error: What was raised.
        seen: The status of each record, where the handler is one of ours.
    """

    outcome: Outcome
    response: Any = None
    error: BaseException | None = None
    seen: tuple[RunStatus, ...] | None = None


class _Ended(SystemExit):
    """Lambda has ended the process, in the middle of a record."""


class _EndedBefore(_Ended):
    """Lambda has ended the process, before the record was run."""


def call(handler: Callable[..., Any], event: Any, context: Any, is_over: Callable[[], bool] | None = None) -> Answer:
    """Call the handler as Lambda's runtime does, and catch what that would catch.

    Args:
        handler: Any callable ``(event, context)``.
        event: Its event.
        context: Its context.
        is_over: Whether Lambda has ended the invocation by now: then no record of a handler
            of ours succeeds any more. None: it lives for ever.
    """
    ours = handler_behind(handler)
    sight = _Sight(event if ours is handler else deepcopy(event), is_over)
    try:
        with watching(ours, sight.see) if ours is not None else nullcontext():
            response = handler(event, context)
    except BaseException as error:
        if _is_for_the_test(error):
            raise
        raised = None if isinstance(error, _Ended) else error
        return Answer(Outcome.raised(error), error=raised, seen=_seen(sight.batch))
    if inspect.iscoroutine(response):  # the runtime does not await; closed, it does not warn either
        response.close()
    return Answer(Outcome.returned(response), response, seen=_seen(sight.batch))


class _Sight:
    """What is seen of one call.

    Attributes:
        batch: What became of the event's records; None where the handler was not asked, or got another event.
    """

    def __init__(self, event: Any, is_over: Callable[[], bool] | None) -> None:
        self.batch: BatchState | None = None
        self._event = event
        self._is_over = is_over

    def see(self, event: Any, batch: BatchState) -> None:
        # A decorator may hand over other records than came; what became of those is read off the response.
        self.batch = batch if event is self._event or event == self._event else None
        if self._is_over is not None:
            batch.invoke = _mortal(batch, self._is_over)


def _is_for_the_test(error: BaseException) -> bool:
    """Tell Ctrl-C, and what pytest and hypothesis end a test with, from an error that Lambda would see."""
    if isinstance(error, Exception):
        return False
    homes = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, KeyboardInterrupt) or not homes.isdisjoint(("_pytest", "hypothesis"))


def _seen(batch: BatchState | None) -> tuple[RunStatus, ...] | None:
    if batch is None:
        return None
    unrun = {index for index, error in batch.errors.items() if isinstance(error, _EndedBefore)}
    return tuple(
        "resumed" if index in batch.resumed else "skipped" if index in unrun else _STATUSES[state]
        for index, state in enumerate(batch.states)
    )


def _mortal(batch: BatchState, is_over: Callable[[], bool]) -> Callable[[Any], Any]:
    """Return an `invoke` that ends with the invocation: on a virtual clock nobody else would end it."""
    invoke, awaits = batch.invoke, batch.awaits

    def live(ended: type[_Ended]) -> None:
        if is_over():
            raise ended("Lambda has ended the invocation: its timeout is over")

    async def awaited(value: Any) -> Any:
        result = await value
        live(_Ended)
        return result

    def mortal(raw: Any) -> Any:
        live(_EndedBefore)
        value = invoke(raw)
        if awaits and is_awaitable(value):
            return awaited(value)
        live(_Ended)
        return value

    return mortal


def statuses(claim: Verdict, told: Sequence[bool | None], *, ordered: bool) -> list[RunStatus]:
    """Read off a response what became of each record.

    In doubt a record counts as not run: of several that are reported only the first is
    sure to have been, where the source has an order.

    Args:
        claim: What the response says, whether or not anyone reads it.
        told: What the test tells of each record: True, False, or None for nothing.
        ordered: Whether records are handed over in an order.
    """
    reported = frozenset(claim.reported)
    sure = frozenset(claim.reported[:1]) if ordered else reported
    found: list[RunStatus] = []
    for position, success in enumerate(told):
        if success:
            found.append("succeeded")
        elif claim.kind == "failure":
            found.append("failed" if len(told) == 1 else "unknown")
        elif position in reported:
            found.append("failed" if position in sure else "unknown")
        elif claim.checkpoint is not None and position > claim.checkpoint:
            found.append("skipped")
        else:
            found.append("succeeded" if success is None else "failed")
    return found
