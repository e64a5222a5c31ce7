"""Records on their way to a service, the failures of their calls, and the counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from partialbatch.types import Unprocessed

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

__all__ = ["Entry", "Failure", "FailureKind", "Stats"]


class FailureKind(StrEnum):
    """The consequence of a failure for the records of a call."""

    THROTTLED = "throttled"
    TRANSIENT = "transient"
    CUT = "cut"  # a page that was cut by size: sent again without a wait
    INVALID_CALL = "invalid call"  # a whole call refused because of its content: bisected
    REJECTED = "rejected"
    FATAL = "fatal"
    DEADLINE = "deadline"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a record, or a whole call, was not accepted."""

    kind: FailureKind
    code: str | None = None
    message: str | None = None
    ambiguous: bool = False


@dataclass(slots=True)
class Stats:
    """Counts of a producer, a session or a reader. You get them as ``stats``, and in ``progress``.

    >>> from partialbatch.producers import SQSProducer
    >>> class Queue:  # in place of boto3's client
    ...     def send_message_batch(self, QueueUrl, Entries):
    ...         return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}
    >>> producer = SQSProducer("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", client=Queue())
    >>> for number in range(25):
    ...     producer.put({"order": number})
    >>> producer.flush()
    []
    >>> producer.stats.calls, producer.stats.records, producer.stats.bytes
    (3, 25, 290)

    Attributes:
        calls: Calls made, failed ones included.
        records: Records that the service has accepted.
        retries: Records that were sent again, counted each time.
        bytes: Bytes of the records sent, by the service's own rules for the size of a record.
        waits: Waits after a throttled or failed call.
        waited: Seconds spent in those waits.
        paced: Waits made to keep to `rate`.
        rate: The limit while the service throttles, in records (DynamoDB: capacity units) a second; None without one.
        consumed_capacity: Capacity units that DynamoDB reported.
        superseded: DynamoDB operations that were left out in favour of another one on the same key.
        unprocessed: Records handed back.
    """

    calls: int = 0
    records: int = 0
    retries: int = 0
    bytes: int = 0
    waits: int = 0
    waited: float = 0.0
    paced: int = 0
    rate: float | None = None
    consumed_capacity: float = 0.0
    superseded: int = 0
    unprocessed: int = 0


class Entry:
    """One record on its way. A plain class with slots: a dataclass takes 60 ns more to create."""

    __slots__ = ("attempts", "failure", "in_flight", "key", "options", "record", "seq", "size", "wire")

    def __init__(
        self, seq: int, record: Any, options: Mapping[str, Any], wire: Any, size: int, key: Hashable = None
    ) -> None:
        self.seq = seq
        self.record = record
        self.options = options
        self.wire = wire
        self.size = size
        self.key = key
        self.in_flight = False  # kept by a buffer that must not replace a record in flight
        self.attempts = 0
        self.failure: Failure | None = None

    def fail(self, failure: Failure) -> None:
        """Count one more attempt that failed."""
        self.attempts += 1
        self.set_failure(failure)

    def set_failure(self, failure: Failure) -> None:
        """Set the reason. A record that may once have been written stays ambiguous."""
        if self.failure is not None and self.failure.ambiguous and not failure.ambiguous:
            failure = replace(failure, ambiguous=True)
        self.failure = failure

    def give_up(self, failure: Failure) -> None:
        """Set the reason for handing the record back. The service's last code and message stay."""
        own = self.failure
        # A failed call with other records cannot have written this one.
        failure = replace(failure, ambiguous=False) if failure.ambiguous else failure
        if own is None or failure.kind is FailureKind.FATAL:
            self.set_failure(failure)
        elif failure.kind in {FailureKind.DEADLINE, FailureKind.UNSENT}:
            self.set_failure(Failure(failure.kind, own.code, own.message))
        elif own.kind not in {FailureKind.THROTTLED, FailureKind.TRANSIENT}:
            self.set_failure(failure)

    def replace_with(self, other: Entry) -> None:
        """Become another entry, in the same place of the buffer."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))

    def unprocessed(self) -> Unprocessed:
        """Return the entry as the user gets it back."""
        failure = self.failure or Failure(FailureKind.UNSENT)
        return Unprocessed(
            self.record,
            dict(self.options),
            code=failure.code,
            message=failure.message,
            attempts=self.attempts,
            reason=failure.kind.value,
            ambiguous=failure.ambiguous,
        )
