"""What all record views have in common."""

from __future__ import annotations

import base64
import json
import math
import sys
from binascii import a2b_base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import DynamoDBRecord, KafkaRecord, KinesisRecord, Record, SQSRecord
from partialbatch.errors import PayloadError
from partialbatch.sources.record import as_bytes, as_json, as_text, decode_base64, field, moment

SECRET = "hunter2"


def holds(error, text=SECRET):
    """Tell whether a text is anywhere in an exception, or in those that hang on it."""
    seen, pending = set(), [error]
    while pending:
        link = pending.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        if text in f"{link}{link!r}{link.args!r}{vars(link)!r}{getattr(link, 'doc', '')}{getattr(link, 'object', '')}":
            return True
        pending += [link.__cause__, link.__context__]
    return False


class _Source:
    """An event source of the user's own that counts what it is asked."""

    name = "mq"
    partial_response = False

    def __init__(self, payload=SECRET):
        self.asked = []
        self._payload = payload

    def identifier(self, raw):
        return raw["id"]

    def group(self, raw):
        return raw["group"]

    def payload(self, raw):
        self.asked.append("payload")
        return self._payload


def test_a_view_of_a_custom_source():
    """`Record` works over any event source."""
    record = Record({"id": "1", "group": "g"}, _Source())
    assert (record.identifier, record.source, record.group, record.payload) == ("1", "mq", "g", SECRET)
    assert record.event_source_arn == ""


def test_nothing_is_decoded_until_asked_for_and_then_kept():
    """A payload is asked for once, however often it is read."""
    source = _Source(b'{"a": [1]}')
    record = Record({"id": "1"}, source)
    assert repr(record) == "Record('1')"
    assert source.asked == []
    assert record.json() is record.json()
    assert record.text is record.text
    assert record.data is record.payload
    assert source.asked == ["payload"]


def test_view_takes_no_further_attribute(sqs, kinesis, dynamodb, kafka):
    """A view has no dict and takes no further attribute."""
    views = [SQSRecord(sqs()), KinesisRecord(kinesis()), DynamoDBRecord(dynamodb()), KafkaRecord(kafka())]
    for view in [*views, Record({})]:
        assert not hasattr(view, "__dict__")
        with pytest.raises(AttributeError):
            view.extra = 1


@pytest.mark.parametrize("identifier", [None, "", 5, [], {}])
def test_record_without_an_identifier_says_so(identifier):
    """A record that nothing names says so, and its repr survives."""
    for raw in ({}, {"id": identifier}):
        record = Record(raw, _Source())
        with pytest.raises(PayloadError, match="no identifier"):
            _ = record.identifier
        assert repr(record) == "Record(no identifier)"


def test_repr_survives_a_source_that_raises():
    """A source that raises what it likes does not break a repr."""

    class Broken(_Source):
        def identifier(self, raw):
            raise RuntimeError(SECRET)

    assert repr(Record({}, Broken())) == "Record(no identifier)"


@pytest.mark.parametrize("name", ["eventSourceARN", "eventSourceArn"])
def test_arn_is_found_under_either_name(name):
    """The ARN is found under either name; null is none, and another type is refused."""
    assert Record({name: "arn:x"}, _Source()).event_source_arn == "arn:x"
    assert Record({name: None}, _Source()).event_source_arn == ""
    with pytest.raises(PayloadError, match=f"'{name}' is of type int"):
        _ = Record({name: 5}, _Source()).event_source_arn


def test_text_and_bytes_are_each_others_utf8():
    """Text and bytes are each other's UTF-8."""
    assert as_text("é") == as_text("é".encode()) == "é"
    assert as_bytes("é") == as_bytes("é".encode()) == "é".encode()
    assert as_text("") == ""
    assert as_bytes("") == b""


@pytest.mark.parametrize("payload", [{"a": SECRET}, None, 5, [SECRET]])
def test_objects_are_neither_text_nor_data(payload):
    """A plain Python object has no form as text."""
    for read in (as_text, as_bytes):
        with pytest.raises(PayloadError, match="expected text or bytes") as caught:
            read(payload)
        assert not holds(caught.value)


