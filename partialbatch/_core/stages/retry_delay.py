"""Delayed retries: failed messages of a queue become visible again later, or when `RetryAfter` asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from partialbatch._core import logs
from partialbatch._core.outcome import reported
from partialbatch._core.results import FAILED, SKIPPED
from partialbatch._core.runners.deadline import seconds_left
from partialbatch._core.stages._visibility import Visibility, plan_timeouts, random_wait
from partialbatch._core.stages.base import Stage
from partialbatch._inspection import holds, is_a, kind_of
from partialbatch.errors import RecordSkipped, Reject, RetryAfter

if TYPE_CHECKING:
    from partialbatch._backoff import Backoff
    from partialbatch._core.batch import BatchState
    from partialbatch._core.options import Settings
    from partialbatch._core.runners.calling import Calling

__all__ = ["RetryDelayStage", "create"]


def create(settings: Settings) -> Stage:
    """Make the stage; also for a handler without the option, once a record function has raised `RetryAfter`."""
    return RetryDelayStage(settings)


class RetryDelayStage(Stage):
    """Sets visibility timeouts when a batch has ended, and warns of requests that have no effect."""

    def __init__(self, settings: Settings) -> None:
        """Make boto3's client if the option is set: initialisation has burst CPU."""
        self._backoff = settings.retry_delay
        self._margin = settings.deadline_margin
        self._has_dead_letter = settings.dead_letter is not None
        self._visibility = Visibility()
        if self._backoff is not None:
            self._visibility.warm_up()

    async def begin(self, batch: BatchState, calling: Calling) -> None:
        """Copy the records: the receipt handle and the receive count must be those that were delivered."""
        batch.keep_delivered()

    async def finish(self, batch: BatchState, calling: Calling) -> None:
        """Delay the retries of failed messages."""
        if not batch.was_interrupted and (batch.errors or SKIPPED in batch.states):
            await calling.call(self._act, batch)

    def _act(self, batch: BatchState) -> None:
        if not self._has_dead_letter and any(holds(error, Reject) for error in batch.errors.values()):
            logs.once("reject", "a record function raised Reject and there is no dead_letter: the record fails")
        asked = any(holds(error, RetryAfter) for error in batch.errors.values())
        if not hasattr(batch.source, "receive_count"):
            if asked:
                logs.once(
                    "retry_after",
                    "a record function raised RetryAfter, and fails like any other: "
                    f"records of {batch.source_name} have no visibility timeout",
                )
        elif asked or self._backoff is not None:
            try:
                self._delay(batch, batch.source)
            except Exception as error:  # the response must not depend on it
                logs.visibility_unchanged({kind_of(error): len(reported(batch))})

    def _delay(self, batch: BatchState, source: Any) -> None:
        """Ask SQS to make the reported messages visible again at a time of their own."""
        backoff = self._backoff
        held_back = _held_back(batch)
        skipped = [index for index, state in enumerate(batch.states) if state == SKIPPED or index in held_back]

        def group(index: int) -> Any:
            # The option's group, if there is one; else the message group.
            lane = batch.lane(index)
            return lane if lane is not None else source.group(batch.delivered[index])

        def wait(index: int) -> float:
            try:
                count = int(source.receive_count(batch.delivered[index]))
            except Exception:
                count = 1  # a message without a readable count comes back soon
            return random_wait(cast("Backoff", backoff), count)

        timeouts = plan_timeouts(
            {i: error for i, error in batch.errors.items() if batch.states[i] == FAILED and i not in held_back},
            # If nothing ran, nothing is known to be better soon.
            skipped if len(skipped) < len(batch.states) else (),
            wait=wait if backoff is not None else None,
            group=group,
        )
        self._visibility.change(timeouts, batch.delivered, seconds_left(batch.context, self._margin))


def _held_back(batch: BatchState) -> set[int]:
    """Return the records that a bulk sink failed for the order of their group: they come back as if not run."""
    return {i for i, error in batch.errors.items() if is_a(error, RecordSkipped) and batch.lane(i) is not None}
