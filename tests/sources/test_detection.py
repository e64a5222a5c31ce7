"""The shapes that records arrive in, and the sources that a handler accepts."""

from __future__ import annotations

import asyncio

import pytest
from batches import Plain, sqs

from partialbatch._core.options import resolve
from partialbatch.errors import EventError
from partialbatch.sources import VIEWS, Catalogue, Record
from partialbatch.sources._detection import check_uniform, is_empty, origin_of, records_of
from partialbatch.types import ErrorPolicy


def _open(event, **options):
    return Catalogue(resolve(**options)).open(event)


@pytest.fixture
def events(sqs, kinesis, kinesis_pipe, dynamodb, kafka, of_kafka):  # one a source
    """Give an event of each source in each shape, with its name and whether it takes a partial response."""
    return [
        ({"Records": [sqs(), sqs(2)]}, "sqs", True),
        ({"Records": [kinesis()]}, "kinesis", True),
        ({"Records": [dynamodb()]}, "dynamodb", True),
        (of_kafka(kafka()), "kafka", True),
        (of_kafka(kafka(), source="SelfManagedKafka"), "kafka", True),
        (of_kafka(kafka(), source="aws:SelfManagedKafka"), "kafka", True),
        ([sqs()], "sqs", True),
        ([kinesis_pipe()], "kinesis", True),
        ([dynamodb()], "dynamodb", True),
        ([{**kafka(), "eventSource": "aws:kafka"}], "kafka", False),
        ([{**kafka(), "eventSource": "SelfManagedKafka"}], "kafka", False),
        ([{**kafka(), "eventSource": "aws:SelfManagedKafka"}], "kafka", False),
    ]


def test_sources_are_known_by_the_event(events):
    """Each event names its source; an explicit source accepts its own and refuses the others."""
    for event, name, partial in events:
        source, records = _open(event)
        assert (source.name, source.partial_response) == (name, partial)
        assert len(records) == 2 if name == "sqs" and "Records" in event else len(records) == 1
        for wanted in ("sqs", "kinesis", "dynamodb", "kafka"):
            if wanted == name:
                assert _open(event, source=wanted)[0].name == name
            else:
                with pytest.raises(EventError) as caught:
                    _open(event, source=wanted)
                assert str(caught.value) == (
                    f"the handler has source='{wanted}', and the event is from {name}; correct source=, or remove it"
                )


def test_a_pipe_is_told_from_a_stream(events):
    """The same records are named in another way in a Pipe."""
    identifiers = [_open(event)[0].identifier(_open(event)[1][0]) for event, _, _ in events]
    assert identifiers[2] == "4421584500000000017450439092"
    assert identifiers[8] == "e1"
    assert identifiers[1] == "49590338271490256608559692538361571095921575989136588899"
    assert identifiers[7] == f"shardId-000000000006:{identifiers[1]}"


NO_BATCHES = [
    None,
    "secret",
    b"secret",
    5,
    True,
    {},
    {"detail": "secret"},
    {"Records": None},
    {"Records": "secret"},
    {"Records": {}},
    {"Records": {"0": "secret"}},
    {"Records": ["secret"]},
    {"Records": [None]},
    {"Records": [{}]},
    {"Records": [{"eventSource": None}]},
    {"Records": [{"eventSource": ["aws:sqs"]}]},
    {"Records": [{"eventSource": "aws:s3", "s3": "secret"}]},
    {"Records": [{"EventSource": "aws:sns", "Sns": "secret"}]},
    {"records": {}, "eventSource": "aws:mq"},
    {"records": {}, "eventSource": "aws:sqs"},
    {"records": {}},
    {"records": None, "eventSource": "aws:kafka"},
    {"records": [], "eventSource": "aws:kafka"},
    {"records": {"t-0": ["secret"]}, "eventSource": "aws:kafka"},
    {"eventSource": "aws:kafka"},
    ["secret"],
    [None],
    [[{"eventSource": "aws:sqs"}]],
    [{"eventSource": "aws:s3"}],
]


