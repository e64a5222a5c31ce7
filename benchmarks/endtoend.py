"""The time that delivery to a sink adds to a record, compared with its producer alone."""

from __future__ import annotations

from typing import Any

from partialbatch import RawRecord, batch_handler
from partialbatch.producers import SQSProducer

from .events import sqs
from .table import row
from .timing import race

RECORDS = 1_000
MOST = 3.0
"""Microseconds a record that a sink may add."""


class Queue:
    """Accepts everything at once, so that only our own work is measured."""

    def send_message_batch(self, Entries, **_):  # noqa: N803 - boto3's name
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


def run() -> list[dict[str, Any]]:
    """Race a handler with a sink against the same handler and the same puts by hand."""
    event = sqs(RECORDS)
    producer = SQSProducer("https://sqs.eu-west-1.amazonaws.com/123456789012/out", client=Queue())

    def body(record: RawRecord):
        return record["body"]

    def by_hand():
        session = producer.open()
        for record in event["Records"]:
            session.put(record["body"], group=None)
        session.flush()

    delivers, plain = batch_handler(body, sink=producer), batch_handler(body)
    best = race({"sink": lambda: delivers(event), "plain": lambda: plain(event), "puts": by_hand})
    micro = 1e6 / RECORDS
    added = (best["sink"] - best["puts"] - best["plain"]) * micro
    return [
        row("sink=: added to a record above its producer and the handler", (added, MOST), "µs", 1.0, "the bound"),
        row(
            "sink=: a record in all",
            (best["sink"] * micro, (best["puts"] + best["plain"]) * micro),
            "µs",
            None,
            "puts by hand",
        ),
    ]
