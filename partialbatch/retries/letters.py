"""Dead letters: a raw record and its error, for what no retry cures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError, clip, safe_str
from partialbatch.types import Unprocessed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from partialbatch.types import Identifier, RawRecord, Sink, SinkSession

__all__ = ["as_sink", "discard", "letter"]

TEXT_SHOWN = 1024


class _Discard:
    """A dead letter that keeps nothing: ``dead_letter=discard`` drops records on purpose."""

    def __repr__(self) -> str:
        return "discard"

    def open(self, *, ordered: bool, seconds_left: Callable[[], float] | None) -> SinkSession:
        """See `Sink.open`."""
        return _Called(lambda _: None)


discard = _Discard()


class _CallableSink:
    """A callable as a `Sink`: called with each item; raising refuses it."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def open(self, *, ordered: bool, seconds_left: Callable[[], float] | None) -> SinkSession:
        """See `Sink.open`."""
        return _Called(self._function)


class _Called:
    """A session that hands each item to a callable at once."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._refused: list[Unprocessed] = []

    def put(self, item: Any, *, group: Hashable) -> None:
        """See `SinkSession.put`."""
        try:
            self._function(item)
        except Exception as error:
            code = type(error).__name__
            self._refused.append(
                Unprocessed(item, code=code, message=clip(safe_str(error), TEXT_SHOWN), attempts=1, reason="rejected")
            )

    def flush(self) -> list[Unprocessed]:
        """See `SinkSession.flush`."""
        refused, self._refused = self._refused, []
        return refused


def as_sink(option: str, value: Any) -> Sink:
    """Return a `Sink` for what an option was given.

    Raises:
        ConfigurationError: It has no ``open``, and cannot be called either.
    """
    if callable(getattr(value, "open", None)):
        return value  # type: ignore[no-any-return]  # as just checked
    if callable(value):
        return _CallableSink(value)
    raise ConfigurationError.bad_value(
        option, value, "a Sink (an object with `open`, every producer is one) or a callable"
    )


def letter(
    raw: RawRecord, error: BaseException, identifier: Identifier | None, receive_count: int | None
) -> dict[str, Any]:
    """Return what a dead letter holds, as plain JSON.

    Args:
        raw: The record as delivered: the one place outside the source where its body goes.
        error: Why no retry cures it.
        identifier: What names the record.
        receive_count: How often it was delivered, where the source says.
    """
    return {
        "record": raw,
        "error": {"type": type(error).__name__, "text": clip(safe_str(error), TEXT_SHOWN)},
        "identifier": identifier,
        "source_arn": raw.get("eventSourceARN") or raw.get("eventSourceArn"),
        "receive_count": receive_count,
        "time": datetime.now(UTC).isoformat(),
    }
