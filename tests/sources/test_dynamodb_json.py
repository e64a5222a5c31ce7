"""DynamoDB's JSON."""

from __future__ import annotations

from decimal import Decimal

import pytest

from partialbatch.errors import PayloadError
from partialbatch.sources._dynamodb_json import to_python


def test_each_attribute_type_has_its_plain_form():
    """Each type of attribute has its plain form."""
    found = to_python(
        {
            "s": {"S": "é"},
            "n": {"N": "-1.50"},
            "b": {"B": "YWJj"},
            "bool": {"BOOL": False},
            "null": {"NULL": True},
            "m": {"M": {"s": {"S": ""}, "m": {"M": {}}}},
            "l": {"L": [{"S": "a"}, {"N": "1"}, {"L": []}]},
            "ss": {"SS": ["a", "b"]},
            "ns": {"NS": ["1", "2.0"]},
            "bs": {"BS": ["YQ==", ""]},
        }
    )
    assert found == {
        "s": "é",
        "n": Decimal("-1.50"),
        "b": b"abc",
        "bool": False,
        "null": None,
        "m": {"s": "", "m": {}},
        "l": ["a", Decimal(1), []],
        "ss": {"a", "b"},
        "ns": {Decimal(1), Decimal(2)},
        "bs": {b"a", b""},
    }
    assert str(found["n"]) == "-1.50"
    assert found["bool"] is False


def _nested(depth):
    value = {"S": "secret"}
    for _ in range(depth):
        value = {"L": [value]}
    return {"a": value}


BAD = [
    None,
    5,
    [],
    "secret",
    {"a": None},
    {"a": "secret"},
    {"a": {}},
    {"a": {"S": "secret", "N": "1"}},
    {"a": {"X": "secret"}},
    {"a": {"s": "secret"}},
    *({"a": {"S": value}} for value in (None, 5, ["secret"])),
    *({"a": {"N": value}} for value in (None, 5, True, "", "secret", [0, [1], 0])),
    *({"a": {"B": value}} for value in (None, 5, "secret!")),
    *({"a": {"BOOL": value}} for value in (None, 1, "true")),
    *({"a": {"M": value}} for value in (None, 5, [], "secret", {"b": None})),
    *({"a": {"L": value}} for value in (None, 5, {}, "", "secret", ["secret"], [None])),
    *({"a": {kind: value}} for kind in ("SS", "NS", "BS") for value in (None, {}, "secret", [None], [["secret"]])),
    {"a": {"NS": ["sNaN"]}},
    _nested(100_000),
]


@pytest.mark.parametrize("image", BAD, ids=range(len(BAD)))
def test_bad_image_fails_its_record_without_being_quoted(image):
    """What is no DynamoDB JSON is the record's fault, and the error holds nothing of it."""
    with pytest.raises(PayloadError) as caught:
        to_python(image)
    assert "secret" not in f"{caught.value} {caught.value.args}"
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("attribute", "field"),
    [({"S": 5}, "S"), ({"N": 5}, "N"), ({"B": 5}, "B"), ({"BOOL": 5}, "BOOL"), ({"L": 5}, "L"), ({"SS": "x"}, "SS")],
)
def test_error_names_the_type_with_the_wrong_value(attribute, field):
    """The error names the type whose value is wrong."""
    with pytest.raises(PayloadError, match=f"'{field}' is of type"):
        to_python({"a": {"M": {"b": attribute}}})
