"""Copies that share nothing with their original."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch._core.copies import copied

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
)


def spoil(value):
    for each in list(value.values() if isinstance(value, dict) else value):
        if isinstance(each, dict | list):
            spoil(each)
    value.clear()


@given(st.lists(values) | st.dictionaries(st.text(), values))
def test_a_copy_is_equal_and_shares_nothing(value):
    """Spoiling one leaves the other as it was."""
    copy, second = copied(value), copied(value)
    assert copy == value
    spoil(value)
    assert copy == second


def test_values_beyond_json_keep_their_type():
    """A `Counter` stays one."""
    value = Counter(a=1)
    copy = copied({"counts": value, "sum": Decimal(1)})
    value["a"] = 2
    assert copy == {"counts": Counter(a=1), "sum": Decimal(1)}


def test_a_value_that_cannot_be_copied_raises():
    """The caller knows what that means."""
    with pytest.raises(TypeError):
        copied([iter, (i for i in ())])
