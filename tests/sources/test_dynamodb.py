"""Amazon DynamoDB Streams."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from partialbatch import DynamoDBRecord
from partialbatch.errors import PayloadError
from partialbatch.sources.dynamodb import DynamoDBPipeSource, DynamoDBSource
from partialbatch.types import ErrorPolicy

NEW = {"id": {"N": "1"}, "name": {"S": "new"}}
OLD = {"id": {"N": "1"}, "name": {"S": "old"}}


def test_view_has_awss_fields_in_snake_case(dynamodb):
    """A view gives AWS's fields in snake_case, as plain Python, and keeps what it made."""
    record = DynamoDBRecord(dynamodb(new=NEW, old=OLD))
    assert record.identifier == record.sequence_number == "4421584500000000017450439092"
    assert record.source == "dynamodb"
    assert record.event_name == "MODIFY"
    assert record.keys == {"id": Decimal(1)}
    assert record.new_image == record.payload == record.json() == {"id": Decimal(1), "name": "new"}
    assert record.old_image == {"id": Decimal(1), "name": "old"}
    assert record.stream_view_type == "NEW_AND_OLD_IMAGES"
    assert record.created_at == datetime(2016, 11, 18, 20, 9, tzinfo=UTC)
    assert record.group == (("id", ("N", "1")),)
    assert record.is_ttl_delete is False
    assert record.keys is record.keys
    assert record.old_image is record.old_image
    assert record.new_image is record.new_image


def test_remove_and_keys_only_have_no_images(dynamodb):
    """A REMOVE, and a stream of keys only, have no images."""
    record = DynamoDBRecord(dynamodb(name="REMOVE"))
    assert record.new_image is None
    assert record.old_image is None
    assert record.payload is None
    assert record.json() is None
    for name in ("text", "data"):
        with pytest.raises(PayloadError, match="text or bytes"):
            getattr(record, name)


def test_image_without_attributes_is_an_image(dynamodb):
    """An image without attributes is an image."""
    assert DynamoDBRecord(dynamodb(new={})).new_image == {}


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ({"type": "Service", "principalId": "dynamodb.amazonaws.com"}, True),
        ({"type": "Service", "principalId": "other.amazonaws.com"}, False),
        ({"type": "User", "principalId": "dynamodb.amazonaws.com"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_only_removals_by_dynamodb_are_ttl_deletes(dynamodb, identity, expected):
    """Only what DynamoDB itself removed is a TTL deletion."""
    assert DynamoDBRecord(dynamodb(name="REMOVE", userIdentity=identity)).is_ttl_delete is expected


CHANGE = ("Keys", "NewImage", "OldImage", "SequenceNumber", "StreamViewType", "ApproximateCreationDateTime")
NAMES = ("keys", "sequence_number", "stream_view_type", "created_at", "group", "identifier")


@pytest.mark.parametrize("value", [None, 5, [], "", "x", True])
def test_null_or_missing_field_is_a_payload_error(dynamodb, value):
    """Each field that is null, missing or of another type is a PayloadError."""
    whole = DynamoDBRecord(dynamodb(dynamodb=value, eventName=value))
    for name in (*NAMES, "new_image", "old_image", "payload"):
        with pytest.raises(PayloadError):
            getattr(whole, name)
    parts = DynamoDBRecord(dynamodb(dynamodb=dict.fromkeys(CHANGE, value)))
    for name in ("keys", "group"):
        with pytest.raises(PayloadError, match="'Keys'"):
            getattr(parts, name)
    for name in ("new_image", "old_image"):
        if value is None:
            assert getattr(parts, name) is None
        else:
            with pytest.raises(PayloadError, match="isn't DynamoDB JSON"):
                getattr(parts, name)
    if not isinstance(value, str):
        for record, name in ((whole, "event_name"), (parts, "sequence_number"), (parts, "stream_view_type")):
            with pytest.raises(PayloadError):
                getattr(record, name)
    if value != 5:
        with pytest.raises(PayloadError, match="ApproximateCreationDateTime"):
            _ = parts.created_at


@pytest.mark.parametrize("value", [5, [], "x", True])
def test_identity_of_a_wrong_type(dynamodb, value):
    """An identity that is no dict is refused."""
    with pytest.raises(PayloadError, match="userIdentity"):
        _ = DynamoDBRecord(dynamodb(userIdentity=value)).is_ttl_delete


@pytest.mark.parametrize("keys", [{"id": None}, {"id": "x"}, {"id": [1]}])
def test_key_of_a_wrong_shape_fails_its_record(dynamodb, keys):
    """A key of a wrong shape is the record's fault."""
    with pytest.raises(PayloadError, match="'id'"):
        DynamoDBSource().group(dynamodb(dynamodb={"Keys": keys}))


@pytest.mark.parametrize("value", [[], {}, ["x"]])
def test_group_of_keys_that_hold_no_text(dynamodb, value):
    """So is a key's value of a wrong type: what cannot be hashed is no group."""
    with pytest.raises(PayloadError, match=r"'dynamodb\.Keys'"):
        DynamoDBSource().group(dynamodb(dynamodb={"Keys": {"id": {"S": value}}}))


def test_group_is_the_whole_key(dynamodb):
    """The group is the whole key, whatever the order of its parts, types included."""

    def group(**keys):
        return DynamoDBSource().group(dynamodb(dynamodb={"Keys": keys}))

    assert group(a={"S": "1"}, b={"N": "2"}) == group(b={"N": "2"}, a={"S": "1"})
    assert len({group(a={"S": "1"}), group(a={"N": "1"}), group(b={"S": "1"}), group(a={"S": "1"}, b={"S": "1"})}) == 4


def test_pipe_records_are_named_by_their_event_id(dynamodb):
    """Each source knows its own shape; a Pipe's records are named by their event id."""
    stream, pipe = DynamoDBSource(), DynamoDBPipeSource()
    assert stream.matches({"Records": [dynamodb()]})
    assert not stream.matches([dynamodb()])
    assert pipe.matches([dynamodb()])
    assert not pipe.matches({"Records": [dynamodb()]})
    assert pipe.view(dynamodb(7)).identifier == "e7"
    for source in (stream, pipe):
        assert source.policy([]) is ErrorPolicy.CONTINUE
        assert source.partial_response is True
        assert source.name == "dynamodb"
