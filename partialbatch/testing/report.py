"""The words of a `Delivery`: losses, inversions and stories, never a record's body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from partialbatch.testing.delivery import Delivery, RecordStory, Run

_STORIES = 5
_RUNS = 6
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
    """Tell all that happened; where it is much, full successes and smooth records are only counted."""
    numbered = list(enumerate(delivery.invocations))
    shown = [(number, entry) for number, entry in numbered if len(numbered) <= _LINES or entry.verdict != "success"]
    lines = [totals(delivery), _how(delivery), ""]
    lines += _cut(
        f"invocation {number} at {entry.at:g} s, {entry.delivered} records: {entry.verdict}: {entry.reason}"
        for number, entry in shown
    )
    if len(shown) < len(numbered):
        lines.append(f"and {len(numbered) - len(shown)} invocations with full success")
    told = [record for record in delivery.records if record.fate != "deleted" or len(record.runs) != 1 or loss(record)]
    lines += ["", *_cut(_brief(record) for record in told)]
    lines.append(f"{len(delivery.records) - len(told)} records were delivered once, and are done with")
    return "\n".join(lines)


def _brief(record: RecordStory) -> str:
    runs = ", ".join(f"{run.invocation}: {_STATUSES[run.status]}" for run in _abridged(record.runs))
    more = f" ({len(record.runs)} deliveries)" if len(record.runs) > _RUNS else ""
    return f"{_head(record)}; invocation {runs}{more}" if runs else f"{_head(record)}; no invocation saw it"


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
    lines = [_head(record)]
    for run in _abridged(record.runs):
        entry = delivery.invocations[run.invocation]
        lines.append(f"  invocation {run.invocation}: {_STATUSES[run.status]}; Lambda: {entry.verdict}: {entry.reason}")
    if len(record.runs) > _RUNS:
        lines.insert(-1, f"  … {len(record.runs) - _RUNS} more invocations …")
    return lines if record.runs else [*lines, "  no invocation saw it"]


def _head(record: RecordStory) -> str:
    group = "" if record.group is None else f" (group {record.group})"
    lost = loss(record)
    return f"{_name(record.identifier)}{group}: {_FATES[record.fate]}{f': LOST, it {lost}' if lost else ''}"


def _abridged(runs: Sequence[Run]) -> Sequence[Run]:
    return runs if len(runs) <= _RUNS else (*runs[: _RUNS - 1], runs[-1])


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
