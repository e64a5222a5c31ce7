"""Readers of shards."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from partialbatch.worker import dynamodb_shards, kinesis_shards
from partialbatch.worker._received_records import kinesis_record, sequence_number_of


def test_every_shard_is_read(services):
    """Each shard has a reader, and each record comes from one shard."""
    arn = services.stream(shards=3)
    bodies = [f"key-{number}" for number in range(20)]
    services.put(arn, bodies)
    found = []
    readers = list(kinesis_shards(services.kinesis, arn))
    for reader in readers:
        reader.seek(None)
        found += [record["kinesis"]["partitionKey"] for record in reader.read(100)]
    assert len({reader.shard_id for reader in readers}) == 3
    assert sorted(found) == sorted(bodies)


def test_seek_continues_after_a_sequence_number(services):
    """A reader continues after the checkpoint, and returns nothing at the end."""
    arn = services.stream()
    services.put(arn, "abcd")
    (reader,) = kinesis_shards(services.kinesis, arn)
    reader.seek("1")
    assert [record["kinesis"]["sequenceNumber"] for record in reader.read(2)] == ["2", "3"]
    assert [record["kinesis"]["sequenceNumber"] for record in reader.read(2)] == ["4"]
    assert reader.read(2) == []


class ByName:
    """An emulator that knows streams by their names only."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        def call(**arguments):
            assert "StreamARN" not in arguments
            return getattr(self._real, name)(**arguments)

        return call


def test_a_stream_is_read_by_its_name(services):
    """With the stream's name, no call has its ARN, because some emulators don't accept one."""
    arn = services.stream(shards=2)
    services.put(arn, "abcd")
    name = arn.rpartition("/")[2]
    found = []
    for reader in kinesis_shards(ByName(services.kinesis), arn, name=name):
        reader.seek(None)
        found += [record["kinesis"]["partitionKey"] for record in reader.read(100)]
    assert sorted(found) == list("abcd")


def test_record_without_a_partition_key_is_delivered_without_one():
    """A record that was put without a key is delivered without one."""
    record = {"SequenceNumber": "1", "Data": b"x", "ApproximateArrivalTimestamp": datetime.now(UTC)}
    made = kinesis_record(record, "arn:aws:kinesis:us-east-1:123456789012:stream/s", "shardId-000000000000")
    assert "partitionKey" not in made["kinesis"]
    assert made["kinesis"]["data"] == "eA=="


def test_dynamodb_seek_continues_after_a_sequence_number(services):
    """A reader of a DynamoDB stream continues after the checkpoint too."""
    name, arn = services.table()
    for key in "abc":
        services.dynamodb.put_item(TableName=name, Item={"id": {"S": key}})
    (reader,) = dynamodb_shards(services.dynamodbstreams, arn)
    reader.seek(None)
    first = reader.read(1)[0]["dynamodb"]["SequenceNumber"]
    reader.seek(first)
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in reader.read(9)] == ["b", "c"]


def test_dynamodb_shards_on_several_pages_are_read(services):
    """The description of a DynamoDB stream is read to its last page; moto has only one."""
    client = services.dynamodbstreams
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-21T00:00:00.000"
    first = {"StreamDescription": {"Shards": [{"ShardId": "s" * 28 + "1"}], "LastEvaluatedShardId": "s" * 28 + "1"}}
    second = {"StreamDescription": {"Shards": [{"ShardId": "s" * 28 + "2"}]}}
    with Stubber(client) as stub:
        stub.add_response("describe_stream", first, {"StreamArn": arn})
        stub.add_response("describe_stream", second, {"StreamArn": arn, "ExclusiveStartShardId": "s" * 28 + "1"})
        assert [reader.shard_id[-1] for reader in dynamodb_shards(client, arn)] == ["1", "2"]


def test_kinesis_shards_on_several_pages_are_read(services):
    """The shards of a large stream are listed to the last page, and a token is sent without the stream."""
    arn = services.stream()
    with Stubber(services.kinesis) as stub:
        ranges = {
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
            "SequenceNumberRange": {"StartingSequenceNumber": "0"},
        }
        first = {"Shards": [{"ShardId": "shard-1", **ranges}], "NextToken": "token"}
        stub.add_response("list_shards", first, {"StreamARN": arn})
        stub.add_response("list_shards", {"Shards": [{"ShardId": "shard-2", **ranges}]}, {"NextToken": "token"})
        assert [reader.shard_id for reader in kinesis_shards(services.kinesis, arn)] == ["shard-1", "shard-2"]


def test_closed_shard_ends_after_its_last_record(services):
    """A closed shard returns its records and then ends; moto never closes an iterator."""
    arn = services.stream()
    shard = "shardId-000000000000"
    client = services.kinesis
    with Stubber(client) as stub:
        stub.add_response("list_shards", {"Shards": []}, {"StreamARN": arn})
        assert list(kinesis_shards(client, arn)) == []
    (reader,) = kinesis_shards(client, arn)
    with Stubber(client) as stub:
        stub.add_response("get_shard_iterator", {"ShardIterator": "it"})
        stub.add_response("get_records", {"Records": []}, {"StreamARN": arn, "ShardIterator": "it", "Limit": 5})
        reader.seek(None)
        assert reader.read(5) == []
        assert reader.read(5) == []
    assert reader.shard_id == shard


