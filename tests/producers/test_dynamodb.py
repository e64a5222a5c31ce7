"""DynamoDB: keys, duplicates, several tables, capacity units and types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

import pydantic
import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st
from scripted import client_error, too_large

from partialbatch import Backoff
from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers import DynamoDBProducer, Item
from partialbatch.producers._dynamodb_types import ItemSerializer, deserialize


class Table:
    """Tables that apply accepted operations, and return the others as unprocessed, by a script."""

    def __init__(self, script=(), *, arn=False):
        self.script = list(script)
        self.items = {}
        self.calls = []
        self.arn = arn

    def batch_write_item(self, RequestItems, **more):
        self.calls.append((RequestItems, more))
        decision = self.script.pop(0) if self.script else "."
        if decision == "throttle":
            raise client_error("ProvisionedThroughputExceededException")
        left, at, seen = {}, 0, set()
        for table, requests in RequestItems.items():
            for request in requests:
                body = request.get("PutRequest", {}).get("Item") or request["DeleteRequest"]["Key"]
                key = (table, str(body["pk"]), str(body.get("sk")))
                assert key not in seen
                seen.add(key)
                letter, at = decision[at % len(decision)], at + 1
                if letter == "t":
                    name = f"arn:aws:dynamodb:eu-west-1:1:table/{table}" if self.arn else table
                    left.setdefault(name, []).append(json.loads(json.dumps(request)))
                elif "PutRequest" in request:
                    self.items[key] = body
                else:
                    self.items.pop(key, None)
        answer = {"UnprocessedItems": left} if left else {}
        if more:
            answer["ConsumedCapacity"] = [
                {"TableName": "t", "CapacityUnits": 1.5},
                {"TableName": "u", "CapacityUnits": 2},
            ]
        return answer


def make(table, **options):
    return DynamoDBProducer(
        "t", **{"keys": "pk", "client": table, "sleep": lambda _: None, "backoff": Backoff(0.1, 1, 20)} | options
    )


OPERATIONS = st.lists(st.tuples(st.sampled_from(["put", "delete"]), st.integers(0, 5)), max_size=60)


@given(
    operations=OPERATIONS,
    script=st.lists(st.one_of(st.just("throttle"), st.text(".t", min_size=1, max_size=5)), max_size=10),
    workers=st.sampled_from([0, 0, 3]),
    duplicates=st.sampled_from(["last", "serialize"]),
    arn=st.booleans(),
)
def test_the_table_ends_as_if_operations_came_one_after_another(operations, script, workers, duplicates, arn):
    """Whatever is throttled and retried, the last operation on a key wins, and each one is accounted for."""
    table = Table(script, arn=arn)
    producer = make(table, workers=workers, on_duplicate=duplicates, max_entries=4, max_pending=8)
    expected = {}
    for value, (operation, key) in enumerate(operations):
        if operation == "put":
            producer.put({"pk": key, "value": value})
            expected[key] = value
        else:
            producer.delete({"pk": key})
            expected.pop(key, None)
    assert producer.flush() == []
    assert {int(item["pk"]["N"]): int(item["value"]["N"]) for item in table.items.values()} == expected
    stats = producer.stats
    assert stats.records + stats.superseded == len(operations)
    if duplicates == "serialize":
        assert stats.superseded == 0


def test_a_newer_operation_replaces_a_retry():
    """A throttled put isn't sent again once a newer operation on its key is held."""
    table = Table(["t"])
    inner = table.batch_write_item
    producer = make(table, max_entries=1)

    def late(**call):
        if len(table.calls) == 0:
            producer._sender._buffer.add(producer.entry({"pk": 1}, {"operation": "delete"}))
            producer._sender._buffer.add(producer.entry({"pk": 1, "v": 3}, {"operation": "put"}))
        return inner(**call)

    table.batch_write_item = late
    producer.put({"pk": 1, "v": 1})
    assert producer.flush() == []
    assert [list(request) for call, _ in table.calls for request in call["t"]] == [["PutRequest"], ["PutRequest"]]
    assert producer.stats.superseded == 2
    assert [item["v"] for item in table.items.values()] == [{"N": "3"}]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, Decimal("1.00"), True),
        (b"a", bytearray(b"a"), True),
        (b"a", Binary(b"a"), True),
        ("a", b"a", False),
        ("1", 1, False),
        (-1, Decimal("-1.0"), True),
        (10**39 * 1, Decimal("1E39"), True),
    ],
)
def test_keys_are_compared_as_dynamodb_compares_them(one, other, same):
    """1, 1.00 and Decimal('1') are one key; a str and bytes are two."""
    table = Table()
    producer = make(table)
    producer.put({"pk": one, "v": 1})
    producer.put({"pk": other, "v": 2})
    assert producer.flush() == []
    assert sum(len(requests) for call, _ in table.calls for requests in call.values()) == (1 if same else 2)


