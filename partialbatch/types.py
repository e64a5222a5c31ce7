"""Protocols, typed dicts and enumerations, for type hints and for objects of your own.

The protocols are structural: your class needs the methods, and no base class from here.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NewType, Protocol, TypedDict

from partialbatch._frozen import value

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

__all__ = [
    "BatchResponse",
    "ErrorPolicy",
    "EventSource",
    "Hook",
    "Identifier",
    "ItemFailure",
    "LambdaContext",
    "Ledger",
    "RawRecord",
    "Sink",
    "SinkSession",
    "Unprocessed",
]

RawRecord = NewType("RawRecord", dict[str, Any])
"""The plain ``dict`` of a record, as Lambda delivered it. Annotate it to skip the record view, which is fastest.

>>> from partialbatch import RawRecord, batch_handler
>>> from partialbatch.testing import sqs_event
>>> @batch_handler
... def handler(record: RawRecord):
...     return record["body"]
>>> handler.process(sqs_event(["A-1"])).results[0].value
'A-1'
"""

Identifier = str | dict[str, Any]
"""The value of ``itemIdentifier`` in a response: a string, or a dict with ``partition`` and ``offset`` for Kafka.

>>> from partialbatch.types import Identifier
>>> identifier: Identifier = {"partition": "orders-0", "offset": 15}
"""


class ErrorPolicy(StrEnum):
    """The effect of a failed record on the records after it; see the option ``error_policy``.

    >>> from partialbatch import ErrorPolicy, batch_handler
    >>> handler = batch_handler(print, error_policy=ErrorPolicy.STOP)
    """

    DERIVE = "derive"
    CONTINUE = "continue"
    STOP = "stop"
    SKIP_GROUP = "skip_group"


class ItemFailure(TypedDict):
    """One entry of a partial failure response.

    >>> from partialbatch.types import ItemFailure
    >>> ItemFailure(itemIdentifier="m-1")
    {'itemIdentifier': 'm-1'}
    """

    itemIdentifier: Identifier


class BatchResponse(TypedDict, total=False):
    """A partial failure response. It has a ``state`` in tumbling windows only.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html

    >>> from partialbatch.types import BatchResponse
    >>> BatchResponse(batchItemFailures=[{"itemIdentifier": "m-1"}])
    {'batchItemFailures': [{'itemIdentifier': 'm-1'}]}
    """

    batchItemFailures: list[ItemFailure]
    state: Any


class LambdaContext(Protocol):
    """The part of Lambda's context object that partialbatch uses.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html

    >>> class Context:
    ...     def get_remaining_time_in_millis(self): return 30_000
    """

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left until Lambda ends the invocation."""


class EventSource(Protocol):
    """Takes the records out of an event, and names a failed one in the response.

    Pass an object of your own as ``source=`` for an event source that isn't built in.

    >>> from partialbatch import ErrorPolicy, Record, batch_handler
    >>> class Broker:
    ...     name, partial_response = "broker", True
    ...     def matches(self, event): return "messages" in event
    ...     def records(self, event): return event["messages"]
    ...     def identifier(self, raw): return raw["id"]
    ...     def payload(self, raw): return raw["text"]
    ...     def view(self, raw): return Record(raw, self)
    ...     def group(self, raw): return None
    ...     def policy(self, records): return ErrorPolicy.CONTINUE
    >>> @batch_handler(source=Broker())
    ... def handler(order: dict): ...
    >>> handler({"messages": [{"id": "1", "text": "{}"}, {"id": "2", "text": "not JSON"}]})
    {'batchItemFailures': [{'itemIdentifier': '2'}]}
    """

    @property
    def name(self) -> str:
        """The name in logs and results, such as ``"sqs"``."""

    @property
    def partial_response(self) -> bool:
        """False if Lambda ignores the response, so that any failure must raise."""

    def matches(self, event: Any) -> bool:
        """Tell whether the event comes from this source."""

    def records(self, event: Any) -> list[RawRecord]:
        """Return the raw records in the event's order."""

    def identifier(self, raw: RawRecord) -> Identifier:
        """Return the record's identifier in the response."""

    def payload(self, raw: RawRecord) -> Any:
        """Return the payload: text, bytes or a plain Python object, or None if there is none."""

    def view(self, raw: RawRecord) -> Any:
        """Return the view that record functions get: a `partialbatch.Record`, or an object like it."""

    def group(self, raw: RawRecord) -> Hashable:
        """Return the group of records that must stay in order, or None if the record stands alone."""

    def policy(self, records: Sequence[RawRecord]) -> ErrorPolicy:
        """Return the error policy that ``"derive"`` means for these records."""