@pytest.mark.parametrize("event", NO_BATCHES, ids=range(len(NO_BATCHES)))
@pytest.mark.parametrize("source", ["auto", "sqs", "kafka"])
def test_other_events_are_refused_by_their_keys(event, source):
    """What is no batch raises with the keys that were seen, never their values."""
    with pytest.raises(EventError) as caught:
        _open(event, source=source)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_deeply_nested_list_is_refused():
    """A list nested without end is refused as any other."""
    event = []
    for _ in range(100_000):
        event = [event]
    with pytest.raises(EventError, match="a list whose first entry is a value of type list"):
        _open(event)


@pytest.mark.parametrize("event", [[], {"Records": []}])
@pytest.mark.parametrize("source", ["auto", "sqs", "kafka"])
def test_batch_without_records_has_no_source(event, source):
    """A batch without records has no source."""
    assert _open(event, source=source) == (None, [])
    assert is_empty(event)


def test_kafka_event_without_messages_is_an_empty_batch(of_kafka):
    """A Kafka event without messages is a batch without records."""
    for partitions in ({}, {"orders-0": []}):
        assert _open({**of_kafka(), "records": partitions}) == (None, [])
    with pytest.raises(EventError, match="source='sqs'"):
        _open(of_kafka(), source="sqs")


@pytest.mark.parametrize("event", [{}, {"Records": [1]}, {"records": []}, None, [1]])
def test_only_an_empty_list_is_an_empty_batch(event):
    """Nothing but an empty list of records is an empty batch."""
    assert not is_empty(event)


def test_records_of_several_sources_are_refused(sqs, kinesis):
    """Records of two sources, or of two queues, are no batch; both are named."""
    for records in ([sqs(), kinesis()], [sqs(), sqs(2), kinesis(), sqs(3)]):
        for event in (records, {"Records": records}):
            with pytest.raises(EventError, match=r"aws:kinesis arn:.*stream/orders, aws:sqs arn:.*orders"):
                _open(event)
    with pytest.raises(EventError) as caught:
        _open({"Records": [sqs(eventSourceARN="arn:one"), sqs(eventSourceARN="arn:other")]})
    assert str(caught.value) == (
        "the event has records from several sources (aws:sqs arn:one, aws:sqs arn:other), and a batch comes from one; "
        "send the records of each source in an event of their own"
    )


def test_event_made_by_hand_may_leave_out_the_arn(sqs):
    """A hand-made event may leave the ARN out, in all records or in none."""
    bare = {"messageId": "m", "body": "", "eventSource": "aws:sqs"}
    assert _open({"Records": [bare, bare]})[1] == [bare, bare]
    assert _open({"Records": [bare, {**bare, "eventSourceARN": None}]})[0].name == "sqs"
    for records in ([bare, sqs()], [sqs(), bare]):
        assert _open({"Records": records})[1] == records


def test_placeholder_arns_are_not_different_arns(dynamodb):
    """AWS's sample DynamoDB event names no real ARNs, and they differ; it is one batch all the same."""
    names = ["eventsourcearn", "sourcearn", "sourcearn", None, ["arn:a"]]
    source, records = _open({"Records": [dynamodb(eventSourceARN=name) for name in names]})
    assert source.name == "dynamodb"
    assert len(records) == 5
    with pytest.raises(EventError, match="several sources"):
        _open({"Records": [dynamodb(eventSourceARN=name) for name in ("sourcearn", "arn:a", "arn:b")]})


@pytest.mark.parametrize("order", [1, -1])
def test_a_fifo_queue_named_by_a_later_record_is_fifo(sqs, order):
    """Where only some records name the queue, one that ends in ``.fifo`` is enough to stop after a failure."""
    records = [sqs(eventSourceARN=None), sqs(2, eventSourceARN="arn:aws:sqs:eu-west-1:1:orders.fifo")][::order]
    source, opened = _open({"Records": records})
    assert source.policy(opened) is ErrorPolicy.STOP
    assert source.policy([sqs(eventSourceARN=None), sqs(2, eventSourceARN=None)]) is ErrorPolicy.CONTINUE


@pytest.mark.parametrize("other", [None, "secret", 5, []])
def test_an_entry_that_is_no_record(sqs, other):
    """An entry that is no dict gives the whole batch back."""
    for records in ([sqs(), other], [sqs(), sqs(eventSourceARN=None), other]):
        with pytest.raises(EventError, match=r"a list whose first entry is a value of type .*, which isn't a dict"):
            _open({"Records": records})


