"""The texts of a `Delivery`: lost records, broken order, and the history of records. They never show a body."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from partialbatch.testing._history import Invocation, RecordHistory, Run

__all__ = ["assertion_text", "explanation", "inversions", "loss"]

Entry = TypeVar("Entry")

_RECORDS_SHOWN = 5
_RUNS_SHOWN = 6
_RUNS_LISTED = 2
"""Equal runs in a row that are listed one by one; more become a range."""
_LINES_SHOWN = 40

_FATES = {
    "deleted": "done",
    "dead_lettered": "in the dead-letter queue",
    "expired": "given up",
    "discarded_unrun": "given up without having run",
    "remaining": "still to be delivered",
}

_STATUSES = {
    "succeeded": "succeeded",
    "failed": "failed",
    "dead_lettered": "accepted by the handler's dead letter",
    "skipped": "not run",
    "resumed": "succeeded earlier, not run again",
    "unknown": "result unknown",
}


def loss(record: RecordHistory) -> str:
    """Return how a record was lost, or an empty text if it wasn't."""
    if record.settled or record.fate == "remaining":
        return ""
    if record.fate == "deleted":
        return "is gone although it never succeeded"
    if record.fate == "discarded_unrun":
        return "was given up without having run"
    if not record.ran:
        end = "ended in the dead-letter queue" if record.fate == "dead_lettered" else "was given up"
        return f"{end}, and no run of it is known"
    return ""


def inversions(
    records: Sequence[RecordHistory], by: Callable[[Any], Hashable] | None
) -> list[tuple[RecordHistory, RecordHistory]]:
    """Return pairs of an earlier record, and a later one of its group that succeeded before it was finished."""
    found = []
    # By group: the record that was finished last, and when.
    latest: dict[Hashable, tuple[tuple[int, int], RecordHistory]] = {}
    for record in records:
        group = record.group if by is None else by(record.raw)
        runs = [run for run in record.runs if run.status not in ("skipped", "resumed")]
        if not runs or (by is None and group is None):
            continue
        first = next((run for run in runs if run.status == "succeeded"), None)
        # The handler's dead letter finishes a record too, even if a stream delivers it again.
        finished = _time(next((run for run in runs if run.status in ("succeeded", "dead_lettered")), runs[-1]))
        if group in latest and first and latest[group][0] > _time(first):
            found.append((latest[group][1], record))
        if group not in latest or latest[group][0] < finished:
            latest[group] = (finished, record)
    return found


def _time(run: Run) -> tuple[int, int]:
    return run.invocation, run.position


def explanation(
    totals: str, records: Sequence[RecordHistory], invocations: Sequence[Invocation], *, inferred: bool
) -> str:
    """Return the text of ``Delivery.explain()``.

    Equal lines are folded. Records without trouble are counted, and so are fully successful invocations if
    there are many.

    Args:
        totals: The first line.
        records: All records.
        invocations: All invocations.
        inferred: Whether the results are known from the responses only.
    """
    numbered = list(enumerate(invocations))
    every = _invocation_lines(numbered)
    failed = [(number, entry) for number, entry in numbered if entry.verdict != "success"]
    shown = every if len(every) <= _LINES_SHOWN else _invocation_lines(failed)
    lines = [totals, _origin(inferred=inferred), "", *_shortened(shown)]
    if len(every) > _LINES_SHOWN and len(failed) < len(numbered):
        lines.append(f"and {len(numbered) - len(failed)} invocations with full success")
    notable = [record for record in records if record.fate != "deleted" or len(record.runs) != 1 or loss(record)]
    lines += ["", *_shortened(_record_lines(notable))]
    lines.append(f"{len(records) - len(notable)} records were delivered once and are done")
    return "\n".join(lines)


def assertion_text(
    heading: str, involved: Iterable[RecordHistory], invocations: Sequence[Invocation], *, inferred: bool
) -> str:
    """Return the message of a failed assertion: the heading, then the records that are involved.

    Args:
        heading: The first line.
        involved: The records to show; a record may come twice.
        invocations: All invocations.
        inferred: Whether the results are known from the responses only.
    """
    records = list(dict.fromkeys(involved))
    lines = [heading + ":"]
    for record in records[:_RECORDS_SHOWN]:
        lines += [f"  {line}" for line in _history_lines(record, invocations)]
    if len(records) > _RECORDS_SHOWN:
        lines.append(f"  and {len(records) - _RECORDS_SHOWN} more records")
    return "\n".join([*lines, _origin(inferred=inferred)])


def _origin(*, inferred: bool) -> str:
    if inferred:
        return "(the results of the records are inferred from the responses; pass succeeded= to give them)"
    return "(the results of the records were observed, or given by succeeded=)"


def _ranges(entries: Iterable[Entry], key: Callable[[Entry], Hashable]) -> list[list[Entry]]:
    """Return the entries as lists, each of neighbours with an equal key."""
    return [list(neighbours) for _, neighbours in groupby(entries, key)]


