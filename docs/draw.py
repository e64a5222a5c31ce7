"""Runs the simulations in the documentation: ``make figures`` writes docs/figures again."""

from __future__ import annotations

import csv
import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from partialbatch import batch_handler
from partialbatch.retries import ResumeLedger
from partialbatch.testing import Clock, FailurePlan, LambdaContext, SimulatedQueue, SimulatedStream
from partialbatch.testing._comparison import POLICIES, SOURCES, Load, compare, usual_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from partialbatch.testing import Delivery
    from partialbatch.testing._history import Invocation

FOLDER = Path(__file__).parent / "figures"
NAMES = {"sqs": "SQS", "fifo": "SQS FIFO", "kinesis": "Kinesis", "dynamodb": "DynamoDB", "kafka": "Kafka"}
GROUPS = ("A", "B", "A", "B", "A", "B")
FAILS = 2  # the third record, on its first attempt
RECORDS = 1_000  # records of the load under each policy
WIDTH, ROW = 480, 46
SOURCE, LAMBDA, HANDLER = 70, 215, 385
STYLE = """
svg { font: 13px ui-sans-serif, system-ui, sans-serif; --ink: #1f2328; --soft: #59636e; --paper: #ffffff;
  --line: #9aa4af; --good: #1a7f37; --bad: #cf222e; --again: #9a6700 }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6edf3; --soft: #9198a1; --paper: #131416; --line: #5b6570;
    --good: #56d364; --bad: #ff7b72; --again: #e3b341 }
}
text { fill: var(--ink); text-anchor: middle }
.left { text-anchor: start }
.head { font-weight: 600 }
.soft { fill: var(--soft) }
.paper { fill: var(--paper) }
.life { stroke: var(--line); stroke-dasharray: 3 4 }
.arrow { stroke: var(--ink); fill: none; marker-end: url(#tip) }
.tip { fill: var(--ink) }
.box { stroke: var(--line); fill: var(--paper) }
.chip { stroke-width: 1.5; fill: var(--paper) }
.chip.good { stroke: var(--good) } text.good { fill: var(--good) }
.chip.bad { stroke: var(--bad) } text.bad { fill: var(--bad) }
.chip.again { stroke: var(--again) } text.again { fill: var(--again) }
.chip.unrun { stroke: var(--line); stroke-dasharray: 3 2 } text.unrun { fill: var(--soft) }
"""
FLOW = (
    ("event", ("the batch that Lambda sends",)),
    ("source", ("its sender, with identifiers,", "groups, policy")),
    ("records", ("one lazy view per record",)),
    ("groups", ("records that must stay in order",)),
    ("runner", ("calls the record function:", "in order, in threads, as tasks")),
    ("results", ("one per record, in event order",)),
    ("response", ("the records that did not succeed",)),
)
MARKS = {"good": "✓", "bad": "✗", "again": "✓✓", "unrun": "–"}  # noqa: RUF001 - a dash for records that did not run


def simulate(source: str, policy: str) -> Delivery:
    """Deliver six records of two groups, the third of which fails once."""
    plan = FailurePlan({FAILS: (1, "error")})

    def work(item: dict[str, Any]) -> None:
        plan.attempt(item["number"])

    handler = batch_handler(work, error_policy=policy)  # type: ignore[call-overload]  # a policy's name
    items = [{"id": group, "number": number} for number, group in enumerate(GROUPS)]
    if source == "fifo":
        return SimulatedQueue(items, fifo=True, groups=GROUPS).run(handler)
    return SimulatedStream(items, partition_keys=GROUPS).run(handler)


