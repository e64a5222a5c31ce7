"""Exceptions, looked at safely."""

from __future__ import annotations

import pytest

from partialbatch._inspection import holds, is_a, kind_of, leaves, members, safe_str


class Meta(type):
    def __getattribute__(cls, name):
        raise RuntimeError("not to be looked at")


class Odd(Exception, metaclass=Meta):
    @property
    def __class__(self):
        raise RuntimeError("of no class")

    def __str__(self):
        raise SystemExit("of no text")


def test_an_exception_whose_class_raises_has_a_name_a_type_and_a_text():
    """Neither a metaclass nor a ``__class__`` nor a ``__str__`` that raises keeps an exception from being named."""
    assert kind_of(Odd()) == "Odd"
    assert is_a(Odd(), Exception)
    assert not is_a(Odd(), KeyError)
    assert safe_str(Odd()) == "<Odd whose str raises>"
    assert leaves(error := Odd()) == [error]
    assert not holds(error, (KeyError, ValueError))


@pytest.mark.parametrize("depth", [0, 1, 5_000])
def test_the_leaves_of_a_group_are_found_at_any_depth(depth):
    """Groups in groups, however deep, give their exceptions in order."""
    error, first, last = KeyError("inner"), ValueError("first"), OSError("last")
    for _ in range(depth):
        error = ExceptionGroup("g", [error])
    group = ExceptionGroup("g", [first, error, last])
    assert [type(leaf) for leaf in leaves(group)] == [ValueError, KeyError, OSError]
    assert members(group) == (first, error, last)
    assert holds(group, KeyError)
    assert not holds(group, ExceptionGroup)
    assert members(first) == ()
