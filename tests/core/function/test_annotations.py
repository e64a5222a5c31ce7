"""What the annotation of the first parameter asks for."""

from __future__ import annotations

import functools
import typing
from typing import TYPE_CHECKING, Annotated, Any, Optional, Union

import pytest

from partialbatch import (
    Change,
    DynamoDBRecord,
    KafkaRecord,
    KinesisRecord,
    RawRecord,
    Record,
    SQSRecord,
    batch_handler,
)
from partialbatch._core.function.annotations import evaluate, inner, read
from partialbatch.errors import ConfigurationError

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForTypes

VIEW_OF = {SQSRecord: "sqs", KinesisRecord: "kinesis", DynamoDBRecord: "dynamodb", KafkaRecord: "kafka"}


class OwnView(Record):
    __slots__ = ()


class Later:
    pass


@pytest.mark.parametrize("annotation", [Any, object, Record, OwnView, Record | SQSRecord, Record | None])
def test_annotation_without_a_source_gets_the_view_of_every_source(annotation):
    """These annotations get the view, whatever the source."""
    reading = read(annotation, None)
    assert (reading.kind, reading.views, reading.universal) == ("view", frozenset(), True)
    marker = object()
    assert reading.make(marker) is marker
    for source in ("sqs", "mq", "dynamodb"):
        reading.check_source(source)


@pytest.mark.parametrize(
    "annotation",
    [
        *VIEW_OF,
        SQSRecord | KinesisRecord,
        Union[SQSRecord, KafkaRecord],  # noqa: UP007 - users write it
        SQSRecord | None,
        Optional[DynamoDBRecord],  # noqa: UP045 - as above
        SQSRecord | KinesisRecord | None,
    ],
)
def test_view_annotation_takes_records_of_its_own_sources_only(annotation):
    """A view, or a union of views, goes with its own sources only."""
    reading = read(annotation, None)
    members = [annotation] if annotation in VIEW_OF else [m for m in typing.get_args(annotation) if m in VIEW_OF]
    assert reading.kind == "view"
    assert reading.views == {VIEW_OF[member] for member in members}
    assert not reading.universal
    for source in (*VIEW_OF.values(), "mq"):
        if source in reading.views:
            reading.check_source(source)
        else:
            with pytest.raises(ConfigurationError, match=rf"takes .*Record.*, and the event source is '{source}'"):
                reading.check_source(source)


@pytest.mark.parametrize("annotation", [RawRecord, RawRecord | None])
def test_raw_record_annotation_gets_the_dict_as_delivered(annotation):
    """RawRecord gets the dict as delivered."""
    reading = read(annotation, None)
    raw = {"messageId": "m"}
    assert reading.kind == "raw"
    assert reading.make(SQSRecord(raw)) is raw
    assert reading.universal


@pytest.mark.parametrize("annotation", [Change, Change[dict], Change[Any], Change[dict] | None])
def test_change_annotation_takes_dynamodb_records_only(annotation):
    """A change goes with DynamoDB only."""
    reading = read(annotation, None)
    assert (reading.kind, reading.views) == ("change", {"dynamodb"})
    record = DynamoDBRecord({"eventName": "REMOVE", "dynamodb": {"OldImage": {"a": {"S": "x"}}}})
    assert reading.make(record) == Change({"a": "x"}, None, "REMOVE")
    with pytest.raises(ConfigurationError, match=r"takes .*Change.*'sqs'"):
        reading.check_source("sqs")


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Annotated[RawRecord, "as delivered"], "raw"),
        (Annotated[RawRecord, "as delivered"] | None, "raw"),
        (Annotated[RawRecord | None, "as delivered"], "raw"),
        (Annotated[SQSRecord, "a message"], "view"),
        (Annotated[SQSRecord | KinesisRecord, 1, 2], "view"),
        (Annotated[Change[dict], "a change"], "change"),
        (Annotated[Any, "whatever comes"], "view"),
        (typing.NewType("Raw", RawRecord), "raw"),
        (typing.NewType("Message", SQSRecord) | None, "view"),
        (typing.NewType("Message", SQSRecord) | KinesisRecord, "view"),
        (Annotated[typing.NewType("Raw", Annotated[RawRecord, "as delivered"]) | None, 1], "raw"),
    ],
)
def test_metadata_and_names_of_records(annotation, kind):
    """Metadata, or a name of its own, changes nothing: least of all is a raw record its payload."""
    assert read(annotation, None).kind == kind


@pytest.mark.parametrize("annotation", [str, bytes, str | None])
def test_text_annotation_takes_every_source_but_dynamodb(annotation):
    """Text is for every source but DynamoDB, whose images have none."""
    reading = read(annotation, None)
    assert reading.kind == "payload"
    assert not reading.universal
    for source in ("sqs", "kinesis", "kafka", "mq"):
        reading.check_source(source)
    with pytest.raises(ConfigurationError, match=r"can't be given as .*annotate dict, a model, or Change"):
        reading.check_source("dynamodb")


def test_payload_annotation_reads_the_views_payload():
    """A payload is made from the view's payload."""
    reading = read(dict, None)
    assert reading.universal
    assert reading.make(SQSRecord({"body": '{"a": 1}'})) == {"a": 1}
    reading.check_source("dynamodb")


