"""The reader yields each key once, retries with the same options, and never guesses."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import client_error

from partialbatch import Backoff
from partialbatch.errors import ConfigurationError, DeliveryError, RecordError
from partialbatch.producers import DynamoDBReader


class Items:
    """A table of even numbers that leaves some keys unprocessed, by a script."""

    def __init__(self, script=(), poison=()):
        self.script = list(script)
        self.poison = set(poison)
        self.calls = []

    def batch_get_item(self, RequestItems, **more):
        ((table, request),) = RequestItems.items()
        self.calls.append((request, more))
        decision = self.script.pop(0) if self.script else "."
        if decision == "throttle":
            raise client_error("ProvisionedThroughputExceededException")
        if decision == "fatal":
            raise client_error("ResourceNotFoundException")
        keys = request["Keys"]
        if self.poison & {int(float(key["pk"]["N"])) for key in keys}:
            raise client_error("ValidationException")
        letters = [decision[at % len(decision)] for at in range(len(keys))]
        left = [key for key, letter in zip(keys, letters, strict=True) if letter == "t"]
        found = [
            {**key, "v": {"S": "even"}}
            for key, letter in zip(keys, letters, strict=True)
            if letter == "." and int(float(key["pk"]["N"])) % 2 == 0
        ]
        answer = {"Responses": {table: found}, "ConsumedCapacity": [{"CapacityUnits": 0.5}]}
        return answer | ({"UnprocessedKeys": {"arn:aws:dynamodb:r:1:table/t": {"Keys": left}}} if left else {})


def make(items, **options):
    return DynamoDBReader("t", **{"client": items, "sleep": lambda _: None, "backoff": Backoff(0.1, 1, 30)} | options)


@given(
    numbers=st.lists(st.integers(0, 30), max_size=40),
    script=st.lists(st.one_of(st.just("throttle"), st.text(".t", min_size=1, max_size=4)), max_size=8),
    ordered=st.booleans(),
    entries=st.integers(1, 7),
)
def test_each_key_is_yielded_once_with_its_item_or_none(numbers, script, ordered, entries):
    """Missing keys are None, duplicates are read once, and the order is kept on request."""
    items = Items(script)
    reader = make(items, max_entries=entries, consistent_read=True)
    keys = [{"pk": number} for number in numbers]
    got = list(reader.get(iter(keys), ordered=ordered))
    first = {}
    for key in keys:
        first.setdefault(key["pk"], key)
    assert {key["pk"] for key, _ in got} == set(first)
    assert len(got) == len(first)
    assert all(key is first[key["pk"]] for key, _ in got)
    assert all(item == ({"pk": Decimal(key["pk"]), "v": "even"} if key["pk"] % 2 == 0 else None) for key, item in got)
    if ordered:
        assert [key["pk"] for key, _ in got] == list(first)
    for request, _ in items.calls:
        assert 0 < len(request["Keys"]) <= entries
        assert request["ConsistentRead"] is True
        assert len({str(key) for key in request["Keys"]}) == len(request["Keys"])


def test_pages_cut_by_size_are_followed_without_a_wait():
    """A response with some items is followed by no wait; a response without any is."""
    sleeps = []
    items = Items([".t", ".t", "t"])
    reader = make(items, sleep=sleeps.append, random=lambda: 1.0)
    assert len(list(reader.get({"pk": n} for n in range(8)))) == 8
    assert len(sleeps) == 1
    assert reader.stats.retries == 4 + 2 + 2


def test_a_projection_gets_the_keys_added():
    """If the projection lacks the key attributes, they are read under generated names."""
    items = Items()
    reader = make(
        items, projection_expression="#v, pk", expression_attribute_names={"#v": "v"}, return_consumed_capacity="TOTAL"
    )
    list(reader.get([{"pk": 2}]))
    request, more = items.calls[0]
    assert request["ProjectionExpression"] == "#v, pk"
    assert request["ExpressionAttributeNames"] == {"#v": "v"}
    assert more == {"ReturnConsumedCapacity": "TOTAL"}
    assert reader.stats.consumed_capacity == 0.5
    list(make(items, projection_expression="v").get([{"pk": 2, "sk": "x"}]))
    request, _ = items.calls[1]
    assert request["ProjectionExpression"] == "v, #partialbatch_key0, #partialbatch_key1"
    assert request["ExpressionAttributeNames"] == {"#partialbatch_key0": "pk", "#partialbatch_key1": "sk"}


def test_numbers_of_one_value_are_one_key():
    """1, 1.0 and Decimal('1.00') are read once; the first object given is yielded."""
    items = Items()
    first = {"pk": 2.0}
    assert [key is first for key, _ in make(items).get([first, {"pk": 2}, {"pk": Decimal("2.00")}])] == [True]


@pytest.mark.parametrize("answer", [{}, {"Responses": None}])
def test_a_response_without_items_yields_none(answer):
    """Keys that the response doesn't hand back are in no table."""

    class Silent:
        def batch_get_item(self, **_):
            return answer

    assert list(make(Silent()).get([{"pk": 1}, {"pk": 2}])) == [({"pk": 1}, None), ({"pk": 2}, None)]


