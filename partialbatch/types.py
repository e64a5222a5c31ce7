"""The names that every layer shares: protocols, typed dicts and enumerations.

The protocols are structural: a class of one's own needs no base class from here.
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
"""The plain ``dict`` of a record, as Lambda delivered it."""

Identifier = str | dict[str, Any]
"""What ``itemIdentifier`` holds: a string, or Kafka's ``{"partition": ..., "offset": ...}``."""


class ErrorPolicy(StrEnum):
    """What a failed record means for those after it."""

    DERIVE = "derive"
    CONTINUE = "continue"
    STOP = "stop"
    SKIP_GROUP = "skip_group"


class ItemFailure(TypedDict):
    """One entry of a partial failure response."""

    itemIdentifier: Identifier


class BatchResponse(TypedDict, total=False):
    """A partial failure response; ``state`` is there in tumbling windows only."""

    batchItemFailures: list[ItemFailure]
    state: Any


class LambdaContext(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left until Lambda ends the invocation."""
        ...


class EventSource(Protocol):
    """How records come out of an event, and how a failed one is named in the response.

    Give an object of your own as ``source=`` for an event source that is not built in.
    """

    @property
    def name(self) -> str:
        """The name for logs and results, ``"sqs"`` say."""
        ...

    @property
    def partial_response(self) -> bool:
        """False where Lambda ignores the response: any failure then raises."""
        ...

    def matches(self, event: Any) -> bool:
        """Tell whether the event comes from this source."""
        ...

    def records(self, event: Any) -> list[RawRecord]:
        """Return the raw records in the event's order."""
        ...

    def identifier(self, raw: RawRecord) -> Identifier:
        """Return what names the record in the response."""
        ...

    def payload(self, raw: RawRecord) -> Any:
        """Return the payload: text, bytes, or a plain Python object; None where there is none."""
        ...

    def view(self, raw: RawRecord) -> Any:
        """Return the lazy view that record functions get: a `partialbatch.Record`, or an object like it."""
        ...

    def group(self, raw: RawRecord) -> Hashable:
        """Return what the record must stay in order with; None: it stands alone."""
        ...

    def policy(self, records: Sequence[RawRecord]) -> ErrorPolicy:
        """Return the error policy that ``derive`` means for these records."""
        ...


@value
class Unprocessed:
    """A record that was given to a producer and not accepted by the service.

    Attributes:
        record: The very object that was put.
        options: The put options, as given.
        code: The service's error code, None where it named none.
        message: The service's text, None where it gave none.
        attempts: How often the record was sent.
        reason: One of ``rejected throttled transient fatal deadline unsent``.
        ambiguous: True when the record may have been written although the call failed.
    """

    record: Any
    options: Mapping[str, Any] = MappingProxyType({})
    code: str | None = None
    message: str | None = None
    attempts: int = 0
    reason: str = "unsent"
    ambiguous: bool = False

    __eq__ = object.__eq__  # each stands for one put
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        # Never the record, nor the options and the service's text, which may quote it.
        code = f", code={self.code!r}" if self.code is not None else ""
        return f"Unprocessed(<{type(self.record).__name__}>{code}, reason={self.reason!r})"


class SinkSession(Protocol):
    """Where the items of one invocation go."""

    def put(self, item: Any, *, group: Hashable) -> None:
        """Take one item; raise ValueError for one that can never be sent."""
        ...

    def flush(self) -> Iterable[Unprocessed]:
        """Send what is held and return what was not accepted, each item once."""
        ...


class Sink(Protocol):
    """What ``sink=`` and ``dead_letter=`` take: every producer is one."""

    def open(self, *, ordered: bool, seconds_left: Callable[[], float] | None) -> SinkSession:
        """Start a session for one invocation.

        Args:
            ordered: Whether items of one group must arrive in order.
            seconds_left: Gives the seconds left for sending; None: no limit.
        """
        ...


class Ledger(Protocol):
    """What ``resume=`` takes: `partialbatch.retries.ResumeLedger`."""

    def done_behind(self, arn: str, checkpoint: str) -> frozenset[str]:
        """Return the identifiers that are done behind a checkpoint: a set, list or tuple.

        Args:
            arn: The stream, the shard and the handler that reads it: part of the key, and nothing to be parsed.
            checkpoint: The identifier of the first record of the delivery.
        """
        ...

    def remember(self, arn: str, checkpoint: str, done: Sequence[str]) -> None:
        """Keep the identifiers that are done behind a checkpoint."""
        ...


class Hook(Protocol):
    """What ``hooks=`` takes: objects with any of these methods. One that raises is logged, and changes nothing."""

    def on_batch_start(self, records: Sequence[Any], context: LambdaContext | None) -> None:
        """Learn of a batch: its record views, and Lambda's context object."""
        ...

    def around_record(self, record: Any) -> AbstractContextManager[Any]:
        """Return what is open while a record runs, in the record's own context."""
        ...

    def on_record_end(self, result: Any) -> None:
        """Learn what became of a record: its `RecordResult`."""
        ...

    def on_batch_end(self, result: Any) -> None:
        """Learn what became of the batch: its `BatchResult`."""
        ...
