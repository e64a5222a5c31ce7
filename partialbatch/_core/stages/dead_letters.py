"""Dead letters: a raw record and its error, for what no retry cures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.copies import copied
from partialbatch._core.unrun import check_value
from partialbatch._inspection import kind_of, safe_str
from partialbatch.errors import clip
from partialbatch.types import Unprocessed

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.types import Identifier, Sink, SinkSession

__all__ = ["as_sink", "discard", "letter"]

TEXT_SHOWN = 1024


class _Discard:
    """A dead letter that keeps nothing: ``dead_letter=discard`` drops records on purpose."""

    def __repr__(self) -> str:
        return "discard"

    def open(self, **_: Any) -> SinkSession:
        """See `Sink.open`."""
        return _Called(lambda _: None)


discard = _Discard()


class _CallableSink:
    """A callable as a `Sink`: called with each item; raising refuses it."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def open(self, **_: Any) -> SinkSession:
        """See `Sink.open`."""
        return _Called(self._function)


class _Called:
    """A session that hands each item to a callable at once."""

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


def as_sink(value: Any) -> Sink:
    """Return a `Sink` for what ``dead_letter`` was given, checked: itself, or a callable as one."""
    return value if hasattr(value, "open") else _CallableSink(value)


def letter(raw: Any, error: BaseException, identifier: Identifier | None, arn: str | None = None) -> dict[str, Any]:
    """Return what a dead letter holds, as plain JSON.

    Args:
        raw: The record as delivered: the one place outside the source where its body goes.
        error: Why no retry cures it.
        identifier: What names the record.
        arn: The source's, where the record does not name it.
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
