"""Calls a handler once, and records for each record its time, its worker and its outcome."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from partialbatch._core.logs import presentable
from partialbatch._core.outcome import batch_result
from partialbatch._unrun import is_awaitable
from partialbatch.cli.user_tracebacks import format_error, place_of
from partialbatch.errors import PartialBatchError, clip
from partialbatch.testing._context import LambdaContext
from partialbatch.testing._observation import call, infer_statuses
from partialbatch.testing._verdict import Outcome
from partialbatch.testing._watching import watching

if TYPE_CHECKING:
    from partialbatch._core.batch import BatchState
    from partialbatch._core.results import RecordResult
    from partialbatch.cli.invoke.saved_events import SavedBatch
    from partialbatch.cli.loading import LoadedHandler

__all__ = ["CallRecorder", "RecordOutcome", "RecordedCall", "Span"]

TRACEBACK_SHOWN = 8_000
ERROR_SHOWN = 500


@dataclass(slots=True)
class Span:
    """The time in which a record ran, in seconds since the call of the handler.

    Attributes:
        worker: The thread's name, or ``task N`` for the N-th of the async records that run at once.
        started: The time of its start.
        ended: The time of its end; None while it runs.
    """

    worker: str
    started: float
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """The outcome of one record.

    Attributes:
        status: ``succeeded failed skipped dead_lettered``; ``running`` if it was running at the timeout,
            ``unknown`` if the response does not tell.
        error: Type and text of its error, if any.
        trace: The error's traceback, if any.
        place: ``file:line`` of the last line of the user's code in the traceback; empty if there is none.
        span: Its time; None if it did not run or was not observed.
    """

    status: str
    error: str | None = None
    trace: str | None = None
    span: Span | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """The result of a call.

    Attributes:
        outcome: The response or error that Lambda gets.
        records: The outcome of each record, in event order.
        duration: Seconds that the call took.
        inferred: Whether the statuses are read from the response.
        trace: The traceback of the error that a plain handler raised, if any.
        place: ``file:line`` of the last line of the user's code in that traceback; empty if there is none.
    """

    outcome: Outcome
    records: tuple[RecordOutcome, ...]
    duration: float
    inferred: bool = False
    trace: str | None = None
    place: str = ""


@dataclass(slots=True)
class CallRecorder:
    """Records one call of a handler.

    Attributes:
        loaded: The handler.
        batch: The event. The handler gets its own copy.
        timeout: The function's timeout in seconds.
        extras: Attributes to set on the context, by name.
    """

    loaded: LoadedHandler
    batch: SavedBatch
    timeout: float
    extras: dict[str, Any] = field(default_factory=dict)
    _began: float = 0.0
    _spans: dict[int, Span] = field(default_factory=dict)
    _state: BatchState | None = None
    _lanes: set[int] = field(default_factory=set)

    def call(self) -> RecordedCall:
        """Call the handler and wait for it to return.

        Raises:
            KeyboardInterrupt: The user pressed Ctrl-C.
        """
        context = LambdaContext(self.timeout, clock=monotonic)
        for name, value in self.extras.items():
            setattr(context, name, value)
        event = self.batch.new_event()
        self._began = perf_counter()
        return (
            self._call_batch_handler(event, context)
            if self.loaded.is_batch_handler
            else self._call_plain_function(event, context)
        )

    def timed_out(self) -> RecordedCall:
        """Return the state at the timeout, while the handler still runs in another thread."""
        return RecordedCall(
            Outcome.timed_out(self.timeout), tuple(map(self._unfinished, self._positions())), self._elapsed()
        )

    def _call_batch_handler(self, event: Any, context: LambdaContext) -> RecordedCall:
        """Call a `BatchHandler`, which may be behind decorators, and record its records."""
        trace, place = None, ""
        try:
            with watching(self.loaded.batch_handler, self._see):
                outcome = Outcome.returned(self.loaded.handler(event, context))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            outcome = Outcome.raised(error)
            trace = None if isinstance(error, PartialBatchError | SystemExit) else _trace(error)
            place = place_of(error)
        duration = self._elapsed()
        if self._state is None and self.loaded.batch_handler is not self.loaded.handler:
            # A decorator did not call the handler, or called it with another event.
            return RecordedCall(outcome, self._inferred(outcome), duration, inferred=True, trace=trace, place=place)
        results = batch_result(self._state, {"batchItemFailures": []}).results if self._state is not None else ()
        outcomes = [self._record_outcome(index, result) for index, result in enumerate(results)]
        outcomes = outcomes or [RecordOutcome("skipped")] * len(self.batch.records)
        return RecordedCall(outcome, tuple(outcomes), duration, trace=trace, place=place)

    def _see(self, event: Any, state: BatchState) -> None:
        same = self.loaded.batch_handler is self.loaded.handler or event == self.batch.event
        self._state = state if same else None
        if same:
            self._watch(state)

    def _call_plain_function(self, event: Any, context: LambdaContext) -> RecordedCall:
        answer = call(self.loaded.handler, event, context)
        duration = self._elapsed()
        error = answer.error
        trace, place = (None, "") if error is None else (_trace(error), place_of(error))
        outcomes = self._inferred(answer.outcome)
        return RecordedCall(answer.outcome, outcomes, duration, inferred=True, trace=trace, place=place)

    def _inferred(self, outcome: Outcome) -> tuple[RecordOutcome, ...]:
        """Read the status of each record from a response."""
        outcomes = [None] * len(self.batch.records)
        return tuple(
            map(
                RecordOutcome, infer_statuses(self.batch.claimed_verdict(outcome), outcomes, ordered=self.batch.ordered)
            )
        )

    def _watch(self, state: BatchState) -> None:
        """Time the calls of the record function."""
        invoke = state.invoke
        positions = {id(raw): position for position, raw in enumerate(state.records)}

        def timed(raw: Any) -> Any:
            lane = self._enter() if state.awaits else 0
            worker = f"task {lane}" if lane else threading.current_thread().name
            span = self._spans[positions[id(raw)]] = Span(worker, self._elapsed())
            try:
                value = invoke(raw)
            except BaseException:
                self._leave(span, lane)
                raise
            if state.awaits and is_awaitable(value):
                return self._awaited(value, span, lane)
            self._leave(span, lane)
            return value

        state.invoke = timed

    async def _awaited(self, value: Any, span: Span, lane: int) -> Any:
        try:
            return await value
        finally:
            self._leave(span, lane)

    def _enter(self) -> int:
        """Take the lowest number that no running task has. All tasks run in one loop, so no lock is needed."""
        lane = next(number for number in range(1, len(self._lanes) + 2) if number not in self._lanes)
        self._lanes.add(lane)
        return lane

    def _leave(self, span: Span, lane: int) -> None:
        span.ended = self._elapsed()
        self._lanes.discard(lane)

    def _record_outcome(self, index: int, result: RecordResult[Any]) -> RecordOutcome:
        error = result.error
        if error is None:
            return RecordOutcome(result.status, span=self._spans.get(index))
        if result.status == "skipped":
            return RecordOutcome(result.status, str(error), span=self._spans.get(index))
        trace = _trace(error) if result.status == "failed" else None
        return RecordOutcome(result.status, _text(error), trace, self._spans.get(index), place_of(error))

    def _unfinished(self, index: int) -> RecordOutcome:
        span = self._spans.get(index)
        error = self._state.errors.get(index) if self._state is not None else None
        if error is not None:
            return RecordOutcome("failed", _text(error), _trace(error), span, place_of(error))
        if span is None:
            return (
                RecordOutcome("skipped", "not started: the function's timeout came first")
                if self.loaded.is_batch_handler
                else RecordOutcome("unknown")
            )
        return RecordOutcome("succeeded" if span.ended is not None else "running", span=span)

    def _positions(self) -> range:
        return range(len(self.batch.records))

    def _elapsed(self) -> float:
        return perf_counter() - self._began


def _text(error: BaseException) -> str:
    shown = presentable(error)
    return clip(f"{type(error).__name__}: {shown}".rstrip(": "), ERROR_SHOWN)


def _trace(error: BaseException) -> str:
    text = format_error(presentable(error))
    return text if len(text) <= TRACEBACK_SHOWN else f"…{text[-TRACEBACK_SHOWN:]}"