def test_kinesis_record_has_every_field_that_lambda_sends(services):
    """Every field that Lambda delivers is there, with its type."""
    arn = services.stream()
    services.put(arn, ["hello"])
    (reader,) = kinesis_shards(services.kinesis, arn)
    reader.seek(None)
    (record,) = reader.read(1)
    json.dumps(record)
    stamp = record["kinesis"].pop("approximateArrivalTimestamp")
    assert isinstance(stamp, float)
    assert stamp > 1_700_000_000
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "hello",
            "sequenceNumber": "1",
            "data": "aGVsbG8=",
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000000:1",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/local",
        "awsRegion": "us-east-1",
        "eventSourceARN": arn,
    }


def test_dynamodb_record_has_every_field_that_lambda_sends(services):
    """Binaries are base64, numbers are text, and times are seconds since the epoch, as in Lambda's event."""
    name, arn = services.table()
    item = {
        "id": {"S": "a"},
        "blob": {"B": b"\x00\xff"},
        "blobs": {"BS": [b"x"]},
        "deep": {"M": {"list": {"L": [{"B": b"y"}, {"N": "1.50"}, {"NULL": True}]}}},
    }
    services.dynamodb.put_item(TableName=name, Item=item)
    services.dynamodb.delete_item(TableName=name, Key={"id": {"S": "a"}})
    (reader,) = dynamodb_shards(services.dynamodbstreams, arn)
    reader.seek(None)
    inserted, removed = reader.read(9)
    json.dumps([inserted, removed])
    assert set(inserted) == {
        "eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN",
    }  # fmt: skip
    assert inserted["eventSourceARN"] == arn
    assert inserted["dynamodb"]["Keys"] == {"id": {"S": "a"}}
    assert inserted["dynamodb"]["NewImage"] == {
        "id": {"S": "a"},
        "blob": {"B": "AP8="},
        "blobs": {"BS": ["eA=="]},
        "deep": {"M": {"list": {"L": [{"B": "eQ=="}, {"N": "1.50"}, {"NULL": True}]}}},
    }
    assert inserted["dynamodb"]["ApproximateCreationDateTime"] > 1_700_000_000
    assert [record["eventName"] for record in (inserted, removed)] == ["INSERT", "REMOVE"]
    assert "NewImage" not in removed["dynamodb"]


def test_deletion_by_time_to_live_names_the_service(services):
    """A deletion by time to live has the identity of the service; moto doesn't have it."""
    name, arn = services.table()
    assert name
    (reader,) = dynamodb_shards(services.dynamodbstreams, arn)
    removed = {
        "eventID": "1",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {"Keys": {"id": {"S": "a"}}, "SequenceNumber": "1" * 21},
        "userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
    }
    with Stubber(services.dynamodbstreams) as stub:
        stub.add_response("get_shard_iterator", {"ShardIterator": "it"})
        stub.add_response("get_records", {"Records": [removed]})
        reader.seek(None)
        (record,) = reader.read(1)
    assert record["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def test_dynamodb_record_of_the_starting_second_is_read(services):
    """A record of the second in which reading starts isn't left out; moto has milliseconds."""
    _, arn = services.table()
    began = 1_700_000_000.7
    (reader,) = dynamodb_shards(services.dynamodbstreams, arn, began)
    base = {"eventID": "1", "eventName": "REMOVE", "eventVersion": "1.1", "awsRegion": "us-east-1"}
    times = [datetime.fromtimestamp(at, UTC) for at in (1_699_999_999, 1_700_000_000)]
    records = [base | {"dynamodb": {"SequenceNumber": "1" * 21, "ApproximateCreationDateTime": at}} for at in times]
    with Stubber(services.dynamodbstreams) as stub:
        stub.add_response("get_shard_iterator", {"ShardIterator": "it"})
        stub.add_response("get_records", {"Records": records})
        reader.seek(None)
        (record,) = reader.read(2)
    assert record["dynamodb"]["ApproximateCreationDateTime"] == 1_700_000_000


def test_clock_that_is_ahead_reads_from_the_oldest_record(services):
    """Kinesis refuses a time in the future, so reading begins at the oldest record and leaves the older ones out."""
    arn = services.stream()
    (reader,) = kinesis_shards(services.kinesis, arn, 1_700_000_000.5)
    which = {"StreamARN": arn, "ShardId": reader.shard_id}
    then = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(1_700_000_000.5, UTC)}
    times = [datetime.fromtimestamp(at, UTC) for at in (1_700_000_000.4, 1_700_000_000.6)]
    records = [
        {"SequenceNumber": str(number), "PartitionKey": "k", "Data": b"x", "ApproximateArrivalTimestamp": at}
        for number, at in enumerate(times)
    ]
    with Stubber(services.kinesis) as stub:
        stub.add_client_error("get_shard_iterator", "InvalidArgumentException", expected_params=then | which)
        oldest = {"ShardIteratorType": "TRIM_HORIZON"}
        stub.add_response("get_shard_iterator", {"ShardIterator": "it"}, oldest | which)
        stub.add_response("get_records", {"Records": records, "NextShardIterator": "next"})
        stub.add_client_error("get_shard_iterator", "AccessDeniedException")
        reader.seek(None)
        assert [sequence_number_of(record) for record in reader.read(5)] == ["1"]
        with pytest.raises(ClientError, match="AccessDenied"):
            reader.seek(None)


