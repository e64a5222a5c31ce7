"""Events for tests, from plain Python values.

Two calls with the same arguments give equal events: message ids, sequence numbers and
times count up from fixed values, `start` being the number of the first record.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._arns import ACCOUNT, REGION, queue_arn, stream_arn, table_arn
from partialbatch.testing._event_layout import records_of, source_of
from partialbatch.testing._records import dynamodb_record, fields_of, kafka_record, kinesis_record, sqs_record
from partialbatch.testing._validation import each, listed, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["dynamodb_event", "kafka_event", "kinesis_event", "pipes_event", "sqs_event"]

BATCH_LIMIT = 10_000
"""The most records that Lambda takes in one batch (SQS FIFO: `FIFO_LIMIT`)."""
FIFO_LIMIT = 10
_VIEWS = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")


def sqs_event(  # one argument a setting
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
        bodies: One a message: text as it is, any other value as the JSON that producers write.
        fifo: Whether the queue is a FIFO queue; a name that ends in ``.fifo`` makes it one.
        groups: The message group ids, one a message or one for all; without, all messages
            of a FIFO queue are in one group.
        queue: The queue's name, or its ARN.
        receive_counts: ``ApproximateReceiveCount``, one a message or one for all.
        message_attributes: Attributes of all messages: texts, numbers, bytes.
        start: The number of the first message.

    Raises:
        ConfigurationError: An argument is beyond what Lambda would deliver.
    """
    texts = listed("bodies", bodies)
    arn = queue_arn(queue, fifo=fifo)
    whole("the number of bodies", len(texts), 0, FIFO_LIMIT if arn.endswith(".fifo") else BATCH_LIMIT)
    records = sqs_records(
        texts, arn, groups=groups, receive_counts=receive_counts, attributes=message_attributes or {}, start=start
    )
    return {"Records": list(records)}


def sqs_records(  # those of `sqs_event`
    bodies: Sequence[Any],
    arn: str,
    *,
    groups: str | Sequence[str | None] | None = None,
    receive_counts: int | Sequence[int] = 1,
    attributes: Mapping[str, Any] = MappingProxyType({}),
    start: int = 0,
) -> Iterator[Any]:
    """Yield the raw records of a queue, as many as there are bodies."""
    own = "group" if groups is None and arn.endswith(".fifo") else groups
    names = each("groups", own, len(bodies))
    if arn.endswith(".fifo") and None in names:
        raise ConfigurationError.bad_value("groups", groups, "a group a message: on a FIFO queue each has one")
    counts = [
        whole("receive_counts", count, 1, 1_000_000) for count in each("receive_counts", receive_counts, len(bodies))
    ]
    return (
        sqs_record(number, body, arn=arn, group=group, receives=count, attributes=attributes)
        for number, (body, group, count) in enumerate(zip(bodies, names, counts, strict=True), start)
    )


