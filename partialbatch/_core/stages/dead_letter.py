"""Dead letters: a raw record and its error are put aside, since no retry cures the error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.copies import copied
from partialbatch._core.runners.deadline import seconds_left
from partialbatch._core.stages._sessions import Session
from partialbatch._core.stages.base import Stage
from partialbatch._discard import discard
from partialbatch._inspection import is_a, kind_of, leaves, safe_str
from partialbatch._unrun import check_value
from partialbatch.errors import INTERRUPTS, DeliveryError, RecordError, Reject, RetryAfter, clip
from partialbatch.types import Unprocessed

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch._core.batch import BatchState, Pending
    from partialbatch._core.options import Settings
    from partialbatch._core.runners.calling import Calling
    from partialbatch.types import Identifier, Sink, SinkSession

__all__ = ["DeadLetterStage", "create", "letter"]

TEXT_SHOWN = 1024


def create(settings: Settings) -> Stage:
    """Make the stage."""
    return DeadLetterStage(settings.dead_letter, settings.permanent, settings.deadline_margin)


class DeadLetterStage(Stage):
    """Puts dead letters into a session. A record waits until its dead letter was accepted, and fails otherwise."""

    keeps_order = True

    def __init__(self, sink: Any, permanent: tuple[type[BaseException], ...], margin: float | None) -> None:
        self._sink: Sink = sink if hasattr(sink, "open") else _CallableSink(sink)
        # A handler for which refused items are permanent means, all the more, items that can never be sent.
        more = (Reject, RecordError) if DeliveryError in permanent else (Reject,)
        self._permanent = (*permanent, *more)
        self._margin = margin

    async def begin(self, batch: BatchState, calling: Calling) -> None:
        """Copy the records, which `discard` doesn't keep, and prepare the session."""
        if self._sink is not discard:
            batch.keep_delivered()
        left = seconds_left(batch.context, self._margin)
        batch.memory[self] = Session(lambda: self._sink.open(ordered=batch.is_ordered, seconds_left=left))

    def rescue(self, batch: BatchState, index: int, error: BaseException) -> Callable[[], bool] | None:
        """Return a function that puts a record's dead letter, if its error is permanent.

        The function returns False if the dead letter was refused.
        """
        if self not in batch.memory or not self._is_permanent(error):
            return None
        return lambda: self._put(batch, index, error)

    def settle(self, batch: BatchState, pending: Pending) -> None:
        """Flush the session; a record whose dead letter was refused fails."""
        if not pending.dead_letters:
            return
        for index, refusal in batch.memory[self].flush().items():
            if index in pending.dead_letters:
                pending.failures[index] = pending.dead_letters.pop(index)
                logs.dead_letter_refused(batch, index, refusal)

    def close(self, batch: BatchState) -> None:
        """End the session."""
        session = batch.memory.pop(self, None)
        if session is not None:
            session.close()

    def _is_permanent(self, error: BaseException) -> bool:
        """Tell whether no retry cures an error; a group is permanent if all of its errors are."""
        try:
            return all(map(self._is_permanent_leaf, leaves(error)))
        except INTERRUPTS:
            raise
        except BaseException:  # a metaclass may raise: in doubt the record comes back
            return False

    def _is_permanent_leaf(self, error: Any) -> bool:
        """Tell whether no retry cures a single error.

        `RetryAfter` asks for the contrary, and items that were not accepted for lack of time or capacity
        may be next time, whatever exception types were named.
        """
        if is_a(error, RetryAfter):
            return False
        if is_a(error, DeliveryError) and not any(
            getattr(entry, "reason", None) == "rejected" for entry in error.unprocessed
        ):
            return False
        return isinstance(error, self._permanent)

    def _put(self, batch: BatchState, index: int, error: BaseException) -> bool:
        identifier = batch.identifiers[index]
        group = batch.groups[index] if batch.groups else None
        if group is None and isinstance(identifier, str):
            group = identifier  # stands alone; FIFO queues and streams want a name
        try:
            raw = batch.delivered[index]
            if isinstance(raw, Exception):
                raise raw  # there is no copy, and the record may have changed since it was delivered
            arn = getattr(batch.source, "arn", None) or None
            batch.memory[self].put(index, (letter(raw, error, identifier, arn),), group)
        except INTERRUPTS:
            raise
        except BaseException as refusal:  # whatever the sink raises, the record fails
            logs.dead_letter_refused(batch, index, refusal)
            return False
        return True


def letter(raw: Any, error: BaseException, identifier: Identifier | None, arn: str | None = None) -> dict[str, Any]:
    """Return the content of a dead letter, as plain JSON.

    Args:
        raw: The record as delivered. Nothing else of ours sends a record's body anywhere.
        error: The error that no retry cures.
        identifier: The record's identifier.
        arn: The source's ARN, for records that do not name it.
    """
    get = raw.get if isinstance(raw, dict) else {}.get  # an EventSource of the user's own may deliver anything
    return {
        "record": raw,
        "error": {"type": kind_of(error), "text": clip(safe_str(error), TEXT_SHOWN)},
        "identifier": copied(identifier),
        "source_arn": get("eventSourceARN") or get("eventSourceArn") or arn,
        "receive_count": logs.receive_count(raw),
        "time": datetime.now(UTC).isoformat(),
    }


class _CallableSink:
    """A callable as a `Sink`: called with each dead letter; raising refuses it."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def open(self, **_: Any) -> SinkSession:
        """See `Sink.open`."""
        return _CallableSession(self._function)


class _CallableSession:
    """A session that hands each dead letter to a callable at once."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._refused: list[Unprocessed] = []

    def put(self, item: Any, **_: Any) -> None:
        """See `SinkSession.put`."""
        try:
            check_value(self._function(item), "the dead_letter callable", "make it a plain function")
        except Exception as error:
            code = kind_of(error)
            self._refused.append(
                Unprocessed(item, code=code, message=clip(safe_str(error), TEXT_SHOWN), attempts=1, reason="rejected")
            )

    def flush(self) -> list[Unprocessed]:
        """See `SinkSession.flush`."""
        refused, self._refused = self._refused, []
        return refused