@given(
    operations=OPERATIONS,
    script=st.lists(st.one_of(st.just("throttle"), st.text(".t", min_size=1, max_size=5)), max_size=10),
    workers=st.sampled_from([0, 0, 3]),
)
def test_first_keeps_the_operation_that_is_held(operations, script, workers):
    """on_duplicate='first' leaves out later operations on a held key, and counts them as superseded."""
    table = Table(script)
    producer = make(table, workers=workers, on_duplicate="first", max_entries=25)
    for value, (operation, key) in enumerate(operations):
        if operation == "put":
            producer.put({"pk": key, "value": value})
        else:
            producer.delete({"pk": key})
    assert producer.flush() == []
    first = {}
    for value, (operation, key) in enumerate(operations):
        first.setdefault(key, (operation, value))  # six keys never fill a call of 25: all are held until the flush
    expected = {key: value for key, (operation, value) in first.items() if operation == "put"}
    assert {int(item["pk"]["N"]): int(item["value"]["N"]) for item in table.items.values()} == expected
    assert (producer.stats.records, producer.stats.superseded) == (len(first), len(operations) - len(first))
    producer.put({"pk": 0, "value": -1})
    assert producer.flush() == []
    assert any(item["value"]["N"] == "-1" for item in table.items.values())


@pytest.mark.parametrize(("script", "values", "back"), [([], ["1"], []), (["throttle"] * 99, [], [1, 2, 3])])
def test_first_in_a_session_returns_all_operations_of_a_key_together(script, values, back):
    """In a session, an operation is left out only if the first one on its key was accepted."""
    table = Table(script)
    session = make(table, on_duplicate="first", backoff=Backoff(0.1, 1, 3)).open()
    for value in (1, 2, 3):
        session.put({"pk": 1, "value": value})
    assert [entry.record["value"] for entry in session.flush()] == back
    assert [item["value"]["N"] for item in table.items.values()] == values
    assert session.stats.superseded == (0 if back else 2)


def test_first_in_a_session_sends_the_next_operation_after_a_rejection():
    """If DynamoDB rejects the first operation on a key, the next one is sent in its place."""
    table = Table()
    inner = table.batch_write_item

    def picky(RequestItems, **more):
        if any(request["PutRequest"]["Item"]["value"]["N"] == "1" for request in RequestItems["t"]):
            raise client_error("ValidationException")
        return inner(RequestItems, **more)

    table.batch_write_item = picky
    session = make(table, on_duplicate="first").open()
    for value in (1, 2, 3):
        session.put({"pk": 1, "value": value})
    assert [(entry.record["value"], entry.reason) for entry in session.flush()] == [(1, "rejected")]
    assert [item["value"]["N"] for item in table.items.values()] == ["2"]


