"""From payloads to arguments, validated by pydantic."""

from __future__ import annotations

import json
import sys
import traceback
import typing
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import pydantic
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import Change, DynamoDBRecord, batch_handler
from partialbatch._core.function.payloads import change_decoder, decoder, is_text
from partialbatch.errors import ConfigurationError, PayloadError

SECRET = "hunter2"


class Item(pydantic.BaseModel):
    sku: str
    quantity: int


class Order(pydantic.BaseModel):
    id: int
    items: list[Item] = []
    kind: Literal["new", "old"] = "new"
    note: str | None = None


@dataclass
class Plain:
    id: int


class Typed(typing_extensions.TypedDict):
    id: int


class Picky(pydantic.BaseModel):
    id: int

    @pydantic.field_validator("id")
    @classmethod
    def check(cls, value):
        if value == 1:
            raise ValueError(f"{SECRET} {value}")
        if value == 2:
            raise KeyError(SECRET)
        return value


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]


Pet = Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]


def _holds(error, text=SECRET):
    """Tell whether a text is anywhere in an exception, or in those that hang on it."""
    pending, seen = [error], set()
    while pending:
        link = pending.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        if text in f"{link}{link!r}{link.args!r}{vars(link)!r}" or text in "".join(traceback.format_exception(link)):
            return True
        pending += [link.__cause__, link.__context__]
    return False


