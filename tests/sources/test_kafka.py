"""Apache Kafka."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from partialbatch import KafkaRecord, batch_handler
from partialbatch.errors import EventError, PayloadError
from partialbatch.sources.kafka import KafkaPipeSource, KafkaSource
from partialbatch.types import ErrorPolicy


def test_view_has_the_messages_fields_decoded(kafka):
    """A view gives the message's fields, decoded and kept."""
    record = KafkaRecord(kafka(value=b'{"a": 1}'))
    assert record.identifier == {"partition": "orders-0", "offset": 15}
    assert record.source == "kafka"
    assert (record.topic, record.partition, record.offset) == ("orders", 0, 15)
    assert record.group == ("orders", 0)
    assert record.key == b"key"
    assert record.value == record.payload == record.data == b'{"a": 1}'
    assert record.text == '{"a": 1}'
    assert record.json() == {"a": 1}
    assert record.headers == [("trace", b"he\xff"), ("trace", b"")]
    assert record.timestamp == datetime(2018, 12, 17, 22, 10, 50, 987000, UTC)
    assert record.headers is record.headers
    assert record.key is record.key
    assert record.value is record.value
    assert repr(record) == "KafkaRecord({'partition': 'orders-0', 'offset': 15})"


@pytest.mark.parametrize(("arn", "seen"), [("arn:cluster", "arn:cluster"), (None, ""), (5, "")])
def test_the_cluster_is_known_from_the_event(kafka, arn, seen):
    """The ARN stands once in the event; a self-managed cluster has none, and neither has a view made by hand."""
    views = []
    batch_handler(views.append)({"eventSource": "aws:kafka", "eventSourceArn": arn, "records": {"orders-0": [kafka()]}})
    assert [record.event_source_arn for record in views] == [seen]
    assert KafkaRecord(kafka()).event_source_arn == ""


def test_message_may_have_neither_key_nor_value(kafka):
    """A message may have neither key nor value; an empty value is none of these."""
    record = KafkaRecord(kafka(key=None, value=None))
    assert record.key is None
    assert record.value is None
    assert record.json() is None
    raw = kafka()
    del raw["key"], raw["headers"]
    assert KafkaRecord(raw).key is None
    assert KafkaRecord(raw).headers == []
    assert KafkaRecord(kafka(value=b"")).value == b""


@pytest.mark.parametrize("headers", [None, []])
def test_message_without_headers_has_an_empty_list(kafka, headers):
    """A message without headers has an empty list."""
    assert KafkaRecord(kafka(headers=headers)).headers == []


@pytest.mark.parametrize(
    "headers",
    [
        *({}, "", "x", 5, True, 0),
        *([5], [None], [{"a": None}], [{"a": "x"}], [{"a": {}}], [{"a": ["x"]}], [{"a": [None]}], [{"a": [1.5]}]),
        ["a"],
        {"a": [1]},
    ],
)
def test_headers_of_a_wrong_shape_fail_their_record(kafka, headers):
    """Headers of a wrong shape are the record's fault."""
    with pytest.raises(PayloadError, match=r"headers|'a'") as caught:
        _ = KafkaRecord(kafka(headers=headers)).headers
    assert caught.value.__context__ is None


@pytest.mark.parametrize("headers", [["hunter2"], [["a", "hunter2"]], [[{"a": "hunter2"}]], ["a", {}]])
def test_headers_that_are_no_objects(kafka, headers):
    """What stands where a header's object should be is not taken for a header's name, and not shown."""
    with pytest.raises(PayloadError, match="'headers' is of type list; expected a list of byte") as caught:
        _ = KafkaRecord(kafka(headers=headers)).headers
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "x", [], {}, True, 1.5])
def test_null_field_is_a_payload_error_and_no_identifier(kafka, value):
    """Each field that is null or of another type is a PayloadError, and no identifier is made of it."""
    fields = ("topic", "partition", "offset", "timestamp")
    for name in fields:
        if name == "topic" and value == "x":
            continue
        if name == "timestamp" and value == 1.5:
            continue
        record = KafkaRecord(kafka(**{name: value}))
        with pytest.raises(PayloadError, match=name):
            getattr(record, name)
        if name != "timestamp":
            with pytest.raises(PayloadError, match=name):
                _ = record.identifier
            assert repr(record) == "KafkaRecord(no identifier)"
        if name in ("topic", "partition"):
            with pytest.raises(PayloadError, match=name):
                _ = record.group
    if value is not None:
        broken = kafka()
        broken.update(key=value, value=value)
        record = KafkaRecord(broken)
        for name in ("key", "value", "payload"):
            with pytest.raises(PayloadError, match="base64"):
                getattr(record, name)


def test_records_are_in_the_order_of_their_partitions(kafka, of_kafka):
    """The messages of all topic-partitions come one after another, in the event's order."""
    first, second, third = kafka(1), kafka(1, partition=1), kafka(2)
    assert KafkaSource().records(of_kafka(first, second, third)) == [first, third, second]


@pytest.mark.parametrize("records", [None, [], "x", {"orders-0": None}, {"orders-0": {}}, {"orders-0": [5]}])
def test_other_layouts_are_refused(of_kafka, records):
    """What is no map of topic-partitions to messages is no batch."""
    event = {**of_kafka(), "records": records}
    with pytest.raises(EventError):
        KafkaSource().records(event)


def test_msk_and_self_managed_clusters_are_one_source(kafka, of_kafka):
    """Amazon MSK and self-managed clusters are one source; a Pipe takes no partial response."""
    source, pipe = KafkaSource(), KafkaPipeSource()
    for name in ("aws:kafka", "SelfManagedKafka"):
        assert source.matches(of_kafka(kafka(), source=name))
        assert not source.matches([{**kafka(), "eventSource": name}])
        assert pipe.matches([{**kafka(), "eventSource": name}])
        assert not pipe.matches(of_kafka(kafka(), source=name))
    assert not source.matches(of_kafka(source="aws:sqs"))
    assert source.partial_response is True
    assert pipe.partial_response is False
    assert pipe.records([kafka()]) == [kafka()]
    assert source.view(kafka()).offset == 15
    assert source.policy([]) is ErrorPolicy.CONTINUE
