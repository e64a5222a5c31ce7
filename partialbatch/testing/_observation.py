"""Finds the result of each record of an invocation: observed in the handler, given by the test, or inferred."""

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
    from partialbatch.testing._history import RunStatus
    from partialbatch.testing._verdict import Verdict

__all__ = ["CallResult", "call", "infer_statuses"]

_STATUSES: dict[int, RunStatus] = {
    SKIPPED: "skipped",
    SUCCEEDED: "succeeded",
    FAILED: "failed",
    DEAD_LETTERED: "dead_lettered",
}


class CallResult(NamedTuple):
    """The result of one call of the handler.

    Attributes:
        outcome: The answer as Lambda sees it.
        response: The value that the handler returned, or None if it raised.
        error: The error that the handler raised, or None.
        observed: The status of each record, or None unless the handler was made by partialbatch.
    """

    outcome: Outcome
    response: Any = None
    error: BaseException | None = None
    observed: tuple[RunStatus, ...] | None = None


class _InvocationEnded(SystemExit):
    """Lambda has ended the invocation while a record ran."""


class _EndedBeforeRecord(_InvocationEnded):
    """Lambda has ended the invocation before the record ran."""


def call(
    handler: Callable[..., Any], event: Any, context: Any, is_over: Callable[[], bool] | None = None
) -> CallResult:
    """Call the handler as Lambda's runtime does, and catch the errors that the runtime catches.

    Args:
        handler: Any callable ``(event, context)``.
        event: The first argument.
        context: The second argument.
        is_over: Tells whether Lambda has ended the invocation by now. From then on, no record of a handler
            made by partialbatch succeeds. None: the invocation has no timeout.
    """
    ours = handler_behind(handler)
    observation = _Observation(event if ours is handler else deepcopy(event), is_over)
    try:
        with watching(ours, observation.start) if ours is not None else nullcontext():
            response = handler(event, context)
    except BaseException as error:
        if _ends_the_test(error):
            raise
        raised = None if isinstance(error, _InvocationEnded) else error
        return CallResult(Outcome.raised(error), error=raised, observed=_observed(observation.batch))
    if inspect.iscoroutine(response):  # the runtime doesn't await it; once closed, it causes no warning
        response.close()
    return CallResult(Outcome.returned(response), response, observed=_observed(observation.batch))


class _Observation:
    """The observation of one call.

    Attributes:
        batch: The state of the event's records, or None if the handler wasn't called, or got another event.
    """

    def __init__(self, event: Any, is_over: Callable[[], bool] | None) -> None:
        self.batch: BatchState | None = None
        self._event = event
        self._is_over = is_over

    def start(self, event: Any, batch: BatchState) -> None:
        # A decorator may pass on other records. Then the response shows the results of the original ones.
        self.batch = batch if event is self._event or event == self._event else None
        if self._is_over is not None:
            batch.invoke = _ending_at_timeout(batch, self._is_over)


def _ends_the_test(error: BaseException) -> bool:
    """Tell whether an error ends the test: Ctrl-C, or an exception with which pytest or hypothesis stop it."""
    if isinstance(error, Exception):
        return False
    homes = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, KeyboardInterrupt) or not homes.isdisjoint(("_pytest", "hypothesis"))


def _observed(batch: BatchState | None) -> tuple[RunStatus, ...] | None:
    if batch is None:
        return None
    unrun = {index for index, error in batch.errors.items() if isinstance(error, _EndedBeforeRecord)}
    return tuple(
        "resumed" if index in batch.resumed else "skipped" if index in unrun else _STATUSES[state]
        for index, state in enumerate(batch.states)
    )


def _ending_at_timeout(batch: BatchState, is_over: Callable[[], bool]) -> Callable[[Any], Any]:
    """Return an `invoke` that fails once the invocation has ended, which a simulated clock can't enforce."""
    invoke, awaits = batch.invoke, batch.awaits

    def check(ended: type[_InvocationEnded]) -> None:
        if is_over():
            raise ended("Lambda has ended the invocation: its timeout has passed")

    async def awaited(value: Any) -> Any:
        result = await value
        check(_InvocationEnded)
        return result

    def checked_invoke(raw: Any) -> Any:
        check(_EndedBeforeRecord)
        value = invoke(raw)
        if awaits and is_awaitable(value):
            return awaited(value)
        check(_InvocationEnded)
        return value

    return checked_invoke


def infer_statuses(claim: Verdict, given: Sequence[bool | None], *, ordered: bool) -> list[RunStatus]:
    """Infer the status of each record from a response.

    In doubt, a record counts as not run. If the source has an order and several records are reported, only
    the first of them is certain to have run.

    Args:
        claim: The verdict on the response, as if the event source mapping reads it.
        given: For each record, whether the test says that it succeeded, or None if it says nothing.
        ordered: Whether the source delivers records in order.
    """
    reported = frozenset(claim.reported)
    certain = frozenset(claim.reported[:1]) if ordered else reported
    statuses: list[RunStatus] = []
    for position, success in enumerate(given):
        if success:
            statuses.append("succeeded")
        elif claim.kind == "failure":
            statuses.append("failed" if len(given) == 1 else "unknown")
        elif position in reported:
            statuses.append("failed" if position in certain else "unknown")
        elif claim.checkpoint is not None and position > claim.checkpoint:
            statuses.append("skipped")
        else:
            statuses.append("succeeded" if success is None else "failed")
    return statuses
