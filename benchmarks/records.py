"""The time that the library adds to a record and to a batch, compared with Powertools and a bare loop."""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awslambdaric.lambda_context import LambdaContext

from . import bare, events, ours, powertools
from .table import row
from .timing import race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGE, SMALL = 1_000, 10

CASES: dict[str, tuple[str, Callable[[int], Any], float | None, float | None]] = {
    # handlers: (name, event, target without a context, target with one)
    "view": ("SQS view", events.sqs, 0.40, 0.60),
    "raw": ("SQS RawRecord", events.sqs, 0.25, 0.42),
    "dict": ("SQS dict payload", events.sqs, None, None),
    "fifo": ("SQS FIFO view", events.fifo, None, None),
    "kinesis": ("Kinesis JSON", events.kinesis, None, None),
    "dynamodb": ("DynamoDB new image", events.dynamodb, 0.5, None),
    "pydantic": ("SQS pydantic payload", events.sqs, None, None),
    "failures": ("SQS view, 10 % failures", events.sqs, None, None),
}


def run() -> list[dict[str, Any]]:
    """Time every case with the loggers silent, and two with them on."""
    with _logging(logging.CRITICAL):
        rows = [entry for case in CASES for context in (None, _context()) for entry in _case(case, context)]
    with _logging(logging.INFO):
        return [*rows, *_logged()]


def _context() -> LambdaContext:
    """Return the runtime client's own context, with 15 minutes left."""
    return LambdaContext("request-1", None, None, int(time.time() * 1000) + 900_000)


def _case(case: str, context: Any) -> list[dict[str, Any]]:
    name, make, target, target_with_context = CASES[case]
    label = f"{name}, with a context" if context else name
    large = _race(case, make(LARGE), context)
    small = _race(case, make(SMALL), context)
    rows = [
        row(
            f"{label}: a record",
            _scaled(large, 1e6 / LARGE),
            "µs",
            target=_either(context, target, target_with_context),
        ),
        row(f"{label}: a batch of {SMALL}", _scaled(small, 1e6), "µs"),
    ]
    if case == "pydantic":
        mine, _, floor = _scaled(large, 1e6 / LARGE)
        rows.append(row(f"{label}: a record", (mine, floor), "µs", target=1.3, against="TypeAdapter"))
    if case in {"view", "raw"}:
        rows.append(row(f"{label}: fixed cost of a batch", _fixed(large, small), "µs", target=1 / 3))
    return rows


def _either(context: Any, without: float | None, with_context: float | None) -> float | None:
    return with_context if context else without


def _race(case: str, event: Any, context: Any) -> dict[str, float]:
    contestants = {
        "ours": partial(ours.HANDLERS[case], event, context),
        "peer": partial(powertools.HANDLERS[case], event, context),
        "floor": partial(bare.HANDLERS[case], event, context),
    }
    return race(contestants)


def _scaled(times: dict[str, float], factor: float) -> tuple[float, float, float]:
    return times["ours"] * factor, times["peer"] * factor, times["floor"] * factor


def _fixed(large: dict[str, float], small: dict[str, float]) -> tuple[float, float, float]:
    """Return the cost of a batch before its first record in µs: the intercept of two batch sizes."""
    each = {name: (large[name] - small[name]) / (LARGE - SMALL) for name in large}
    return _scaled({name: small[name] - SMALL * each[name] for name in small}, 1e6)


def _logged() -> list[dict[str, Any]]:
    """Time the summary line and the tracebacks. Powertools logs only the latter, and only with a logger."""
    summary = _race("view", events.sqs(SMALL), None)
    tracebacks = _race("logged failures", events.sqs(LARGE), None)
    return [
        row(f"SQS view, logging on: a batch of {SMALL}", _scaled(summary, 1e6), "µs"),
        row("SQS view, 10 % failures, logging on: a record", _scaled(tracebacks, 1e6 / LARGE), "µs"),
    ]


@contextmanager
def _logging(level: int) -> Iterator[None]:
    """Set the level of both libraries' loggers. Their lines are formatted and discarded."""
    loggers = [logging.getLogger(name) for name in ("partialbatch", "benchmarks.powertools", "aws_lambda_powertools")]
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
