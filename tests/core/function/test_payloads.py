"""From payloads to arguments, without pydantic."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import Change, DynamoDBRecord, batch_handler
from partialbatch._core.function.payloads import change_decoder, decoder, is_text, unwrapper, without_none
from partialbatch.errors import ConfigurationError, PayloadError

OBJECTS = [
    dict,
    typing.Dict,  # noqa: UP006 - users write it
    dict[str, Any],
    Mapping,
    Mapping[str, Any],
    MutableMapping[str, Any],
    typing.Mapping[str, Any],
]
ARRAYS = [list, list[Any], typing.List[Any], Sequence, Sequence[Any], MutableSequence]  # noqa: UP006 - as above


@pytest.fixture
def no_pydantic(monkeypatch):
    """Make pydantic impossible to import."""
    monkeypatch.setitem(sys.modules, "pydantic", None)


@pytest.mark.usefixtures("no_pydantic")
@pytest.mark.parametrize("annotation", OBJECTS)
def test_mapping_annotation_takes_a_json_object_only(annotation):
    """A bare mapping takes a JSON object, or what is a dict already, and nothing else."""
    decode = decoder(annotation)
    assert decode('{"a": null}') == decode(b'{"a": null}') == {"a": None}
    image = {"a": 1}
    assert decode(image) is image
    for payload, found in (("[]", "list"), ("null", "NoneType"), ('"secret"', "str"), ("1", "int"), ([], "list")):
        with pytest.raises(PayloadError, match=f"JSON of type {found}; expected an object"):
            decode(payload)


EITHER = [str | bytes, bytes | str, typing.Union[str, bytes], str | bytes | None, typing.Optional[bytes | str]]  # noqa: UP007, UP045 - users write them


@pytest.mark.usefixtures("no_pydantic")
@pytest.mark.parametrize("annotation", EITHER)
def test_text_or_bytes_is_the_payload_as_it_is(annotation):
    """Neither is parsed as JSON, and neither becomes the other; an object is neither."""
    decode = decoder(annotation)
    for payload in ("5", '"a"', "no JSON", b"5", b"\xff"):
        assert decode(payload) is payload
    with pytest.raises(PayloadError, match="expected text or bytes"):
        decode({"a": 1})
    if type(None) in typing.get_args(annotation):
        assert decode(None) is None
    assert is_text(annotation)


@pytest.mark.parametrize("annotation", EITHER)
def test_text_or_bytes_is_refused_where_there_is_neither(annotation):
    """DynamoDB images and EventBridge details are objects."""

    def function(record):
        raise AssertionError

    function.__annotations__["record"] = annotation
    with pytest.raises(ConfigurationError, match="can't be given as"):
        batch_handler(function)({"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {}}]})
    with pytest.raises(ConfigurationError, match="envelope='eventbridge' gives an object"):
        batch_handler(function, envelope="eventbridge")
    with pytest.raises(ConfigurationError, match="can't be given as text or bytes"):
        change_decoder(Change[annotation])


@pytest.mark.parametrize("annotation", [str | dict, int | str, dict | None, None])
def test_other_unions_are_not_text(annotation):
    """A union with anything else is JSON, as it was."""
    assert not is_text(annotation)


@pytest.mark.usefixtures("no_pydantic")
@pytest.mark.parametrize("annotation", ARRAYS)
def test_sequence_annotation_takes_a_json_array_only(annotation):
    """A bare sequence takes a JSON array and nothing else."""
    decode = decoder(annotation)
    assert decode("[1, {}]") == [1, {}]
    for payload in ("{}", '"secret"', "null"):
        with pytest.raises(PayloadError, match="expected an array"):
            decode(payload)


@pytest.mark.usefixtures("no_pydantic")
def test_text_and_bytes_are_the_payload_in_that_form():
    """Text and bytes are the payload in that form."""
    assert decoder(str)("é") == decoder(str)("é".encode()) == "é"
    assert decoder(bytes)("é") == decoder(bytes)("é".encode()) == "é".encode()
    assert decoder(str)("") == ""


@pytest.mark.usefixtures("no_pydantic")
@pytest.mark.parametrize("annotation", [Any, object])
def test_any_is_the_parsed_payload(annotation):
    """Any is the payload parsed, whatever its type."""
    assert decoder(annotation)("[1]") == [1]
    assert decoder(annotation)({"a": 1}) == {"a": 1}


@pytest.mark.usefixtures("no_pydantic")
@pytest.mark.parametrize("annotation", [*OBJECTS, *ARRAYS])
def test_json_null_is_none_if_the_annotation_accepts_none(annotation):
    """JSON's null is None where the annotation accepts that, as it is under a model."""
    decode = decoder(annotation | None)
    assert decode("null") is None
    with pytest.raises(PayloadError, match="JSON of type str; expected"):
        decode('""')


@pytest.mark.usefixtures("no_pydantic")
@pytest.mark.parametrize("annotation", [str, bytes, dict, list, dict[str, Any], Sequence[Any], Any])
def test_missing_payload_is_none_or_an_error_that_names_the_cure(annotation):
    """Where there is no payload, None comes if the annotation accepts it, else the error names the cure."""
    assert decoder(annotation | None)(None) is None
    assert decoder(typing.Optional[annotation])(None) is None  # noqa: UP045 - users write it
    name = annotation.__name__ if annotation in (str, bytes, dict, list) else str(annotation)
    with pytest.raises(PayloadError) as caught:
        decoder(annotation)(None)
    if annotation is not Any:
        assert f"annotate the parameter `{name} | None`" in str(caught.value)
    assert "filter criteria" in str(caught.value)


