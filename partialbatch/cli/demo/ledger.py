"""Bookkeeping of one source: what was put in, what happened to it, what is missing."""

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

__all__ = ["ALWAYS", "Ledger", "Tally", "id_of", "sequence_of"]

ALWAYS = -1
"""In a plan: the record fails however often it is tried."""


def id_of(record: RawRecord) -> str:
    """Return the demo's own id of a record, which is in its body (or is its key)."""
    if "dynamodb" in record:
        return str(record["dynamodb"]["Keys"]["id"]["S"])
    body = b64decode(record["kinesis"]["data"]) if "kinesis" in record else record["body"]
    return str(json.loads(body)["id"])


def sequence_of(record: RawRecord) -> int:
    """Return the sequence number of a stream record, as the number that it is."""
    return int(sequence_number(record["eventSource"].removeprefix("aws:"), record))


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the records of a source; the numbers of the closing table.

    Attributes:
        source: The source's name.
        records: Records put in.
        invocations: Calls of the handler.
        handled: Records whose record function returned at least once.
        retried: Records that were delivered more than once.
        dead_lettered: Records found with the dead-letter queue or on-failure destination.
        lost: The ids of records that are neither handled nor dead-lettered.
        duplicated_work: Runs of record functions on records that had been handled before.
    """

    source: str
    records: int
    invocations: int
    handled: int
    retried: int
    dead_lettered: int
    lost: tuple[str, ...]
    duplicated_work: int


class Ledger:
    """Notes what the handler and the poller of one source do; an `Observer` of the poller."""

    def __init__(self, source: str, plan: Mapping[str, int], *, pace: float, tell: Callable[[str, str], None]) -> None:
        """Start with nothing done.

        Args:
            source: The source's name.
            plan: How often each record fails before it succeeds, or `ALWAYS`.
            pace: Seconds of pretended work a record.
            tell: Called with the source's name and a line on what happened.
        """
        self.source = source
        self.plan = plan
        self.handled: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.invocations = 0
        self.sample: Invocation | None = None
        self._runs: Counter[str] = Counter()
        self._pace = pace
        self._tell = tell

    def work(self, record_id: str) -> None:
        """Do the work of one record; raise as the plan says."""
        self._runs[record_id] += 1
        sleep(self._pace)
        failures = self.plan[record_id]
        if failures == ALWAYS or self._runs[record_id] <= failures:
            raise ConnectionError("the service behind did not answer")
        self.handled[record_id] += 1

    def invoked(self, invocation: Invocation) -> None:
        """Count a call, and keep the first partial response as the sample."""
        self.invocations += 1
        self.delivered.update(id_of(record) for record in invocation.records)
        if invocation.verdict.kind == "partial" and self.sample is None:
            self.sample = invocation
        self._tell(self.source, _line(invocation))

    def gave_up(self, given_up: GivenUp) -> None:
        """Tell of stream records that are given up."""
        self._tell(
            self.source,
            f"{_records(len(given_up.records))} given up after {given_up.invocations} tries, "
            "on-failure destination told",
        )

    def waiting(self, error: BaseException, seconds: float) -> None:
        """Tell that the local server has to be asked again."""
        self._tell(self.source, f"{type(error).__name__}: trying again in {seconds:.1f} s")

    def tally(self, dead: Iterable[str]) -> Tally:
        """Compare what was put in with what was handled and what is dead-lettered."""
        found = set(dead)
        return Tally(
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
        """Return the first partial response as the service got it, None if there was none."""
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
