"""Amazon SQS."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import SQSRecord, batch_handler
from partialbatch._core import logs
from partialbatch.errors import PayloadError
from partialbatch.sources.sqs import SQSSource
from partialbatch.testing import sqs_event
from partialbatch.types import ErrorPolicy


def test_view_has_awss_fields_in_snake_case(sqs):
    """A view gives AWS's fields in snake_case."""
    raw = sqs(body='{"a": 1}', group="g")
    record = SQSRecord(raw)
    assert record.raw is raw
    assert record.identifier == record.message_id == "m-1"
    assert record.source == "sqs"
    assert record.event_source_arn == "arn:aws:sqs:eu-west-1:123456789012:orders"
    assert record.body == record.text == record.payload == '{"a": 1}'
    assert record.data == b'{"a": 1}'
    assert record.json() == {"a": 1}
    assert record.attributes is raw["attributes"]
    assert record.receive_count == 2
    assert record.group_id == "g"
    assert record.sent_at == datetime(2018, 12, 17, 21, 37, 29, 183000, UTC)
    assert record.last_attempt is None
    assert repr(record) == "SQSRecord('m-1')"


def _told(record):
    """Give all that a view says, and what it refuses to."""
    told = {"repr": repr(record)}
    for name in sorted(name for name in dir(SQSRecord) if not name.startswith("_")):
        try:
            told[name] = record.json() if name == "json" else getattr(record, name)
        except PayloadError as error:
            told[name] = str(error)
    return told


@given(st.data())
def test_what_a_record_function_gets(data):
    """A record function gets what `view` gives, whatever stands in a message, in whatever copy."""
    source = SQSSource(max_receive_count=data.draw(st.sampled_from([None, 3])))
    raw = sqs_event(["x"])["Records"][0]
    for name in data.draw(st.sets(st.sampled_from(sorted(raw)))):
        raw[name] = data.draw(st.sampled_from([None, "", "[1]", "\ud800", 5, [], {}]))
    if data.draw(st.booleans()):
        raw.pop("body", None)
    record = source.calling(lambda record: record)(raw)
    assert isinstance(record, SQSRecord)
    assert record.raw is raw
    expected = _told(source.view(raw))
    copies = [record, copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))]
    for each in copies:
        assert _told(each) == expected
    assert {type(each) for each in copies[1:]} == {SQSRecord}


def test_message_attributes_are_typed_by_their_data_type(sqs):
    """Message attributes are typed by their data type, its custom part aside, and kept."""
    record = SQSRecord(
        sqs(
            messageAttributes={
                "text": {"stringValue": "é", "dataType": "String"},
                "labelled": {"stringValue": "x", "dataType": "String.uuid"},
                "number": {"stringValue": "1.50", "dataType": "Number"},
                "counted": {"stringValue": "7", "dataType": "Number.int"},
                "binary": {"binaryValue": "YWJj", "dataType": "Binary.gzip"},
                "empty": {"stringValue": "", "dataType": "String", "stringListValues": [], "binaryListValues": []},
            }
        )
    )
    assert record.message_attributes == {
        "text": "é",
        "labelled": "x",
        "number": Decimal("1.50"),
        "counted": Decimal(7),
        "binary": b"abc",
        "empty": "",
    }
    assert record.message_attributes is record.message_attributes
    assert str(record.message_attributes["number"]) == "1.50"


@pytest.mark.parametrize("attributes", [None, {}])
def test_message_without_attributes_has_an_empty_dict(sqs, attributes):
    """A message without message attributes has an empty dict."""
    assert SQSRecord(sqs(messageAttributes=attributes)).message_attributes == {}


