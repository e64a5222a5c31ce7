"""Calling a handler once, and seeing when each record ran, where, and how it ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from partialbatch._core.logs import presentable
from partialbatch._core.outcome import batch_result
from partialbatch._unrun import is_awaitable
from partialbatch.cli.tracebacks import format_error, place_of
from partialbatch.errors import PartialBatchError, clip
from partialbatch.testing._context import LambdaContext
from partialbatch.testing._observation import call, statuses
from partialbatch.testing._verdict import Outcome
from partialbatch.testing._watching import watching

if TYPE_CHECKING:
    from partialbatch._core.batch import BatchState
    from partialbatch._core.results import RecordResult
    from partialbatch.cli.batches import Batch
    from partialbatch.cli.loading import Loaded

__all__ = ["Ending", "Observer", "Span", "Told"]

TRACEBACK_SHOWN = 8_000
ERROR_SHOWN = 500


@dataclass(slots=True)
class Span:
    """When a record ran, in seconds since the handler was called.

    Attributes:
        worker: The thread's name, or ``task N`` for the N-th of the async records that run at once.
        started: When it started.
        ended: When it ended; None while it runs.
    """

    worker: str
    started: float
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one record after a call.

    Attributes:
        status: ``succeeded failed skipped dead_lettered``; ``running`` when the time was up,
            ``unknown`` where a response leaves it open.
        error: Type and text of its error; None where there is none.
        trace: The error's traceback; None where there is none.
        place: ``file:line`` of the user's own line that the error passed last; empty: there is none.
        span: When it ran; None where it did not, or where nobody saw it.
    """

    status: str
    error: str | None = None
    trace: str | None = None
    span: Span | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended.

    Attributes:
        outcome: What goes over the wire.
        told: One a record, in event order.
        duration: Seconds.
        inferred: Whether the statuses are read off the response.
        trace: The traceback of what a plain handler raised; None otherwise.
        place: ``file:line`` of the user's own line that what was raised passed last; empty: there is none.
    """

    outcome: Outcome
    told: tuple[Told, ...]
    duration: float
    inferred: bool = False
    trace: str | None = None
    place: str = ""


@dataclass(slots=True)
class Observer:
    """Watches one call of a handler.

    Attributes:
        loaded: The handler.
        batch: The event; the handler gets a copy of its own.
        timeout: The function's timeout, in seconds.
        extras: Attributes of the context, by name.
    """

    loaded: Loaded
    batch: Batch
    timeout: float
    extras: dict[str, Any] = field(default_factory=dict)
    _began: float = 0.0
    _spans: dict[int, Span] = field(default_factory=dict)
    _state: BatchState | None = None
    _lanes: set[int] = field(default_factory=set)

    def call(self) -> Ending:
        """Call the handler, and wait for it.

        Raises:
            KeyboardInterrupt: The user wants to stop.
        """
        context = LambdaContext(self.timeout, clock=monotonic)
        for name, value in self.extras.items():
            setattr(context, name, value)
        event = self.batch.fresh()
        self._began = perf_counter()
        return self._ours(event, context) if self.loaded.ours else self._plain(event, context)

    def timed_out(self) -> Ending:
        """Tell how things stand at the timeout, while the handler runs in another thread."""
        return Ending(Outcome.timed_out(self.timeout), tuple(map(self._unfinished, self._positions())), self._elapsed())

    def _ours(self, event: Any, context: LambdaContext) -> Ending:
        """Call the handler, also behind decorators, and watch its records."""
        trace, place = None, ""
        try:
            with watching(self.loaded.behind, self._see):
                outcome = Outcome.returned(self.loaded.handler(event, context))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            outcome = Outcome.raised(error)
            trace = None if isinstance(error, PartialBatchError | SystemExit) else _trace(error)
            place = place_of(error)
        duration = self._elapsed()
        if self._state is None and self.loaded.behind is not self.loaded.handler:
            # A decorator did not call the handler, or with another event.
            return Ending(outcome, self._inferred(outcome), duration, inferred=True, trace=trace, place=place)
        results = batch_result(self._state, {"batchItemFailures": []}).results if self._state is not None else ()
        told = [self._told(index, result) for index, result in enumerate(results)]
        told = told or [Told("skipped")] * len(self.batch.records)
        return Ending(outcome, tuple(told), duration, trace=trace, place=place)

    def _see(self, event: Any, state: BatchState) -> None:
        same = self.loaded.behind is self.loaded.handler or event == self.batch.event
        self._state = state if same else None
        if same:
            self._watch(state)

    def _plain(self, event: Any, context: LambdaContext) -> Ending:
        answer = call(self.loaded.handler, event, context)
        duration = self._elapsed()
        error = answer.error
        trace, place = (None, "") if error is None else (_trace(error), place_of(error))
        told = self._inferred(answer.outcome)
        return Ending(answer.outcome, told, duration, inferred=True, trace=trace, place=place)

    def _inferred(self, outcome: Outcome) -> tuple[Told, ...]:
        """Read off a response what became of each record."""
        told = [None] * len(self.batch.records)
        return tuple(map(Told, statuses(self.batch.claim(outcome), told, ordered=self.batch.ordered)))

    def _watch(self, state: BatchState) -> None:
        """Put a clock around the calls of the record function."""
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
        """Take the lowest number that no running task has; all tasks are of one loop."""
        lane = next(number for number in range(1, len(self._lanes) + 2) if number not in self._lanes)
        self._lanes.add(lane)
        return lane

    def _leave(self, span: Span, lane: int) -> None:
        span.ended = self._elapsed()
        self._lanes.discard(lane)

    def _told(self, index: int, result: RecordResult[Any]) -> Told:
        error = result.error
        if error is None:
            return Told(result.status, span=self._spans.get(index))
        if result.status == "skipped":
            return Told(result.status, str(error), span=self._spans.get(index))
        trace = _trace(error) if result.status == "failed" else None
        return Told(result.status, _text(error), trace, self._spans.get(index), place_of(error))

    def _unfinished(self, index: int) -> Told:
        span = self._spans.get(index)
        error = self._state.errors.get(index) if self._state is not None else None
        if error is not None:
            return Told("failed", _text(error), _trace(error), span, place_of(error))
        if span is None:
            return (
                Told("skipped", "not started: the function's timeout came first")
                if self.loaded.ours
                else Told("unknown")
            )
        return Told("succeeded" if span.ended is not None else "running", span=span)

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
