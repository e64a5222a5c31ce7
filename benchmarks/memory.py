"""Peak memory: above an event of 10,000 Kinesis records, 6 MB, decoded one by one; and of a simulated record."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from . import events
from .table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RECORDS = 10_000
EVENT_BYTES = 6 * 1024 * 1024

_SOURCE = """
import gc, logging, tracemalloc
from benchmarks import events, memory
logging.disable(logging.CRITICAL)
from benchmarks.{module} import HANDLERS

handler = HANDLERS["kinesis dict"]
handler(events.kinesis(10), None)
event = memory.event()
gc.collect()
tracemalloc.start()
assert handler(event, None) == {{"batchItemFailures": []}}
print(tracemalloc.get_traced_memory()[1])
"""

ALLOWED = 2.0
"""KB a simulated record."""

_SIMULATED = """
import gc, tracemalloc
from partialbatch import batch_handler
from partialbatch.testing import simulate

handler = batch_handler(lambda record: None)
items = [{{"id": f"order-{{number}}", "number": number}} for number in range({records})]
gc.collect()
tracemalloc.start()
simulate(handler, {given}, "{source}").assert_nothing_lost()
print(tracemalloc.get_traced_memory()[1])
"""
_GIVEN = {"sqs": "items", "kinesis": "items", "kafka": "{'orders-0': items}"}


PEAK = Row("memory-kinesis", f"peak memory, {RECORDS:,} Kinesis records", "MB", 0.5)
ROWS = (
    PEAK,
    *(
        Row(f"memory-simulated-{source}", f"a simulated record, {source}", "KB", 1.0, f"{ALLOWED} KB")
        for source in _GIVEN
    ),
)


def event() -> dict[str, Any]:
    """Build the event and see that it is as large as Lambda lets it be."""
    built = events.kinesis(RECORDS, lambda number: {"order_id": f"order-{number:06d}", "amount": number})
    size = len(json.dumps(built))
    if not 0.9 * EVENT_BYTES < size < 1.05 * EVENT_BYTES:
        raise AssertionError(f"the event has {size:,} bytes: fit its payload to {EVENT_BYTES:,}")
    return built


def run(wanted: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Measure the peaks, each in a process of its own."""
    for row in wanted:
        if row is PEAK:
            yield row.measured(*(_peak(_SOURCE.format(module=module)) / 1e6 for module in ("ours", "powertools")))
        else:
            source = row.key.rpartition("-")[2]
            code = _SIMULATED.format(records=RECORDS, source=source, given=_GIVEN[source])
            yield row.measured(_peak(code) / RECORDS / 1024, ALLOWED)


def _peak(source: str) -> int:
    """Return the peak in bytes, of a process of its own."""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return int(done.stdout)
