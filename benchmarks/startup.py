"""Cold starts: import, decorate and a first call, in a fresh process, beyond Lambda's runtime client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from . import events
from .runtime import TASK_ROOT
from .table import Row
from .timing import Times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TEMPLATE = """
import awslambdaric.bootstrap
import sys
from time import process_time
from benchmarks.runtime import context, decode

event, given = decode(sys.argv[1].encode()), context()
start = process_time()
{code}
assert handler(event, given) == {{"batchItemFailures": []}}
print(process_time() - start)
"""

# The first round writes the byte code of all contestants, which only installed packages have from the start.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
_ENVIRONMENT["LAMBDA_TASK_ROOT"] = TASK_ROOT
_EVENT = json.dumps(events.sqs(1))

PLAIN = {
    "ours": """
        from partialbatch import batch_handler

        @batch_handler
        def handler(record):
            return record.body
        """,
    "peer": """
        from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
        processor = BatchProcessor(event_type=EventType.SQS)

        def record_handler(record):
            return record.body

        def handler(event, context):
            return process_partial_response(event, record_handler, processor, context)
        """,
}

VALIDATED = {
    "ours": """
        from pydantic import BaseModel
        from partialbatch import batch_handler

        class Order(BaseModel):
            order_id: str

        @batch_handler
        def handler(order: Order):
            return order.order_id
        """,
    "peer": """
        from pydantic import BaseModel, Json
        from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
        from aws_lambda_powertools.utilities.parser.models import SqsRecordModel

        class Order(BaseModel):
            order_id: str

        class OrderRecord(SqsRecordModel):
            body: Json[Order]

        processor = BatchProcessor(event_type=EventType.SQS, model=OrderRecord)

        def record_handler(record):
            return record.body.order_id

        def handler(event, context):
            return process_partial_response(event, record_handler, processor, context)
        """,
    # Time that the two have in common, and that no library can save.
    "floor": """
        from pydantic import BaseModel

        class Order(BaseModel):
            order_id: str

        def handler(event, context):
            Order.model_validate_json(event["Records"][0]["body"])
            return {"batchItemFailures": []}
        """,
}


PLAIN_ROW = Row("cold-start", "import, decorate and a first call", "ms", 0.25)
VALIDATED_ROW = Row("cold-start-pydantic", "the same with a pydantic payload", "ms")
BEYOND_ROW = Row("cold-start-beyond-pydantic", "the same beyond pydantic's own time", "ms")
ROWS = (PLAIN_ROW, VALIDATED_ROW, BEYOND_ROW)
ROUNDS = 21


def run(wanted: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Start fresh processes in turns."""
    if PLAIN_ROW in wanted:
        times = _race(PLAIN)
        yield PLAIN_ROW.measured(
            times.median("ours") * 1e3, times.median("peer") * 1e3, ratio=times.median(lambda ours, peer: ours / peer)
        )
    if VALIDATED_ROW in wanted or BEYOND_ROW in wanted:
        times = _race(VALIDATED)
        ours, peer, floor = (times.median(name) * 1e3 for name in ("ours", "peer", "floor"))
        entries = (VALIDATED_ROW.measured(ours, peer, floor), BEYOND_ROW.measured(ours - floor, peer - floor))
        yield from (entry for row, entry in zip((VALIDATED_ROW, BEYOND_ROW), entries, strict=True) if row in wanted)


def _race(codes: dict[str, str]) -> Times:
    """Return the seconds of each, round by round; the first round only fills the caches."""
    sources = {name: _TEMPLATE.format(code=dedent(code)) for name, code in codes.items()}
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(ROUNDS + 1):
        for name, source in sources.items():
            times[name].append(_seconds(source))
    return Times({name: values[1:] for name, values in times.items()})


def _seconds(source: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", source, _EVENT], env=_ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)
