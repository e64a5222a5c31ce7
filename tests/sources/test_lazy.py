"""Lazy properties of slotted views."""

from __future__ import annotations

import pytest

from partialbatch.sources._lazy import Lazy


class _View:
    __slots__ = ("_value", "reads")

    def __init__(self):
        self.reads = 0

    @Lazy
    def value(self):
        """The value."""
        self.reads += 1
        if self.reads == 1:
            raise ValueError("not yet")


def test_property_is_computed_once_and_again_after_an_error():
    """A property is read when asked for, kept whatever it is, and read again after an error."""
    view = _View()
    assert view.reads == 0
    with pytest.raises(ValueError, match="not yet"):
        _ = view.value
    assert view.value is None
    assert view.value is None
    assert view.reads == 2


def test_an_attribute_error_is_shown():
    """An AttributeError of the reading itself is not taken for an empty slot."""

    class Broken:
        __slots__ = ("_value",)

        @Lazy
        def value(self):
            return self.nothing

    with pytest.raises(AttributeError, match="nothing"):
        _ = Broken().value


def test_class_gives_the_property_with_its_documentation():
    """The class gives the property itself, with its documentation; an instance cannot be assigned to."""
    assert isinstance(_View.value, Lazy)
    assert _View.value.__doc__ == "The value."
    with pytest.raises(AttributeError):
        _View().value = 1
