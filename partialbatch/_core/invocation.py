"""One invocation of a handler: its run, and what is told of it."""

from __future__ import annotations

import json
from time import perf_counter
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.results import (
    DEAD_LETTERED,
    FAILED,
    SKIPPED,
    SUCCEEDED,
    BatchResult,
    RecordResult,
    build_response,
)
from partialbatch._core.runners.run import Run
from partialbatch._core.runners.schedule import DEADLINE
from partialbatch.errors import INTERRUPTS, EventError, FullBatchFailure, PartialBatchError, RecordSkipped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch._core.function.binding import Window
    from partialbatch._core.function.signature import Plan
    from partialbatch._core.results import Status
    from partialbatch.types import BatchResponse, EventSource, Identifier, RawRecord

__all__ = ["Invocation"]

MAX_WINDOW_STATE = 1_048_576
"""Bytes of a window's state: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html"""

GROUP_FAILED = "a record of its group failed before it (error_policy 'skip_group')"
UNKNOWN = "the call ended before it was known what became of the record"
_STATUS: dict[int, Status] = {
    SKIPPED: "skipped",
    SUCCEEDED: "succeeded",
    FAILED: "failed",
    DEAD_LETTERED: "dead_lettered",
}


class Invocation:
    """One event on its way to a response.

    Attributes:
        plan: How the record function is called.
        source: Where the event came from; None for a batch without records.
        records: The raw records in event order.
        identifiers: What names them in the response; None where a record has none.
        invoke: Calls the record function for a raw record.
        window: The tumbling window that the event belongs to, if any.
        keeps: Whether values and durations are asked for.
        told: Whether the hooks have been told that the batch begins, and not yet that it has ended.
        noted: The run, as soon as there is something to note; a batch that only succeeds needs none.
    """

    __slots__ = ("_started", "identifiers", "invoke", "keeps", "noted", "plan", "records", "source", "told", "window")

    def __init__(  # what an invocation is made of
        self,
        plan: Plan,
        source: EventSource | None,
        records: Sequence[RawRecord],
        identifiers: Sequence[Identifier | None],
        invoke: Callable[[RawRecord], Any],
        window: Window | None,
        keeps: bool,
    ) -> None:
        self.plan = plan
        self.source = source
        self.records = records
        self.identifiers = identifiers
        self.invoke = invoke
        self.window = window
        self.noted: Run | None = None
        self.keeps = keeps
        self.told = False
        self._started = perf_counter()

    @property
    def run(self) -> Run:
        """What became of the records."""
        if self.noted is None:
            name = self.source.name if self.source is not None else "empty"
            self.noted = Run(name, self.records, self.identifiers, self.invoke, self.plan.awaits, self.keeps)
        return self.noted

    def conclude(self) -> BatchResponse:
        """Log how the batch ended and build its response.

        Raises:
            BaseException: The interrupt that a record function raised.
            EventError: A record that must be reported has no identifier.
        """
        run = self.noted
        clean = run is None or run.states.count(SUCCEEDED) == len(run.states)
        if not clean or self.source is None or logs.tells_of_success():
            self._log()
        response: BatchResponse = {"batchItemFailures": []}
        if run is not None:
            if run.interrupt is not None:
                raise run.interrupt
            if not clean:
                response = self._response(run)
        if self.window is not None:
            response["state"] = _checked_state(self.window.state)
        return response

    def _response(self, run: Run) -> BatchResponse:
        """Name the records that must come back; where nobody reads that, it only stands for the failure to come."""
        if self.source is None or self.source.partial_response:
            return build_response(run.source, run.identifiers, self.reported())
        # An identifier that is missing there must not hide the record's own error.
        named: list[Any] = [run.identifiers[index] or None for index in self.reported()]
        return {"batchItemFailures": [{"itemIdentifier": name} for name in named]}

    def reported(self) -> list[int]:
        """Return the records that must come back, by index."""
        return [index for index, state in enumerate(self.run.states) if state in (SKIPPED, FAILED)]

    def result(self, response: BatchResponse) -> BatchResult[Any]:
        """Return a result for each record, in event order."""
        return BatchResult(tuple(self.record_result(index) for index in range(len(self.run.states))), response)

    def refuse(self, response: BatchResponse, *, full_failure: bool) -> None:
        """Raise where Lambda must take the invocation as failed.

        Args:
            response: A response that reports a record.
            full_failure: Whether a batch of which nothing succeeded is to fail.

        Raises:
            FullBatchFailure: No record succeeded and one failed (if `full_failure` asks for that), or
                the source ignores the response and a record did not succeed.
        """
        states = self.run.states
        failed_fully = full_failure and FAILED in states and SUCCEEDED not in states and DEAD_LETTERED not in states
        ignored = self.source is not None and not self.source.partial_response
        if failed_fully or ignored:
            raise FullBatchFailure(self.result(response), self.run.source)

    def view(self, index: int) -> Any:
        """Return a record's view; None where a source of the user's own cannot make it: its record failed for that."""
        try:
            return self.source.view(self.run.records[index]) if self.source is not None else None
        except INTERRUPTS:
            raise
        except BaseException:  # a `CancelledError` say, which cancels nothing here
            return None

    def record_result(self, index: int) -> RecordResult[Any]:
        """Return what became of one record."""
        run = self.run
        state = run.states[index]
        error: BaseException | None = None
        if state == SKIPPED:
            error = RecordSkipped(f"not started: {run.left_over or GROUP_FAILED}")
        elif state == FAILED:
            error = run.errors[index] if index in run.errors else PartialBatchError(UNKNOWN)
        elif state == DEAD_LETTERED:
            error = run.buried[index]
        return RecordResult(
            self.view(index),
            _STATUS[state],
            run.values[index] if run.values is not None else None,
            error,
            run.durations[index] if run.durations is not None else None,
            resumed=index in run.resumed,
        )

    def _log(self) -> None:
        if self.source is None:
            logs.empty_batch()
            return
        if self.noted is None:
            self.run.succeed_up_to(len(self.records))
        run = self.run
        counts = {status: run.states.count(state) for state, status in _STATUS.items()}
        if run.left_over == DEADLINE or run.cancelled:
            logs.records_left_over(run.source, counts["skipped"] + run.cancelled, DEADLINE)
        logs.batch_ended(run.source, run.untold, counts, perf_counter() - self._started)


def _decimal(value: Any) -> float:
    """Write a `Decimal`, which a sum over DynamoDB images is, as a number."""
    if type(value).__name__ == "Decimal":  # without importing the module
        return float(value)
    raise TypeError(f"the tumbling window's state holds a value of type {type(value).__name__}, which is no JSON")


def _checked_state(state: Any) -> Any:
    """Refuse a state that Lambda would refuse, with a better message.

    Raises:
        EventError: It is too large, or holds a number that JSON has not.
        TypeError: It is no JSON.
    """
    # As the runtime client writes it: text unescaped, a Decimal as a number.
    try:
        text = json.dumps(state, ensure_ascii=False, default=_decimal, allow_nan=False)
    except ValueError as error:
        raise EventError(f"the tumbling window's state is no JSON, which has no NaN or infinity ({error})") from None
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_WINDOW_STATE:
        raise EventError.window_state(size, MAX_WINDOW_STATE)
    return state
