"""Annotations that pydantic reads."""

from __future__ import annotations

import sys
import typing
from typing import Annotated

import pydantic
import pytest
import typing_extensions

from partialbatch import Change, RawRecord, SQSRecord
from partialbatch._core.function.annotations import read
from partialbatch.errors import ConfigurationError


class Order(pydantic.BaseModel):
    id: int


class Old(typing.TypedDict):
    id: int


@pytest.mark.parametrize("annotation", [Old, Old | None])
def test_typing_typed_dict_is_refused_before_python_3_12(annotation):
    """Before 3.12, typing.TypedDict is refused with its cure; from then on pydantic reads it."""
    if sys.version_info < (3, 12):
        with pytest.raises(
            ConfigurationError, match=r"Old is a typing\.TypedDict.*take TypedDict from typing_extensions"
        ):
            read(annotation, None)
    else:
        assert read(annotation, None).make(SQSRecord({"body": '{"id": 1}'})) == {"id": 1}


@pytest.mark.parametrize(
    ("meant", "kind"), [(RawRecord, "raw"), (SQSRecord, "view"), (Change[dict], "change"), (Order, "payload")]
)
def test_named_type_means_the_type_behind_the_name(meant, kind):
    """A type by another name is the type: ``type Order = ...``, or `TypeAliasType` before Python 3.12."""
    assert read(typing_extensions.TypeAliasType("Alias", meant), None).kind == kind


def test_model_annotation_takes_payloads_of_every_source():
    """A model is a payload, for every source."""
    reading = read(Order, None)
    assert (reading.kind, reading.universal) == ("payload", True)
    assert reading.make(SQSRecord({"body": '{"id": 1}'})) == Order(id=1)
    assert read(Annotated[Order, "x"], None).make(SQSRecord({"body": '{"id": 1}'})) == Order(id=1)


def test_content_of_an_envelope_is_validated():
    """What is in an envelope is validated: text as JSON, objects as Python."""
    assert read(Order, "sns").make(SQSRecord({"body": '{"Message": "{\\"id\\": 1}"}'})) == Order(id=1)
    assert read(Order, "eventbridge").make(SQSRecord({"body": '{"detail": {"id": 1}}'})) == Order(id=1)
    assert read(Order, lambda _: {"id": 2}).make(SQSRecord({"body": ""})) == Order(id=2)
    assert read(Order, lambda _: b'{"id": 3}').make(SQSRecord({"body": ""})) == Order(id=3)


def test_a_union_of_a_view_and_a_model():
    """A union of a view and a payload cannot be read as either."""
    with pytest.raises(ConfigurationError, match="pydantic can't validate"):
        read(SQSRecord | Order, None)
