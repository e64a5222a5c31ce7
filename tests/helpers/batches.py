"""Events in Lambda's layout, made in one line, and a context whose time a test sets."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"


def sqs(count: int, *, groups: Sequence[str] | None = None, receives: Sequence[int] | None = None) -> dict[str, Any]:
    """Return messages ``m0``, ``m1`` and so on with their number as body, from a FIFO queue if groups are given."""
    return {"Records": [_message(index, groups, receives) for index in range(count)]}


def _message(index: int, groups: Sequence[str] | None, receives: Sequence[int] | None) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(receives[index] if receives else 1), "SentTimestamp": "1700000000000"}
    if groups is not None:
        attributes["MessageGroupId"] = groups[index]
    return {
        "messageId": f"m{index}",
        "receiptHandle": "handle",
        "body": str(index),
        "attributes": attributes,
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE if groups is None else f"{QUEUE}.fifo",
        "awsRegion": "eu-west-1",
    }


def kinesis(keys: Sequence[str], **window: Any) -> dict[str, Any]:
    """Return records ``0``, ``1`` and so on with these partition keys. Further fields make it a tumbling window."""
    records = [
        {
            "kinesis": {
                "partitionKey": key,
                "sequenceNumber": str(index),
                "data": base64.b64encode(str(index).encode()).decode(),
                "approximateArrivalTimestamp": 1.5,
            },
            "eventSource": "aws:kinesis",
            "eventID": f"shardId-000000000000:{index}",
            "eventSourceARN": STREAM,
        }
        for index, key in enumerate(keys)
    ]
    return {"Records": records, **window}


def dynamodb(keys: Sequence[str]) -> dict[str, Any]:
    """Return changes ``0``, ``1`` and so on of the items with these keys."""
    records = [
        {
            "eventID": f"e{index}",
            "eventName": "INSERT",
            "eventSource": "aws:dynamodb",
            "eventSourceARN": TABLE,
            "dynamodb": {
                "Keys": {"id": {"S": key}},
                "NewImage": {"id": {"S": key}, "n": {"N": str(index)}},
                "SequenceNumber": str(index),
                "StreamViewType": "NEW_IMAGE",
            },
        }
        for index, key in enumerate(keys)
    ]
    return {"Records": records}


def kafka(partitions: Sequence[int]) -> dict[str, Any]:
    """Return records of these partitions of one topic. The value is the index after sorting by partition."""
    records: dict[str, list[Any]] = {}
    for index, partition in enumerate(sorted(partitions)):
        of_partition = records.setdefault(f"orders-{partition}", [])
        of_partition.append(
            {
                "topic": "orders",
                "partition": partition,
                "offset": index,
                "timestamp": 1_700_000_000_000,
                "timestampType": "CREATE_TIME",
                "value": base64.b64encode(str(index).encode()).decode(),
                "headers": [],
            }
        )
    return {"eventSource": "aws:kafka", "eventSourceArn": "arn:kafka", "bootstrapServers": "b:9092", "records": records}


def number(record: Any) -> int:
    """Return the index that a record of one of these batches carries."""
    payload = record.payload
    return int(payload["n"]) if isinstance(payload, dict) else int(json.loads(payload))


def reported(response: Any) -> list[Any]:
    """Return the identifiers that a response reports."""
    return [item["itemIdentifier"] for item in response["batchItemFailures"]]


def ids(numbers: Iterable[int]) -> list[str]:
    """Return the identifiers of messages by their numbers."""
    return [f"m{index}" for index in numbers]


class Plain:
    """A custom event source over SQS messages whose views are the raw records themselves."""

    name, partial_response = "own", True

    def matches(self, event: Any) -> bool:
        return True

    def records(self, event: Any) -> Any:
        return event["Records"]

    def identifier(self, raw: Any) -> Any:
        return raw["messageId"]

    def payload(self, raw: Any) -> Any:
        return raw["body"]

    def view(self, raw: Any) -> Any:
        return raw

    def group(self, raw: Any) -> Any:
        return None

    def policy(self, records: Any) -> str:
        return "continue"


class Clock:
    """A Lambda context whose remaining time a test sets, and that counts its reads."""

    def __init__(self, left: float, elapsed: Callable[[], float] = lambda: 0.0) -> None:
        """Start with some seconds left. `elapsed` returns the seconds that have passed since."""
        self.left = left
        self.reads = 0
        self._elapsed = elapsed

    def get_remaining_time_in_millis(self) -> int:
        self.reads += 1
        return round((self.left - self._elapsed()) * 1000)


FORK = ("-W", "ignore::DeprecationWarning") if sys.version_info >= (3, 12) else ()
"""Options for scripts that fork: from Python 3.12 on, forking with threads causes a warning."""


def script(body: str, *options: str) -> tuple[int, str, str]:
    """Run a script in its own Python with warnings as errors; return its exit code, stdout and stderr."""
    head = (
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import logging\nfrom batches import *\nfrom partialbatch import batch_handler\n"
        # In debug mode, asyncio logs each callback that is slow on a busy machine.
        "logging.getLogger('asyncio').setLevel(logging.ERROR)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *options, "-c", head + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