def drawing(source: str, policy: str) -> str:
    """Return the sequence diagram of a simulation as SVG."""
    delivery = simulate(source, policy)
    rows, parts = 0, []
    for number, invocation in enumerate(delivery.invocations):
        steps = list(_invocation(source, delivery, number, invocation))
        for offset, make in enumerate(steps):
            parts.append(make(64 + (rows + offset) * ROW))
        rows += len(steps)
    height = 64 + rows * ROW
    lives = "".join(
        f'<line class="life" x1="{x}" x2="{x}" y1="42" y2="{height - 8}"/>' for x in (SOURCE, LAMBDA, HANDLER)
    )
    heads = _box(SOURCE, 10, NAMES[source]) + _box(LAMBDA, 10, "Lambda") + _box(HANDLER, 10, "handler")
    return _svg(f"{NAMES[source]} under {policy}", height, [lives, heads, *parts])


def in_words(source: str, policy: str) -> str:
    """Return a description of the drawing, for readers who can't see it."""
    delivery = simulate(source, policy)
    sentences: list[str] = []
    done: set[int] = set()
    for number, invocation in enumerate(delivery.invocations):
        met = _met(delivery, number)
        ran = [index for index, status in met.items() if status != "skipped"]
        again = _list(index for index in ran if index in done)
        new = _list(index for index in ran if index not in done)
        sentences.append(f"Invocation {number + 1} runs {new}{f', and {again} a second time' if again else ''}.")
        failed = _list(index for index in ran if met[index] == "failed")
        if failed:
            reported = _list(index for index in met if index in _reported(delivery, invocation))
            sentences.append(f"{failed} fails, and the response reports {reported}.")
        done |= {index for index in ran if met[index] == "succeeded"}
    return " ".join(sentences)


def load_in_words() -> str:
    """Return a description of the table's loads."""
    queue, fifo, stream = (_load(source) for source in ("sqs", "fifo", "kinesis"))
    return (
        f"{queue.records:,} records, of which one attempt in {1 / queue.failure_rate:.0f} fails; "
        f"{stream.groups} groups, on the FIFO queue {fifo.groups}; "
        f"batches of {queue.batch_size} on queues, of {stream.batch_size} elsewhere"
    )


def _list(indexes: Iterable[int]) -> str:
    names = [_names([index]) for index in indexes]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _met(delivery: Delivery, number: int) -> dict[int, Any]:
    """Return the status of each record of an event, in its order."""
    runs = [(run, index) for index, story in enumerate(delivery.records) for run in story.runs]
    own = sorted((run.position, index, run.status) for run, index in runs if run.invocation == number)
    return {index: status for _, index, status in own}


def flow() -> str:
    """Return a drawing of an event's path through the library, as SVG."""
    parts = []
    for place, (name, lines) in enumerate(FLOW):
        y = 12 + place * 56
        parts.append(_box(150, y, name))
        first = y + 21 - 8 * (len(lines) - 1)
        parts += [f'<text class="soft left" x="220" y="{first + 16 * n}">{line}</text>' for n, line in enumerate(lines)]
        if place:
            parts.append(f'<path class="arrow" d="M150 {y - 23}V{y - 3}"/>')
    return _svg("The path of an event", 12 + 56 * len(FLOW), parts)