def test_a_serializer_is_called_for_items_but_not_for_keys():
    """A serializer that adds attributes isn't called for a key to delete, by `delete` or by an `Item`."""
    table = Table()
    producer = make(table, serializer=lambda record: {**record, "written_by": "me"})
    producer.put({"pk": 1})
    producer.delete({"pk": 2})
    assert producer.flush() == []
    session = producer.open()
    session.put(Item({"pk": 3}, operation="delete"))
    session.put(Item({"pk": 4}, operation="put"))
    assert session.flush() == []
    requests = [request for call, _ in table.calls for request in call["t"]]
    assert [request["DeleteRequest"]["Key"] for request in requests if "DeleteRequest" in request] == [
        {"pk": {"N": "2"}},
        {"pk": {"N": "3"}},
    ]
    assert all("written_by" in request["PutRequest"]["Item"] for request in requests if "PutRequest" in request)


def test_error_refuses_a_second_operation_while_one_is_held():
    """on_duplicate='error' raises at put, and after a flush the key is free."""
    producer = make(Table(), on_duplicate="error")
    producer.put({"pk": 1})
    with pytest.raises(
        RecordError,
        match=r"^key: another operation on this key is still held or in flight .on_duplicate='error'.: call flush..$",
    ):
        producer.delete({"pk": 1})
    assert producer.flush() == []
    producer.delete({"pk": 1})
    assert producer.flush() == []


def test_several_tables_share_a_call():
    """keys={table: names} and put(table=) mix tables in a call, and their capacity is added up."""
    table = Table()
    producer = DynamoDBProducer(
        keys={"a": ["pk", "sk"], "arn:aws:dynamodb:eu-west-1:1:table/b": "pk"},
        client=table,
        return_consumed_capacity="TOTAL",
    )
    producer.put({"pk": 1, "sk": "x"}, table="a")
    producer.put({"pk": 1, "sk": "y"}, table="a")
    producer.delete({"pk": 1}, table="arn:aws:dynamodb:eu-west-1:1:table/b")
    with pytest.raises(
        RecordError, match=r"^table: is missing; this producer writes to several tables, so each operation needs one$"
    ):
        producer.put({"pk": 1})
    with pytest.raises(RecordError, match=r"^table: 'c' isn't one of the tables in keys=: a, arn:"):
        producer.put({"pk": 1}, table="c")
    assert producer.flush() == []
    ((requests, more),) = table.calls
    assert {name: len(rows) for name, rows in requests.items()} == {"a": 2, "arn:aws:dynamodb:eu-west-1:1:table/b": 1}
    assert more == {"ReturnConsumedCapacity": "TOTAL"}
    assert producer.stats.consumed_capacity == 3.5
    assert producer.stats.bytes > 0


@pytest.mark.parametrize("short", [False, True])
def test_tables_of_one_name_in_two_accounts_are_two(short):
    """Items with the same key in both tables don't replace each other."""
    arns = [f"arn:aws:dynamodb:eu-west-1:{account}:table/orders" for account in (1, 2)]
    calls = []

    class Client:
        def batch_write_item(self, RequestItems):
            calls.append(RequestItems)
            left = {"orders" if short else arns[1]: RequestItems[arns[1]]} if len(calls) == 1 else {}
            return {"UnprocessedItems": left}

    producer = DynamoDBProducer(keys=dict.fromkeys(arns, "pk"), client=Client(), sleep=lambda _: None)
    for arn in arns:
        producer.put({"pk": 1}, table=arn)
    assert producer.flush() == []
    assert producer.stats.superseded == 0
    assert [set(call) for call in calls] == [set(arns), set(arns) if short else {arns[1]}]


def test_a_name_and_an_arn_of_that_name_are_refused():
    """They may or may not be the same table."""
    keys = {"orders": "pk", "arn:aws:dynamodb:eu-west-1:2:table/orders": "pk"}
    with pytest.raises(ConfigurationError, match=r"ARNs if several tables are called 'orders'$"):
        DynamoDBProducer(keys=keys, client=Table())


