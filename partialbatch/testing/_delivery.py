"""What a simulation gives back: the story of each record and of each invocation."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from partialbatch.testing import _explanations

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

__all__ = ["Delivery", "Fate", "Invocation", "RecordStory", "Run", "RunStatus"]

Fate = Literal["deleted", "dead_lettered", "expired", "discarded_unrun", "remaining"]
RunStatus = Literal["succeeded", "failed", "dead_lettered", "skipped", "resumed", "unknown"]


class Run(NamedTuple):
    """What a record met in one invocation.

    Attributes:
        invocation: The position within ``Delivery.invocations``.
        position: The position within the event.
        status: ``skipped`` (not run) and ``resumed`` (had succeeded before, not run again)
            are told by our own handlers alone; ``unknown``: nothing shows what became of it.
    """

    invocation: int
    position: int
    status: RunStatus


@dataclass(frozen=True, slots=True, eq=False)
class RecordStory:
    """What became of one record.

    Attributes:
        identifier: What names it in a response.
        group: What it must stay in order with; None: it stands alone.
        text: The record as first delivered, as JSON.
        fate: ``deleted`` (done with: off the queue, or behind the shard's checkpoint),
            ``dead_lettered``, ``expired`` (given up after it had run: retries or age),
            ``discarded_unrun`` (given up, and never ran) or ``remaining``: still there at the
            bound of invocations, or after 100 receives from a queue without `max_receive_count`.
        runs: One `Run` an invocation that saw it.
    """

    identifier: Any
    group: str | None
    text: str = field(repr=False)  # no message holds a body
    fate: Fate
    runs: tuple[Run, ...]

    @property
    def raw(self) -> Any:
        """The record as first delivered, parsed anew each time."""
        return json.loads(self.text)

    @property
    def invocations(self) -> tuple[int, ...]:
        """The positions, within ``Delivery.invocations``, of those that saw the record."""
        return tuple(run.invocation for run in self.runs)

    @property
    def successes(self) -> int:
        """How often the record was run with success."""
        return sum(run.status == "succeeded" for run in self.runs)

    @property
    def settled(self) -> bool:
        """Whether the record ever succeeded, or the handler's own dead letter took it."""
        return any(run.status in ("succeeded", "resumed", "dead_lettered") for run in self.runs)

    @property
    def ran(self) -> bool:
        """Whether anything shows that the record was ever run."""
        return any(run.status in ("succeeded", "failed", "dead_lettered") for run in self.runs)


@dataclass(frozen=True, slots=True, eq=False)
class Invocation:
    """One call of the handler.

    Attributes:
        make: Makes the event; a million records would not fit into memory as parsed events.
        response: What the handler returned; None where it raised.
        error: What it raised; None where it returned. Where the same records fail with the
            same error again, it is the first one; after 100 different ones it has no traceback.
        verdict: ``success``, ``partial`` or ``failure``: what Lambda made of it.
        reason: Why.
        at: When it started, in seconds of the virtual clock.
        delivered: How many records the event held.
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
        """The event as Lambda sent it, made anew each time."""
        return self.make()


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """All that happened from the first delivery to the last.

    Attributes:
        source: ``sqs``, ``kinesis``, ``dynamodb`` or ``kafka``.
        records: One `RecordStory` a record, in the order of the source.
        invocations: One `Invocation` a call of the handler.
        seconds: How long it took on the virtual clock.
        inferred: True when which records succeeded was read off the responses alone.
    """

    source: str
    records: tuple[RecordStory, ...]
    invocations: tuple[Invocation, ...]
    seconds: float
    inferred: bool

    @property
    def records_delivered(self) -> int:
        """How many records all events held together."""
        return sum(invocation.delivered for invocation in self.invocations)

    @property
    def duplicated_work(self) -> int:
        """Successful runs of a record beyond its first, over all records."""
        return sum(max(0, record.successes - 1) for record in self.records)

    @property
    def fates(self) -> dict[str, int]:
        """How many records met which fate."""
        counts: defaultdict[str, int] = defaultdict(int)
        for record in self.records:
            counts[record.fate] += 1
        return dict(counts)

    @property
    def lost(self) -> list[RecordStory]:
        """The records that are gone although they never succeeded, and those that never ran."""
        return [record for record in self.records if _explanations.loss(record)]

    def explain(self) -> str:
        """Tell for people what happened."""
        return _explanations.explain(self)

    def assert_nothing_lost(self) -> None:
        """Check that no record is gone that did not succeed.

        A record that failed, and that a dead-letter queue or an expiry took, is no loss
        here (`assert_dead_lettered` and ``.fate`` tell); one that never ran is.
        """
        __tracebackhide__ = True
        lost = self.lost
        if lost:
            raise AssertionError(_explanations.failure(self, f"{len(lost)} of {len(self.records)} records lost", lost))

    def assert_in_order(self, by: Callable[[Any], Hashable] | None = None) -> None:
        """Check that no record succeeded before an earlier one of its group was through.

        Args:
            by: Raw record -> what must stay in order; without, the group of the source
                (message group, partition key, DynamoDB key, topic-partition).
        """
        __tracebackhide__ = True
        inversions = _explanations.inversions(self.records, by)
        if inversions:
            told = [story for pair in inversions for story in pair]
            head = f"{len(inversions)} of {len(self.records)} records succeeded while an earlier one was still to come"
            raise AssertionError(_explanations.failure(self, head, told))

    def assert_dead_lettered(self, identifiers: Iterable[Any]) -> None:
        """Check that these records, and no other, ended in the dead-letter queue."""
        __tracebackhide__ = True
        wanted = [identifiers] if isinstance(identifiers, str | dict) else list(identifiers)
        wrong = [story for story in self.records if (story.fate == "dead_lettered") != (story.identifier in wanted)]
        known = [story.identifier for story in self.records]
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise AssertionError(f"no record of this delivery is named {unknown[0]!r}")
        if wrong:
            head = f"{len(wrong)} of {len(self.records)} records: not as expected in the dead-letter queue"
            raise AssertionError(_explanations.failure(self, head, wrong))

    def __repr__(self) -> str:
        return f"Delivery({self.source}: {_explanations.totals(self)})"
