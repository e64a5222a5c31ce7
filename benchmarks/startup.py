"""The cost of a cold start: import, decoration and first call, in a new process with Lambda's runtime client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from textwrap import dedent
from typing import Any

from . import events
from .table import row

_TEMPLATE = """
import awslambdaric.bootstrap
import json, sys
from time import perf_counter

event = json.loads(sys.argv[1])
start = perf_counter()
{code}
assert handler(event, None) == {{"batchItemFailures": []}}
print(perf_counter() - start)
"""

# The first round writes the byte code of all contestants, which only installed packages have from the start.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
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
    # The work that both have in common, and that no library can avoid.
    "pydantic": """
        from pydantic import BaseModel

        class Order(BaseModel):
            order_id: str

        def handler(event, context):
            Order.model_validate_json(event["Records"][0]["body"])
            return {"batchItemFailures": []}
        """,
}


def run(rounds: int = 12) -> list[dict[str, Any]]:
    """Start new processes in turns. The first round only fills the caches."""
    plain, validated = _race(PLAIN, rounds), _race(VALIDATED, rounds // 2)
    bare = validated["pydantic"]
    return [
        row("import + decorate + first call", (plain["ours"], plain["peer"]), "ms", target=1 / 3),
        row("... with a pydantic payload", (validated["ours"], validated["peer"]), "ms"),
        row("... over pydantic's own", (validated["ours"] - bare, validated["peer"] - bare), "ms"),
    ]


def _race(codes: dict[str, str], rounds: int) -> dict[str, float]:
    """Return the smallest number of milliseconds of each."""
    sources = {name: _TEMPLATE.format(code=dedent(code)) for name, code in codes.items()}
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(rounds + 1):
        for name, source in sources.items():
            times[name].append(_seconds(source))
    return {name: min(values[1:]) * 1e3 for name, values in times.items()}


def _seconds(source: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", source, _EVENT], env=_ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)