def test_unknown_items_in_a_response_are_ignored():
    """An item that was not sent can't be unprocessed."""
    table = Table()
    rows = [{"PutRequest": {"Item": {"pk": {"N": "77"}}}}, {"DeleteRequest": {"Key": {"other": {"S": "x"}}}}]
    table.batch_write_item = lambda **_: {"UnprocessedItems": {"t": rows, "nobody": rows}}
    producer = make(table)
    producer.put({"pk": 1})
    assert producer.flush() == []


def test_unprocessed_records_have_their_operation():
    """.options has the operation, and the table if it was given."""
    table = Table(["throttle"] * 3)
    producer = make(table, backoff=Backoff(0.1, 1, 2))
    item, key = {"pk": 1}, {"pk": 2}
    producer.put(item)
    producer.delete(key, table="t")
    one, two = producer.flush()
    assert (one.record is item, two.record is key) == (True, True)
    assert one.options == {"operation": "put"}
    assert two.options == {"operation": "delete", "table": "t"}


@dataclass
class Row:
    pk: int
    tags: list


class Model(pydantic.BaseModel):
    pk: int
    inner: dict[str, Decimal]


@pytest.mark.parametrize(
    ("item", "wire"),
    [
        (MappingProxyType({"pk": 3}), {"pk": {"N": "3"}}),
        ({"pk": 4, "row": Row(1, [])}, {"pk": {"N": "4"}, "row": {"M": {"pk": {"N": "1"}, "tags": {"L": []}}}}),
        (Row(1, ["a"]), {"pk": {"N": "1"}, "tags": {"L": [{"S": "a"}]}}),
        (Model(pk=2, inner={"a": Decimal("1.5")}), {"pk": {"N": "2"}, "inner": {"M": {"a": {"N": "1.5"}}}}),
    ],
)
def test_dataclasses_and_models_are_items(item, wire):
    """A dataclass or pydantic model is written as the dict of its fields."""
    table = Table()
    producer = make(table)
    producer.put(item)
    assert producer.flush() == []
    assert table.calls[0][0] == {"t": [{"PutRequest": {"Item": wire}}]}


NUMBERS = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.decimals(min_value=-(10**20), max_value=10**20, places=5, allow_nan=False),
)
SCALARS = st.one_of(st.text(), NUMBERS, st.binary(), st.booleans(), st.none())
SETS = st.one_of(st.sets(st.text(), min_size=1), st.sets(NUMBERS, min_size=1), st.sets(st.binary(), min_size=1))
VALUES = st.recursive(
    st.one_of(SCALARS, SETS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=6))
def test_values_are_serialized_as_boto3_serializes_them(item):
    """Serialized and deserialized values are those of boto3's own classes."""
    theirs = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    ours, size = ItemSerializer(convert_floats=False).item(item)
    assert _plain(ours) == _plain(theirs)
    assert size >= len(item)
    for value in ours.values():
        assert deserialize(value) == _unwrapped(TypeDeserializer().deserialize(value))


def _plain(wire):
    return json.loads(
        json.dumps(wire, default=lambda value: f"b{bytes(value).hex()}"),
        object_hook=lambda row: {
            kind: sorted(inner) if kind in {"SS", "NS", "BS"} else inner for kind, inner in row.items()
        },
    )


