"""What type checkers see of the producers; mypy reads this, nobody runs it."""

from __future__ import annotations

from typing import Any, assert_type

from partialbatch import Backoff
from partialbatch.producers import DynamoDBProducer, DynamoDBReader, Item, KinesisProducer, SQSProducer, Stats
from partialbatch.types import Sink, Unprocessed

seen: list[int] = []
queue = SQSProducer(
    "url", ordering="batch", backoff=Backoff(), workers=2, progress=lambda stats: seen.append(stats.records)
)
queue.put({"id": 1}, delay_seconds=5, message_group_id="g")
queue.put("text", delay_seconds="5")  # type: ignore[typeddict-item, arg-type, unused-ignore] # seconds are a number
queue.put("text", colour=1)  # type: ignore[call-arg] # no such option
SQSProducer("url", max_retries=5)  # type: ignore[call-arg] # no such option
SQSProducer("url", ordering="loose")  # type: ignore[arg-type] # one of two texts
DynamoDBReader("orders", workers=2)  # type: ignore[call-arg] # an option of producers alone

assert_type(queue.flush(seconds=5), list[Unprocessed])
assert_type(queue.flush(lambda: 2.5), list[Unprocessed])
assert_type(queue.unsent, list[Unprocessed])
assert_type(queue.stats, Stats)

with KinesisProducer("stream") as stream:
    assert_type(stream, KinesisProducer)
    stream.put(b"data", partition_key="k")

table = DynamoDBProducer(keys={"orders": ("pk", "sk"), "customers": "pk"}, on_duplicate="serialize")
table.put({"pk": 1, "sk": 2}, table="orders")
table.delete({"pk": 1}, table="customers")

# A producer is what `sink=` and `dead_letter=` take.
sink: Sink = queue
session = sink.open(ordered=True, seconds_left=None)
session.put(Item({"id": 1}, delay_seconds=5), group="g")

for key, item in DynamoDBReader("orders").get([{"pk": 1}], ordered=True):
    assert_type(key["pk"], Any)
    assert_type(item, dict[str, Any] | None)