@pytest.mark.parametrize(
    ("annotation", "payload", "expected"),
    [
        (Order, '{"id": 1}', Order(id=1)),
        (Order | None, '{"id": 1}', Order(id=1)),
        (Plain, b'{"id": 1}', Plain(1)),
        (Typed, '{"id": 1}', {"id": 1}),
        (list[Item], '[{"sku": "a", "quantity": 1}]', [Item(sku="a", quantity=1)]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (int, "5", 5),
        (Pet, '{"kind": "dog"}', Dog(kind="dog")),
        (Order, {"id": Decimal(1)}, Order(id=1)),
        (Plain, {"id": Decimal(1)}, Plain(1)),
        (int | str, '"a"', "a"),
    ],
)
def test_payload_is_validated_as_the_annotated_type(annotation, payload, expected):
    """Whatever pydantic takes is validated: text and bytes as JSON, objects as Python."""
    assert decoder(annotation)(payload) == expected


OrderId = typing.NewType("OrderId", str)
Code = Annotated[str, pydantic.StringConstraints(pattern="^[a-z]+$")]
Alias = typing_extensions.TypeAliasType("Alias", Code)


@pytest.mark.parametrize(
    "annotation", [OrderId, Code, Alias, OrderId | None, Code | None, Annotated[Code | None, "a code"]], ids=str
)
def test_named_or_limited_text_is_not_parsed_as_json(annotation):
    """Text with a name or with limits is still the payload as text, and no JSON."""
    decode = decoder(annotation)
    assert decode("abc") == decode(b"abc") == "abc"
    assert is_text(annotation)


def test_text_beyond_its_limits_fails_without_being_quoted():
    """What breaks the limits of a text, or is none, fails without being told."""
    for payload in (SECRET.upper(), b"\xff"):
        with pytest.raises(PayloadError) as caught:
            decoder(Code)(payload)
        assert not _holds(caught.value, SECRET.upper())


def test_limited_bytes_are_the_payloads_own():
    """Bytes with limits are the payload's own."""
    decode = decoder(Annotated[bytes, pydantic.Field(max_length=2)])
    assert decode("é") == decode("é".encode()) == "é".encode()
    with pytest.raises(PayloadError, match="bytes_too_long"):
        decode("éé")


def test_limited_text_or_bytes_is_validated_as_it_is():
    """Limits on one of the two do not make the payload JSON."""
    short = pydantic.Field(max_length=3)
    decode = decoder(Annotated[str, short] | Annotated[bytes, short] | None)
    assert decode("123") == "123"
    assert decode(b"123") == b"123"
    assert decode(None) is None
    with pytest.raises(PayloadError, match="string_too_long"):
        decode("1234")


def test_missing_payload_is_not_a_limited_text():
    """A missing payload is no text, limits or not."""
    assert decoder(Code | None)(None) is None
    with pytest.raises(PayloadError, match="filter criteria"):
        decoder(Code)(None)


BAD = [
    "",
    "{",
    "null",
    "[]",
    f'"{SECRET}"',
    f'{{"id": "{SECRET}"}}',
    f'{{"id": 1, "items": [{{"sku": "{SECRET}", "quantity": "{SECRET}"}}]}}',
    f'{{"id": 1, "kind": "{SECRET}"}}',
    '{"id": 1e400}',
    '{"id": NaN}',
    '{"id": ' + "1" * 5000 + "}",
    f"{SECRET}\ud800",
    f'{{"id": 1, "note": "{SECRET}\ud800"}}',
    f'{{"id": 1, "note": "{SECRET}\\ud800"}}',
    SECRET.encode() + b"\xff",
    b"\xff\xfe",
    "[" * 100_000,
    {"id": SECRET},
    {SECRET: 1},
    {"id": Decimal("NaN")},
]


@pytest.mark.parametrize("payload", BAD, ids=range(len(BAD)))
def test_invalid_payload_leaves_nothing_of_itself_in_the_error(payload):
    """What is not valid fails as a PayloadError that holds nothing of it, anywhere."""
    with pytest.raises(PayloadError) as caught:
        decoder(Order)(payload)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert caught.value.__suppress_context__
    assert not _holds(caught.value)
    assert "the payload isn't a valid" in str(caught.value)


def test_place_and_type_of_a_fault_are_named_in_the_models_words():
    """The place and the type of a fault are told by the model's own words."""
    with pytest.raises(PayloadError) as caught:
        decoder(Order)('{"id": "x", "items": [{"sku": 5, "quantity": 1}]}')
    assert str(caught.value) == "the payload isn't a valid Order: id (int_parsing), items.0.sku (string_type)"


def test_an_optional_model_is_named_as_itself():
    """With `| None` the error still names the model, as people write it."""
    with pytest.raises(PayloadError, match="the payload isn't a valid Order: id"):
        decoder(Order | None)('{"id": "x", "items": []}')


def test_keys_of_the_input_are_not_told():
    """A key of the payload is content; the place of it is marked."""
    with pytest.raises(PayloadError) as caught:
        decoder(dict[str, int])(f'{{"{SECRET}": "x"}}')
    assert str(caught.value).endswith("… (int_parsing)")
    with pytest.raises(PayloadError) as caught:
        decoder(Pet)(f'{{"kind": "{SECRET}"}}')
    assert str(caught.value).endswith("payload (union_tag_invalid)")


def test_five_errors_are_shown_and_the_rest_counted():
    """Five errors are shown, the rest is counted."""
    items = [{"sku": 1, "quantity": 1}] * 8
    with pytest.raises(PayloadError) as caught:
        decoder(Order)(json.dumps({"id": 1, "items": items}))
    text = str(caught.value)
    assert text.count("(string_type)") == 5
    assert text.endswith("and 3 more")


def test_error_of_the_largest_body_is_short():
    """The error of a body of the largest size is short, and holds nothing of it."""
    payload = json.dumps({"id": SECRET * 850_000, "items": [{SECRET * 10: 1}] * 100})
    with pytest.raises(PayloadError) as caught:
        decoder(Order)(payload)
    assert len(str(caught.value)) < 1000
    assert not _holds(caught.value)


def test_a_long_title_is_cut():
    """A union of many types has a long name; the error does not repeat it."""
    annotation = typing.Union[tuple(Literal[f"value-{number}"] for number in range(500))]  # noqa: UP007 - made by hand
    with pytest.raises(PayloadError) as caught:
        decoder(annotation)('"x"')
    assert len(str(caught.value)) < 2000


def test_text_of_a_validators_value_error_is_left_out():
    """The text of a validator's ValueError may quote the input: its type is told alone."""
    with pytest.raises(PayloadError) as caught:
        decoder(Picky)('{"id": 1}')
    assert str(caught.value) == "the payload isn't a valid Picky: id (value_error)"
    assert not _holds(caught.value)


def test_other_exceptions_of_a_validator_fail_their_record_as_they_are():
    """Any other exception of a validator fails that record alone, as what it is."""
    with pytest.raises(KeyError):
        decoder(Picky)('{"id": 2}')

    @batch_handler
    def handler(order: Picky):
        pass

    bodies = ['{"id": 3}', '{"id": 2}', '{"id": 1}', '{"id": 4}']
    event = {
        "Records": [
            {"messageId": f"m-{n}", "body": body, "eventSource": "aws:sqs", "eventSourceARN": "arn:q"}
            for n, body in enumerate(bodies)
        ]
    }
    result = handler.process(event)
    assert [type(entry.error).__name__ for entry in result.results] == [
        "NoneType",
        "KeyError",
        "PayloadError",
        "NoneType",
    ]


def test_none_where_the_type_accepts_it():
    """None comes where the annotation accepts it in whatever way, else the error names the cure."""
    assert decoder(Order | None)(None) is None
    assert decoder(Annotated[Order | None, pydantic.Field(title="x")])(None) is None
    nothing = pydantic.RootModel[int | None]
    assert decoder(nothing)(None) == nothing(None)
    for annotation, name in (
        (Order, "Order"),
        (list[Item], "list["),
        (int | str, "int | str"),
        (Annotated[Order, 1], "Order"),
    ):
        with pytest.raises(PayloadError, match="has no payload") as caught:
            decoder(annotation)(None)
        assert name in str(caught.value)


def test_a_validator_that_chokes_on_none():
    """A validator that knows nothing of None does not accept it."""

    def lower(value):
        return {"id": value["id"]}

    annotation = Annotated[Order, pydantic.BeforeValidator(lower)]
    with pytest.raises(PayloadError, match=r"\| None` instead|has no payload"):
        decoder(annotation)(None)


class Foreign:
    pass


@pytest.mark.parametrize("annotation", [Foreign, list[Foreign], 5, "Unknown", list["Unknown"]])  # noqa: F821 - the point
def test_what_pydantic_does_not_take(annotation):
    """An annotation that pydantic refuses is a ConfigurationError that names model=."""
    with pytest.raises(ConfigurationError, match="model="):
        decoder(annotation)


def test_nested_typing_typed_dict_is_refused_before_python_3_12():
    """Before 3.12, a nested typing.TypedDict is refused with pydantic's own advice; then it is read."""

    class Old(typing.TypedDict):
        id: int

    if sys.version_info < (3, 12):
        with pytest.raises(ConfigurationError, match=r"typing_extensions\.TypedDict"):
            decoder(list[Old])
    else:
        assert decoder(list[Old])('[{"id": 1}]') == [{"id": 1}]


def test_both_images_of_a_change_are_validated():
    """Both images of a change are validated; a bad one fails the record."""
    decode = change_decoder(Change[Order])
    image, other = {"id": {"N": "1"}}, {"id": {"S": SECRET}}
    record = DynamoDBRecord({"eventName": "MODIFY", "dynamodb": {"NewImage": image, "OldImage": image}})
    assert decode(record) == Change(Order(id=1), Order(id=1), "MODIFY")
    assert decode(DynamoDBRecord({"eventName": "INSERT", "dynamodb": {"NewImage": image}})).old is None
    with pytest.raises(PayloadError) as caught:
        decode(DynamoDBRecord({"eventName": "MODIFY", "dynamodb": {"NewImage": image, "OldImage": other}}))
    assert not _holds(caught.value)


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("id"), inner, max_size=3),
)