def test_invalid_utf8_fails_without_the_bytes():
    """Bytes that are no UTF-8 fail, at their place and without the bytes."""
    with pytest.raises(PayloadError, match=r"isn't valid UTF-8 \(at byte 7\)") as caught:
        as_text(SECRET.encode() + b"\xff")
    assert not holds(caught.value)


def test_lone_surrogate_has_no_bytes():
    """A lone surrogate is text, and no bytes."""
    assert as_text("\ud800") == "\ud800"
    with pytest.raises(PayloadError, match=r"lone surrogate.*\(at character 7\)") as caught:
        as_bytes(SECRET + "\ud800")
    assert not holds(caught.value)


BAD_JSON = ["", " ", b"", "{", f'{{"a": {SECRET}', b"\xff\xfe\xfa", b'{"a": "\xff"}', "[" * 200_000, "[1] x", "'a'"]


@pytest.mark.parametrize("payload", BAD_JSON, ids=range(len(BAD_JSON)))
def test_bad_json_fails_without_being_kept(payload):
    """What is no JSON fails as that, and nothing of it is kept in the error."""
    with pytest.raises(PayloadError, match="isn't valid JSON") as caught:
        as_json(payload)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert not holds(caught.value)
    assert caught.value.__suppress_context__  # also where the caller handles another exception


def test_bad_json_is_located_by_character():
    """The place of the fault is told."""
    with pytest.raises(PayloadError, match=r"\(JSONDecodeError at character 6\)"):
        as_json('{"a": nothing}')


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("id"), inner, max_size=3),
)
_PIECES = st.text(' \t\n\r\f\v\0\u00a0\u2028\ufeff{}[]",:1-.eé\ud800\U0001f600\\u', max_size=4)
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")


@st.composite
def _documents(draw):
    """Draw JSON, whole or cut off, with anything before and behind it, as text or in any encoding."""
    body = json.dumps(draw(_VALUES), ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(1)))
    text = draw(_PIECES) + body[: draw(st.just(len(body)) | st.integers(0, len(body)))] + draw(_PIECES)
    encoding = draw(st.none() | st.sampled_from(_ENCODINGS))
    return text if encoding is None else text.encode(encoding, "surrogatepass")


def _outcome(parse, payload):
    """Return the object that came out, NaN and signed zeros included, or the error's text."""
    try:
        return repr(parse(payload))
    except PayloadError as error:
        return str(error)


def _by_the_standard_library(payload):
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise PayloadError.json(error) from None


@given(_documents() | _PIECES | st.text() | st.binary() | st.binary(max_size=4))
def test_json_is_read_as_the_standard_library_reads_it(payload):
    """Any text and bytes give the object of `json.loads`, or an error that locates the fault as `json.loads` does."""
    assert _outcome(as_json, payload) == _outcome(_by_the_standard_library, payload)


def test_json_with_white_space_at_its_ends_is_read():
    """JSON's own white space is allowed at both ends, and no other character is."""
    for payload in (" [1]", "[1]\r\n", b"\t[1] \n", "[1]".encode("utf-16"), b"\xef\xbb\xbf[1]"):
        assert as_json(payload) == [1]
    for payload in ("[1]\0", "[1]\u00a0", "[1]\f", "\ufeff[1]"):
        with pytest.raises(PayloadError, match="isn't valid JSON"):
            as_json(payload)


def test_json_that_pythons_decoder_takes_is_taken():
    """What Python's decoder takes is taken: its producers write it."""
    assert as_json("1" * 4000) == int("1" * 4000)
    assert math.isnan(as_json("NaN"))
    assert as_json("-Infinity") == -math.inf
    assert as_json(b'"\\ud800"') == "\ud800"
    assert as_json('"\ud800"') == "\ud800"
    assert as_json("null") is None
    assert as_json('""') == ""
    assert as_json('{"a": 1, "a": 2}') == {"a": 2}
    assert as_json(None) is None
    payload = {"a": 1}
    assert as_json(payload) is payload


