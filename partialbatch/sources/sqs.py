"""Amazon SQS, standard and FIFO.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, Self

from partialbatch.errors import PayloadError
from partialbatch.sources._detection import PIPE, RECORDS, Listed
from partialbatch.sources._lazy import Lazy
from partialbatch.sources.record import Record, decode_base64, field, moment
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from datetime import datetime
    from decimal import Decimal

    from partialbatch.sources._detection import Settings
    from partialbatch.types import EventSource, Identifier, RawRecord

__all__ = ["SQSRecord", "SQSSource", "has_unordered_groups"]

_STOP, _CONTINUE = ErrorPolicy.STOP, ErrorPolicy.CONTINUE  # looking up a member takes 60 ns on Python 3.11


class SQSRecord(Record):
    """A view of an SQS message.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html

    >>> from partialbatch import SQSRecord, batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> @batch_handler
    ... def handler(record: SQSRecord):
    ...     return record.body, record.receive_count, record.group_id
    >>> handler.process(sqs_event(["A-1"], fifo=True)).results[0].value
    ('A-1', 1, 'group')
    """

    __slots__ = ("_message_attributes",)

    @property
    def message_id(self) -> str:
        """The message's identifier."""
        identifier = self.raw.get("messageId")
        return identifier if type(identifier) is str else field(self.raw, "messageId", str)

    @property
    def body(self) -> str:
        """The message's text."""
        body = self.raw.get("body")
        return body if type(body) is str else field(self.raw, "body", str)

    @property
    def attributes(self) -> dict[str, str]:
        """The system attributes, as delivered."""
        return field(self.raw, "attributes", dict)

    @Lazy
    def message_attributes(self) -> dict[str, str | bytes | Decimal]:
        """The message attributes by name: `str`, `Decimal` or `bytes`, as their data type says."""
        if self.raw.get("messageAttributes") is None:
            return {}
        attributes = field(self.raw, "messageAttributes", dict)
        return {name: _typed(name, attribute) for name, attribute in attributes.items()}

    @property
    def receive_count(self) -> int:
        """How often the message has been received, this time included."""
        return receive_count(self.raw)

    @property
    def group_id(self) -> str | None:
        """``MessageGroupId``, or None. Standard queues can have one too (fair queues), which doesn't mean an order."""
        attributes = self.attributes
        return None if attributes.get("MessageGroupId") is None else field(attributes, "MessageGroupId", str)

    @property
    def sent_at(self) -> datetime:
        """The time at which the message was sent, in UTC."""
        return moment(self.attributes.get("SentTimestamp"), "attributes.SentTimestamp", per_second=1000)

    @property
    def last_attempt(self) -> bool | None:
        """Whether SQS will dead-letter the message if it fails now, or None without ``max_receive_count``."""
        source = self._origin
        if not isinstance(source, SQSSource) or source.max_receive_count is None:
            return None
        return source.last_attempt(self.raw)


class _Message(SQSRecord):
    """The view that record functions get, which takes half the time: it has no ``__init__`` and no ``body`` property.

    On Python 3.11, these two calls cost as much as all the rest of a record.
    """

    __slots__ = ("body",)  # replaces the property, and is filled beforehand
    __init__ = object.__init__  # made without arguments

    def __reduce__(self) -> tuple[type[SQSRecord], tuple[RawRecord | dict[str, Any], EventSource | None]]:
        return SQSRecord, (self.raw, self._source)  # copies and pickles are of the public class


def _message_of(source: SQSSource) -> type[_Message]:
    """Return a class of views that all have one source, which saves an assignment for each record."""
    members = {"__slots__": (), "__module__": __name__, "_source": source}
    return type(SQSRecord.__name__, (_Message,), members)