@pytest.mark.usefixtures("no_pydantic")
@pytest.mark.parametrize(
    "annotation", [int, list[int], dict[str, int], dict[Any, Any], dict | list, str | bytes | int, set, tuple, None]
)
def test_other_annotations_name_the_extra_to_install(annotation):
    """Every other annotation names the extra to install."""
    with pytest.raises(ConfigurationError, match=r"needs pydantic.*pip install 'partialbatch\[pydantic\]'"):
        decoder(annotation)


def test_none_is_split_off_a_union():
    """None is split off a union; what is left of a larger union stays whole."""
    assert without_none(int) == (int, False)
    assert without_none(int | None) == (int, True)
    assert without_none(typing.Union[None, int]) == (int, True)  # noqa: UP007 - users write it
    assert without_none(int | str) == (int | str, False)
    assert without_none(int | str | None) == (int | str | None, True)
    assert without_none(None) == (None, True)
    assert without_none(type(None)) == (type(None), True)


def test_text_is_text_with_or_without_none():
    """Text is text with None or without."""
    assert is_text(str)
    assert is_text(bytes | None)
    assert is_text(str | bytes)
    assert not is_text(dict)


def test_message_of_a_notification_is_text():
    """The message of a notification is text."""
    unwrap = unwrapper("sns")
    assert unwrap('{"Type": "Notification", "Message": "{\\"a\\": 1}"}') == '{"a": 1}'
    assert unwrap(b'{"Message": ""}') == ""
    assert unwrap({"Message": "x"}) == "x"
    for payload in ("{}", '{"Message": null}', '{"Message": {"secret": 1}}'):
        with pytest.raises(PayloadError, match=r"'Message' is .*expected str") as caught:
            unwrap(payload)
        assert "secret" not in str(caught.value)


def test_detail_of_an_event_is_an_object():
    """The detail of an event is an object."""
    unwrap = unwrapper("eventbridge")
    assert unwrap('{"detail": {"a": 1}}') == {"a": 1}
    assert unwrap(b'{"detail": {}}') == {}
    for payload in ("{}", '{"detail": null}', '{"detail": "secret"}', '{"detail": []}'):
        with pytest.raises(PayloadError, match=r"'detail' is .*expected dict"):
            unwrap(payload)


@pytest.mark.parametrize("envelope", ["sns", "eventbridge"])
@pytest.mark.parametrize("payload", ["[]", '"secret"', "null", "5"])
def test_an_envelope_that_is_no_object(envelope, payload):
    """An envelope of another JSON type is the record's fault."""
    with pytest.raises(PayloadError, match=r"expected an object \(the envelope\)"):
        unwrapper(envelope)(payload)
    with pytest.raises(PayloadError, match="isn't valid JSON"):
        unwrapper(envelope)("{")


def test_callable_envelope_is_taken_as_it_is():
    """A callable is taken as it is."""
    assert unwrapper(len) is len


def _record(new=None, old=None, name="MODIFY"):
    change = {"Keys": {"id": {"S": "1"}}, "NewImage": new, "OldImage": old}
    return DynamoDBRecord({"eventName": name, "dynamodb": change})


@pytest.mark.usefixtures("no_pydantic")
@pytest.mark.parametrize("annotation", [Change, Change[dict], Change[Any], Change[dict[str, Any]], Change[dict | None]])
def test_change_has_both_images_and_its_kind(annotation):
    """A change has both images where there are two, None where not, and its kind."""
    decode = change_decoder(annotation)
    assert decode(_record({"a": {"N": "2"}}, {"a": {"N": "1"}})) == Change({"a": 1}, {"a": 2}, "MODIFY")
    assert decode(_record({"a": {"N": "2"}}, name="INSERT")) == Change(None, {"a": 2}, "INSERT")
    assert decode(_record(None, {"a": {"N": "1"}}, name="REMOVE")) == Change({"a": 1}, None, "REMOVE")


@pytest.mark.parametrize("annotation", [Change[str], Change[bytes], Change[str | None]])
def test_change_of_text_is_refused(annotation):
    """An image has no form as text: refused at once."""
    with pytest.raises(ConfigurationError, match="can't be given as text or bytes"):
        change_decoder(annotation)


def test_change_cannot_be_changed():
    """A change is a value object."""
    change = Change(None, 1, "INSERT")
    with pytest.raises(AttributeError, match="is frozen"):
        change.new = 2
    assert not hasattr(change, "__dict__")


@given(st.text() | st.binary(), st.sampled_from([str, bytes, dict, list, Any, dict | None]))
def test_any_payload_gives_a_value_or_a_payload_error(payload, annotation):
    """No payload makes anything of a decoder but a value or a PayloadError."""
    try:
        decoder(annotation)(payload)
    except PayloadError as error:
        assert error.__context__ is None  # noqa: PT017 - either outcome is right
