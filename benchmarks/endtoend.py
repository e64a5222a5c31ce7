"""Time that a sink adds to a record, beyond its producer and the handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch import RawRecord, batch_handler
from partialbatch.producers import SQSProducer

from .events import sqs
from .runtime import delivered
from .table import Row, by_key
from .timing import race

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RECORDS = 1_000
MOST = 3.0
"""Microseconds a record that a sink may add."""


ROWS = (
    Row("sink-added", "sink=: added to a record of 1,000", target=1.0, against=f"{MOST} µs"),
    Row("sink-record", "sink=: a record of 1,000 in all", against="handler and puts by hand"),
)


class Queue:
    """Accepts all at once: what is left is our own work."""

    def send_message_batch(self, Entries, **_):  # noqa: N803 - boto3's name
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


def run(wanted: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Race a handler with a sink against the same handler and the same puts by hand."""
    event = sqs(RECORDS)
    producer = SQSProducer("https://sqs.eu-west-1.amazonaws.com/123456789012/out", client=Queue())

    def body(record: RawRecord):
        return record["body"]

    def by_hand(event, _context):
        session = producer.open()
        for record in event["Records"]:
            session.put(record["body"], group=None)
        session.flush()

    handlers = {"sink": batch_handler(body, sink=producer), "plain": batch_handler(body), "puts": by_hand}
    times = race({name: delivered(handler, event) for name, handler in handlers.items()})
    micro = 1e6 / RECORDS
    added = times.median(lambda sink, plain, puts: sink - plain - puts) * micro
    alone = times.median(lambda plain, puts, **_: plain + puts) * micro
    rows = by_key(ROWS)
    yield from (
        entry
        for entry in (
            rows["sink-added"].measured(added, MOST),
            rows["sink-record"].measured(times.median("sink") * micro, alone),
        )
        if entry["key"] in by_key(wanted)
    )