def _unwrapped(value):
    if isinstance(value, Binary):
        return value.value
    if isinstance(value, set):
        return {_unwrapped(inner) for inner in value}
    if isinstance(value, list):
        return [_unwrapped(inner) for inner in value]
    return {name: _unwrapped(inner) for name, inner in value.items()} if isinstance(value, dict) else value


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "wire", "size"),
    [
        ("é", {"S": "é"}, 2),
        (Name("x"), {"S": "x"}, 1),
        ((1,), {"L": [{"N": "1"}]}, 6),
        (frozenset({1}), {"NS": ["1"]}, 2),
        (memoryview(b"ab"), {"B": b"ab"}, 2),
        (-15, {"N": "-15"}, 3),
        (Decimal("1.50"), {"N": "1.50"}, 2),
        (True, {"BOOL": True}, 1),
        (None, {"NULL": True}, 1),
        ({"a": "b"}, {"M": {"a": {"S": "b"}}}, 6),
        (0.1, {"N": "0.1"}, 2),
        (10**38, {"N": "1" + "0" * 38}, 2),
    ],
)
def test_sizes_follow_the_item_size_rules(value, wire, size):
    """The size of an attribute is the bytes of its name and its value."""
    written, counted = ItemSerializer(convert_floats=True).item({"name": value})
    if value == 10**38:
        assert Decimal(written["name"]["N"]) == value
    else:
        assert written == {"name": wire}
        assert counted == len("name") + size


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"pk": 1, "x": 0.5},
            "x: is a float, which DynamoDB can't store exactly; give a Decimal, or set floats='convert'",
        ),
        (
            {"pk": 1, "x": [{"y": 0.5}]},
            "x[0].y: is a float, which DynamoDB can't store exactly; give a Decimal, or set floats='convert'",
        ),
        ({"pk": 1, "x": Decimal("NaN")}, "x: is NaN; DynamoDB takes only finite numbers"),
        ({"pk": 1, "x": Decimal("-Infinity")}, "x: is -Infinity; DynamoDB takes only finite numbers"),
        (
            {"pk": 1, "x": Decimal("1E200")},
            "x: doesn't fit a DynamoDB number: at most 38 digits, from 1E-130 to 9.99E+125; round it, or give a str",
        ),
        (
            {"pk": 1, "x": Decimal("1E-131")},
            "x: doesn't fit a DynamoDB number: at most 38 digits, from 1E-130 to 9.99E+125; round it, or give a str",
        ),
        (
            {"pk": 1, "x": 10**40 + 1},
            "x: doesn't fit a DynamoDB number: at most 38 digits, from 1E-130 to 9.99E+125; round it, or give a str",
        ),
        ({"pk": 1, "x": set()}, "x: is an empty set, which DynamoDB doesn't take; leave the attribute out"),
        (
            {"pk": 1, "x": {1, "a"}},
            "x: is a set of mixed or other types; DynamoDB takes only str, only numbers or only bytes",
        ),
        (
            {"pk": 1, "x": {True}},
            "x: is a set of mixed or other types; DynamoDB takes only str, only numbers or only bytes",
        ),
        ({"pk": 1, "x": {1: 2}}, "x: has an attribute name of type int; it takes a str"),
        ({"pk": 1, "x": object()}, "x: is of type object, which DynamoDB has no type for"),
        ({"pk": 1, "x": float("nan")}, "x: is NaN; DynamoDB takes only finite numbers"),
        ({"pk": 1, "x": -float("inf")}, "x: is -Infinity; DynamoDB takes only finite numbers"),
        ({"pk": 1, 2: 2}, "item: has an attribute name of type int; it takes a str"),
        ({"pk": 1, "x": {"\ud800": 1}}, "x: has an attribute name with a lone surrogate, which UTF-8 can't encode"),
        (
            {"pk": 1, "x": [1, {"y": [0.5]}]},
            "x[1].y[0]: is a float, which DynamoDB can't store exactly; give a Decimal, or set floats='convert'",
        ),
        ({"pk": 1, "": 2}, "item: has an attribute name that is empty; a name has at least 1 character"),
        ({"x": 1}, "pk: is missing; it's a key attribute of the table"),
        ({"pk": ""}, "pk: is empty; a key attribute has at least 1 byte"),
        ({"pk": b""}, "pk: is empty; a key attribute has at least 1 byte"),
        ({"pk": True}, "pk: is of DynamoDB's type BOOL; a key attribute is a str, number or bytes"),
        ({"pk": "é" * 1025}, too_large("pk", 2050, 2048)),
        ({"pk": 1, "x": "a" * 409_600}, too_large("item", 409605, 409600)),
        ([], "item: is of type list; it takes a dict, a dataclass or a pydantic model"),
        ({"pk": 1, "x": "\ud800"}, "x: contains a lone surrogate at character 0, which UTF-8 can't encode"),
    ],
)
def test_items_that_no_table_takes_are_refused(item, message):
    """The error names the path of the value, the problem and a remedy; the producer goes on."""
    table = Table()
    producer = make(table)
    with pytest.raises(RecordError) as caught:
        producer.put(item)
    assert str(caught.value) == message
    producer.put({"pk": 1})
    assert producer.flush() == []
    assert producer.stats.records == 1