def test_options_of_producers_are_refused():
    """An option that has no effect on reading is an unknown argument, and the error names it."""
    for option in ({"max_bytes": 5}, {"workers": 2}, {"serializer": dict}):
        with pytest.raises(TypeError, match=f"unexpected keyword arguments: {next(iter(option))}"):
            make(Items(), **option)


def test_the_order_of_a_keys_attributes_means_nothing():
    """A key finds its item whatever the order of its attributes."""
    items = Items([".", "t"])
    keys = [{"pk": 2, "sk": "a"}, {"sk": "b" * 1_500, "pk": 4}]
    got = list(make(items, max_entries=1).get(keys))
    assert [(key, item["v"]) for key, item in got] == [(keys[0], "even"), (keys[1], "even")]


@pytest.mark.parametrize("ordered", [True, False])
def test_giving_up_raises_and_never_yields_none(ordered):
    """Keys that couldn't be read are in DeliveryError, and all others were yielded."""
    items = Items(poison={3})
    got = []
    keys = [{"pk": n} for n in range(6)]
    with pytest.raises(DeliveryError, match="1 keys were not accepted") as caught:
        got.extend(key["pk"] for key, _ in make(items, max_entries=4).get(keys, ordered=ordered))
    assert sorted(got) == [0, 1, 2, 4, 5]
    assert caught.value.unprocessed[0].record is keys[3]
    if ordered:
        assert got == sorted(got)


class Stubborn(Items):
    """A table that always leaves the key 0 unprocessed."""

    def batch_get_item(self, RequestItems, **more):
        keys = next(iter(RequestItems.values()))["Keys"]
        self.script = ["".join("t" if key["pk"]["N"] == "0" else "." for key in keys)]
        return super().batch_get_item(RequestItems, **more)


def test_a_key_that_is_never_read_does_not_block_later_keys():
    """In order, at most max_pending keys are taken ahead of the results, which keep their order."""
    taken, yielded, ahead = [], [], []

    def keys():
        for number in range(1000):
            taken.append(number)
            yield {"pk": number}

    reader = make(Stubborn(), max_pending=100, max_entries=10, backoff=Backoff(0.1, 1, 3))

    def read():
        for key, _ in reader.get(keys(), ordered=True):
            yielded.append(key["pk"])
            ahead.append(len(taken) - len(yielded))

    with pytest.raises(DeliveryError) as caught:
        read()
    assert [entry.record for entry in caught.value.unprocessed] == [{"pk": 0}]
    assert yielded == list(range(1, 1000))
    assert max(ahead) <= 101


@pytest.mark.parametrize("ordered", [True, False])
def test_a_missing_table_gets_one_call(ordered):
    """No further call is made, however many keys there are and however few are held."""
    items = Items(["fatal"] * 9)
    with pytest.raises(DeliveryError) as caught:
        list(make(items, max_pending=20, max_entries=10).get(({"pk": n} for n in range(200)), ordered=ordered))
    assert len(items.calls) == 1
    assert len(caught.value.unprocessed) == 200


def test_a_missing_table_ends_the_reading_at_once():
    """Every key comes back with the reason."""
    items = Items(["fatal"])
    with pytest.raises(DeliveryError, match="ResourceNotFoundException") as caught:
        list(make(items, max_entries=2).get([{"pk": n} for n in range(6)]))
    assert len(caught.value.unprocessed) == 6
    assert len(items.calls) == 1


@pytest.mark.parametrize("key", [5, {}, {"a": 1, "b": 2, "c": 3}, {"pk": None}, {"other": 1}, {"pk": 1, "sk": 2}])
def test_a_bad_key_is_refused(key):
    """A key is a dict of one or two key attributes, the same ones each time."""
    with pytest.raises(RecordError):
        list(make(Items()).get([{"pk": 1}, key]))


def test_options_that_cannot_work_are_refused():
    """Options of producers, names without an expression and impossible values are refused."""
    with pytest.raises(TypeError, match="workers"):
        make(Items(), workers=2)
    with pytest.raises(
        ConfigurationError,
        match=r"^expression_attribute_names= has no effect without projection_expression=, .*; set both, or none$",
    ):
        make(Items(), expression_attribute_names={"#a": "a"})
    with pytest.raises(ConfigurationError, match="max_entries=101"):
        make(Items(), max_entries=101)
    with pytest.raises(ConfigurationError, match="table"):
        DynamoDBReader("", client=Items())
