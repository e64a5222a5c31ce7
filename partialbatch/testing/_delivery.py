"""The result of a simulation, with its assertions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from partialbatch.testing._explanations import assertion_text, explanation, inversions, loss

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from partialbatch.testing._history import Invocation, RecordHistory

__all__ = ["Delivery"]


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """The result of a simulation, from the first delivery to the last.

    Attributes:
        source: ``sqs``, ``kinesis``, ``dynamodb`` or ``kafka``.
        records: One `RecordHistory` for each record, in the order of the source.
        invocations: One `Invocation` for each call of the handler.
        seconds: The duration of the simulation, in seconds of its clock.
        inferred: True if the result of each record is known from the responses only.

    Example:
        >>> from partialbatch.testing import SimulatedQueue
        >>> delivery = SimulatedQueue(["tea", "jam"]).run(lambda event, context: {"batchItemFailures": []})
        >>> delivery
        Delivery(sqs: 2 records (2 deleted); 1 invocations, 2 records delivered, 0 duplicated, 0 s)
        >>> [record.fate for record in delivery.records]
        ['deleted', 'deleted']
        >>> delivery.assert_nothing_lost()
    """

    source: str
    records: tuple[RecordHistory, ...]
    invocations: tuple[Invocation, ...]
    seconds: float
    inferred: bool

    @property
    def records_delivered(self) -> int:
        """The number of records in all events together."""
        return sum(invocation.delivered for invocation in self.invocations)

    @property
    def duplicated_work(self) -> int:
        """The number of successful runs beyond the first one of each record."""
        return sum(max(0, record.successes - 1) for record in self.records)

    @property
    def fates(self) -> dict[str, int]:
        """The number of records with each fate."""
        return dict(Counter(record.fate for record in self.records))

    @property
    def lost(self) -> list[RecordHistory]:
        """The records that are gone although they never succeeded, or that were given up without having run."""
        return [record for record in self.records if loss(record)]

    def explain(self) -> str:
        """Return a text for people: the totals, then each invocation, then the records that had trouble."""
        return explanation(self._totals(), self.records, self.invocations, inferred=self.inferred)

    def assert_nothing_lost(self) -> None:
        """Check that no record is lost: gone without a success, or given up without having run.

        A record that ran, failed, and ended in a dead-letter queue or expired isn't lost. Check such records
        with `assert_dead_lettered` or by their ``fate``.

        Raises:
            AssertionError: At least one record is lost.
        """
        __tracebackhide__ = True
        lost = self.lost
        if lost:
            raise AssertionError(self._failure(f"{len(lost)} of {len(self.records)} records lost", lost))

    def assert_in_order(self, by: Callable[[Any], Hashable] | None = None) -> None:
        """Check that no record succeeded before the earlier records of its group were finished.

        Args:
            by: Takes a raw record and returns its group. By default, the source decides: message group,
                partition key, DynamoDB key or topic-partition.

        Raises:
            AssertionError: At least one record succeeded too early.
        """
        __tracebackhide__ = True
        found = inversions(self.records, by)
        if found:
            involved = [record for pair in found for record in pair]
            total = len(self.records)
            heading = f"{len(found)} of {total} records succeeded before an earlier record of their group was finished"
            raise AssertionError(self._failure(heading, involved))

    def assert_dead_lettered(self, identifiers: Iterable[Any]) -> None:
        """Check that exactly these records ended in the dead-letter queue.

        Args:
            identifiers: The identifiers of the records; a single one may stand alone.

        Raises:
            AssertionError: A record is missing there, or shouldn't be there, or doesn't exist.
        """
        __tracebackhide__ = True
        expected = [identifiers] if isinstance(identifiers, str | dict) else list(identifiers)
        known = [record.identifier for record in self.records]
        unknown = [identifier for identifier in expected if identifier not in known]
        if unknown:
            raise AssertionError(f"this delivery has no record with the identifier {unknown[0]!r}")
        wrong = [
            record for record in self.records if (record.fate == "dead_lettered") != (record.identifier in expected)
        ]
        if wrong:
            heading = f"{len(wrong)} of {len(self.records)} records differ from the expected dead letters"
            raise AssertionError(self._failure(heading, wrong))

    def _failure(self, heading: str, involved: Iterable[RecordHistory]) -> str:
        return assertion_text(heading, involved, self.invocations, inferred=self.inferred)

    def _totals(self) -> str:
        fates = ", ".join(f"{count} {fate.replace('_', '-')}" for fate, count in self.fates.items())
        return (
            f"{len(self.records)} records ({fates}); {len(self.invocations)} invocations, "
            f"{self.records_delivered} records delivered, {self.duplicated_work} duplicated, "
            f"{self.seconds:g} s"
        )

    def __repr__(self) -> str:
        return f"Delivery({self.source}: {self._totals()})"
