"""Concurrent records, compared with the ideal, with greedy scheduling and with Powertools' asyncio processor."""

import asyncio
import heapq
import logging
import threading
import time
from functools import partial
from random import Random
from typing import Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response

from partialbatch import batch_handler

from . import events
from .table import row
from .timing import race

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


def run() -> list[dict[str, Any]]:
    logging.getLogger("partialbatch").setLevel(logging.CRITICAL)
    return [*_ideal(), _many(), _greedy(), _threads()]


def _ideal() -> list[dict[str, Any]]:
    """1,000 records in 100 groups of 10, which take at least the time of ten waits."""
    event = events.fifo(1_000, GROUPS)
    contestants = {"threads": partial(wait_in_thread, event, None), "tasks": partial(wait_in_task, event, None)}
    times = race(contestants, rounds=5)
    return [
        row(
            f"1,000 x 20 ms, {GROUPS} groups, {name}",
            (times[name], 10 * WAIT),
            "s",
            target=EFFICIENCY,
            against="ideal",
        )
        for name in contestants
    ]


def _many() -> dict[str, Any]:
    event = events.sqs(10_000)
    times = race({"ours": partial(ours, event, None), "peer": partial(peer, event, None)}, rounds=5)
    return row("10,000 x 0 ms, async", (times["ours"], times["peer"]), "s", target=0.5)


def _greedy() -> dict[str, Any]:
    """100 records from 1 ms to 100 ms, few of them long."""
    random = Random(1)
    durations = [0.001 + 0.099 * random.random() ** 4 for _ in range(100)]
    event = {"Records": [events.sqs_record(number, f"{duration:.4f}") for number, duration in enumerate(durations)]}
    times = race({"ours": partial(unequal, event, None)}, rounds=4)
    return row(
        f"100 unequal records, {WORKERS} workers",
        (times["ours"], makespan(durations, WORKERS)),
        "s",
        target=1.1,
        against="greedy",
    )


def makespan(durations: list[float], workers: int) -> float:
    """Return the duration of greedy list scheduling: each job goes, in order, to the first free worker."""
    free = [0.0] * workers
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def _threads() -> dict[str, Any]:
    """The second invocation reuses the threads of the first."""
    event = events.sqs(200)
    name_thread.process(event)
    before = {thread.ident for thread in threading.enumerate()}
    used = {entry.value for entry in name_thread.process(event).succeeded}
    return row("new threads, second invocation of 32", (len(used - before), 0), "", target=0, against="none")
