"""Calling the record function."""

from __future__ import annotations

import asyncio

import pytest

from partialbatch import Change, DynamoDBRecord, RawRecord, SQSRecord
from partialbatch._core.function.binding import Window, bind
from partialbatch._core.function.signature import plan
from partialbatch._core.options import resolve
from partialbatch.errors import EventError
from partialbatch.sources.dynamodb import DynamoDBSource
from partialbatch.sources.sqs import SQSSource

RAW = {"messageId": "m", "body": "[1]", "attributes": {}}


def _call(function, raw=RAW, source=None, context=None, window=None):
    made = plan(function, resolve(), {}, bound=False)
    return bind(function, made, source or SQSSource(), context, window)(raw)


class _Counting(SQSSource):
    """A source that counts views and payloads."""

    def __init__(self):
        super().__init__()
        self.payloads = 0

    def payload(self, raw):
        self.payloads += 1
        return super().payload(raw)


def test_view_is_of_the_sources_own_type():
    """The view is of the source's own type and knows it."""
    source = SQSSource(max_receive_count=5)
    record = _call(lambda record: record, source=source)
    assert isinstance(record, SQSRecord)
    assert record.raw is RAW
    assert record._source is source
    assert record.body == "[1]"


def test_a_view_of_a_custom_source():
    """A source that has no faster way makes its views itself."""

    class Source:
        name = "mq"

        def view(self, raw):
            return ("view", raw)

    assert _call(lambda record: record, source=Source()) == ("view", RAW)


def test_raw_record_is_the_delivered_dict():
    """A raw record is passed as it is, alone or beside others."""

    def alone(raw: RawRecord):
        return raw

    def beside(raw: RawRecord, record, context):
        return raw, record, context

    assert _call(alone) is RAW
    raw, record, context = _call(beside, context="c")
    assert raw is RAW
    assert record.raw is RAW
    assert context == "c"


def test_payload_is_decoded_once():
    """A payload is decoded once, alone or beside others."""

    def alone(payload: list):
        return payload

    def beside(payload: list, record: SQSRecord, *, lambda_context):
        return payload, record.payload, record.text, lambda_context

    assert _call(alone) == [1]
    source = _Counting()
    assert _call(beside, source=source, context="c") == ([1], "[1]", "[1]", "c")
    assert source.payloads == 1


def test_change_is_made_from_the_view():
    """A change is made from the view, alone or beside others."""
    raw = {"eventName": "INSERT", "dynamodb": {"NewImage": {"a": {"S": "x"}}}}

    def alone(change: Change[dict]):
        return change

    def beside(change: Change[dict], record):
        return change, record

    assert _call(alone, raw, DynamoDBSource()) == Change(None, {"a": "x"}, "INSERT")
    change, record = _call(beside, raw, DynamoDBSource())
    assert change.new == {"a": "x"}
    assert type(record) is DynamoDBRecord


def test_default_before_a_filled_parameter_is_passed():
    """A default that stands before a name to fill is passed as it is."""
    default = []

    def function(record, bucket=default, context=None):
        return bucket, context

    bucket, context = _call(function, context="c")
    assert bucket is default
    assert context == "c"


def test_positional_only_parameters_are_filled_by_position():
    """Parameters without names to call by are filled by position."""

    def function(record, context, /):
        return context

    assert _call(function, context="c") == "c"


def test_state_parameter_gets_the_windows_present_state():
    """A state parameter gets the window's present state, by position or keyword."""

    def positional(record, state):
        return state

    def keyword(record, *, state):
        return state

    window = Window({"state": 1})
    for function in (positional, keyword):
        made = plan(function, resolve(), {}, bound=False)
        invoke = bind(function, made, SQSSource(), None, window)
        window.state = 1
        assert invoke(RAW) == 1
        window.take(2)
        window.advance()
        assert invoke(RAW) == 2
        with pytest.raises(EventError) as caught:
            bind(function, made, SQSSource(), None, None)
        assert str(caught.value) == (
            "the record function has a 'state' parameter, and the event isn't from a tumbling window; set "
            "TumblingWindowInSeconds on the event source mapping (Kinesis, DynamoDB Streams), or remove the parameter"
        )


def test_window_takes_its_state_and_its_end_from_the_event():
    """A window's state and its end are the event's."""
    window = Window({"window": {}, "state": {"a": 1}, "isFinalInvokeForWindow": True})
    assert (window.state, window.final) == ({"a": 1}, True)
    window = Window({"window": {}})
    assert (window.state, window.final) == (None, False)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_state_is_copied_when_it_is_taken(asynchronous):
    """What the function does with it afterwards changes nothing."""
    kept = {"n": [0]}

    def fold(record, state):
        kept["n"][0] += 1
        return kept

    async def afold(record, state):
        return fold(record, state)

    window = Window({"state": None})
    function = afold if asynchronous else fold
    invoke = bind(function, plan(function, resolve(), {}, bound=False), SQSSource(), None, window)
    returned = asyncio.run(invoke(RAW)) if asynchronous else invoke(RAW)
    assert returned is kept
    assert window.state is None  # until the record has succeeded
    window.advance()
    kept["n"][0] = 5
    assert window.state == {"n": [1]}


def test_an_async_wrapper_may_return_a_state_at_once():
    """What need not be awaited is taken as it is."""

    class Fold:
        async def __call__(self, record, state):
            raise AssertionError

    class Cached(Fold):
        def answer(self, record, state):
            return 3

    function, window = Cached(), Window({})
    made = plan(function, resolve(), {}, bound=False)
    assert made.awaits
    assert asyncio.run(bind(function.answer, made, SQSSource(), None, window)(RAW)) == 3
