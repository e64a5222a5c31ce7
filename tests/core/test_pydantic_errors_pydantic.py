"""Pydantic's validation errors, by types and locations."""

from __future__ import annotations

import logging
from typing import Any

import pydantic
import pydantic.v1
import pytest
from batches import sqs

from partialbatch import batch_handler
from partialbatch._core.function.payloads import decoder
from partialbatch._core.pydantic_errors import described_invalid, is_validation_error, without_input
from partialbatch.errors import PayloadError

SECRET = "hunter2"


class Item(pydantic.BaseModel):
    price: int


class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    items: list[Item]


class Stock(pydantic.BaseModel):
    counts: dict[int, int]


class Careless(pydantic.BaseModel):
    inner: Any

    @pydantic.field_validator("inner")
    @classmethod
    def check(cls, value):
        try:
            return Item.model_validate({"price": value})
        except pydantic.ValidationError as error:
            raise RuntimeError("no inner") from error


class Old(pydantic.v1.BaseModel):
    price: int


def failing(function, *arguments):
    with pytest.raises(Exception) as caught:
        function(*arguments)
    return caught.value


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (Order.model_validate, {"items": [{"price": SECRET}]}, "invalid Order: items.0.price (int_parsing)"),
        (Order.model_validate, {"items": [], SECRET: 1}, "invalid Order: … (extra_forbidden)"),
        (Order.model_validate, {"items": [], 4711: 1}, "invalid Order: … (invalid_key)"),
        (Stock.model_validate, {"counts": {4711: SECRET}}, "invalid Stock: counts.… (int_parsing)"),
        (pydantic.TypeAdapter(list[Item]).validate_python, [{}], "invalid list[Item]: 0.price (missing)"),
        (pydantic.TypeAdapter(list[int]).validate_python, [SECRET], "invalid list[int]: … (int_parsing)"),
        (Old.parse_obj, {"price": SECRET}, "invalid Old: … (type_error.integer)"),
    ],
)
def test_the_users_own_validation_is_told_by_types_and_locations(function, value, text):
    """What is the model's word is shown, and an index of a list; what may be a key of the input is not."""
    error = failing(function, value)
    assert is_validation_error(error)
    assert described_invalid(error) == text


@pytest.mark.parametrize(
    "text",
    [
        f"[type=int_parsing, input_value='x, input_type=str] {SECRET}', input_type=str]\n    For further information",
        f"[type=int_parsing, input_value='x, input_type=str] {SECRET}', input_type=str]",
        f"[type=int_parsing, input_value='{SECRET}",
        f"[type=a, input_value='{SECRET}', input_type=str]\n[type=b, input_value='{SECRET}', input_type=str]",
    ],
)
def test_no_input_is_shown_whatever_it_holds_and_wherever_the_text_ends(text):
    """An input may look like the end of itself, and code of the user's may cut a text short."""
    shown = without_input(text)
    assert SECRET not in shown
    assert shown.count("input_value=…") == text.count("input_value=")


def test_other_errors_are_not_pydantics():
    """A class of the same name elsewhere is another one."""
    assert not is_validation_error(type("ValidationError", (Exception,), {})())


@pytest.mark.parametrize("model", [dict[int, int], Stock])
def test_an_integer_key_of_a_payload_is_not_shown(model):
    """A dict's integer key is the sender's; it cannot be told from a list's index, so neither is shown."""
    error = failing(decoder(model), b'{"4711": "x"}' if model is not Stock else b'{"counts": {"4711": "x"}}')
    assert isinstance(error, PayloadError)
    assert "4711" not in str(error)
    assert "(int_parsing)" in str(error)


def in_the_function(record):
    Order.model_validate_json(record.body)


def in_a_chain(record):
    try:
        in_the_function(record)
    except pydantic.ValidationError as error:
        raise RuntimeError("no order") from error


def in_a_group(record):
    try:
        in_the_function(record)
    except pydantic.ValidationError as error:
        raise ExceptionGroup("many", [error]) from None


def in_a_text(record):
    try:
        in_the_function(record)
    except pydantic.ValidationError as error:
        text = f"no order: {error}"
    raise ValueError(text)


def envelope(payload):
    return Order.model_validate_json(payload)


def of(order: dict): ...


def careless(order: Careless): ...


WHERE = {
    "function": lambda: batch_handler(in_the_function),
    "chain": lambda: batch_handler(in_a_chain),
    "group": lambda: batch_handler(in_a_group),
    "text": lambda: batch_handler(in_a_text),
    "threads": lambda: batch_handler(in_the_function, max_concurrency=2),
    "envelope": lambda: batch_handler(of, envelope=envelope),
    "validator": lambda: batch_handler(careless),
}


@pytest.mark.parametrize("where", WHERE)
def test_no_input_gets_into_the_log(where, caplog):
    """Wherever pydantic's error is raised, and however it is passed on, the log holds no word of the body."""
    caplog.set_level(logging.INFO)
    event = sqs(1)
    body = f'{{"inner": "{SECRET}"}}' if where == "validator" else f'{{"items": [{{"price": "{SECRET}"}}]}}'
    event["Records"][0]["body"] = body
    WHERE[where]().process(event)
    assert "record m0 failed" in caplog.text
    assert "int_parsing" in caplog.text
    assert SECRET not in caplog.text
