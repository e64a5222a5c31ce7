"""The record view: lazy access to one raw record."""

from __future__ import annotations

import json
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from partialbatch.errors import PayloadError
from partialbatch.sources._lazy import Kept

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import datetime

    from partialbatch.types import EventSource, Identifier, RawRecord

__all__ = ["Record"]

Kind = TypeVar("Kind")
TEXTUAL = (str, bytes)
"""What JSON comes as; written out where it is asked for, it would be made anew for each record."""


class Record:
    """One record of a batch; nothing is decoded until asked for, and what is decoded is kept.

    Attributes:
        raw: The plain ``dict`` as Lambda delivered it.
    """

    __slots__ = ("_data", "_json", "_payload", "_source", "_text", "raw")

    _default_source: ClassVar[EventSource]

    def __init__(self, raw: RawRecord | dict[str, Any], source: EventSource | None = None) -> None:
        """Look at a raw record.

        Args:
            raw: The record as delivered.
            source: The event source that it came from; by default the one of the class.
        """
        self.raw = raw
        self._source = source

    def __repr__(self) -> str:
        try:
            return f"{type(self).__name__}({self.identifier!r})"
        except Exception:
            return f"{type(self).__name__}(no identifier)"

    @property
    def _origin(self) -> EventSource:
        return self._source or self._default_source

    @property
    def source(self) -> str:
        """The name of the event source, ``"sqs"`` say."""
        return self._origin.name

    @property
    def identifier(self) -> Identifier:
        """What names this record in a partial failure response.

        Raises:
            PayloadError: It has none.
        """
        try:
            identifier = self._origin.identifier(self.raw)  # type: ignore[arg-type]  # a plain dict in unit tests
        except (LookupError, TypeError):
            identifier = ""
        if identifier and isinstance(identifier, str | dict):
            return identifier
        raise PayloadError("the record has no identifier, or one of the wrong type")

    @property
    def group(self) -> Hashable:
        """What this record must stay in order with; None where it stands alone."""
        return self._origin.group(self.raw)  # type: ignore[arg-type]  # as above

    @property
    def event_source_arn(self) -> str:
        """The ARN of the queue, stream or cluster; empty where the event names none."""
        for name in ("eventSourceARN", "eventSourceArn"):
            if self.raw.get(name) is not None:
                return field(self.raw, name, str)
        return ""

    @property
    def payload(self) -> Any:
        """What the producer sent: text, bytes, or a plain Python object; None where there is none.

        Raises:
            PayloadError: It cannot be decoded.
        """
        try:
            return self._payload
        except AttributeError:
            pass
        self._payload: Any = self._origin.payload(self.raw)  # type: ignore[arg-type]  # as above
        return self._payload

    @Kept
    def text(self) -> str:
        """The payload as text.

        Raises:
            PayloadError: It is no UTF-8, or it is neither text nor bytes.
        """
        return as_text(self.payload)

    @Kept
    def data(self) -> bytes:
        """The payload as bytes.

        Raises:
            PayloadError: It is neither text nor bytes, or text that UTF-8 cannot hold.
        """
        return as_bytes(self.payload)

    def json(self) -> Any:
        """Return the payload parsed as JSON (DynamoDB: as plain Python); one object, kept.

        Raises:
            PayloadError: It is no valid JSON.
        """
        try:
            return self._json
        except AttributeError:
            pass
        self._json: Any = as_json(self.payload)
        return self._json


def as_text(payload: object) -> str:
    """Return a payload as text."""
    if isinstance(payload, str):
        return payload
    if isinstance(payload, bytes):
        try:
            return payload.decode()
        except UnicodeDecodeError as error:
            at = error.start
        raise PayloadError(f"the payload isn't valid UTF-8 (at byte {at})")
    raise PayloadError.field("payload", "text or bytes", payload)


def as_bytes(payload: object) -> bytes:
    """Return a payload as bytes."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        try:
            return payload.encode()
        except UnicodeEncodeError as error:
            at = error.start
        raise PayloadError(f"the payload has a lone surrogate (at character {at}), which UTF-8 can't encode")
    raise PayloadError.field("payload", "text or bytes", payload)


def as_json(payload: Any) -> Any:
    """Parse text or bytes as JSON; what is a Python object already is given back."""
    if not isinstance(payload, TEXTUAL):
        return payload
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        # Raised below, not here: the decoder's error holds the whole body,
        # and an exception raised while it is handled would keep it.
        failure = PayloadError.json(error)
    raise failure from None


def field(raw: Any, name: str, kind: type[Kind]) -> Kind:
    """Return a field of a raw record.

    Raises:
        PayloadError: It is missing, or of another type.
    """
    try:
        value = raw[name]
    except (LookupError, TypeError):
        value = None
    if isinstance(value, kind):
        return value
    raise PayloadError.field(name, kind.__name__, value)


def decode_base64(text: object, name: str) -> bytes:
    """Decode strict base64: no foreign characters, right padding."""
    if isinstance(text, str):
        try:
            # Strict mode lets padding pass that nothing needs ("YWJj=", and "YWJj====").
            if not len(text) % 4 and not text.endswith("==="):
                return a2b_base64(text, strict_mode=True)
        except ValueError:
            pass
        raise PayloadError(f"the record's field {name!r} isn't valid base64")
    raise PayloadError.field(name, "base64 text", text)


def moment(value: object, name: str, *, per_second: int = 1) -> datetime:
    """Return an aware UTC datetime for a time since the epoch."""
    from datetime import UTC, datetime  # most handlers never ask for a time

    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(float(value) / per_second, UTC)
        except (ValueError, OverflowError, OSError):
            pass
    raise PayloadError.field(name, "a time since the epoch", value)
