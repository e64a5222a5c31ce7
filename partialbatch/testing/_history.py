"""The history of a simulation: each invocation, and each record with its runs and its fate."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fate", "Invocation", "RecordHistory", "Run", "RunStatus"]

Fate = Literal["deleted", "dead_lettered", "expired", "discarded_unrun", "remaining"]
RunStatus = Literal["succeeded", "failed", "dead_lettered", "skipped", "resumed", "unknown"]


class Run(NamedTuple):
    """The part of one record in one invocation.

    Attributes:
        invocation: The position of the invocation within ``Delivery.invocations``.
        position: The position of the record within the event.
        status: The result of the record. Only handlers made by partialbatch have ``skipped`` (not run) and
            ``resumed`` (succeeded in an earlier invocation, and not run again). ``unknown`` means that the
            response doesn't show the result.
    """

    invocation: int
    position: int
    status: RunStatus


@dataclass(frozen=True, slots=True, eq=False)
class RecordHistory:
    """One record, with its runs and its fate.

    Attributes:
        identifier: The identifier that names the record in a response.
        group: The group in which the record keeps its order (message group, partition key, DynamoDB key or
            topic-partition). None: the record has no order.
        text: The record as it was delivered first, as JSON text.
        fate: ``deleted`` (deleted from the queue, or passed by the checkpoint), ``dead_lettered``,
            ``expired`` (given up after it had run), ``discarded_unrun`` (given up, and never ran) or
            ``remaining`` (still there at the end of the simulation, after ``max_invocations``, or after 100
            receives from a queue without ``max_receive_count``).
        runs: One `Run` for each invocation whose event held the record.
    """

    identifier: Any
    group: str | None
    text: str = field(repr=False)  # messages never show a body
    fate: Fate
    runs: tuple[Run, ...]

    @property
    def raw(self) -> Any:
        """The record as it was delivered first. Each access parses it again."""
        return json.loads(self.text)

    @property
    def invocations(self) -> tuple[int, ...]:
        """The positions, within ``Delivery.invocations``, of the invocations whose event held the record."""
        return tuple(run.invocation for run in self.runs)

    @property
    def successes(self) -> int:
        """The number of successful runs."""
        return sum(run.status == "succeeded" for run in self.runs)

    @property
    def settled(self) -> bool:
        """Whether the record ever succeeded, or was accepted by the handler's ``dead_letter``."""
        return any(run.status in ("succeeded", "resumed", "dead_lettered") for run in self.runs)

    @property
    def ran(self) -> bool:
        """Whether at least one run of the record is known."""
        return any(run.status in ("succeeded", "failed", "dead_lettered") for run in self.runs)


@dataclass(frozen=True, slots=True, eq=False)
class Invocation:
    """One call of the handler.

    Attributes:
        make: Makes the event. Events aren't kept, because parsed records need much memory.
        response: The value that the handler returned, or None if it raised.
        error: The error that the handler raised, or None if it returned. If the same records fail with an
            equal error again, this is the first such error. Only the first 100 different errors keep
            their traceback.
        verdict: Lambda's reading of the answer: ``success``, ``partial`` or ``failure``.
        reason: The reason of that verdict, in words.
        at: The start of the call, in seconds of the simulated clock.
        delivered: The number of records in the event.
    """

    make: Callable[[], Any] = field(repr=False)
    response: Any = field(repr=False)
    error: BaseException | None
    verdict: Literal["success", "partial", "failure"]
    reason: str
    at: float
    delivered: int

    @property
    def event(self) -> Any:
        """The event as Lambda sent it. Each access makes it again."""
        return self.make()
