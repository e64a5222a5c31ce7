"""The fast path: a plain record function, one record after another, with no stage.

It reads like the loop that one would write by hand, and behaves as the general path does
(`runners`), which takes four times as long for a record.
"""

from __future__ import annotations

from contextvars import copy_context
from operator import length_hint
from typing import TYPE_CHECKING

from partialbatch._core.reasons import DEADLINE, STOPPED
from partialbatch._core.runners.deadline import measure
from partialbatch._unrun import PLAIN, check_value

if TYPE_CHECKING:
    from partialbatch._core.batch import BatchState

__all__ = ["run_directly"]


def run_directly(  # noqa: C901 - one loop: the calls that would make it two cost each record a quarter more
    batch: BatchState, margin: float | None, *, stops: bool
) -> None:
    """Run the records of a batch in event order, each in a fresh copy of the caller's context.

    Args:
        batch: A batch whose values and durations nobody asks for.
        margin: Seconds to keep free before the function's timeout; None without a deadline.
        stops: Whether a failure ends the batch.
    """
    invoke, records, fresh = batch.invoke, batch.records, copy_context
    remaining = iter(records)
    unrun, checked = 0, None
    clock, started, slowest, end, read = None, 0.0, 0.0, 0.0, False
    if batch.context is not None and (measured := measure(batch.context, margin)) is not None:
        clock, started, end = measured
        if started > end:
            batch.left_over = DEADLINE
            return
    for raw in remaining:
        if clock is not None:
            if read:
                now = clock()
                if now - started > slowest:  # noqa: PLR1730 - `max` takes three times as long
                    slowest = now - started
                if now + slowest > end:
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
            # Counting the records instead would cost each of them a quarter more.
            holds_back = batch.fail(len(records) - length_hint(remaining) - 1, error)
            if (holds_back and stops) or batch.interrupt is not None:
                batch.left_over = STOPPED
                break
    batch.succeed_up_to(len(records) - length_hint(remaining) - unrun)
