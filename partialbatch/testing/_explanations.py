"""The words of a `Delivery`: losses, inversions and stories, never a record's body."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from partialbatch.testing._delivery import Delivery, Invocation, RecordStory, Run

Entry = TypeVar("Entry")

_STORIES = 5
_RUNS = 6
_FOLDED = 3
_LINES = 40

_FATES = {
    "deleted": "done with",
    "dead_lettered": "in the dead-letter queue",
    "expired": "given up",
    "discarded_unrun": "given up without ever having run",
    "remaining": "still to be delivered",
}


def loss(record: RecordStory) -> str:
    """Say how a record was lost; empty where it was not."""
    if record.settled or record.fate == "remaining":
        return ""
    if record.fate == "deleted":
        return "is gone although it never succeeded"
    if record.fate == "discarded_unrun":
        return "was given up without ever having run"
    if not record.ran:
        taken = "ended in the dead-letter queue" if record.fate == "dead_lettered" else "was given up"
        return f"{taken}, and nothing shows that it ever ran"
    return ""


def inversions(
    records: Sequence[RecordStory], by: Callable[[Any], Hashable] | None
) -> list[tuple[RecordStory, RecordStory]]:
    """Return the records that succeeded too early, each after the one that was still to come."""
    found = []
    # By group: the record that was through last, and when.
    latest: dict[Hashable, tuple[tuple[int, int], RecordStory]] = {}
    for record in records:
        group = record.group if by is None else by(record.raw)
        runs = [run for run in record.runs if run.status not in ("skipped", "resumed")]
        if not runs or (by is None and group is None):
            continue
        first = next((run for run in runs if run.status == "succeeded"), None)
        # A dead letter of the handler's own ends a record too, though a stream may bring it again.
        through = _when(next((run for run in runs if run.status in ("succeeded", "dead_lettered")), runs[-1]))
        if group in latest and first and latest[group][0] > _when(first):
            found.append((latest[group][1], record))
        if group not in latest or latest[group][0] < through:
            latest[group] = (through, record)
    return found


def _when(run: Run) -> tuple[int, int]:
    return run.invocation, run.position


def totals(delivery: Delivery) -> str:
    """Return one line of figures."""
    fates = ", ".join(f"{count} {fate.replace('_', '-')}" for fate, count in delivery.fates.items())
    return (
        f"{len(delivery.records)} records ({fates}); {len(delivery.invocations)} invocations, "
        f"{delivery.records_delivered} records delivered, {delivery.duplicated_work} duplicated, "
        f"{delivery.seconds:g} s"
    )


def explain(delivery: Delivery) -> str:
    """Tell all that happened: equal lines are folded, smooth records counted, and of many invocations the successes."""
    numbered = list(enumerate(delivery.invocations))
    every = _invocations(numbered)
    troubled = [(number, entry) for number, entry in numbered if entry.verdict != "success"]
    lines = [totals(delivery), _how(delivery), "", *_cut(every if len(every) <= _LINES else _invocations(troubled))]
    if len(every) > _LINES and len(troubled) < len(numbered):
        lines.append(f"and {len(numbered) - len(troubled)} invocations with full success")
    told = [record for record in delivery.records if record.fate != "deleted" or len(record.runs) != 1 or loss(record)]
    lines += ["", *_cut(_briefs(told))]
    lines.append(f"{len(delivery.records) - len(told)} records were delivered once, and are done with")
    return "\n".join(lines)


def _stretches(entries: Iterable[Entry], key: Callable[[Entry], Hashable]) -> list[list[Entry]]:
    """Return the entries, those that follow one another with an equal key as one list."""
    return [list(stretch) for _, stretch in groupby(entries, key)]


def _invocations(numbered: Iterable[tuple[int, Invocation]]) -> list[str]:
    """Return a line an invocation; those that only repeat the one before are folded."""
    # Numbers that follow one another have one difference to their place in the list.
    placed = ((number - place, number, entry) for place, (number, entry) in enumerate(numbered))
    lines = []
    for (_, number, entry), *rest in _stretches(placed, lambda item: (item[0], _what(item[2]))):
        lines.append(f"invocation {number} at {entry.at:g} s, {_what(entry)}")
        if rest:
            start, end = f"{rest[0][2].at:g} s", f"{rest[-1][2].at:g} s"
            when = f"at {start}" if len(rest) == 1 else f"from {start} to {end}"
            lines.append(f"{_numbers([place for _, place, _ in rest])} {when}: the same")
    return lines


def _what(entry: Invocation) -> str:
    return f"{entry.delivered} records: {entry.verdict}: {entry.reason}"


def _numbers(numbers: Sequence[int]) -> str:
    return f"invocation {numbers[0]}" if len(numbers) == 1 else f"invocations {numbers[0]} to {numbers[-1]}"


def _briefs(records: Iterable[RecordStory]) -> Iterator[str]:
    """Yield a line a record; those with the story of the one before are folded."""
    for (first, story), *rest in _stretches(((record, _brief(record)) for record in records), lambda pair: pair[1]):
        yield _name(first.identifier) + story
        if rest:
            last = _name(rest[-1][0].identifier)
            yield f"{last}: the same" if len(rest) == 1 else f"{len(rest)} more records, up to {last}: the same"


def _brief(record: RecordStory) -> str:
    stretches = _stretches(record.runs, lambda run: run.status)
    shown = stretches if len(stretches) <= _RUNS else [*stretches[: _RUNS - 1], stretches[-1]]
    told = ", ".join(map(_stretch, shown))
    more = f" ({len(record.runs)} deliveries)" if len(stretches) > _RUNS else ""
    return f"{_fate(record)}; invocation {told}{more}" if told else f"{_fate(record)}; no invocation saw it"


def _stretch(runs: Sequence[Run]) -> str:
    """Tell runs that ended alike: each one, or the first and the last of many."""
    status, numbers = _STATUSES[runs[0].status], [run.invocation for run in runs]
    if len(runs) < _FOLDED:
        return ", ".join(f"{number}: {status}" for number in numbers)
    first, last = numbers[0], numbers[-1]
    in_a_row = last - first == len(runs) - 1
    return f"{first} to {last}: {status}" if in_a_row else f"{first} to {last}: {len(runs)} times {status}"


def failure(delivery: Delivery, head: str, told: Iterable[RecordStory]) -> str:
    """Return the message of a failed assertion: what is wrong, and the stories that show it."""
    stories = list(dict.fromkeys(told))
    lines = [head + ":"]
    for record in stories[:_STORIES]:
        lines += [f"  {line}" for line in _story(delivery, record)]
    if len(stories) > _STORIES:
        lines.append(f"  and {len(stories) - _STORIES} more records")
    return "\n".join([*lines, _how(delivery)])


def _how(delivery: Delivery) -> str:
    if delivery.inferred:
        return "(which records succeeded is inferred from the responses: give succeeded= to tell it)"
    return "(which records succeeded was seen, or told by succeeded=)"


def _story(delivery: Delivery, record: RecordStory) -> list[str]:
    told = [(run, delivery.invocations[run.invocation]) for run in record.runs]
    stretches = _stretches(told, lambda pair: (pair[0].status, pair[1].verdict, pair[1].reason))
    turns = [_turn(stretch) for stretch in stretches]
    if len(turns) > _RUNS:
        left_out = sum(map(len, stretches[_RUNS - 1 : -1]))
        turns = [*turns[: _RUNS - 1], [f"  … {left_out} more invocations …"], turns[-1]]
    lines = [line for turn in turns for line in turn] or ["  no invocation saw it"]
    return [_name(record.identifier) + _fate(record), *lines]


def _turn(stretch: list[tuple[Run, Invocation]]) -> list[str]:
    """Tell of invocations in which a record met with the same: of the first one, and how many followed."""
    (run, entry), *rest = stretch
    line = f"  invocation {run.invocation}: {_STATUSES[run.status]}; Lambda: {entry.verdict}: {entry.reason}"
    if not rest:
        return [line]
    last = rest[-1][0].invocation
    more = f"invocation {last}" if len(rest) == 1 else f"{len(rest)} more, up to invocation {last}"
    return [line, f"  {more}: the same"]


def _fate(record: RecordStory) -> str:
    group = "" if record.group is None else f" (group {record.group})"
    lost = loss(record)
    return f"{group}: {_FATES[record.fate]}{_deliveries(record)}{f': LOST, it {lost}' if lost else ''}"


def _deliveries(record: RecordStory) -> str:
    """Say how often a record that is still there was delivered: perhaps the simulation left it for that."""
    if record.fate != "remaining" or not record.runs:
        return ""
    return f", after {len(record.runs)} " + ("delivery" if len(record.runs) == 1 else "deliveries")


_STATUSES = {
    "succeeded": "succeeded",
    "failed": "failed",
    "dead_lettered": "the handler's dead letter took it",
    "skipped": "not run",
    "resumed": "had succeeded before, not run again",
    "unknown": "nothing shows what became of it",
}


def _name(identifier: Any) -> str:
    return f"{identifier['partition']}@{identifier['offset']}" if isinstance(identifier, dict) else str(identifier)


def _cut(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    return every if len(every) <= _LINES else [*every[:_LINES], f"… and {len(every) - _LINES} more lines"]
