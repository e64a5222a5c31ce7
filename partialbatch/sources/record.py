"""The record view: lazy access to one raw record."""

from __future__ import annotations

import json
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from partialbatch.errors import PayloadError
from partialbatch.sources._lazy import Lazy, Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime

    from partialbatch.types import EventSource, Identifier, RawRecord

__all__ = ["Record"]

Kind = TypeVar("Kind")
View = TypeVar("View", bound="Record")
TEXTUAL = (str, bytes)
"""The types that JSON is parsed from. A constant, because a literal union would be made again for each record."""
_raw_decode = json.JSONDecoder().raw_decode
_WHITE_SPACE = " \t\n\r"


class Record:
    """A view of one record. Nothing is decoded until you ask for it, and then it is kept.

    >>> from partialbatch import Record, batch_handler
    >>> from partialbatch.testing import kinesis_event
    >>> @batch_handler
    ... def handler(record: Record):
    ...     return record.source, record.text, record.json()["id"]
    >>> handler.process(kinesis_event([{"id": "A-1"}])).results[0].value
    ('kinesis', '{"id":"A-1"}', 'A-1')

    Attributes:
        raw: The plain ``dict`` as Lambda delivered it.
    """

    raw: RawRecord
    __slots__ = ("_data", "_json", "_payload", "_source", "_text", "raw")

    _default_source: ClassVar[EventSource]

    def __init__(self, raw: RawRecord | dict[str, Any], source: EventSource | None = None) -> None:
        """Make a view of a raw record.

        Args:
            raw: The record as delivered.
            source: The event source of the record; by default that of the class.
        """
        self.raw = raw  # type: ignore[assignment]  # unit tests give plain dicts
        self._source = source
        self._payload: Any = Unread
        self._json: Any = Unread

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
        """The name of the event source, such as ``"sqs"``."""
        return self._origin.name

    @property
    def identifier(self) -> Identifier:
        """The record's identifier in a partial failure response.

        Raises:
            PayloadError: The record has no identifier, or one of the wrong type.
        """
        try:
            identifier = self._origin.identifier(self.raw)
        except (LookupError, TypeError):
            identifier = ""
        if identifier and isinstance(identifier, str | dict):
            return identifier
        raise PayloadError("the record has no identifier, or one of the wrong type")

    @property
    def group(self) -> Hashable:
        """The group of records that must stay in order with this one, or None if it stands alone."""
        return self._origin.group(self.raw)

    @property
    def event_source_arn(self) -> str:
        """The ARN of the queue, stream or cluster, or an empty text if the event doesn't name one."""
        for name in ("eventSourceARN", "eventSourceArn"):
            if self.raw.get(name) is not None:
                return field(self.raw, name, str)
        return ""

    @property
    def payload(self) -> Any:
        """The payload that the producer sent: text, bytes or a plain Python object, or None if there is none.

        Raises:
            PayloadError: The payload can't be decoded.
        """
        payload = getattr(self, "_payload", Unread)
        if payload is Unread:
            payload = self._payload = (self._source or self._default_source).payload(self.raw)
        return payload

    @Lazy
    def text(self) -> str:
        """The payload as text.

        Raises:
            PayloadError: The payload isn't UTF-8, or it is neither text nor bytes.
        """
        return as_text(self.payload)

    @Lazy
    def data(self) -> bytes:
        """The payload as bytes.

        Raises:
            PayloadError: The payload is neither text nor bytes, or it is text that UTF-8 can't encode.
        """
        return as_bytes(self.payload)

    def json(self) -> Any:
        """Return the payload parsed as JSON (DynamoDB: as plain Python). Each call returns the same object.

        Raises:
            PayloadError: The payload isn't valid JSON.
        """
        content = getattr(self, "_json", Unread)
        if content is Unread:
            content = self._json = as_json(self.payload)
        return content


def calling(function: Callable[[View], Any], view: type[View], source: EventSource) -> Callable[[RawRecord], Any]:
    """Return a function of a raw record that calls `function` with its view.

    It fills the view's slots itself, in two thirds of the time of ``__init__``.
    """
    new = object.__new__

    def call(raw: RawRecord) -> Any:
        record = new(view)
        record.raw = raw
        record._source = source
        record._payload = record._json = Unread
        return function(record)

    return call


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
    """Parse text or bytes as JSON, and return any other Python object as it is."""
    if not isinstance(payload, TEXTUAL):
        return payload
    try:
        # Half the time of `json.loads`, which also detects the encoding, and skips white space at both ends.
        text = payload if isinstance(payload, str) else payload.decode()
        content, end = _raw_decode(text)
        if end == len(text) or not text[end:].strip(_WHITE_SPACE):  # a line break often ends a record
            return content
    except (ValueError, RecursionError):
        pass
    return _loaded(payload)


def _loaded(payload: str | bytes) -> Any:
    """Parse JSON with `json.loads`, which takes all that can be JSON, and whose errors are reported."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        # Raised below, because an exception that is raised here would keep the decoder's error, which holds the body.
        failure = PayloadError.json(error)
    raise failure from None


def field(raw: Any, name: str, kind: type[Kind]) -> Kind:
    """Return a field of a raw record.

    Raises:
        PayloadError: The field is missing, or of another type.
    """
    try:
        value = raw[name]
    except (LookupError, TypeError):
        value = None
    if isinstance(value, kind):
        return value
    raise PayloadError.field(name, kind.__name__, value)


def decode_base64(text: object, name: str) -> bytes:
    """Decode strict base64: no other characters, and the right padding."""
    if isinstance(text, str):
        try:
            data = a2b_base64(text, strict_mode=True)
            # Strict mode takes superfluous padding ("YWJj=", and "YWJj===="), so the text must not be longer.
            if (len(data) + 2) // 3 * 4 == len(text):
                return data
        except ValueError:
            pass
        raise PayloadError(f"the record's field {name!r} isn't valid base64")
    raise PayloadError.field(name, "base64 text", text)


def moment(value: object, name: str, *, per_second: int = 1) -> datetime:
    """Return an aware UTC datetime for a time since the epoch."""
    from datetime import UTC, datetime  # few handlers use a time

    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(float(value) / per_second, UTC)
        except (ValueError, OverflowError, OSError):
            pass
    raise PayloadError.field(name, "a time since the epoch", value)