@pytest.mark.parametrize(
    "attributes",
    [
        "x",
        [{}],
        {"a": None},
        {"a": "x"},
        {"a": {}},
        {"a": {"dataType": None, "stringValue": "x"}},
        {"a": {"dataType": "String", "stringValue": None}},
        {"a": {"dataType": "Number", "stringValue": "many"}},
        {"a": {"dataType": "Number", "stringValue": 5}},
        {"a": {"dataType": "Binary", "binaryValue": None}},
        {"a": {"dataType": "Binary", "binaryValue": "é"}},
        {"a": {"dataType": "Binary", "stringValue": "YQ=="}},
    ],
)
def test_message_attributes_of_a_wrong_shape_fail_their_record(sqs, attributes):
    """Message attributes of a wrong shape are the record's fault."""
    with pytest.raises(PayloadError, match=r"messageAttributes|dataType|stringValue"):
        _ = SQSRecord(sqs(messageAttributes=attributes)).message_attributes


PROPERTIES = ("message_id", "body", "attributes", "receive_count", "group_id", "sent_at", "payload", "identifier")


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("value", [None, 5, [], {}, "", True, 1.5])
def test_fields_of_a_wrong_type(sqs, name, value):
    """Whatever stands in the fields, a property gives its type or a PayloadError."""
    attributes = dict.fromkeys(("ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"), value)
    for raw in ({}, sqs(messageId=value, body=value, attributes=value), sqs(attributes=attributes)):
        record = SQSRecord(raw)
        try:
            found = getattr(record, name)
        except PayloadError as error:
            assert error.__context__ is None  # noqa: PT017 - either outcome is right
        else:
            assert isinstance(found, str | dict | int | datetime | None)
            assert not isinstance(found, bool)


@pytest.mark.parametrize("value", [None, 5, [], True])
def test_null_or_wrong_field_is_named(sqs, value):
    """A field that is null, or of another type, is named."""
    record = SQSRecord(sqs(messageId=value, body=value, attributes=value))
    for name, field in [
        ("message_id", "messageId"),
        ("body", "body"),
        ("payload", "body"),
        ("text", "body"),
        ("attributes", "attributes"),
        ("receive_count", "attributes"),
        ("group_id", "attributes"),
        ("sent_at", "attributes"),
        ("identifier", "identifier"),
    ]:
        with pytest.raises(PayloadError, match=field):
            getattr(record, name)


@pytest.mark.parametrize("count", [None, "", "many", 1.5, True, [], float("inf"), "1" * 5000])
def test_receive_count_that_is_not_a_whole_number_is_refused(sqs, count):
    """A receive count that is no whole number is refused."""
    record = SQSRecord(sqs(attributes={"ApproximateReceiveCount": count}))
    with pytest.raises(PayloadError, match=r"attributes\.ApproximateReceiveCount"):
        _ = record.receive_count


def test_receive_count_as_a_number(sqs):
    """A Pipe's or a hand-made event may hold a number."""
    assert SQSRecord(sqs(attributes={"ApproximateReceiveCount": 3})).receive_count == 3


@pytest.mark.parametrize(("limit", "expected"), [(None, None), (1, True), (2, True), (3, False)])
def test_last_attempt_is_at_or_beyond_the_max_receive_count(sqs, limit, expected):
    """The last attempt is the one at the queue's maxReceiveCount, or beyond it."""
    source = SQSSource(max_receive_count=limit)
    assert source.view(sqs()).last_attempt is expected
    assert source.last_attempt(sqs()) is bool(expected)


def test_last_attempt_of_a_bad_count(sqs):
    """Without a receive count nobody can tell."""
    with pytest.raises(PayloadError):
        _ = SQSSource(max_receive_count=3).view(sqs(attributes={})).last_attempt


def test_last_attempt_under_another_source(sqs):
    """A view over a source of the user's own does not know the queue's limit."""

    class Source(SQSSource):
        pass

    class Other:
        name = "other"

    assert SQSRecord(sqs(), Other()).last_attempt is None
    assert SQSRecord(sqs(), Source(max_receive_count=2)).last_attempt is True


