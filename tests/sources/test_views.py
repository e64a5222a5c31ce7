"""All record views, with whatever in their fields."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import DynamoDBRecord, KafkaRecord, KinesisRecord, SQSRecord, batch_handler
from partialbatch.errors import EventError, PayloadError

VALUES = [None, "", "x", 0, -1, 1.5, True, [], {}, [None], {"a": None}, "\ud800", float("nan"), 1e999, 10**30]
COMMON = {"raw", "identifier", "source", "event_source_arn", "group", "payload", "text", "data", "json"}
OWN = {
    SQSRecord: {
        *("message_id", "body", "attributes", "message_attributes", "receive_count", "group_id", "sent_at"),
        "last_attempt",
    },
    KinesisRecord: {"partition_key", "sequence_number", "arrived_at", "shard_id"},
    DynamoDBRecord: {
        *("event_name", "keys", "new_image", "old_image", "sequence_number", "stream_view_type", "created_at"),
        "is_ttl_delete",
    },
    KafkaRecord: {"topic", "partition", "offset", "key", "value", "headers", "timestamp"},
}


@pytest.fixture
def raws(sqs, kinesis, kinesis_pipe, dynamodb, kafka):
    """Give each view with raw records of its source."""
    attributes = {"t": {"stringValue": "x", "dataType": "String"}, "b": {"binaryValue": "YQ==", "dataType": "Binary"}}
    image = {"a": {"M": {"b": {"L": [{"N": "1"}, {"SS": ["x"]}, {"B": "YQ=="}]}}}}
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return [
        (SQSRecord, sqs(body='{"a": 1}', fifo=True, group="g", messageAttributes=attributes)),
        (KinesisRecord, kinesis(data=b'{"a": 1}')),
        (KinesisRecord, kinesis_pipe(data=b'{"a": 1}')),
        (DynamoDBRecord, dynamodb(new=image, old=image, userIdentity=identity)),
        (KafkaRecord, kafka(value=b'{"a": 1}')),
    ]


def _names(view):
    return sorted(name for name in dir(view) if not name.startswith("_"))


def _paths(raw, path=()):
    """Give the place of every field, however deep."""
    entries = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from _paths(value, (*path, key))


def _with(raw, path, value):
    """Copy a record with another value in one place."""
    changed = copy.deepcopy(raw)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def _read(view, raw, name):
    found = getattr(view(raw), name)
    return found() if name == "json" else found


def test_each_view_has_the_documented_names():
    """Each view has the documented names, and no other."""
    for view, own in OWN.items():
        assert set(_names(view)) == COMMON | own
        for name in _names(view):
            assert name == "raw" or inspect.getdoc(getattr(view, name))


def test_every_property_of_a_whole_record_can_be_read(raws):
    """Every property of a whole record can be read."""
    for view, raw in raws:
        for name in _names(view):
            # Images have no text, and a flat record's identifier is its source's to tell.
            if not (view is DynamoDBRecord and name in ("text", "data")) and not (
                "data" in raw and name == "identifier"
            ):
                _read(view, raw, name)


def _readings(record):
    """Return each property's value or error, as text."""
    readings = {}
    for name in _names(type(record)):
        try:
            readings[name] = repr(_read(lambda _: record, record.raw, name))
        except PayloadError as error:
            readings[name] = repr(error)
    return readings


def test_record_function_gets_the_public_view(raws):
    """A record function gets its source's view, and copies of it read the same, made before or after reading."""
    for view, raw in raws:
        source = view(raw)._origin
        record = source.calling(lambda record: record)(raw)
        assert isinstance(record, view)
        assert type(record).__name__ == view.__name__
        assert record.raw is raw
        expected = _readings(source.view(raw))
        unread = [copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))]
        assert _readings(record) == expected
        read = [copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))]
        for each in unread + read:
            assert type(each) is view
            assert _readings(each) == expected


def test_payload_and_json_are_computed_once(raws):
    """A view that a record function gets computes its payload and its JSON once."""
    for view, raw in raws:
        record = view(raw)._origin.calling(lambda record: record)(raw)
        assert record.payload is record.payload
        assert record.json() is record.json()


def test_any_value_in_any_field(raws):
    """Whatever stands in a field, a property gives a value or a PayloadError, never another exception."""
    refused = 0
    for view, raw in raws:
        for path in _paths(raw):
            for value in VALUES:
                changed = _with(raw, path, value)
                for name in _names(view):
                    try:
                        _read(view, changed, name)
                    except PayloadError:
                        refused += 1
                assert repr(view(changed))
    assert refused > 1000


@given(st.data())
def test_missing_field_gives_a_value_or_a_payload_error(data):
    """Whatever of a record is missing, a property gives a value or a PayloadError."""
    for view in OWN:
        names = ["kinesis", "dynamodb", "attributes", "messageAttributes", "headers", "body", "userIdentity", "key"]
        raw = data.draw(st.dictionaries(st.sampled_from(names), st.sampled_from(VALUES)))
        for name in _names(view):
            try:
                _read(view, raw, name)
            except PayloadError as error:
                assert error.__context__ is None or isinstance(error.__context__, PayloadError)  # noqa: PT017


def _event(view, records):
    """Put raw records into an event of their source."""
    if view is KafkaRecord:
        return {"eventSource": "aws:kafka", "records": {"orders-0": records}}
    return {"Records": records}


def _spoilt(raws):
    """Give each record in its own shape with each field spoilt but those that tell who sent it."""
    for view, raw in raws:
        if "data" not in raw:  # a Pipe's
            for path in _paths(raw):
                if path[0] not in ("eventSource", "eventSourceARN"):
                    yield from ((view, raw, _with(raw, path, value)) for value in (None, 5, "x", []))


def test_a_bad_record_fails_alone(raws):
    """Whatever stands in one record, the other is handled; without an identifier the batch comes back."""

    @batch_handler
    def handler(record):
        for name in set(_names(type(record))) - {"text", "data"}:
            _read(lambda _: record, record.raw, name)

    statuses = []
    for view, raw, spoilt in _spoilt(raws):
        try:
            result = handler.process(_event(view, [spoilt, copy.deepcopy(raw)]))
        except EventError as error:
            assert "has no identifier" in str(error)  # noqa: PT017 - either outcome is right
            continue
        first, second = result.results
        assert first.error is None or type(first.error) is PayloadError
        if view is not SQSRecord or first.status == "succeeded":  # FIFO stops
            assert second.status == "succeeded"
        statuses.append(first.status)
    assert statuses.count("failed") > 50
