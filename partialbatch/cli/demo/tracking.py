"""Counts of one source: records put in, handled, retried, dead-lettered and lost."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Any

from partialbatch.testing._event_layout import sequence_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from partialbatch.types import RawRecord
    from partialbatch.worker import GivenUp, Invocation

__all__ = ["ALWAYS", "SourceSummary", "SourceTracker", "id_of", "sequence_of"]

ALWAYS = -1
"""In a plan: the record fails on every attempt."""


def id_of(record: RawRecord) -> str:
    """Return the demo's id of a record, from its body or its key."""
    if "dynamodb" in record:
        return str(record["dynamodb"]["Keys"]["id"]["S"])
    body = b64decode(record["kinesis"]["data"]) if "kinesis" in record else record["body"]
    return str(json.loads(body)["id"])


def sequence_of(record: RawRecord) -> int:
    """Return the sequence number of a stream record as an integer."""
    return int(sequence_number(record["eventSource"].removeprefix("aws:"), record))


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """The figures of one source in the closing table.

    Attributes:
        source: The source's name.
        records: Number of records put in.
        invocations: Number of calls of the handler.
        handled: Number of records whose record function returned at least once.
        retried: Number of records that were delivered more than once.
        dead_lettered: Number of records found through the dead-letter queue or on-failure destination.
        lost: The ids of records that are neither handled nor dead-lettered.
        duplicated_work: Number of times that the record function ran on a record that was already handled.
    """

    source: str
    records: int
    invocations: int
    handled: int
    retried: int
    dead_lettered: int
    lost: tuple[str, ...]
    duplicated_work: int


class SourceTracker:
    """Fails records of one source as planned, and counts the results. An `Observer` of the source's poller."""

    def __init__(
        self, source: str, plan: Mapping[str, int], *, work_seconds: float, show_line: Callable[[str, str], None]
    ) -> None:
        """Start at zero.

        Args:
            source: The source's name.
            plan: For each id, the number of failures before the record succeeds, or `ALWAYS`.
            work_seconds: Seconds that the work on a record takes.
            show_line: Called with the source's name and a line about each event.
        """
        self.source = source
        self.plan = plan
        self.handled: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.invocations = 0
        self.sample: Invocation | None = None
        self._runs: Counter[str] = Counter()
        self._work_seconds = work_seconds
        self._show_line = show_line

    def work(self, record_id: str) -> None:
        """Work on one record, and raise if the plan says so."""
        self._runs[record_id] += 1
        sleep(self._work_seconds)
        failures = self.plan[record_id]
        if failures == ALWAYS or self._runs[record_id] <= failures:
            raise ConnectionError("the database did not answer")
        self.handled[record_id] += 1

    def invoked(self, invocation: Invocation) -> None:
        """Count an invocation, and keep the first partial response as an example."""
        self.invocations += 1
        self.delivered.update(id_of(record) for record in invocation.records)
        if invocation.verdict.kind == "partial" and self.sample is None:
            self.sample = invocation
        self._show_line(self.source, _line(invocation))

    def gave_up(self, given_up: GivenUp) -> None:
        """Show a line about stream records that are given up."""
        self._show_line(
            self.source,
            f"{_records(len(given_up.records))} given up after {given_up.invocations} tries, noted for the operator",
        )

    def waiting(self, error: BaseException, seconds: float) -> None:
        """Show a line about a failed request to the local server."""
        self._show_line(self.source, f"{type(error).__name__}: trying again in {seconds:.1f} s")

    def summarize(self, dead: Iterable[str]) -> SourceSummary:
        """Compare the records that were put in with the handled and the dead-lettered ones."""
        found = set(dead)
        return SourceSummary(
            source=self.source,
            records=len(self.plan),
            invocations=self.invocations,
            handled=len(self.handled),
            retried=sum(count > 1 for count in self.delivered.values()),
            dead_lettered=len(found),
            lost=tuple(name for name in self.plan if name not in self.handled and name not in found),
            duplicated_work=sum(self.handled.values()) - len(self.handled),
        )

    def sample_response(self) -> Any:
        """Return the first partial response that the service got; None if there was none."""
        return None if self.sample is None else json.loads(self.sample.outcome.text)


def _line(invocation: Invocation) -> str:
    count, verdict = _records(len(invocation.records)), invocation.verdict
    if verdict.kind == "failure":
        error = (invocation.outcome.error or "malformed response").partition(":")[0]
        return f"{count}: the invocation failed ({error}), all returned"
    if verdict.kind == "partial":
        return f"{count}: {len(verdict.reported)} reported as failed, {len(verdict.returned)} returned"
    return f"{count}: done"


def _records(count: int) -> str:
    return f"{count} record" + "s" * (count != 1)
