"""What is written on the ``partialbatch`` logger.

The names of the ``extra`` fields are stable: dashboards and alarms may rely on them.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from partialbatch.errors import clip, listing, safe_repr

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["batch_ended", "empty_batch", "logger", "record_failed", "records_left_over"]

logger = logging.getLogger("partialbatch")

TRACEBACKS_SHOWN = 10
TEXT_SHOWN = 1024


def tells_of_success() -> bool:
    """Tell whether a batch without failures is worth a line."""
    return logger.isEnabledFor(logging.INFO)


def record_failed(run: Any, index: int, error: BaseException) -> None:
    """Warn of a failed record, with its traceback for the first ten of a batch."""
    if len(run.errors) > TRACEBACKS_SHOWN or not logger.isEnabledFor(logging.WARNING):
        return
    identifier = run.identifiers[index]
    count = _receive_count(run.records[index])
    kind = type(error).__name__
    shown = presentable(error)
    logger.warning(
        "%s record %s failed: %s%s",
        run.source,
        identifier if isinstance(identifier, str) else safe_repr(identifier),
        kind,
        "" if count is None else f" (receive count {count})",
        exc_info=(type(shown), shown, shown.__traceback__),
        extra={
            "record_source": run.source,
            "record_identifier": identifier,
            "record_receive_count": count,
            "record_error": kind,
        },
    )


def batch_ended(source: str, errors: Sequence[BaseException], counts: dict[str, int], seconds: float) -> None:
    """Write one line about a batch: at INFO, or at WARNING if anything failed or was left over."""
    level = logging.WARNING if counts["failed"] or counts["skipped"] else logging.INFO
    if not logger.isEnabledFor(level):
        return
    untold = [type(error).__name__ for error in errors[TRACEBACKS_SHOWN:]]
    more = ""
    if untold:
        kinds = listing(f"{kind} {count}×" for kind, count in Counter(untold).most_common())
        more = f"; {len(untold)} failures without a traceback above: {kinds}"
    logger.log(
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
    logger.warning("the event holds no records; nothing was done")


def records_left_over(source: str, count: int, why: str) -> None:
    """Warn that records were given back without having been started, or were cancelled."""
    logger.warning(
        "%s batch: %d records were given back because %s", source, count, why, extra={"batch_left_over": count}
    )


def _receive_count(raw: Any) -> int | None:
    """Return how often SQS has delivered the record, None where it does not say."""
    try:
        return int(raw["attributes"]["ApproximateReceiveCount"])
    except Exception:
        return None


def presentable(error: BaseException) -> BaseException:
    """Return an exception that is safe and short to log: the error itself, or a stand-in.

    An exception's text may be of any length, and its ``__str__`` may raise. Handlers format what they are
    given, so a stand-in of the same name, with the same tracebacks, takes the place of such a chain.
    """
    chain = _chain(error)
    texts = [_text(link) for link in chain]
    if not any(text is None or len(text) > TEXT_SHOWN for text in texts):
        return error
    below: BaseException | None = None
    for link, text in zip(reversed(chain), reversed(texts), strict=True):
        shown = f"<{type(link).__name__} whose str raises>" if text is None else clip(text, TEXT_SHOWN)
        stand_in = type(type(link).__name__, (Exception,), {"__module__": type(link).__module__})(shown)
        stand_in.__traceback__ = link.__traceback__
        stand_in.__cause__ = below
        below = stand_in
    return below or error


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and what it was raised from, or in place of, as a traceback shows them."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return chain


def _text(error: BaseException) -> str | None:
    """Return all that a traceback prints of an exception's text, None where it cannot be had."""
    try:
        texts = [str(error), *getattr(error, "__notes__", ())]
        if isinstance(error, BaseExceptionGroup):
            texts += [_text(inner) or " " * (TEXT_SHOWN + 1) for inner in error.exceptions]
        return "\n".join(texts)
    except Exception:
        return None
