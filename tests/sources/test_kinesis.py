"""Amazon Kinesis Data Streams."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from partialbatch import KinesisRecord, batch_handler
from partialbatch.errors import PayloadError
from partialbatch.sources.kinesis import KinesisPipeSource, KinesisSource
from partialbatch.testing import kinesis_event
from partialbatch.types import ErrorPolicy

NUMBER = "49590338271490256608559692538361571095921575989136588899"


def test_view_has_awss_fields_with_decoded_data(kinesis):
    """A view gives AWS's fields in snake_case, the data decoded and kept."""
    record = KinesisRecord(kinesis(data=b'{"a": 1}'))
    assert record.identifier == record.sequence_number == NUMBER
    assert record.source == "kinesis"
    assert record.group == record.partition_key == "k"
    assert record.arrived_at == datetime(2018, 12, 17, 22, 10, 50, 987000, UTC)
    assert record.shard_id == "shardId-000000000006"
    assert record.payload == record.data == b'{"a": 1}'
    assert record.payload is record.payload
    assert record.text == '{"a": 1}'
    assert record.json() == {"a": 1}
    assert record.event_source_arn.endswith("stream/orders")
    assert repr(record) == f"KinesisRecord('{NUMBER}')"


def test_flat_pipe_record_has_the_same_fields(kinesis_pipe):
    """A flat record of a Pipe has the same fields, and its event id as identifier."""
    record = KinesisPipeSource().view(kinesis_pipe(data=b"x"))
    assert record.identifier == f"shardId-000000000006:{NUMBER}"
    assert record.sequence_number == NUMBER
    assert record.partition_key == record.group == "k"
    assert record.shard_id == "shardId-000000000006"
    assert record.payload == b"x"
    assert record.arrived_at.year == 2018
    assert record.source == "kinesis"


def test_record_may_hold_no_bytes(kinesis):
    """A record may hold no bytes at all."""
    assert KinesisRecord(kinesis(data=b"")).payload == b""


NAMES = ("sequence_number", "partition_key", "arrived_at", "payload", "group", "identifier")


@pytest.mark.parametrize("name", [*NAMES, "shard_id"])
@pytest.mark.parametrize("value", [None, True, [], {}])
def test_null_field_is_a_payload_error_in_both_layouts(kinesis, kinesis_pipe, name, value):
    """Each field that is null or of another type is a PayloadError in both shapes."""
    wrong = dict.fromkeys(("partitionKey", "sequenceNumber", "data", "approximateArrivalTimestamp"), value)
    nested, flat = kinesis(kinesis=wrong, eventID=value), {**kinesis_pipe(), **wrong, "eventID": value}
    for record in (KinesisSource().view(nested), KinesisPipeSource().view(flat)):
        if name == "partition_key" and value is None:
            assert record.partition_key is None
            continue
        with pytest.raises(PayloadError):
            getattr(record, name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [None, True, [], "x"])
def test_nulls_instead_of_the_stream_part(kinesis, name, value):
    """A null under ``kinesis`` is a PayloadError too, and so is a record without anything that must be there."""
    for raw in (kinesis(kinesis=value), {}):
        if name == "partition_key" and not raw:
            continue
        with pytest.raises(PayloadError):
            getattr(KinesisRecord(raw), name)


@pytest.mark.parametrize("absent", [{}, {"partitionKey": None}, {"partitionKey": ""}])
def test_a_record_without_partition_key_stands_alone(kinesis, kinesis_pipe, absent):
    """Streams with record distribution AUTO have records without a key: the group is the record's own number."""
    nested, flat = kinesis(), kinesis_pipe()
    for part in (nested["kinesis"], flat):
        del part["partitionKey"]
        part.update(absent)
    for record in (KinesisSource().view(nested), KinesisPipeSource().view(flat)):
        assert record.partition_key is None
        assert record.group == record.sequence_number == NUMBER


@pytest.mark.parametrize("options", [{"error_policy": "skip_group"}, {"max_concurrency": 4}])
def test_records_without_partition_key_run_side_by_side_and_hold_nothing_back(options):
    """Neither `skip_group` nor workers need a key: only the record that failed is reported."""
    event = kinesis_event(["a", "b", "c", "d"], partition_keys=[None, None, "k", "k"])
    ran = []

    @batch_handler(**options)
    def handler(record):
        ran.append(record.text)
        assert record.text != "a"

    response = handler(event)
    assert sorted(ran) == ["a", "b", "c", "d"]
    [failed] = response["batchItemFailures"]
    assert failed["itemIdentifier"] == event["Records"][0]["kinesis"]["sequenceNumber"]


def test_source_knows_its_layout_and_continues_after_a_failure(kinesis, kinesis_pipe):
    """Each source knows its own shape, and continues after a failure."""
    stream, pipe = KinesisSource(), KinesisPipeSource()
    assert stream.matches({"Records": [kinesis()]})
    assert not stream.matches([kinesis_pipe()])
    assert pipe.matches([kinesis_pipe()])
    assert not pipe.matches({"Records": [kinesis()]})
    for source in (stream, pipe):
        assert source.policy([]) is ErrorPolicy.CONTINUE
        assert source.partial_response is True
        assert source.name == "kinesis"
