"""Peak memory of decoding an event of 10,000 Kinesis records (6 MB) one by one, and of a simulated record."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from . import events
from .table import row

RECORDS = 10_000
EVENT_BYTES = 6 * 1024 * 1024

_SOURCE = """
import gc, logging, tracemalloc
from benchmarks import events, memory
logging.disable(logging.CRITICAL)
from benchmarks.{module} import HANDLERS

handler = HANDLERS["kinesis"]
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


def event() -> dict[str, Any]:
    """Build the event and check that it has the maximum size on Lambda."""
    built = events.kinesis(RECORDS, lambda number: {"order_id": f"order-{number:06d}", "amount": number})
    size = len(json.dumps(built))
    if not 0.9 * EVENT_BYTES < size < 1.05 * EVENT_BYTES:
        raise AssertionError(f"the event has {size:,} bytes: fit its payload to {EVENT_BYTES:,}")
    return built


def run() -> list[dict[str, Any]]:
    figures = [_peak(_SOURCE.format(module=module)) / 1e6 for module in ("ours", "powertools")]
    return [
        row(f"peak memory, {RECORDS:,} Kinesis records", figures, "MB", target=0.5),
        *(_simulated(source) for source in _GIVEN),
    ]


def _simulated(source: str) -> dict[str, Any]:
    code = _SIMULATED.format(records=RECORDS, source=source, given=_GIVEN[source])
    figures = (_peak(code) / RECORDS / 1024, ALLOWED)
    return row(f"a simulated record, {source}", figures, "KB", 1.0, "the allowance")


def _peak(source: str) -> int:
    """Return the peak in bytes, measured in a separate process."""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return int(done.stdout)
