"""Functions that make events for tests from plain Python values.

Two calls with the same arguments return equal events: message ids, sequence numbers and times count up
from fixed values, and `start` is the number of the first record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._arns import queue_arn, stream_arn, table_arn
from partialbatch.testing._event_layout import records_of, source_of
from partialbatch.testing._event_records import (
    dynamodb_records,
    kafka_head,
    kafka_partitions,
    partition_keys_of,
    sqs_records,
)
from partialbatch.testing._limits import BATCH_LIMIT, FIFO_LIMIT
from partialbatch.testing._records import kinesis_record
from partialbatch.testing._validation import listed, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["dynamodb_event", "kafka_event", "kinesis_event", "pipes_event", "sqs_event"]


def sqs_event(
    bodies: Iterable[Any],
    *,
    fifo: bool = False,
    groups: str | Sequence[str | None] | None = None,
    queue: str = "orders",
    receive_counts: int | Sequence[int] = 1,
    message_attributes: Mapping[str, Any] | None = None,
    start: int = 0,
) -> dict[str, Any]:
    """Return an event of a queue.

    Args:
        bodies: One body for each message: text stays as it is, other values become the JSON that producers write.
        fifo: Whether the queue is a FIFO queue. A name that ends in ``.fifo`` has the same effect.
        groups: The message group ids: one for each message, or one for all. By default, all messages of a
            FIFO queue are in one group.
        queue: The name or ARN of the queue.
        receive_counts: The ``ApproximateReceiveCount``: one for each message, or one for all.
        message_attributes: The attributes of all messages, by name: text, numbers or bytes.
        start: The number of the first message.

    Raises:
        ConfigurationError: Lambda would never deliver such an event.

    Example:
        >>> from partialbatch.testing import sqs_event
        >>> event = sqs_event([{"item": "tea"}], receive_counts=2)
        >>> event["Records"][0]["body"], event["Records"][0]["attributes"]["ApproximateReceiveCount"]
        ('{"item":"tea"}', '2')
    """
    texts = listed("bodies", bodies)
    arn = queue_arn(queue, fifo=fifo)
    whole("the number of bodies", len(texts), 0, FIFO_LIMIT if arn.endswith(".fifo") else BATCH_LIMIT)
    records = sqs_records(
        texts, arn, groups=groups, receive_counts=receive_counts, attributes=message_attributes or {}, start=start
    )
    return {"Records": list(records)}


def kinesis_event(
    data: Iterable[Any],
    *,
    partition_keys: str | Sequence[str | None] | None = None,
    stream: str = "orders",
    shard: int = 0,
    start: int = 0,
    first_sequence_number: int | None = None,
    window: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an event of a Kinesis data stream.

    Args:
        data: One value for each record: bytes and text stay as they are, other values become the JSON that
            producers write.
        partition_keys: One key for each record, or one for all. By default, each record has its own. None
            within a list: the record has no key, which streams with record distribution ``AUTO`` allow.
        stream: The name or ARN of the stream.
        shard: The number of the shard.
        start: The number of the first record.
        first_sequence_number: The sequence number of record 0. The others count up from it.
        window: Makes the event part of a tumbling window: any of ``window``, ``state``, ``shardId``,
            ``isFinalInvokeForWindow`` and ``isWindowTerminatedEarly``.

    Raises:
        ConfigurationError: Lambda would never deliver such an event.

    Example:
        >>> from partialbatch.testing import kinesis_event
        >>> event = kinesis_event(["tea", "jam"], partition_keys="anna", first_sequence_number=7)
        >>> [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
        ['7', '8']
    """
    values = listed("data", data)
    whole("the number of records", len(values), 0, BATCH_LIMIT)
    keys = partition_keys_of(partition_keys, len(values), start)
    arn = stream_arn(stream)
    records = [
        kinesis_record(number, value, arn=arn, key=key, shard=shard, first=first_sequence_number)
        for number, (value, key) in enumerate(zip(values, keys, strict=True), start)
    ]
    return _windowed({"Records": records}, window, f"shardId-{shard:012d}", arn)


