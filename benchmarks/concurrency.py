"""Records side by side: against the ideal, against greedy scheduling, against Powertools' asyncio processor."""

from __future__ import annotations

import asyncio
import heapq
import logging
import threading
import time
from functools import partial
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response

from partialbatch import batch_handler

from . import events
from .powertools import in_own_loop
from .runtime import delivered
from .table import Row
from .timing import race

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WAIT = 0.02
GROUPS = 100
WORKERS = 8
EFFICIENCY = 1 / 0.93
_processor = AsyncBatchProcessor(event_type=EventType.SQS)


@batch_handler(max_concurrency=GROUPS)
def wait_in_thread(_record):
    time.sleep(WAIT)


@batch_handler(max_concurrency=GROUPS)
async def wait_in_task(_record):
    await asyncio.sleep(WAIT)


@batch_handler(max_concurrency=GROUPS)
async def ours(record):
    await asyncio.sleep(0)
    return record.body


async def _record_handler(record):
    await asyncio.sleep(0)
    return record.body


def peer(event, context):
    return async_process_partial_response(event, _record_handler, _processor, context)


@batch_handler(max_concurrency=WORKERS)
def unequal(record):
    time.sleep(float(record.body))


@batch_handler(max_concurrency=32)
def name_thread(_record):
    time.sleep(0.002)
    return threading.get_ident()


IDEAL = "the ideal"
ROWS = (
    Row("waits-threads", f"1,000 x 20 ms, {GROUPS} groups, threads", "s", EFFICIENCY, IDEAL),
    Row("waits-tasks", f"1,000 x 20 ms, {GROUPS} groups, tasks", "s", EFFICIENCY, IDEAL),
    Row("async-10000", "10,000 x 0 ms, async", "s", 0.5),
    Row("greedy", f"100 unequal records, {WORKERS} workers", "s", 1.1, "greedy scheduling"),
    Row("new-threads", "new threads, second invocation of 32", "threads", 0, "none"),
)


def run(wanted: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Measure each row; rows of records that wait take the wall clock."""
    logging.getLogger("partialbatch").setLevel(logging.CRITICAL)
    ways = {
        "waits-threads": partial(_ideal, wait_in_thread),
        "waits-tasks": partial(_ideal, wait_in_task),
        "async-10000": _many,
        "greedy": _greedy,
        "new-threads": _threads,
    }
    for row in wanted:
        yield row.measured(*ways[row.key]())


def _seconds(handler: Any, event: Any) -> float:
    """Return the least of a few calls, on the wall clock."""
    return race({"ours": delivered(handler, event)}, rounds=5, clock=perf_counter).best("ours")


def _ideal(handler: Any) -> tuple[float, float]:
    """1,000 records in 100 groups of 10: nothing can be done before ten waits are over."""
    return _seconds(handler, events.fifo(1_000, GROUPS)), 10 * WAIT


def _many() -> tuple[float, float]:
    event = events.sqs(10_000)
    times = race({"ours": delivered(ours, event), "peer": in_own_loop(delivered(peer, event))}, rounds=5)
    return times.median("ours"), times.median("peer")


def _greedy() -> tuple[float, float]:
    """100 records from 1 ms to 100 ms, few of them long."""
    random = Random(1)
    durations = [0.001 + 0.099 * random.random() ** 4 for _ in range(100)]
    event = {"Records": [events.sqs_record(number, f"{duration:.4f}") for number, duration in enumerate(durations)]}
    return _seconds(unequal, event), makespan(durations, WORKERS)


def makespan(durations: list[float], workers: int) -> float:
    """Return when greedy list scheduling ends: each job goes, in order, to the worker that is free first."""
    free = [0.0] * workers
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def _threads() -> tuple[float, float]:
    """The second invocation runs on the threads that the first has made."""
    event = events.sqs(200)
    name_thread.process(event)
    before = {thread.ident for thread in threading.enumerate()}
    used = {entry.value for entry in name_thread.process(event).succeeded}
    return len(used - before), 0
