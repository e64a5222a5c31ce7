"""From the status of each record to the response, the results and the log line of a batch."""

from __future__ import annotations

import json
from logging import INFO, WARNING
from time import perf_counter
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.reasons import DEADLINE, GROUP_FAILED
from partialbatch._core.results import (
    DEAD_LETTERED,
    FAILED,
    SKIPPED,
    SUCCEEDED,
    BatchResult,
    build_response,
    made_result,
)
from partialbatch.errors import EventError, FullBatchFailure, PartialBatchError, RecordSkipped

if TYPE_CHECKING:
    from partialbatch._core.batch import BatchState
    from partialbatch._core.results import RecordResult, Status
    from partialbatch.types import BatchResponse

__all__ = ["batch_result", "conclude", "raise_if_ignored", "record_result", "reported"]

MAX_WINDOW_STATE = 1_048_576
"""Bytes of a window's state: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html"""

UNKNOWN = "the call ended before the outcome of the record was known"
_STATUS: dict[int, Status] = {
    SKIPPED: "skipped",
    SUCCEEDED: "succeeded",
    FAILED: "failed",
    DEAD_LETTERED: "dead_lettered",
}


def conclude(batch: BatchState) -> BatchResponse:
    """Log how a batch ended and build its response.

    Raises:
        BaseException: The interrupt that a record function raised.
        EventError: A record that must be reported has no identifier.
    """
    states = batch.states
    is_clean = states.count(SUCCEEDED) == len(states)
    if not is_clean or batch.source is None or logs.is_enabled(INFO):
        _log(batch)
    if batch.interrupt is not None:
        raise batch.interrupt
    response: BatchResponse = {"batchItemFailures": []} if is_clean else _response(batch)
    if batch.window is not None:
        response["state"] = _checked_state(batch.window.state)
    return response


def reported(batch: BatchState) -> list[int]:
    """Return the records that must come back, by index."""
    return [index for index, state in enumerate(batch.states) if state in (SKIPPED, FAILED)]


def batch_result(batch: BatchState, response: BatchResponse) -> BatchResult[Any]:
    """Return a result for each record, in event order."""
    return BatchResult(tuple(record_result(batch, index) for index in range(len(batch.states))), response)


def record_result(batch: BatchState, index: int) -> RecordResult[Any]:
    """Return the result of one record."""
    state = batch.states[index]
    values, durations = batch.values, batch.durations
    error: BaseException | None = None
    if state == SKIPPED:
        error = batch.skips.get(index) or RecordSkipped(f"not started: {batch.left_over or GROUP_FAILED}")
    elif state == FAILED:
        error = batch.errors[index] if index in batch.errors else PartialBatchError(UNKNOWN)
    elif state == DEAD_LETTERED:
        error = batch.dead_lettered[index]
    return made_result(
        batch.view(index),
        _STATUS[state],
        values[index] if values is not None else None,
        error,
        durations[index] if durations is not None else None,
        index in batch.resumed,
    )


def raise_if_ignored(batch: BatchState, response: BatchResponse, *, full_failure: bool) -> None:
    """Raise if Lambda must take the invocation as failed.

    Args:
        batch: The batch.
        response: Its response, which reports a record.
        full_failure: Whether a batch without a success is to fail.

    Raises:
        FullBatchFailure: No record succeeded and one failed (if `full_failure` asks for that), or
            the source ignores the response and a record did not succeed.
    """
    states = batch.states
    failed_fully = full_failure and FAILED in states and SUCCEEDED not in states and DEAD_LETTERED not in states
    is_ignored = batch.source is not None and not batch.source.partial_response
    if failed_fully or is_ignored:
        raise FullBatchFailure(batch_result(batch, response), batch.source_name)


def _response(batch: BatchState) -> BatchResponse:
    """Name the records that must come back; if nobody reads the response, it only stands for the failure to come."""
    if batch.source is None or batch.source.partial_response:
        return build_response(batch.source_name, batch.identifiers, reported(batch))
    # An identifier that is missing there must not hide the record's own error.
    named: list[Any] = [batch.identifiers[index] or None for index in reported(batch)]
    return {"batchItemFailures": [{"itemIdentifier": name} for name in named]}


def _log(batch: BatchState) -> None:
    """Write the line about a batch, and before it one about records that had no time."""
    if not logs.is_enabled(WARNING):
        return
    if batch.source is None:
        logs.empty_batch()
        return
    counts = {status: batch.states.count(state) for state, status in _STATUS.items()}
    if batch.left_over == DEADLINE or batch.cancelled:
        left_over = counts["skipped"] - len(batch.skips) + batch.cancelled
        logs.records_left_over(batch.source_name, left_over, DEADLINE)
    logs.batch_ended(batch.source_name, batch.unlogged_error_types, counts, perf_counter() - batch.started)


def _decimal(value: Any) -> float:
    """Write a `Decimal`, which a sum over DynamoDB images is, as a number."""
    if type(value).__name__ == "Decimal":  # without importing the module
        return float(value)
    raise TypeError(f"the tumbling window's state holds a value of type {type(value).__name__}, which is no JSON")


def _checked_state(state: Any) -> Any:
    """Refuse a state that Lambda would refuse, with a better message.

    Raises:
        EventError: It is too large, or holds a number that JSON doesn't have.
        TypeError: It is not JSON.
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
