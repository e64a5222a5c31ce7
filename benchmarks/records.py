"""Batches and records, beside Powertools and a loop written by hand.

Events come from the runtime client's decoder; both sides get its context, unless a row says otherwise.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import bare, events, ours, powertools
from .runtime import delivered
from .table import Row
from .timing import race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MANY = 1_000


class Case(NamedTuple):
    """A row, and how to measure it.

    Attributes:
        row: The row.
        handlers: The name of the case in ``HANDLERS``.
        make: Makes an event of a size.
        size: Records in a batch; with `MANY`, the figures are those of one record.
        has_context: Whether both sides get a context.
        logs: Whether both sides log.
    """

    row: Row
    handlers: str
    make: Callable[[int], Any]
    size: int
    has_context: bool = True
    logs: bool = False


def _batch(key: str, name: str, target: float | None, handlers: str, make: Any, size: int, **more: Any) -> Case:
    return Case(Row(f"{key}-{size}", f"{name}: a batch of {size}", target=target), handlers, make, size, **more)


def _record(key: str, name: str, target: float | None, handlers: str, make: Any = events.sqs, **more: Any) -> Case:
    return Case(Row(f"{key}-{MANY}", f"{name}: a record of {MANY:,}", target=target), handlers, make, MANY, **more)


def _against(case: Case, key: str, name: str, target: float, peer: str) -> Case:
    return case._replace(row=Row(key, name, target=target, against=peer))


_VIEW = _batch("sqs", "SQS view", 0.33, "view", events.sqs, 10)
_PYDANTIC = _record("sqs-pydantic", "SQS pydantic payload", None, "pydantic")

CASES = (
    _batch("sqs", "SQS view", 0.25, "view", events.sqs, 1),
    _VIEW,
    _against(_VIEW, "sqs-10-by-hand", _VIEW.row.name, 1.25, "by hand, fail-closed"),
    _record("sqs", "SQS view", 0.55, "view"),
    _record("sqs-no-context", "SQS view, no context", 0.40, "view", has_context=False),
    _record("raw", "SQS RawRecord", 0.42, "raw"),
    _record("raw-no-context", "SQS RawRecord, no context", 0.25, "raw", has_context=False),
    _record("fifo", "SQS FIFO view", 0.40, "fifo", events.fifo),
    _batch("fifo", "SQS FIFO view", 0.30, "fifo", events.fifo, 10),
    _record("failures", "SQS view, 10 % failing", 0.80, "failures"),
    _batch("failures", "SQS view, one failing", 1.0, "failures", events.sqs, 10),
    _batch("logged", "SQS view, both log a line", None, "logged view", events.sqs, 10, logs=True),
    _batch("logged-failures", "SQS view, one failing, both log it", None, "logged failures", events.sqs, 10, logs=True),
    _record("kinesis", "Kinesis view.json()", 0.70, "kinesis", events.kinesis),
    _record("kinesis-dict", "Kinesis dict payload", 0.65, "kinesis dict", events.kinesis),
    _record("sqs-dict", "SQS dict payload", 0.50, "dict"),
    _record("dynamodb", "DynamoDB new image", 0.42, "dynamodb", events.dynamodb),
    _against(_PYDANTIC, "sqs-pydantic-1000", _PYDANTIC.row.name, 1.20, "a TypeAdapter loop"),
    _PYDANTIC._replace(row=Row("sqs-pydantic-powertools", _PYDANTIC.row.name)),
    _record("async", "SQS async, never awaits", 0.60, "never awaits"),
    _record("async-awaits", "SQS async, awaits once", 0.85, "awaits"),
    _batch("async-awaits", "SQS async, awaits once", 1.4, "awaits", events.sqs, 10),
)

ROWS = tuple(case.row for case in CASES)


def run(wanted: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Time the cases, with both sides' loggers silent unless a case says otherwise."""
    for case in CASES:
        if case.row in wanted:
            with _logging(logging.INFO if case.logs else logging.CRITICAL):
                yield _measured(case)


def contestants(case: Case) -> dict[str, Callable[[Any, Any], Any]]:
    """Return the handlers that race: ours, the peer's and, where there is one, a bare loop."""
    floor = bare.HANDLERS.get(case.handlers)
    peers = {"by hand, fail-closed": bare.fail_closed, "a TypeAdapter loop": floor}
    peer = peers.get(case.row.against) or powertools.HANDLERS[case.handlers]
    handlers = {"ours": ours.HANDLERS[case.handlers], "peer": peer}
    return handlers if floor is None else {**handlers, "floor": floor}


def _measured(case: Case) -> dict[str, Any]:
    event = case.make(case.size)
    handlers = contestants(case)
    calls = {name: delivered(handler, event, has_context=case.has_context) for name, handler in handlers.items()}
    times = race({**calls, "peer": powertools.in_own_loop(calls["peer"])})
    scale = 1e6 / (MANY if case.size == MANY else 1)
    figures = {name: times.median(name) * scale for name in handlers}
    return case.row.measured(**figures, ratio=times.median(lambda ours, peer, **_: ours / peer))


@contextmanager
def _logging(level: int) -> Iterator[None]:
    """Set the level of all contestants' loggers, whose lines are formatted and thrown away."""
    names = ("partialbatch", "benchmarks.powertools", "benchmarks.bare", "aws_lambda_powertools")
    loggers = [logging.getLogger(name) for name in names]
    with Path(os.devnull).open("w", encoding="utf-8") as stream:
        sink = logging.StreamHandler(stream)
        sink.setFormatter(logging.Formatter("[%(levelname)s]\t%(asctime)s\t%(message)s"))
        for logger in loggers:
            logger.setLevel(level)
            logger.propagate = False
            logger.addHandler(sink)
        yield
        for logger in loggers:
            logger.removeHandler(sink)