def test_integer_beyond_the_interpreters_limit_fails_its_record():
    """An integer beyond the interpreter's limit fails, the record alone."""
    with pytest.raises(PayloadError, match=r"\(ValueError\)"):
        as_json("1" * (sys.get_int_max_str_digits() + 1))


def test_body_of_the_largest_size_is_read():
    """A body of the largest size is read, and an invalid one leaves nothing of itself in the error."""
    body = json.dumps({"a": SECRET * 900_000})
    assert len(body) > 6_000_000
    assert as_json(body)["a"] == SECRET * 900_000
    with pytest.raises(PayloadError) as caught:
        as_json(body[:-1])
    assert not holds(caught.value)
    assert len(str(caught.value)) < 200


@given(st.binary(max_size=60))
def test_encoded_data_is_decoded(data):
    """What was encoded is decoded."""
    assert decode_base64(base64.b64encode(data).decode(), "data") == data


@given(st.text("QRw=+/-_ \n\té", max_size=9) | st.text(max_size=6))
def test_base64_takes_only_the_strict_form_of_rfc_4648(text):
    """Only what has the alphabet, the length and the padding of RFC 4648 is decoded."""
    stripped = text.rstrip("=")
    padding = len(text) - len(stripped)
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    valid = len(text) % 4 == 0 and padding <= 2 and set(stripped) <= alphabet
    if valid:
        assert len(decode_base64(text, "data")) == len(text) // 4 * 3 - padding
    else:
        with pytest.raises(PayloadError, match=r"the record's field 'data' isn't valid base64") as caught:
            decode_base64(text, "data")
        assert caught.value.__context__ is None


def _in_four_checks(text):
    """Decode strict base64 step by step."""
    if len(text) % 4 or text.endswith("==="):
        return None
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:
        return None


@given(
    st.text("AQYw+/=", max_size=13)
    | st.text("Aé=\n-_\ud800", max_size=9)
    | st.builds(lambda data, more: base64.b64encode(data).decode() + more, st.binary(), st.text("A=\n", max_size=9))
)
def test_base64_is_taken_as_by_separate_checks(text):
    """The length of the data shows superfluous padding, as checks of the text's length and end do."""
    try:
        found = decode_base64(text, "data")
    except PayloadError:
        found = None
    assert found == _in_four_checks(text)


@pytest.mark.parametrize("text", ["YWJj=", "YWJj====", "YQ", "YQ=", "YQ==\n", "Y Q==", "YQ==YQ==", "=YQ=", "é==="])
def test_base64_with_wrong_padding_is_refused(text):
    """Padding that is missing, misplaced or surplus is refused."""
    with pytest.raises(PayloadError, match="isn't valid base64"):
        decode_base64(text, "data")


@pytest.mark.parametrize("value", [None, 5, b"YQ==", ["YQ=="], {}])
def test_base64_takes_text_only(value):
    """Only text can be base64."""
    with pytest.raises(PayloadError, match=r"'data' is .*expected base64 text"):
        decode_base64(value, "data")


def test_field_is_given_if_it_is_of_its_type():
    """A field is given if it is there and of its type."""
    assert field({"a": "b"}, "a", str) == "b"
    for raw in ({}, {"a": None}, {"a": 5}, None, [], "a", 5):
        with pytest.raises(PayloadError, match="the record's field 'a' is"):
            field(raw, "a", str)


@pytest.mark.parametrize("value", [None, "", "soon", True, [], {}, float("nan"), float("inf"), 10**400, 1e300, "1e999"])
def test_bad_time_fails_as_its_field(value):
    """What is no time fails as that field."""
    with pytest.raises(PayloadError, match=r"'sentAt' is .*expected a time since the epoch"):
        moment(value, "sentAt")


@given(st.integers(0, 4_102_444_800_000))
def test_times_are_aware_and_exact(milliseconds):
    """A time in milliseconds, as number or text, is an aware UTC datetime, exact to the millisecond."""
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    for value in (milliseconds, str(milliseconds)):
        found = moment(value, "sentAt", per_second=1000)
        assert abs(found - expected) <= timedelta(microseconds=1)
        assert found.tzinfo is UTC