@value
class Unprocessed:
    """A record that a producer was given, and that the service didn't accept.

    >>> from partialbatch.types import Unprocessed
    >>> Unprocessed({"id": "A-1"}, code="InternalError", attempts=3, reason="transient")
    Unprocessed(<dict>, code='InternalError', reason='transient')

    Attributes:
        record: The object that was put: the same one, not a copy.
        options: The put options, as given.
        code: The service's error code, or None.
        message: The service's text, or None.
        attempts: How often the record was sent.
        reason: ``"rejected"``, ``"throttled"``, ``"transient"``, ``"fatal"``, ``"deadline"`` or ``"unsent"``.
        ambiguous: True if the record may have been written although the call failed.
    """

    record: Any
    options: Mapping[str, Any] = MappingProxyType({})
    code: str | None = None
    message: str | None = None
    attempts: int = 0
    reason: str = "unsent"
    ambiguous: bool = False

    __eq__ = object.__eq__  # each entry belongs to one put
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        # Without the record, the options and the service's text, which may quote the record.
        code = f", code={self.code!r}" if self.code is not None else ""
        return f"Unprocessed(<{type(self.record).__name__}>{code}, reason={self.reason!r})"


class SinkSession(Protocol):
    """Sends the items of one invocation; see `Sink` for an example.

    >>> class Session:
    ...     def put(self, item, *, group): print(item)
    ...     def flush(self): return []
    """

    def put(self, item: Any, *, group: Hashable) -> None:
        """Take one item.

        Raises:
            ValueError: The item can never be sent.
        """

    def flush(self) -> Iterable[Unprocessed]:
        """Send the items that are held, and return those that were not accepted, each once."""


class Sink(Protocol):
    """Takes items as ``sink=``, or records that no retry cures as ``dead_letter=``. Every producer is a sink.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> class Printer:
    ...     def open(self, *, ordered, seconds_left): return self
    ...     def put(self, item, *, group): print(item)
    ...     def flush(self): return []
    >>> @batch_handler(sink=Printer())
    ... def handler(name: str):
    ...     return [name.upper()]
    >>> handler(sqs_event(["a", "b"]), None)
    A
    B
    {'batchItemFailures': []}
    """

    def open(self, *, ordered: bool, seconds_left: Callable[[], float] | None) -> SinkSession:
        """Start a session for one invocation.

        Args:
            ordered: Whether items of one group must arrive in order.
            seconds_left: Returns the seconds left for sending, or None if there is no limit.
        """


class Ledger(Protocol):
    """Remembers succeeded records as ``resume=``. `partialbatch.retries.ResumeLedger` is one.

    >>> from partialbatch import batch_handler
    >>> class Ledger:
    ...     def __init__(self):
    ...         self.entries = {}
    ...     def done_behind(self, arn, checkpoint): return self.entries.get((arn, checkpoint), ())
    ...     def remember(self, arn, checkpoint, done):
    ...         self.entries[arn, checkpoint] = done
    >>> handler = batch_handler(print, source="kinesis", resume=Ledger())
    """

    def done_behind(self, arn: str, checkpoint: str) -> frozenset[str]:
        """Return the identifiers behind a checkpoint that have succeeded: a set, list or tuple.

        Args:
            arn: A name for the stream, the shard and the handler that reads it. Don't parse it.
            checkpoint: The identifier of the first record of the delivery.
        """

    def remember(self, arn: str, checkpoint: str, done: Sequence[str]) -> None:
        """Keep the identifiers behind a checkpoint that have succeeded."""


class Hook(Protocol):
    """Is called around batches and records as ``hooks=``. Your class may have any of these methods.

    A hook that raises is logged, and changes nothing.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> class Count:
    ...     def on_batch_end(self, result): print(f"{len(result.succeeded)} of {len(result.results)} succeeded")
    >>> handler = batch_handler(len, model=str, hooks=[Count()])
    >>> handler(sqs_event(["a", "b"]), None)
    2 of 2 succeeded
    {'batchItemFailures': []}
    """

    def on_batch_start(self, records: Sequence[Any], context: LambdaContext | None) -> None:
        """Runs before a batch, with its record views and Lambda's context object."""

    def around_record(self, record: Any) -> AbstractContextManager[Any]:
        """Return a context manager that is open while a record runs, in the record's own context."""

    def on_record_end(self, result: Any) -> None:
        """Runs after a record, with its `RecordResult`."""

    def on_batch_end(self, result: Any) -> None:
        """Runs after the batch, with its `BatchResult`."""
