"""Calls the handler for each batch of a simulation, and records the results."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError, FullBatchFailure, described
from partialbatch.testing._context import Clock, LambdaContext
from partialbatch.testing._delivery import Delivery
from partialbatch.testing._event_layout import group_of, identifier_in, records_of
from partialbatch.testing._history import Fate, Invocation, RecordHistory, Run
from partialbatch.testing._observation import CallResult, call, infer_statuses
from partialbatch.testing._validation import checked_handler
from partialbatch.testing._verdict import Outcome, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch.testing._history import RunStatus

__all__ = ["TRACEBACKS_KEPT", "SimulationLoop", "TrackedRecord"]

TRACEBACKS_KEPT = 100
"""The number of errors that keep their traceback, which holds about 5 KB and the event."""


@dataclass(slots=True, eq=False)
class TrackedRecord:
    """A record during a simulation, with its runs so far."""

    text: str
    identifier: Any
    group: str | None
    fate: Fate = "remaining"
    runs: list[Run] = field(default_factory=list)
    receives: int = 0

    @classmethod
    def of(cls, text: str, source: str) -> TrackedRecord:
        """Return a record that hasn't been delivered yet."""
        raw = json.loads(text)
        # The first delivery of a raw record keeps its receive count.
        receives = int(raw["attributes"]["ApproximateReceiveCount"]) - 1 if source == "sqs" else 0
        return cls(text, identifier_in(source, raw), group_of(source, raw), receives=receives)

    def history(self) -> RecordHistory:
        """Return the history so far."""
        return RecordHistory(self.identifier, self.group, self.text, self.fate, tuple(self.runs))

    def give_up(self, *, destination: bool = False) -> None:
        """Set the fate of a record that is not tried again."""
        statuses = {run.status for run in self.runs}
        if statuses & {"succeeded", "resumed", "dead_lettered"}:
            self.fate = "deleted"
        elif not statuses or statuses == {"skipped"}:
            self.fate = "discarded_unrun"
        else:
            self.fate = "dead_lettered" if destination else "expired"


class SimulationLoop:
    """Calls the handler for one simulation.

    Args:
        source: The name of the source.
        ordered: Whether the source delivers records in order.
        handler: Any callable ``(event, context)``.
        context: The second argument of the handler. A `LambdaContext` starts anew for each invocation.
        succeeded: Takes each raw record after each invocation, and returns whether it succeeded, or None if it
            wasn't run.
        report: Whether the event source mapping has ``ReportBatchItemFailures``.
        bound: The largest number of invocations.
    """

    def __init__(
        self,
        source: str,
        handler: Callable[[Any, Any], Any],
        context: Any,
        succeeded: Callable[[Any], bool | None] | None,
        *,
        ordered: bool,
        report: bool,
        bound: int,
    ) -> None:
        self._source, self._ordered, self._report, self._bound = source, ordered, report, bound
        self._handler = checked_handler(handler)
        if succeeded is not None and not callable(succeeded):
            raise ConfigurationError.bad_value("succeeded", succeeded, "a function of a raw record")
        self._succeeded = succeeded
        self._context = LambdaContext(clock=Clock()) if context is None else context
        clock = getattr(self._context, "clock", None)
        self._clock = clock if isinstance(clock, Clock) else Clock()
        self._start = self._clock()
        self._observed = False
        self._invocations: list[Invocation] = []
        self._reasons: dict[str, str] = {}
        self._errors: dict[Any, BaseException] = {}

    @property
    def now(self) -> float:
        """The simulated seconds since the start."""
        return self._clock() - self._start

    @property
    def exhausted(self) -> bool:
        """Whether the largest number of invocations was made."""
        return len(self._invocations) >= self._bound

    def wait_until(self, moment: float) -> None:
        """Move the clock forward to `moment`, unless that has passed."""
        self._clock.advance(max(0.0, moment - self.now))

    def invoke(self, make: Callable[[], Any], batch: Sequence[TrackedRecord]) -> Verdict:
        """Call the handler with an event.

        Args:
            make: Makes the event. It is called each time, because a handler may change its event.
            batch: The records of the event, in its order.
        """
        event, at = make(), self.now
        context = self._context.anew() if isinstance(self._context, LambdaContext) else self._context
        is_over = _is_over(context) if isinstance(context, LambdaContext) else None
        result = call(self._handler, make(), context, is_over)
        if is_over is not None and is_over():
            result = result._replace(outcome=Outcome.timed_out(context.timeout))
        verdict = judge(event, result.outcome, report_batch_item_failures=self._report)
        number = len(self._invocations)
        for position, (tracked, status) in enumerate(zip(batch, self._statuses(event, result, verdict), strict=True)):
            tracked.runs.append(Run(number, position, status))
        reason = self._reasons.setdefault(verdict.reason, verdict.reason)
        error = None if result.error is None else self._deduplicated(result.error, batch)
        self._invocations.append(Invocation(make, result.response, error, verdict.kind, reason, at, len(batch)))
        return verdict

    def _deduplicated(self, error: BaseException, batch: Sequence[TrackedRecord]) -> BaseException:
        """Return the error, or an equal earlier one of the same records. Its traceback keeps the event in memory."""
        kept = self._errors.setdefault((type(error), described(error), tuple(map(id, batch))), error)
        if kept is error and len(self._errors) > TRACEBACKS_KEPT:
            strip(error)
        return kept

    def _statuses(self, event: Any, result: CallResult, verdict: Verdict) -> Sequence[RunStatus]:
        if result.observed is not None:
            self._observed = True
            return result.observed
        records = records_of(event)
        claim = verdict if self._report else judge(event, result.outcome)
        if claim.kind == "failure" and verdict.kind == "success":
            claim = verdict  # without the setting, such a response isn't read
        if self._succeeded is None:
            return infer_statuses(claim, [None] * len(records), ordered=self._ordered)
        given = [_checked_success(self._succeeded(raw)) for raw in records]
        inferred = infer_statuses(claim, given, ordered=self._ordered)
        return ["skipped" if success is None else status for success, status in zip(given, inferred, strict=True)]

    def delivery(self, tracked: Sequence[TrackedRecord]) -> Delivery:
        """Return the result of the simulation. `tracked` is in the order of the source."""
        return Delivery(
            self._source,
            tuple(entry.history() for entry in tracked),
            tuple(self._invocations),
            self.now,
            inferred=not self._observed and self._succeeded is None,
        )


def _checked_success(success: Any) -> bool | None:
    """Check a value that `succeeded` returned: a coroutine, for instance, would count as a success."""
    if success is None or isinstance(success, bool):
        return success
    raise ConfigurationError(
        f"succeeded= returned a {type(success).__name__}: it must return True, False, or None if it wasn't run"
    )


def strip(error: BaseException) -> None:
    """Remove the tracebacks of an error, of its causes, and of the errors that it holds."""
    waiting: list[BaseException | None] = [error]
    while waiting:
        inner = waiting.pop()
        if inner is None or inner.__traceback__ is None:
            continue
        inner.__traceback__ = None  # also marks it as done, because causes can form a cycle
        waiting += [inner.__cause__, inner.__context__]
        waiting += inner.errors if isinstance(inner, FullBatchFailure) else ()
        waiting += inner.exceptions if isinstance(inner, BaseExceptionGroup) else ()


def _is_over(context: LambdaContext) -> Callable[[], bool]:
    return lambda: context.get_remaining_time_in_millis() <= 0
