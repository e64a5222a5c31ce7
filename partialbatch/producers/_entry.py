"""What the engine holds: entries, what went wrong with them, and the counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from partialbatch.types import Unprocessed

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

__all__ = ["Entry", "Fault", "Kind", "Stats"]


class Kind(StrEnum):
    """What a failure means for the records of a call."""

    THROTTLED = "throttled"
    TRANSIENT = "transient"
    CUT = "cut"  # a page that was cut by size: sent again, with no wait
    POISON = "poison"  # a whole call refused for what is in it: bisected
    REJECTED = "rejected"
    FATAL = "fatal"
    DEADLINE = "deadline"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record, or a whole call, was not accepted."""

    kind: Kind
    code: str | None = None
    message: str | None = None
    ambiguous: bool = False


@dataclass(slots=True)
class Stats:
    """What a producer has done so far.

    Attributes:
        calls: Calls made, failed ones included.
        records: Records that the service has accepted.
        retries: Records sent again, each time counted.
        bytes: Bytes of the records sent, in the service's own measure.
        waits: Waits after a throttled or failed call.
        waited: Seconds spent in those waits.
        paced: Pauses made to keep to `rate`.
        rate: Records (DynamoDB: capacity units) a second while throttled, else None.
        consumed_capacity: Capacity units that DynamoDB reported.
        superseded: DynamoDB operations that another one on the same key replaced.
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
    """One record on its way; a plain slotted class, as a dataclass takes 60 ns more to make."""

    __slots__ = ("attempts", "fault", "flying", "key", "options", "record", "seq", "size", "wire")

    def __init__(
        self, seq: int, record: Any, options: Mapping[str, Any], wire: Any, size: int, key: Hashable = None
    ) -> None:
        self.seq = seq
        self.record = record
        self.options = options
        self.wire = wire
        self.size = size
        self.key = key
        self.flying = False  # kept by a buffer that must not replace what is in flight
        self.attempts = 0
        self.fault: Fault | None = None

    def fail(self, fault: Fault) -> None:
        """Note one more attempt that was not acknowledged."""
        self.attempts += 1
        self.blame(fault)

    def blame(self, fault: Fault) -> None:
        """Note a reason; what may once have been written stays ambiguous."""
        if self.fault is not None and self.fault.ambiguous and not fault.ambiguous:
            fault = replace(fault, ambiguous=True)
        self.fault = fault

    def give_up(self, fault: Fault) -> None:
        """Note why the record is handed back; what the service last said about it stays."""
        own = self.fault
        # What befell other records' calls cannot have written this one.
        fault = replace(fault, ambiguous=False) if fault.ambiguous else fault
        if own is None or fault.kind is Kind.FATAL:
            self.blame(fault)
        elif fault.kind in {Kind.DEADLINE, Kind.UNSENT}:
            self.blame(Fault(fault.kind, own.code, own.message))
        elif own.kind not in {Kind.THROTTLED, Kind.TRANSIENT}:
            self.blame(fault)

    def become(self, other: Entry) -> None:
        """Take the place of an older operation, where that one stood."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))

    def unprocessed(self) -> Unprocessed:
        """Return what the caller gets back."""
        fault = self.fault or Fault(Kind.UNSENT)
        return Unprocessed(
            self.record,
            dict(self.options),
            code=fault.code,
            message=fault.message,
            attempts=self.attempts,
            reason=fault.kind.value,
            ambiguous=fault.ambiguous,
        )
