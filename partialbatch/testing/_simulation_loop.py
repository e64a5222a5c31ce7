"""One simulation: calls the handler, asks for the verdict, and keeps the stories."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError, FullBatchFailure, described
from partialbatch.testing._context import Clock, LambdaContext
from partialbatch.testing._delivery import Delivery, Fate, Invocation, RecordStory, Run
from partialbatch.testing._event_layout import group_of, identifier_in, records_of
from partialbatch.testing._observation import Answer, call, statuses
from partialbatch.testing._validation import checked_handler
from partialbatch.testing._verdict import Outcome, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch.testing._delivery import RunStatus

__all__ = ["PAYLOAD_LIMIT", "TRACEBACKS_KEPT", "Engine", "Tracked"]

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Lambda's quota for an event, in bytes."""
TRACEBACKS_KEPT = 100
"""Errors of a simulation that keep their traceback: it holds some 5 KB, and the event."""


@dataclass(slots=True, eq=False)
class Tracked:
    """A record on its way, and what happened to it so far."""

    text: str
    identifier: Any
    group: str | None
    fate: Fate = "remaining"
    runs: list[Run] = field(default_factory=list)
    receives: int = 0

    @classmethod
    def of(cls, text: str, source: str) -> Tracked:
        """Start the story of a record."""
        raw = json.loads(text)
        # The first delivery of a message is to have the receive count that it comes with.
        receives = int(raw["attributes"]["ApproximateReceiveCount"]) - 1 if source == "sqs" else 0
        return cls(text, identifier_in(source, raw), group_of(source, raw), receives=receives)

    def story(self) -> RecordStory:
        """Return the story as it stands."""
        return RecordStory(self.identifier, self.group, self.text, self.fate, tuple(self.runs))

    def give_up(self, *, destination: bool = False) -> None:
        """End the retrying."""
        statuses = {run.status for run in self.runs}
        if statuses & {"succeeded", "resumed", "dead_lettered"}:
            self.fate = "deleted"
        elif not statuses or statuses == {"skipped"}:
            self.fate = "discarded_unrun"
        else:
            self.fate = "dead_lettered" if destination else "expired"


class Engine:
    """Calls the handler for one simulation.

    Args:
        source: The name of the source.
        ordered: Whether records are handed over in an order.
        handler: Any callable ``(event, context)``.
        context: What it gets as its context; a `LambdaContext` starts anew each time.
        succeeded: Raw record -> whether it succeeded, or None if it was not run; asked after each invocation.
        report: Whether ``ReportBatchItemFailures`` is set.
        bound: The most invocations.
    """

    def __init__(  # what a simulation consists of
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
            raise ConfigurationError.bad_value("succeeded", succeeded, "a callable: raw record -> whether it succeeded")
        self._succeeded = succeeded
        self._context = LambdaContext(clock=Clock()) if context is None else context
        clock = getattr(self._context, "clock", None)
        self._clock = clock if isinstance(clock, Clock) else Clock()
        self._start = self._clock()
        self._seen = False
        self._invocations: list[Invocation] = []
        self._reasons: dict[str, str] = {}
        self._errors: dict[Any, BaseException] = {}

    @property
    def now(self) -> float:
        """The seconds since the start."""
        return self._clock() - self._start

    @property
    def exhausted(self) -> bool:
        """Whether the most invocations were made."""
        return len(self._invocations) >= self._bound

    def wait_until(self, moment: float) -> None:
        """Move the clock forward to `moment`, which may have passed."""
        self._clock.advance(max(0.0, moment - self.now))

    def invoke(self, make: Callable[[], Any], batch: Sequence[Tracked]) -> Verdict:
        """Call the handler with an event.

        Args:
            make: Makes the event: anew each time, as handlers may change theirs.
            batch: The records of the event, in its order.
        """
        event, at = make(), self.now
        context = self._context.anew() if isinstance(self._context, LambdaContext) else self._context
        is_over = _is_over(context) if isinstance(context, LambdaContext) else None
        answer = call(self._handler, make(), context, is_over)
        if is_over is not None and is_over():
            answer = answer._replace(outcome=Outcome.timed_out(context.timeout))
        verdict = judge(event, answer.outcome, report_batch_item_failures=self._report)
        number = len(self._invocations)
        for position, (tracked, status) in enumerate(zip(batch, self._statuses(event, answer, verdict), strict=True)):
            tracked.runs.append(Run(number, position, status))
        reason = self._reasons.setdefault(verdict.reason, verdict.reason)
        error = None if answer.error is None else self._kept(answer.error, batch)
        self._invocations.append(Invocation(make, answer.response, error, verdict.kind, reason, at, len(batch)))
        return verdict

    def _kept(self, error: BaseException, batch: Sequence[Tracked]) -> BaseException:
        """Return the error, or an equal one of the same records: an error holds its event, through its traceback."""
        kept = self._errors.setdefault((type(error), described(error), tuple(map(id, batch))), error)
        if kept is error and len(self._errors) > TRACEBACKS_KEPT:
            strip(error)
        return kept

    def _statuses(self, event: Any, answer: Answer, verdict: Verdict) -> Sequence[RunStatus]:
        if answer.seen is not None:
            self._seen = True
            return answer.seen
        records = records_of(event)
        claim = verdict if self._report else judge(event, answer.outcome)
        if claim.kind == "failure" and verdict.kind == "success":
            claim = verdict  # a response that was never meant to be read, and is not
        if self._succeeded is None:
            return statuses(claim, [None] * len(records), ordered=self._ordered)
        told = [_answer(self._succeeded(raw)) for raw in records]
        found = statuses(claim, told, ordered=self._ordered)
        return ["skipped" if success is None else status for success, status in zip(told, found, strict=True)]

    def delivery(self, tracked: Sequence[Tracked]) -> Delivery:
        """Return all that happened; the records are given in the order of the source."""
        return Delivery(
            self._source,
            tuple(entry.story() for entry in tracked),
            tuple(self._invocations),
            self.now,
            inferred=not self._seen and self._succeeded is None,
        )


def _answer(success: Any) -> bool | None:
    """Check an answer of `succeeded`: a coroutine, say, would count as a success."""
    if success is None or isinstance(success, bool):
        return success
    raise ConfigurationError(
        f"succeeded= returned a {type(success).__name__}: it returns True, False, or None if the record was not run"
    )


def strip(error: BaseException) -> None:
    """Take the tracebacks from an error, from its causes, and from the errors that it holds."""
    waiting: list[BaseException | None] = [error]
    while waiting:
        inner = waiting.pop()
        if inner is None or inner.__traceback__ is None:
            continue
        inner.__traceback__ = None  # the mark that it was here, too: causes can form a circle
        waiting += [inner.__cause__, inner.__context__]
        waiting += inner.errors if isinstance(inner, FullBatchFailure) else ()
        waiting += inner.exceptions if isinstance(inner, BaseExceptionGroup) else ()


def _is_over(context: LambdaContext) -> Callable[[], bool]:
    return lambda: context.get_remaining_time_in_millis() <= 0