@given(_json | st.text() | st.binary())
def test_any_payload_gives_a_model_or_a_payload_error(payload: Any):
    """No payload makes anything of a decoder but a model or a PayloadError without a context."""
    text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
    try:
        assert isinstance(decoder(Order)(text), Order)
    except PayloadError as error:
        assert error.__context__ is None  # noqa: PT017 - either outcome is right


@given(_json | st.text() | st.binary())
def test_model_is_validated_as_by_the_type_adapter(payload: Any):
    """A payload gives the model that pydantic's adapter gives, and fails if it fails there."""
    text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
    try:
        expected = pydantic.TypeAdapter(Order).validate_json(text)
    except pydantic.ValidationError:
        expected = None
    try:
        found = decoder(Order)(text)
    except PayloadError:
        found = None
    assert found == expected


@pytest.mark.parametrize("payload", ['{"id": 1}', b'{"id": 1}', {"id": 1}, '{"id": "x"}', "{", None])
def test_adapter_without_a_validator_is_used_itself(monkeypatch, payload):
    """If pydantic's adapter shows no validator, its own methods validate, with the same results and errors."""

    class Adapter:
        def __init__(self, annotation):
            self._adapter = adapter(annotation)
            self.core_schema = self._adapter.core_schema
            self.validate_json, self.validate_python = self._adapter.validate_json, self._adapter.validate_python

    def outcome():
        try:
            return decoder(Order)(payload)
        except PayloadError as error:
            return str(error)

    expected, adapter = outcome(), pydantic.TypeAdapter
    monkeypatch.setattr(pydantic, "TypeAdapter", Adapter)
    assert outcome() == expected


def test_the_readme_sentence_of_removed_items():
    """A REMOVE under `order: Order` says what to write instead, and fails that record alone."""

    @batch_handler
    def handler(order: Order):
        pass

    def record(number, image):
        change = {"Keys": {"id": {"N": "1"}}, "SequenceNumber": str(number)} | image
        return {"eventSource": "aws:dynamodb", "eventSourceARN": "arn:t", "eventName": "REMOVE", "dynamodb": change}

    result = handler.process({"Records": [record(1, {"NewImage": {"id": {"N": "1"}}}), record(2, {})]})
    assert [entry.status for entry in result.results] == ["succeeded", "failed"]
    assert "`Order | None`" in str(result.results[1].error)