def kinesis_event(  # one argument a setting
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
        data: One a record: bytes and text as they are, any other value as the JSON that producers write.
        partition_keys: One a record or one for all; without, each record has its own. None in a list: the
            record has no key, as streams with record distribution ``AUTO`` allow.
        stream: The stream's name, or its ARN.
        shard: The number of the shard.
        start: The number of the first record.
        first_sequence_number: The sequence number of record 0; those after it count up.
        window: Makes it the event of a tumbling window: any of ``window``, ``state``,
            ``shardId``, ``isFinalInvokeForWindow``, ``isWindowTerminatedEarly``.
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


def partition_keys_of(keys: str | Sequence[str | None] | None, count: int, start: int = 0) -> Sequence[str | None]:
    """Return one partition key a record; without any each record has its own."""
    own = [f"key-{number}" for number in range(start, start + count)]
    if keys is None:
        return own
    return [None if key is None else str(key) for key in each("partition_keys", keys, count)]


def dynamodb_event(  # one argument a setting
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
        changes: One a record: an item as a dict, dataclass or model (INSERT), or a tuple of
            the old and the new item: ``(None, new)`` is an INSERT, ``(old, None)`` a REMOVE.
        keys: The names of the table's key attributes, one or two.
        view: The stream's view type; it says which images are in the event.
        ttl: Whether a REMOVE is one of the table's time to live.
        table: The table's name or ARN, or the ARN of its stream.
        start: The number of the first record.
        first_sequence_number: The sequence number of record 0; those after it count up.
        window: As in `kinesis_event`.
    """
    values = listed("changes", changes)
    whole("the number of records", len(values), 0, BATCH_LIMIT)
    records = dynamodb_records(
        values, keys=keys, view=view, ttl=ttl, table=table, start=start, first=first_sequence_number
    )
    return _windowed({"Records": list(records)}, window, "shardId-00000001767225600000-a0b1c2d3", table_arn(table))


def dynamodb_records(  # those of `dynamodb_event`
    changes: Iterable[Any],
    *,
    keys: str | Sequence[str] = "id",
    view: str = "NEW_AND_OLD_IMAGES",
    ttl: bool = False,
    table: str = "orders",
    start: int = 0,
    first: int | None = None,
) -> Iterator[Any]:
    """Yield the raw records of a DynamoDB stream, as many as there are changes."""
    if view not in _VIEWS:
        raise ConfigurationError.bad_value("view", view, " or ".join(_VIEWS))
    names, arn = (keys,) if isinstance(keys, str) else tuple(keys), table_arn(table)
    whole("the number of keys", len(names), 1, 2)
    return (
        dynamodb_record(number, *change, arn=arn, keys=names, view=view, ttl=ttl, first=first)
        for number, change in enumerate(map(_change, changes), start)
    )


def _change(value: Any) -> tuple[Any, Any]:
    old, new = value if isinstance(value, tuple) and len(value) == 2 else (None, value)  # old and new
    if old is new is None:
        raise ConfigurationError("changes takes items, or tuples of old and new item, one of them None at most")
    return _image(old), _image(new)


def _image(item: Any) -> Any:
    image = item if item is None or isinstance(item, dict) else fields_of(item)
    if image is None or isinstance(image, dict):
        return image
    raise ConfigurationError(f"changes takes items with named attributes, not a {type(item).__name__}")


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
        records: The messages of each topic-partition, ``{"orders-0": ["a", "b"]}``: bytes
            and text as they are, any other value as the JSON that producers write, None for
            a tombstone, and a tuple of key and value where there is a key.
        start: The offset of the first record of each partition.
        headers: Headers of all records: texts or bytes.
        self_managed: Whether the cluster is one's own, not one of Amazon MSK.
    """
    partitions = {name: list(raws) for name, raws in kafka_partitions(records, start, headers or {})}
    whole("the number of records", sum(map(len, partitions.values())), 0, BATCH_LIMIT)
    return {**kafka_head(self_managed=self_managed), "records": partitions}


def kafka_partitions(
    records: Mapping[str, Iterable[Any]], start: int = 0, headers: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[tuple[str, Iterator[Any]]]:
    """Yield each topic-partition and its raw records."""
    if not isinstance(records, dict):
        raise ConfigurationError("records takes a dict, such as {'orders-0': ['a', 'b']}")
    for name, values in records.items():
        place, messages = _topic_partition(name), listed(f"records[{name!r}]", values)
        yield name, _partition(place, messages, start, headers)


def _partition(place: tuple[str, int], values: list[Any], start: int, headers: Mapping[str, Any]) -> Iterator[Any]:
    return (kafka_record(*place, offset, _message(value), headers) for offset, value in enumerate(values, start))


def _message(value: Any) -> Any:
    if isinstance(value, tuple) and len(value) != 2:  # key and value
        raise ConfigurationError(f"records takes values, or tuples of key and value, not of {len(value)} entries")
    return value


def kafka_head(*, self_managed: bool) -> dict[str, Any]:
    """Return what stands beside the records in an event of Kafka."""
    servers = {"bootstrapServers": "b-1.orders.kafka.internal:9092,b-2.orders.kafka.internal:9092"}
    if self_managed:
        return {"eventSource": "SelfManagedKafka", **servers}
    arn = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/orders/751d2973-a626-431c-9d4e-d7975eb44dd7-2"
    return {"eventSource": "aws:kafka", "eventSourceArn": arn, **servers}


def _topic_partition(name: str) -> tuple[str, int]:
    """Take ``"<topic>-<n>"`` apart."""
    topic, dash, number = name.rpartition("-")
    if not (topic and dash and number.isdecimal()):
        raise ConfigurationError.bad_value("the topic-partition", name, "'<topic>-<number>'")
    return topic, int(number)


def pipes_event(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an event as EventBridge Pipes hands it to its target: a bare list.

    Records of SQS and DynamoDB keep their shape, those of Kinesis and Kafka become flat.

    Args:
        event: What `sqs_event`, `kinesis_event`, `dynamodb_event` or `kafka_event` gave.
    """
    source, records = source_of(event), records_of(event)
    if source == "kinesis":
        return [{**raw["kinesis"], **{name: raw[name] for name in raw if name != "kinesis"}} for raw in records]
    if source == "kafka":
        head = {name: event[name] for name in event if name != "records"}
        return [{**head, "eventSourceKey": f"{raw['topic']}-{raw['partition']}", **raw} for raw in records]
    return records
