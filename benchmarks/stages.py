"""Time that one option adds to a batch of 10, as a share of the time that Powertools takes for a plain one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from partialbatch import batch_handler
from partialbatch.retries import ResumeLedger

from . import events, powertools
from .runtime import delivered
from .table import Row
from .timing import race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SIZE = 10
WHOLE = "a plain batch of Powertools"


class Counter:
    """Hooks at the end of each record and of the batch."""

    def __init__(self) -> None:
        self.records = self.batches = 0

    def on_record_end(self, _result: Any) -> None:
        self.records += 1

    def on_batch_end(self, _result: Any) -> None:
        self.batches += 1


class Memory:
    """A sink, and its session, that keeps nothing: the time left is the stage's own."""

    def open(self, **_: Any) -> Memory:
        return self

    def put(self, item: Any, *, group: Any) -> None:
        """Take an item."""

    def flush(self) -> list[Any]:
        return []


def _body(record: Any) -> str:
    return record.body


def _text(record: Any) -> None:
    _ = record.text


class Stage(NamedTuple):
    """A row, and how to measure it: the event, the record function, the option, and by how much to divide."""

    row: Row
    make: Callable[[int], Any]
    function: Callable[[Any], Any]
    options: dict[str, Any]
    share: int = 1


STAGES = (
    Stage(
        Row("stage-hooks", "hooks at the end of each record and batch: a batch of 10", target=0.3, against=WHOLE),
        events.sqs,
        _body,
        {"hooks": [Counter()]},
    ),
    Stage(
        Row("stage-resume", "resume, in memory: a batch of 10", target=0.3, against=WHOLE),
        events.kinesis,
        _text,
        {"resume": ResumeLedger.in_memory()},
    ),
    Stage(
        Row("stage-sink", "sink: a record of 10", target=0.17, against=WHOLE),
        events.sqs,
        _body,
        {"sink": Memory()},
        share=SIZE,
    ),
)

ROWS = tuple(stage.row for stage in STAGES)


def run(wanted: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Race each handler against itself without the option, and against Powertools' plain batch."""
    logging.getLogger("partialbatch").setLevel(logging.CRITICAL)
    peer = delivered(powertools.HANDLERS["view"], events.sqs(SIZE))
    for stage in STAGES:
        if stage.row in wanted:
            yield _measured(stage, peer)


def _measured(stage: Stage, peer: Any) -> dict[str, Any]:
    event = stage.make(SIZE)
    plain, staged = batch_handler(stage.function), batch_handler(stage.function, **stage.options)
    times = race({"plain": delivered(plain, event), "staged": delivered(staged, event), "peer": peer})
    added = times.median(lambda plain, staged, **_: staged - plain) / stage.share
    ratio = times.median(lambda plain, staged, peer: (staged - plain) / peer) / stage.share
    return stage.row.measured(added * 1e6, times.median("peer") * 1e6, ratio=ratio)