def test_an_item_that_contains_itself_is_refused():
    """Endless recursion makes an item invalid."""
    item = {"pk": 1}
    item["x"] = item
    with pytest.raises(RecordError, match=r"^item: is nested too deep, or contains itself; DynamoDB takes 32 levels$"):
        make(Table()).put(item)


def test_nan_is_refused_even_if_floats_are_converted():
    """floats='convert' writes Decimal(repr(x)), and still refuses NaN."""
    table = Table()
    producer = make(table, floats="convert")
    producer.put({"pk": 0.1})
    with pytest.raises(RecordError, match="is NaN"):
        producer.put({"pk": 1, "x": float("nan")})
    assert producer.flush() == []
    assert table.calls[0][0]["t"] == [{"PutRequest": {"Item": {"pk": {"N": "0.1"}}}}]


def test_a_delete_takes_the_key_alone():
    """A key with further attributes is refused, and so is an unknown operation."""
    producer = make(Table())
    with pytest.raises(RecordError, match="key: has 2 attributes, and the table's key has 1"):
        producer.delete({"pk": 1, "x": 2})
    with pytest.raises(RecordError, match="it takes 'put' or 'delete'"):
        producer.entry({"pk": 1}, {"operation": "upsert"})
    with pytest.raises(RecordError, match=r"^colour: unknown option; DynamoDBProducer.put takes operation, table$"):
        producer.put({"pk": 1}, colour="red")


def test_a_call_of_large_items_stays_within_the_limit():
    """A call stays below 16,000,000 bytes, although a text may take six times its size as JSON."""
    table = Table()
    producer = make(table)
    for number in range(12):
        producer.put({"pk": number, "x": "\x01" * 400_000})
        producer.put({"pk": -1 - number, "x": b"\x01" * 100_000})
    assert producer.flush() == []
    sizes = [len(json.dumps(call, default=lambda value: "x" * (len(value) * 4 // 3 + 4))) for call, _ in table.calls]
    assert max(sizes) <= 16_000_000
    assert len(sizes) == 2


def test_a_call_of_long_numbers_stays_within_the_limit():
    """10**37 has 38 digits in a call, and 2 bytes by the item-size rules."""
    table = Table()
    producer = make(table)
    for number in range(25):
        producer.put({"pk": number, "x": [10**37] * 13_330})
    assert producer.flush() == []
    assert max(len(json.dumps(call)) for call, _ in table.calls) <= 16_000_000


def test_an_item_larger_than_a_call_is_refused():
    """max_bytes applies to a single item too."""
    with pytest.raises(RecordError, match=r"item in the call: has 10\d\d bytes, and at most 200"):
        make(Table(), max_bytes=200).put({"pk": 1, "x": "a" * 1000})


@pytest.mark.parametrize(
    "options",
    [
        {"keys": ()},
        {"keys": ("a", "b", "c")},
        {"keys": 5},
        {"keys": {}},
        {"keys": {"u": "pk"}},
        {"keys": [""]},
        {"on_duplicate": "second"},
        {"floats": "round"},
        {"return_consumed_capacity": "ALL"},
    ],
)
def test_options_that_cannot_work_are_refused(options):
    """A ConfigurationError names the option."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        make(Table(), **options)


def test_a_producer_needs_a_table():
    """Without a table, and without tables in keys=, nothing can be written."""
    with pytest.raises(ConfigurationError, match="table"):
        DynamoDBProducer(keys="pk", client=Table())