def test_fifo_is_known_by_the_arn_only(sqs):
    """A group id on a standard queue says nothing about order."""
    source = SQSSource()
    fair, ordered = sqs(group="g"), sqs(group="g", fifo=True)
    assert source.policy([fair]) is ErrorPolicy.CONTINUE
    assert source.policy([ordered]) is ErrorPolicy.STOP
    assert source.group(fair) is None
    assert source.group(ordered) == "g"
    assert source.group(sqs()) is None
    assert SQSRecord(ordered).group == "g"
    assert source.policy([sqs(eventSourceARN=None)]) is ErrorPolicy.CONTINUE
    assert source.policy([sqs(eventSourceARN="arn:aws:sqs:eu-west-1:1:a.fifo-copy")]) is ErrorPolicy.CONTINUE


def test_fifo_option_overrides_the_arn(sqs):
    """The option overrides the ARN, both ways."""
    assert SQSSource(fifo=True).policy([sqs()]) is ErrorPolicy.STOP
    assert SQSSource(fifo=True).group(sqs(group="g")) == "g"
    assert SQSSource(fifo=False).policy([sqs(fifo=True)]) is ErrorPolicy.CONTINUE
    assert SQSSource(fifo=False).group(sqs(fifo=True, group="g")) is None


@pytest.mark.parametrize("attributes", [None, {}, "x", {"MessageGroupId": None}, {"MessageGroupId": 5}])
def test_group_of_a_bad_message(sqs, attributes):
    """A FIFO message without a readable group is the record's fault."""
    with pytest.raises(PayloadError, match="MessageGroupId"):
        SQSSource().group(sqs(fifo=True, attributes=attributes))


def test_messages_are_known_in_both_layouts(sqs):
    """Messages are known in both shapes."""
    source = SQSSource()
    assert source.matches({"Records": [sqs()]})
    assert source.matches([sqs()])
    assert not source.matches({"Records": [{"eventSource": "aws:s3"}]})
    assert source.records([1]) == [1]
    assert source.records({"Records": [1]}) == [1]
    assert source.identifier(sqs()) == "m-1"
    assert source.partial_response is True


GROUPED = ["a", "a", "b"]


def _skipping(event, **options):
    @batch_handler(error_policy="skip_group", raise_on_full_failure=False, **options)
    def handler(record):
        raise ValueError

    for _ in range(2):
        handler(event)


@pytest.fixture
def lines(caplog, monkeypatch):
    """Return the lines about groups that are no groups; nothing was told in this process yet."""
    monkeypatch.setattr(logs, "_told", set())
    return lambda: [line for line in caplog.messages if "skip_group" in line]


def _standard_with_groups():
    event = sqs_event(GROUPED)
    for raw, group in zip(event["Records"], GROUPED, strict=True):
        raw["attributes"]["MessageGroupId"] = group
    return event


def test_skip_group_without_fifo_is_told_once(lines):
    """Messages with group ids from a queue that isn't known to be FIFO: one line names ``fifo=True``."""
    _skipping(_standard_with_groups())
    [line] = lines()
    assert "their queue's ARN doesn't end in '.fifo'" in line
    assert "give fifo=True" in line


@pytest.mark.parametrize(
    ("event", "options"),
    [
        (sqs_event(GROUPED, fifo=True, groups=GROUPED), {}),
        (sqs_event(GROUPED), {}),
        (_standard_with_groups(), {"fifo": True}),
        (_standard_with_groups(), {"fifo": False}),
        (_standard_with_groups(), {"group_by": lambda record: record.body}),
        ({"Records": [{**raw, "attributes": None} for raw in sqs_event(GROUPED)["Records"]]}, {}),
    ],
)
def test_skip_group_that_works_or_is_meant_is_not_told(lines, event, options):
    """A FIFO queue, messages without groups, ``fifo=`` given or groups of one's own: no line."""
    _skipping(event, **options)
    assert lines() == []
