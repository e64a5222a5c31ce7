"""Makes the raw records of one event from plain Python values."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._arns import ACCOUNT, REGION, table_arn
from partialbatch.testing._records import dynamodb_record, fields_of, kafka_record, sqs_record
from partialbatch.testing._validation import each, listed, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["dynamodb_records", "kafka_head", "kafka_partitions", "partition_keys_of", "sqs_records"]

_VIEWS = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")


def sqs_records(
    bodies: Sequence[Any],
    arn: str,
    *,
    groups: str | Sequence[str | None] | None = None,
    receive_counts: int | Sequence[int] = 1,
    attributes: Mapping[str, Any] = MappingProxyType({}),
    start: int = 0,
) -> Iterator[Any]:
    """Yield one raw record of a queue for each body. The arguments are those of `sqs_event`."""
    own = "group" if groups is None and arn.endswith(".fifo") else groups
    names = each("groups", own, len(bodies))
    if arn.endswith(".fifo") and None in names:
        raise ConfigurationError.bad_value("groups", groups, "a group for each message of a FIFO queue")
    counts = [
        whole("receive_counts", count, 1, 1_000_000) for count in each("receive_counts", receive_counts, len(bodies))
    ]
    return (
        sqs_record(number, body, arn=arn, group=group, receives=count, attributes=attributes)
        for number, (body, group, count) in enumerate(zip(bodies, names, counts, strict=True), start)
    )


def partition_keys_of(keys: str | Sequence[str | None] | None, count: int, start: int = 0) -> Sequence[str | None]:
    """Return one partition key for each record. If no keys are given, each record has its own."""
    own = [f"key-{number}" for number in range(start, start + count)]
    if keys is None:
        return own
    return [None if key is None else str(key) for key in each("partition_keys", keys, count)]


def dynamodb_records(
    changes: Iterable[Any],
    *,
    keys: str | Sequence[str] = "id",
    view: str = "NEW_AND_OLD_IMAGES",
    ttl: bool = False,
    table: str = "orders",
    start: int = 0,
    first: int | None = None,
) -> Iterator[Any]:
    """Yield one raw record of a DynamoDB stream for each change. The arguments are those of `dynamodb_event`."""
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
        raise ConfigurationError("changes takes items, or tuples of old and new item, of which at most one is None")
    return _image(old), _image(new)


def _image(item: Any) -> Any:
    image = item if item is None or isinstance(item, dict) else fields_of(item)
    if image is None or isinstance(image, dict):
        return image
    raise ConfigurationError(f"changes takes items with named attributes, not a {type(item).__name__}")


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
        raise ConfigurationError(
            f"records takes values, or tuples of key and value: this tuple has {len(value)} entries"
        )
    return value


def kafka_head(*, self_managed: bool) -> dict[str, Any]:
    """Return the fields beside the records in an event of Kafka."""
    servers = {"bootstrapServers": "b-1.orders.kafka.internal:9092,b-2.orders.kafka.internal:9092"}
    if self_managed:
        return {"eventSource": "SelfManagedKafka", **servers}
    arn = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/orders/751d2973-a626-431c-9d4e-d7975eb44dd7-2"
    return {"eventSource": "aws:kafka", "eventSourceArn": arn, **servers}


def _topic_partition(name: str) -> tuple[str, int]:
    """Split ``"<topic>-<n>"`` into the topic and the number."""
    topic, dash, number = name.rpartition("-")
    if not (topic and dash and number.isdecimal()):
        raise ConfigurationError.bad_value("the topic-partition", name, "'<topic>-<number>'")
    return topic, int(number)