@pytest.mark.parametrize("absent", [{}, {"PartitionKey": ""}])
def test_a_kinesis_record_without_partition_key_has_none_in_the_event(absent):
    """Streams with record distribution AUTO have such records."""
    record = {"SequenceNumber": "1", "Data": b"x", "ApproximateArrivalTimestamp": datetime.now(UTC), **absent}
    raw = kinesis_record(record, "arn:aws:kinesis:eu-west-1:123456789012:stream/orders", "shardId-0")
    assert "partitionKey" not in raw["kinesis"]
    assert raw["kinesis"]["sequenceNumber"] == "1"


@pytest.mark.parametrize("after", [None, "7"])
def test_expired_iterator_is_replaced_without_a_gap(services, after):
    """An expired iterator is replaced at the same place, and no record is left out or repeated."""
    arn = services.stream()
    (reader,) = kinesis_shards(services.kinesis, arn)
    record = {
        "SequenceNumber": "8",
        "PartitionKey": "k",
        "Data": b"x",
        "ApproximateArrivalTimestamp": datetime.now(UTC),
    }
    place = {"ShardIteratorType": "TRIM_HORIZON"}
    if after:
        place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
    moved = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "8"}
    which = {"StreamARN": arn, "ShardId": reader.shard_id}

    def get(iterator):
        return {"StreamARN": arn, "ShardIterator": iterator, "Limit": 5}

    with Stubber(services.kinesis) as stub:
        stub.add_response("get_shard_iterator", {"ShardIterator": "one"}, {**place, **which})
        stub.add_client_error("get_records", "ExpiredIteratorException", expected_params=get("one"))
        stub.add_response("get_shard_iterator", {"ShardIterator": "two"}, {**place, **which})
        stub.add_response("get_records", {"Records": [record], "NextShardIterator": "three"}, get("two"))
        stub.add_client_error("get_records", "ExpiredIteratorException", expected_params=get("three"))
        stub.add_response("get_shard_iterator", {"ShardIterator": "four"}, {**moved, **which})
        stub.add_response("get_records", {"Records": [], "MillisBehindLatest": 9}, get("four"))
        reader.seek(after)
        assert len(reader.read(5)) == 1
        assert reader.read(5) == []
    assert not reader.at_end
    assert reader.closed


def test_other_errors_pass_through(services):
    """An error other than an expired iterator is raised."""
    arn = services.stream()
    (reader,) = kinesis_shards(services.kinesis, arn)
    with Stubber(services.kinesis) as stub:
        stub.add_response("get_shard_iterator", {"ShardIterator": "one"})
        stub.add_client_error("get_records", "AccessDeniedException")
        stub.add_client_error("get_shard_iterator", "AccessDeniedException")
        reader.seek(None)
        with pytest.raises(ClientError, match="AccessDenied"):
            reader.read(5)
        with pytest.raises(ClientError, match="AccessDenied"):
            reader.seek("1")


def test_checkpoint_past_the_retention_continues_at_the_oldest_record(services, caplog):
    """A checkpoint that is older than the retention is logged, and reading continues at the oldest record."""
    _, arn = services.table()
    (reader,) = dynamodb_shards(services.dynamodbstreams, arn)
    with Stubber(services.dynamodbstreams) as stub:
        stub.add_client_error("get_shard_iterator", "TrimmedDataAccessException")
        stub.add_response(
            "get_shard_iterator",
            {"ShardIterator": "oldest"},
            {"StreamArn": arn, "ShardId": reader.shard_id, "ShardIteratorType": "TRIM_HORIZON"},
        )
        reader.seek("1" * 21)
    assert "records after the checkpoint 111111111111111111111 are older than the stream's retention" in caplog.text


def test_children_of_a_split_shard_name_their_parent(services):
    """The children of a shard name it, and a shard of an emulator that has ended is closed after reading."""
    arn = services.stream()
    half = str(2**127)
    services.kinesis.split_shard(StreamARN=arn, ShardToSplit="shardId-000000000000", NewStartingHashKey=half)
    parent, *children = kinesis_shards(services.kinesis, arn)
    assert [child.parents for child in children] == [("shardId-000000000000",)] * 2
    assert parent.parents == ()
    for reader in (parent, *children):
        reader.seek(None)
        assert reader.read(5) == []
    assert [reader.closed for reader in (parent, *children)] == [True, False, False]
