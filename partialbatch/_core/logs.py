"""The lines on the ``partialbatch`` logger.

The names of the ``extra`` fields are stable, so that dashboards and alarms can rely on them.

A failed record: ``record_source``, ``record_identifier``, ``record_receive_count`` (None if the source
has none), ``record_error`` (the exception's type). The end of a batch: ``batch_source``, ``batch_size``,
``batch_succeeded``, ``batch_failed``, ``batch_skipped``, ``batch_dead_lettered``, ``batch_duration`` (seconds).
Records given back: ``batch_source``, ``batch_left_over``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from partialbatch._core.copies import copied
from partialbatch._core.tracebacks import TEXT_SHOWN, presentable
from partialbatch._inspection import kind_of
from partialbatch.errors import INTERRUPTS, clip, counted, safe_repr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from partialbatch._core.results import Status

__all__ = ["batch_ended", "empty_batch", "is_enabled", "logger", "presentable", "record_failed", "records_left_over"]

logger = logging.getLogger("partialbatch")

TRACEBACKS_SHOWN = 10


def _write(
    level: int, text: str, *arguments: Any, exc_info: Any = None, extra: Mapping[str, Any] | None = None
) -> None:
    """Write a line. A filter or a handler that raises must not change a record's result."""
    try:
        # The line gets its caller's name, by which `cli.invoke` knows the lines that its table repeats.
        logger.log(level, text, *arguments, exc_info=exc_info, extra=extra, stacklevel=2)
    except INTERRUPTS:
        raise
    except BaseException:  # there is no other place to report it
        return


def is_enabled(level: int) -> bool:
    """Tell whether a line would be written. A logger of the user's own may raise."""
    try:
        return logger.isEnabledFor(level)
    except INTERRUPTS:
        raise
    except BaseException:
        return False


def record_failed(batch: Any, index: int, error: BaseException, how: str = "failed") -> None:
    """Warn of a failed record, with its traceback for the first ten of a batch."""
    kind = kind_of(error)
    if len(batch.errors) + len(batch.dead_lettered) > TRACEBACKS_SHOWN:
        batch.unlogged_error_types.append(kind)
        return
    if not is_enabled(logging.WARNING):
        return
    identifier = copied(batch.identifiers[index])
    count = receive_count(batch.records[index])
    shown = presentable(error)
    _write(
        logging.WARNING,
        "%s record %s %s: %s%s",
        batch.source_name,
        identifier if isinstance(identifier, str) else safe_repr(identifier),
        how,
        kind,
        "" if count is None else f" (receive count {count})",
        exc_info=(type(shown), shown, shown.__traceback__),
        extra={
            "record_source": batch.source_name,
            "record_identifier": identifier,
            "record_receive_count": count,
            "record_error": kind,
        },
    )


def batch_ended(source: str, unlogged: Sequence[str], counts: Mapping[Status, int], seconds: float) -> None:
    """Write one line about a batch: at INFO, or at WARNING if anything failed or was left over.

    Args:
        source: The event source's name.
        unlogged: The types of the errors that `record_failed` has not logged.
        counts: The number of records with each status.
        seconds: The duration of the batch.
    """
    level = logging.WARNING if counts["failed"] or counts["skipped"] else logging.INFO
    if not is_enabled(level):
        return
    more = ""
    if unlogged:
        more = f"; {len(unlogged)} failures without a traceback above: {counted(unlogged)}"
    _write(
        level,
        "%s batch of %d: %s in %.3f s%s",
        source,
        sum(counts.values()),
        ", ".join(f"{count} {name.replace('_', '-')}" for name, count in counts.items() if count) or "no records",
        seconds,
        more,
        extra={
            "batch_source": source,
            "batch_size": sum(counts.values()),
            "batch_succeeded": counts["succeeded"],
            "batch_failed": counts["failed"],
            "batch_skipped": counts["skipped"],
            "batch_dead_lettered": counts["dead_lettered"],
            "batch_duration": round(seconds, 6),
        },
    )


def empty_batch() -> None:
    """Warn of a batch without records."""
    _write(logging.WARNING, "the event holds no records; nothing was done")


_told: set[str] = set()


def once(topic: str, text: str) -> None:
    """Warn once in each process."""
    if topic not in _told:
        _told.add(topic)
        _write(logging.WARNING, text)


def hook_failed(moment: str, error: BaseException) -> None:
    """Warn of a hook that raised, which has no other effect."""
    shown = presentable(error)
    _write(logging.WARNING, "a hook raised in %s", moment, exc_info=(type(shown), shown, shown.__traceback__))


def dead_letter_refused(batch: Any, index: int, error: BaseException) -> None:
    """Warn that a record with a permanent error is delivered again."""
    identifier, shown = batch.identifiers[index], presentable(error)
    _write(
        logging.WARNING,
        "the dead letter of %s record %s was not accepted: the record fails",
        batch.source_name,
        identifier if isinstance(identifier, str) else safe_repr(identifier),
        exc_info=(type(shown), shown, shown.__traceback__),
    )


def sink_not_closed(error: BaseException) -> None:
    """Warn that the session of a sink could not be closed. The items that it accepted stay accepted."""
    _write(logging.WARNING, "the session of a sink could not be closed (%s)", kind_of(error))


def visibility_unchanged(reasons: Mapping[str, int]) -> None:
    """Warn that messages become visible again after the queue's visibility timeout instead of the wait they asked for.

    Args:
        reasons: The number of messages for each reason.
    """
    why = "; ".join(f"{count} of them: {clip(reason, TEXT_SHOWN)}" for reason, count in reasons.items())
    _write(
        logging.WARNING, "the visibility timeout of %d messages could not be changed (%s)", sum(reasons.values()), why
    )


def ledger_unavailable(what: str, error: BaseException) -> None:
    """Warn that a batch runs as if it had no resume ledger."""
    kind = kind_of(error)
    _write(logging.WARNING, "the resume ledger could not be %s (%s): records may run again", what, kind)


def records_left_over(source: str, count: int, why: str) -> None:
    """Warn that records were given back without having been started, or were cancelled."""
    _write(
        logging.WARNING,
        "%s batch: %d records were given back because %s",
        source,
        count,
        why,
        extra={"batch_source": source, "batch_left_over": count},
    )


def receive_count(raw: Any) -> int | None:
    """Return the number of times that SQS has delivered the record, or None if there is no count."""
    try:
        return int(raw["attributes"]["ApproximateReceiveCount"])
    except BaseException:  # user code may have changed the record
        return None