@pytest.mark.parametrize(
    ("envelope", "body", "expected"),
    [
        ("sns", '{"Message": "[1]"}', [1]),
        ("eventbridge", '{"detail": {"a": 1}}', None),
        (lambda payload: payload.removeprefix("x"), "x[2]", [2]),
        (lambda payload: [payload], "raw", ["raw"]),
    ],
)
def test_content_of_an_envelope_is_read_as_annotated(envelope, body, expected):
    """What is in the envelope is read as the annotation says: text as JSON, objects as they are."""
    reading = read(list if expected else dict, envelope)
    assert reading.make(SQSRecord({"body": body})) == (expected or {"a": 1})


def test_no_payload_has_no_envelope():
    """Where there is no payload, no envelope is looked for."""
    reading = read(dict | None, "sns")
    assert reading.make(DynamoDBRecord({"dynamodb": {}})) is None


def test_message_of_a_notification_can_be_text():
    """A notification's message may be wanted as text."""
    assert read(str, "sns").make(SQSRecord({"body": '{"Message": "hi"}'})) == "hi"


@pytest.mark.parametrize("annotation", [Any, SQSRecord, RawRecord, Record | None])
def test_an_envelope_around_a_record(annotation):
    """The record itself has no envelope."""
    with pytest.raises(ConfigurationError, match=r"envelope needs a payload to unwrap.*takes the record itself"):
        read(annotation, "sns")


def test_an_envelope_around_a_change():
    """Neither has a change."""
    with pytest.raises(ConfigurationError, match=r"envelope needs a payload.*takes Change\[\.\.\.\]"):
        read(Change[dict], "sns")


@pytest.mark.parametrize("annotation", [str, bytes, str | None])
def test_detail_of_an_event_cannot_be_text(annotation):
    """EventBridge's detail is an object, never text."""
    with pytest.raises(ConfigurationError, match="gives an object, not text"):
        read(annotation, "eventbridge")


def _evaluated(function, namespace=None):
    annotation = next(iter(function.__annotations__.values()))
    return evaluate("function", annotation, function, namespace or {})


def test_string_annotation_is_resolved_in_the_functions_globals():
    """A string is resolved among the function's globals."""

    def function(record: Later): ...

    assert function.__annotations__["record"] == "Later"
    assert _evaluated(function) is Later


def test_string_annotation_is_resolved_in_the_closure_first():
    """A string is resolved in the function's closure, which hides its globals."""

    class Local: ...

    Later = dict  # noqa: N806 - hides the class

    def function(record: Later):
        return Local, Later

    def other(record: Local):
        return Local

    assert _evaluated(function) is dict
    assert _evaluated(function, {"Later": int}) is dict
    assert _evaluated(other) is Local


def test_closure_variable_without_a_value_yet_is_ignored():
    """A variable of the closure that has no value yet is none of the annotation's business."""

    def function(record: Later):
        return helper

    assert _evaluated(function) is Later

    def helper(): ...


def test_locals_of_the_decorating_frame():
    """A string is resolved among the locals where the decorator stands."""

    class Local(SQSRecord):
        __slots__ = ()

    @batch_handler
    def handler(record: Local): ...

    assert handler.__wrapped__.__annotations__["record"] == "Local"


def test_string_inside_another_type_is_resolved():
    """A string inside of another type is resolved too."""

    def function(record: Change[Later]): ...

    assert _evaluated(function) == Change[Later]
    assert evaluate("f", Change["Later"], function, {}) == Change[Later]
    assert evaluate("f", list["Later"], function, {}) == list[Later]


def test_globals_are_those_of_the_innermost_function():
    """The globals are those of the function that a partial, a wrapper or a callable object ends in."""

    class Callable:
        def __call__(self, record: Later): ...

    def function(record: Later): ...

    @functools.wraps(function)
    def wrapper(*args): ...

    over_partial = functools.wraps(functools.partial(function))(lambda record: None)
    over_object = functools.wraps(Callable())(lambda record: None)
    wrappers = (wrapper, functools.partial(wrapper), over_partial, over_object)
    for target in (functools.partial(functools.partial(function)), Callable(), staticmethod(function), *wrappers):
        assert evaluate("f", "Later", target, {}) is Later
    assert inner(functools.partial(functools.partial(function))) is function
    assert inner(Callable()) is Callable.__call__
    assert inner(classmethod(function)) is function
    assert inner(print) is print
    assert inner(Later) is Later


@pytest.mark.parametrize("annotation", ["Unknown", "OnlyForTypes", "1 +", "Later.missing"])
def test_unresolvable_annotation_is_refused_and_model_is_named(annotation):
    """An annotation that cannot be resolved names model=."""

    def function(record): ...

    with pytest.raises(ConfigurationError, match=r"f: the annotation '.*' can't be resolved .*model="):
        evaluate("f", annotation, function, {})


def test_a_name_for_types_only():
    """A type that is imported for type checkers alone is refused at decoration, and model= cures it."""
    with pytest.raises(ConfigurationError, match=r"handler: .*'OnlyForTypes'.*model="):

        @batch_handler
        def handler(value: OnlyForTypes): ...

    @batch_handler(model=dict)
    def cured(value: OnlyForTypes): ...


def test_only_the_first_is_evaluated():
    """The annotations of further parameters, and of what is returned, are not looked at."""

    @batch_handler
    def handler(record: SQSRecord, context: Unknown, extra: Unknown = None) -> Unknown: ...  # noqa: F821 - the point

    assert handler({"Records": []}) == {"batchItemFailures": []}
