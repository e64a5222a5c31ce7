"""DynamoDB's JSON against boto3's own reading of it."""

from __future__ import annotations

import base64
from decimal import Decimal

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from partialbatch.sources._dynamodb_json import to_python

_numbers = st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**20), max_value=10**20)
_scalars = st.none() | st.booleans() | _numbers | st.text() | st.binary()
_sets = st.sets(st.text(), min_size=1) | st.sets(_numbers, min_size=1) | st.sets(st.binary(), min_size=1)
_values = st.recursive(
    _scalars | _sets, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def _as_delivered(attribute):
    """Write binaries in base64, as a stream event has them; boto3 serializes for its client, which does that."""
    ((kind, value),) = attribute.items()
    if kind == "B":
        return {kind: base64.b64encode(bytes(value)).decode()}
    if kind == "BS":
        return {kind: [base64.b64encode(bytes(each)).decode() for each in value]}
    if kind == "L":
        return {kind: [_as_delivered(each) for each in value]}
    if kind == "M":
        return {kind: {name: _as_delivered(each) for name, each in value.items()}}
    return attribute


def _plain(value):
    """Take boto3's wrapper off binaries."""
    if isinstance(value, Binary):
        return bytes(value)
    if isinstance(value, set):
        return {_plain(each) for each in value}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


def _typed(value):
    """Tell numbers from booleans in a comparison."""
    if isinstance(value, list):
        return [_typed(each) for each in value]
    if isinstance(value, dict):
        return {name: _typed(each) for name, each in value.items()}
    return (type(value), value)


@given(st.dictionaries(st.text(), _values, max_size=5))
def test_items_are_read_as_boto3_reads_them(item):
    """Each item is read as boto3 reads it: the round trip gives what went in."""
    image = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    found = to_python({name: _as_delivered(attribute) for name, attribute in image.items()})
    theirs = {name: _plain(TypeDeserializer().deserialize(attribute)) for name, attribute in image.items()}
    assert _typed(found) == _typed(theirs) == _typed(item)
    assert all(isinstance(value, Decimal) == isinstance(item[name], Decimal) for name, value in found.items())