class SQSSource(Listed):
    """Messages of a queue. It is FIFO if its ARN says so, whether or not the messages have a group."""

    name = "sqs"
    origins = ((RECORDS, "aws:sqs"), (PIPE, "aws:sqs"))
    partial_response = True
    identifier = staticmethod(itemgetter("messageId"))

    def __init__(self, fifo: Literal["auto"] | bool = "auto", max_receive_count: int | None = None) -> None:
        self.fifo = fifo
        self.max_receive_count = max_receive_count
        self._message: type[_Message] | None = None

    def __reduce__(self) -> tuple[type[SQSSource], tuple[Literal["auto"] | bool, int | None]]:
        return SQSSource, (self.fifo, self.max_receive_count)  # the class of the views is found under no name

    def identifiers(self, records: list[RawRecord]) -> list[Identifier] | None:
        """See `Listed.identifiers`. Everything is read in one pass, in half the time."""
        found: list[Identifier] = []
        arn = records[0]["eventSourceARN"]
        for record in records:
            if record["eventSourceARN"] != arn or record["eventSource"] != "aws:sqs":
                return None
            found.append(record["messageId"])
        return found

    @classmethod
    def create(cls, settings: Settings) -> Self:
        """Make the source with the options that queues have."""
        return cls(settings.fifo, settings.max_receive_count)

    def payload(self, raw: RawRecord) -> Any:
        """Return the body."""
        body = raw.get("body")
        return body if type(body) is str else field(raw, "body", str)

    def view(self, raw: RawRecord) -> SQSRecord:
        """See `EventSource.view`."""
        return SQSRecord(raw, self)

    def calling(self, function: Callable[[SQSRecord], Any]) -> Callable[[RawRecord], Any]:
        """Return a function of a raw record that calls `function` with its view, in half the time of `view`."""
        message = self._message = self._message or _message_of(self)

        def call(raw: RawRecord) -> Any:
            try:
                body = raw["body"]
            except KeyError:
                body = None
            if type(body) is not str:
                return function(self.view(raw))  # its property raises the right error
            record = message()
            record.raw = raw
            record.body = body
            return function(record)

        return call

    def group(self, raw: RawRecord) -> Hashable:
        """Return the message group on a FIFO queue. A message of a standard queue stands alone."""
        if not self._is_fifo(raw):
            return None
        return field(raw.get("attributes"), "MessageGroupId", str)

    def policy(self, records: Sequence[RawRecord]) -> ErrorPolicy:
        """Stop on FIFO, continue on standard."""
        if self._is_fifo(records[0]):
            return _STOP
        if self.fifo == "auto" and not str(records[0].get("eventSourceARN")).startswith("arn:"):
            # In an event made by hand, the first record may not name the queue.
            return _STOP if any(map(self._is_fifo, records)) else _CONTINUE
        return _CONTINUE

    def receive_count(self, raw: RawRecord | dict[str, Any]) -> int:
        """Return how often the message has been received, this time included.

        Raises:
            PayloadError: The message has no receive count.
        """
        return receive_count(raw)

    def last_attempt(self, raw: RawRecord | dict[str, Any]) -> bool:
        """Tell whether SQS moves the message to the dead-letter queue if it fails now."""
        return self.max_receive_count is not None and receive_count(raw) >= self.max_receive_count

    def _is_fifo(self, raw: RawRecord) -> bool:
        if self.fifo == "auto":
            arn = raw.get("eventSourceARN")
            return type(arn) is str and arn.endswith(".fifo")
        return self.fifo


SQSRecord._default_source = SQSSource()


def has_unordered_groups(records: Sequence[Any]) -> bool:
    """Tell whether messages have a group, although their queue isn't known to be FIFO."""
    for raw in records:
        arn, attributes = raw.get("eventSourceARN"), raw.get("attributes")
        if type(arn) is str and arn.endswith(".fifo"):
            return False
        if isinstance(attributes, dict) and attributes.get("MessageGroupId") is not None:
            return True
    return False


def receive_count(raw: RawRecord | dict[str, Any]) -> int:
    """Return ``ApproximateReceiveCount`` as a number."""
    text = field(raw, "attributes", dict).get("ApproximateReceiveCount")
    if isinstance(text, str | int) and not isinstance(text, bool):
        try:
            return int(text)
        except ValueError:
            pass
    raise PayloadError.field("attributes.ApproximateReceiveCount", "a whole number", text)


def _typed(name: str, attribute: Any) -> str | bytes | Decimal:
    """Return a message attribute's value as the part of its data type before the dot says."""
    where = f"messageAttributes.{name}"
    kind = field(attribute, "dataType", str).partition(".")[0]
    if kind == "Binary":
        return decode_base64(attribute.get("binaryValue"), where)
    text = field(attribute, "stringValue", str)
    if kind != "Number":
        return text
    from decimal import Decimal, InvalidOperation  # only for number attributes

    try:
        return Decimal(text)
    except InvalidOperation:
        pass
    raise PayloadError(f"the record's field {where!r} is of type Number, and its value isn't a number")
