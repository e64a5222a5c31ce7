"""Peak memory above the event: 10,000 Kinesis records, 6 MB, decoded one by one."""

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


def event() -> dict[str, Any]:
    """Build the event and see that it is as large as Lambda lets it be."""
    built = events.kinesis(RECORDS, lambda number: {"order_id": f"order-{number:06d}", "amount": number})
    size = len(json.dumps(built))
    if not 0.9 * EVENT_BYTES < size < 1.05 * EVENT_BYTES:
        raise AssertionError(f"the event has {size:,} bytes: fit its payload to {EVENT_BYTES:,}")
    return built


def run() -> list[dict[str, Any]]:
    figures = [_peak(module) for module in ("ours", "powertools")]
    return [row(f"peak memory, {RECORDS:,} Kinesis records", figures, "MB", target=0.5)]


def _peak(module: str) -> float:
    """Return the peak in MB, of a process of its own."""
    source = _SOURCE.format(module=module)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1e6
