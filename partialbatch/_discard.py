"""The value ``dead_letter=discard``, which drops records on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partialbatch.types import SinkSession, Unprocessed

__all__ = ["discard"]


class _Discard:
    """A dead letter that keeps nothing: ``dead_letter=discard`` drops records on purpose.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.retries import discard
    >>> from partialbatch.testing import sqs_event
    >>> @batch_handler(permanent=ValueError, dead_letter=discard)
    ... def handler(text: str):
    ...     return int(text)
    >>> handler(sqs_event(["1", "one"]), None)
    {'batchItemFailures': []}
    """

    def __repr__(self) -> str:
        return "discard"

    def open(self, **_: Any) -> SinkSession:
        """See `Sink.open`."""
        return _Session()


class _Session:
    """A session that accepts everything."""

    def put(self, item: Any, **_: Any) -> None:
        """See `SinkSession.put`."""

    def flush(self) -> list[Unprocessed]:
        """See `SinkSession.flush`."""
        return []


discard = _Discard()