def _invocation_lines(numbered: Iterable[tuple[int, Invocation]]) -> list[str]:
    """Return a line for each invocation; those that only repeat the one before share a line."""
    # Consecutive numbers have the same difference to their place in the list.
    placed = ((number - place, number, entry) for place, (number, entry) in enumerate(numbered))
    lines = []
    for (_, number, entry), *rest in _ranges(placed, lambda item: (item[0], _summary(item[2]))):
        lines.append(f"invocation {number} at {entry.at:g} s, {_summary(entry)}")
        if rest:
            start, end = f"{rest[0][2].at:g} s", f"{rest[-1][2].at:g} s"
            times = f"at {start}" if len(rest) == 1 else f"from {start} to {end}"
            lines.append(f"{_numbers([place for _, place, _ in rest])} {times}: the same")
    return lines


def _summary(entry: Invocation) -> str:
    return f"{entry.delivered} records: {entry.verdict}: {entry.reason}"


def _numbers(numbers: Sequence[int]) -> str:
    return f"invocation {numbers[0]}" if len(numbers) == 1 else f"invocations {numbers[0]} to {numbers[-1]}"


def _record_lines(records: Iterable[RecordHistory]) -> Iterator[str]:
    """Yield a line for each record; those with the same history as the one before share a line."""
    for (first, text), *rest in _ranges(((record, _record(record)) for record in records), lambda pair: pair[1]):
        yield _name(first.identifier) + text
        if rest:
            last = _name(rest[-1][0].identifier)
            yield f"{last}: the same" if len(rest) == 1 else f"{len(rest)} more records, up to {last}: the same"


def _record(record: RecordHistory) -> str:
    ranges = _ranges(record.runs, lambda run: run.status)
    shown = ranges if len(ranges) <= _RUNS_SHOWN else [*ranges[: _RUNS_SHOWN - 1], ranges[-1]]
    runs = ", ".join(map(_equal_runs, shown))
    more = f" ({len(record.runs)} deliveries)" if len(ranges) > _RUNS_SHOWN else ""
    return f"{_fate(record)}; invocation {runs}{more}" if runs else f"{_fate(record)}; never delivered"


def _equal_runs(runs: Sequence[Run]) -> str:
    """Describe runs with the same status: one by one, or as a range."""
    status, numbers = _STATUSES[runs[0].status], [run.invocation for run in runs]
    if len(runs) <= _RUNS_LISTED:
        return ", ".join(f"{number}: {status}" for number in numbers)
    first, last = numbers[0], numbers[-1]
    consecutive = last - first == len(runs) - 1
    return f"{first} to {last}: {status}" if consecutive else f"{first} to {last}: {len(runs)} times {status}"


def _history_lines(record: RecordHistory, invocations: Sequence[Invocation]) -> list[str]:
    runs = [(run, invocations[run.invocation]) for run in record.runs]
    ranges = _ranges(runs, lambda pair: (pair[0].status, pair[1].verdict, pair[1].reason))
    shown = [_run_lines(equal) for equal in ranges]
    if len(shown) > _RUNS_SHOWN:
        left_out = sum(map(len, ranges[_RUNS_SHOWN - 1 : -1]))
        shown = [*shown[: _RUNS_SHOWN - 1], [f"  … {left_out} more invocations …"], shown[-1]]
    lines = [line for equal in shown for line in equal] or ["  never delivered"]
    return [_name(record.identifier) + _fate(record), *lines]


def _run_lines(equal: list[tuple[Run, Invocation]]) -> list[str]:
    """Describe equal runs of a record by the first one, and the number of those that follow."""
    (run, entry), *rest = equal
    line = f"  invocation {run.invocation}: {_STATUSES[run.status]}; Lambda: {entry.verdict}: {entry.reason}"
    if not rest:
        return [line]
    last = rest[-1][0].invocation
    more = f"invocation {last}" if len(rest) == 1 else f"{len(rest)} more, up to invocation {last}"
    return [line, f"  {more}: the same"]


def _fate(record: RecordHistory) -> str:
    group = "" if record.group is None else f" (group {record.group})"
    lost = loss(record)
    return f"{group}: {_FATES[record.fate]}{_deliveries(record)}{f': LOST, it {lost}' if lost else ''}"


def _deliveries(record: RecordHistory) -> str:
    """Return the number of deliveries of a remaining record: the simulation may have ended because of it."""
    if record.fate != "remaining" or not record.runs:
        return ""
    return f", after {len(record.runs)} " + ("delivery" if len(record.runs) == 1 else "deliveries")


def _name(identifier: Any) -> str:
    return f"{identifier['partition']}@{identifier['offset']}" if isinstance(identifier, dict) else str(identifier)


def _shortened(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    if len(every) <= _LINES_SHOWN:
        return every
    return [*every[:_LINES_SHOWN], f"… and {len(every) - _LINES_SHOWN} more lines"]
