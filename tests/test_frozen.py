"""Tests of the value classes."""

from __future__ import annotations

import copy
import pickle
from typing import Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch._frozen import value

T = TypeVar("T")


@value
class Point(Generic[T]):
    """A point."""

    x: T
    y: int = 0

    def __post_init__(self) -> None:
        if self.y < 0:
            raise ValueError("y is below 0")

    @property
    def total(self) -> int:
        return self.x + self.y


@value
class Own:
    x: int

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "own"


def test_takes_fields_by_position_name_and_default():
    """Fields come by position, by name, or from their defaults."""
    assert (Point(1, 2).x, Point(1, 2).y) == (1, 2)
    assert (Point(y=2, x=1).x, Point(1, y=2).y) == (1, 2)
    assert Point(1).y == 0


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, "needs x"),
        ((1, 2, 3), {}, "has 2 fields, and got 3 values"),
        ((1, 2), {"y": 3}, "twice, or one that it doesn't have: y"),
        ((1,), {"x": 3}, "twice, or one that it doesn't have: x"),
        ((1,), {"z": 3}, "twice, or one that it doesn't have: z"),
    ],
)
def test_arguments_that_do_not_fit_the_fields_are_refused(args, kwargs, said):
    """What does not fit the fields is a TypeError that names it."""
    with pytest.raises(TypeError, match=said):
        Point(*args, **kwargs)


def test_fields_can_neither_change_nor_be_added():
    """Fields cannot be changed or deleted, and there is no room for others."""
    point = Point(1)
    for change in (lambda: setattr(point, "x", 2), lambda: delattr(point, "x"), lambda: setattr(point, "z", 2)):
        with pytest.raises(AttributeError, match="Point is frozen"):
            change()
    assert not hasattr(point, "__dict__")
    assert point.x == 1


@given(st.integers(), st.integers(0), st.integers(), st.integers(0))
def test_is_equal_by_type_and_fields(a, b, c, d):
    """Values are equal, with equal hashes, exactly if type and fields are."""
    assert (Point(a, b) == Point(c, d)) == ((a, b) == (c, d))
    assert hash(Point(a, b)) == hash(Point(a, b))
    assert Point(a, b) != (a, b)


def test_keeps_what_the_class_defines():
    """Methods, docstring, own equality and repr, and the check of the fields stay."""
    assert Point(1, 2).total == 3
    assert Point.__doc__ == "A point."
    assert (repr(Own(1)), Own(1) == Own(1)) == ("own", False)
    assert repr(Point("a")) == "Point(x='a', y=0)"
    with pytest.raises(ValueError, match="below 0"):
        Point(1, -1)


def test_can_be_copied_pickled_matched_and_replaced():
    """Values work with copy, pickle, match statements and `copy.replace`."""
    point = Point(1, 2)
    assert copy.copy(point) == copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    assert point.__replace__(y=5) == Point(1, 5)
    match point:
        case Point(x, y):
            assert (x, y) == (1, 2)