def dynamodb_event(
    changes: Iterable[Any],
    *,
    keys: str | Sequence[str] = "id",
    view: str = "NEW_AND_OLD_IMAGES",
    ttl: bool = False,
    table: str = "orders",
    start: int = 0,
    first_sequence_number: int | None = None,
    window: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an event of a DynamoDB stream.

    Args:
        changes: One change for each record: an item as a dict, dataclass or pydantic model (INSERT), or a
            tuple of old and new item. ``(None, new)`` is an INSERT, ``(old, None)`` a REMOVE.
        keys: The names of the table's key attributes, one or two.
        view: The stream's view type: ``KEYS_ONLY``, ``NEW_IMAGE``, ``OLD_IMAGE`` or ``NEW_AND_OLD_IMAGES``.
        ttl: Whether each REMOVE was made by the table's time to live.
        table: The name or ARN of the table, or the ARN of its stream.
        start: The number of the first record.
        first_sequence_number: The sequence number of record 0. The others count up from it.
        window: As in `kinesis_event`.

    Raises:
        ConfigurationError: Lambda would never deliver such an event.

    Example:
        >>> from partialbatch.testing import dynamodb_event
        >>> event = dynamodb_event([({"id": 1, "stock": 3}, {"id": 1, "stock": 2})])
        >>> event["Records"][0]["eventName"], event["Records"][0]["dynamodb"]["NewImage"]["stock"]
        ('MODIFY', {'N': '2'})
    """
    values = listed("changes", changes)
    whole("the number of records", len(values), 0, BATCH_LIMIT)
    records = dynamodb_records(
        values, keys=keys, view=view, ttl=ttl, table=table, start=start, first=first_sequence_number
    )
    return _windowed({"Records": list(records)}, window, "shardId-00000001767225600000-a0b1c2d3", table_arn(table))


def _windowed(event: dict[str, Any], window: Mapping[str, Any] | None, shard: str, arn: str) -> dict[str, Any]:
    if window is None:
        return event
    usual = {
        "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:02:00Z"},
        "state": {},
        "shardId": shard,
        "eventSourceARN": arn,
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }
    unknown = set(window) - set(usual)
    if unknown:
        raise ConfigurationError.bad_value("window", min(unknown), "the keys " + ", ".join(usual))
    return {**event, **usual, **window}


def kafka_event(
    records: Mapping[str, Iterable[Any]],
    *,
    start: int = 0,
    headers: Mapping[str, Any] | None = None,
    self_managed: bool = False,
) -> dict[str, Any]:
    """Return an event of a Kafka topic.

    Args:
        records: The values of each topic-partition, such as ``{"orders-0": ["a", "b"]}``. Bytes and text
            stay as they are, other values become the JSON that producers write, None makes a tombstone, and
            a tuple is a key with its value.
        start: The offset of the first record of each partition.
        headers: The headers of all records, by name: text or bytes.
        self_managed: Whether you run the cluster yourself, rather than Amazon MSK.

    Raises:
        ConfigurationError: Lambda would never deliver such an event.

    Example:
        >>> from partialbatch.testing import kafka_event
        >>> event = kafka_event({"orders-0": ["tea", ("anna", "jam")]})
        >>> [record["offset"] for record in event["records"]["orders-0"]]
        [0, 1]
    """
    partitions = {name: list(raws) for name, raws in kafka_partitions(records, start, headers or {})}
    whole("the number of records", sum(map(len, partitions.values())), 0, BATCH_LIMIT)
    return {**kafka_head(self_managed=self_managed), "records": partitions}


def pipes_event(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an event as EventBridge Pipes sends it to its target: a list of records.

    Records of SQS and DynamoDB keep their layout. Records of Kinesis and Kafka become flat.

    Args:
        event: An event made by `sqs_event`, `kinesis_event`, `dynamodb_event` or `kafka_event`.

    Raises:
        EventError: The event comes from another source.

    Example:
        >>> from partialbatch.testing import kinesis_event, pipes_event
        >>> [record] = pipes_event(kinesis_event(["tea"]))
        >>> record["partitionKey"], record["eventSource"]
        ('key-0', 'aws:kinesis')
    """
    source, records = source_of(event), records_of(event)
    if source == "kinesis":
        return [{**raw["kinesis"], **{name: raw[name] for name in raw if name != "kinesis"}} for raw in records]
    if source == "kafka":
        head = {name: event[name] for name in event if name != "records"}
        return [{**head, "eventSourceKey": f"{raw['topic']}-{raw['partition']}", **raw} for raw in records]
    return records