@pytest.mark.parametrize("origin", [["aws:sqs"], {}, None, 5])
def test_an_origin_of_a_wrong_type(sqs, origin):
    """A later record whose event source is of another type, hashable or not, is of another source."""
    with pytest.raises(EventError, match="several sources"):
        _open({"Records": [sqs(), sqs(eventSource=origin)]})


def test_later_record_without_a_source_is_of_another_source(sqs):
    """A later record without an event source is of another source."""
    with pytest.raises(EventError, match="several sources"):
        check_uniform([sqs(), {"messageId": "m"}])


def test_layout_and_sender_are_read_from_the_first_record(sqs, kafka, of_kafka):
    """The shape and the sender of an event are read from its first record, or from Kafka's envelope."""
    assert origin_of({"Records": [sqs()]}) == ("Records", "aws:sqs")
    assert origin_of([sqs()]) == ("pipe", "aws:sqs")
    assert origin_of(of_kafka(kafka())) == ("records", "aws:kafka")
    assert origin_of({"Records": [], "records": {}}) is None
    assert origin_of({"Records": [sqs()], "records": {}, "eventSource": "aws:kafka"}) == ("Records", "aws:sqs")
    assert records_of([1]) == records_of({"Records": [1]}) == [1]


class _Broker:
    """An event source of the user's own."""

    name = "mq"
    partial_response = False
    identifier = payload = view = group = policy = lambda self, *_: None

    def matches(self, event):
        return isinstance(event, dict) and "messages" in event

    def records(self, event):
        return event["messages"]


def test_own_source_is_the_only_one_asked():
    """A source of the user's own is the only one asked, and need not name itself in its records."""
    broker = _Broker()
    assert _open({"messages": [{"a": 1}, {"b": 2}]}, source=broker) == (broker, [{"a": 1}, {"b": 2}])
    assert _open({"messages": []}, source=broker) == (None, [])
    with pytest.raises(
        EventError, match=r"source='mq', and that source doesn't recognise the event .a dict with the keys Records.; "
    ):
        _open({"Records": []}, source=broker)


def test_each_view_belongs_to_one_source():
    """Each built-in view belongs to one source."""
    assert sorted(VIEWS.values()) == ["dynamodb", "kafka", "kinesis", "sqs"]
    assert all(issubclass(view, Record) and view({}).source == name for view, name in VIEWS.items())


@pytest.mark.parametrize("source", ["auto", "sqs", "kafka"])
@pytest.mark.parametrize("listed", [[], {}, "", [{"eventSource": "aws:sqs", "messageId": "m0", "body": "secret"}]])
def test_records_in_two_places_are_no_batch(kafka, of_kafka, source, listed):
    """Whichever were left out would be deleted, so neither is taken for the batch, nor for an empty one."""
    event = {**of_kafka(kafka()), "Records": listed}
    assert not is_empty(event)
    with pytest.raises(
        EventError, match=r"^this event has both 'Records' and 'records', .* remove the other"
    ) as caught:
        _open(event, source=source)
    assert "secret" not in str(caught.value)


def test_an_empty_second_place_does_not_matter(sqs, kafka, of_kafka):
    """Where only one of them holds records, that is the batch."""
    assert len(_open({"Records": [sqs()], "records": {}})[1]) == 1
    assert _open({"Records": [], "records": {}}) == (None, [])
    assert len(_open({**of_kafka(kafka()), "Records": None})[1]) == 1


@pytest.mark.parametrize("done", [True, False])
def test_a_future_of_records_is_no_empty_batch(done):
    """A done future of asyncio can be iterated over, and gives nothing: the records are in its result."""
    loop = asyncio.new_event_loop()

    class Later(Plain):
        def records(self, event):
            future = loop.create_future()
            if done:
                future.set_result(event["Records"])
            return future

    catalogue = Catalogue(resolve(source=Later()))
    with pytest.raises(TypeError, match=r"the event source's records\(\) returned a future.* return its result\(\)"):
        catalogue.open(sqs(2))
    loop.close()