def _svg(title: str, height: int, parts: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>\n'
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _box(x: int, y: int, name: str) -> str:
    return (
        f'<rect class="box" x="{x - 55}" y="{y}" width="110" height="32" rx="6"/>'
        f'<text class="head" x="{x}" y="{y + 21}">{name}</text>'
    )


def _invocation(source: str, delivery: Delivery, number: int, invocation: Invocation) -> Iterator[Any]:
    """Yield the rows of one invocation as functions of their height that return SVG."""
    stories = delivery.records
    met = _met(delivery, number)
    before = {
        index
        for index, story in enumerate(stories)
        for run in story.runs
        if run.invocation < number and run.status == "succeeded"
    }
    reported = [index for index in met if index in _reported(delivery, invocation)]
    yield lambda y: _arrow(SOURCE, LAMBDA, y, f"invocation {number + 1}", _names(met))
    yield lambda y: _chips(y, met, before)
    yield lambda y: _arrow(HANDLER, LAMBDA, y, "reports", _names(reported) or "nothing")
    done = [index for index in met if index not in reported]
    if source == "fifo":
        yield lambda y: _arrow(LAMBDA, SOURCE, y, "deletes", _names(done) or "nothing")
    else:
        passed = f"goes on from {_names(reported[:1])}" if reported else "all done"
        yield lambda y: _arrow(LAMBDA, SOURCE, y, "checkpoint:", passed)


def _reported(delivery: Delivery, invocation: Invocation) -> set[int]:
    """Return the records that a response reports. A raised `FullBatchFailure` has its own response."""
    response = invocation.response or getattr(invocation.error, "response", None)
    named = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
    return {index for index, story in enumerate(delivery.records) if story.identifier in named}


def _names(indexes: Any) -> str:
    return " ".join(f"{GROUPS[index]}{index + 1}" for index in indexes)


def _arrow(start: int, end: int, y: int, above: str, below: str) -> str:
    middle, tip = (start + end) / 2, 4 if end < start else -4
    return (
        f'<text class="soft" x="{middle}" y="{y + 8}">{escape(above)}</text>'
        f'<path class="arrow" d="M{start} {y + 14}H{end + tip}"/>'
        f'<text x="{middle}" y="{y + 30}">{escape(below)}</text>'
    )


def _chips(y: int, met: dict[int, Any], before: set[int]) -> str:
    """Draw each record of an event with its status."""
    left = HANDLER - len(met) * 15
    drawn = [f'<path class="arrow" d="M{LAMBDA} {y + 14}H{left - 6}"/>']
    for place, (index, status) in enumerate(met.items()):
        kind = {"succeeded": "again" if index in before else "good", "failed": "bad"}.get(status, "unrun")
        x = left + 30 * place
        drawn.append(
            f'<rect class="chip {kind}" x="{x + 1}" y="{y - 4}" width="28" height="36" rx="5"/>'
            f'<text class="{kind}" x="{x + 15}" y="{y + 11}">{GROUPS[index]}{index + 1}</text>'
            f'<text class="{kind}" x="{x + 15}" y="{y + 27}">{MARKS[kind]}</text>'
        )
    return "".join(drawn)


def table() -> str:
    """Return the cost of the same load under each policy as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["Source", "Policy", "Invocations", "Records delivered", "Duplicated work", "Groups in order", "Lost"]
    )
    for source in SOURCES:
        load = _load(source)
        for entry in compare(load):
            order = f"{entry.in_order} of {entry.groups}" if entry.groups else "no order"
            counts = (entry.invocations, entry.delivered, entry.duplicated)
            writer.writerow([NAMES[source], f"``{entry.policy}``", *counts, order, entry.lost])
        if source in ("kinesis", "dynamodb"):
            writer.writerow([NAMES[source], "with ``resume``", *_resumed(load)])
    return text.getvalue()


def _load(source: str) -> Load:
    size = 10 if source in ("sqs", "fifo") else 100
    return Load(source, RECORDS, groups=usual_groups(source, RECORDS), batch_size=size, maximum_retry_attempts=None)


def _resumed(load: Load) -> list[Any]:
    """Return the figures of a load whose handler remembers records that succeeded behind a checkpoint."""
    plan = load.plan()

    def work(item: dict[str, Any]) -> None:
        plan.attempt(int(item["number"]))

    handler = batch_handler(work, resume=ResumeLedger.in_memory())
    delivery = load.simulator().run(handler, LambdaContext(900, Clock()))
    delivery.assert_in_order()
    order = f"{load.groups} of {load.groups}"
    counts = (len(delivery.invocations), delivery.records_delivered, delivery.duplicated_work)
    return [*counts, order, len(delivery.lost)]


def figures() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file."""
    yield "duplicated_work.csv", table()
    yield "flow.svg", flow()
    for source in ("fifo", "kinesis"):
        for policy in POLICIES:
            yield f"{source}_{policy}.svg", drawing(source, policy)


if __name__ == "__main__":
    logging.getLogger("partialbatch").setLevel(logging.CRITICAL)  # the failures are planned
    for name, text in figures():
        (FOLDER / name).write_text(text)
        print(FOLDER / name)
