"""Tests of reading properties with any content."""

from __future__ import annotations

import pytest

from partialbatch.cli.check.model import ComposedText, Reference, Unknown
from partialbatch.cli.check.property_values import as_list, as_mapping, named_function, setting


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (["a"], ["a"]),
        ("a, b", ["a", "b"]),
        (Unknown("later"), "later"),
        (True, "it is True instead of a list of texts"),
        ({"a": 1}, "it is {'a': 1} instead of"),
        (["a", Reference("Q")], "instead of"),
        (Reference("Q"), "it is a reference to Q instead of"),
    ],
)
def test_only_lists_of_texts_are_read_as_lists(value, expected):
    """A list of texts is read, also from a list parameter; other values are unknown."""
    found = as_list(value)
    assert expected in found.why if isinstance(found, Unknown) else found == expected


@pytest.mark.parametrize("value", ["x", 5, ["x"], Reference("Q")])
def test_only_mappings_are_read_as_mappings(value):
    """A value that isn't a mapping is unknown, and so are the settings in it."""
    assert "instead of a mapping" in as_mapping(value).why
    assert as_mapping(value) == setting({"A": value}, "A", "B")
    assert as_mapping({"A": value}) == {"A": value}
    assert as_mapping(None) is None is setting({}, "A", "B")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("worker", "worker"),
        ("worker:live", "worker"),
        ("${AWS::StackName}-worker", "${AWS::StackName}-worker"),
        ("arn:aws:lambda:eu-west-1:1:function:worker", "arn:aws:lambda:eu-west-1:1:function:worker"),
        ("arn:aws:lambda:eu-west-1:1:function:worker:7", "arn:aws:lambda:eu-west-1:1:function:worker"),
        ((Reference("F"), ":live"), Reference("F")),
        ((Reference("F"), ":", Unknown("later")), Reference("F")),
        (("arn:aws:lambda:eu-west-1:1:function:", Reference("F")), Reference("F")),
        (("arn:", Unknown("later"), ":1:function:", Reference("F"), ":live"), Reference("F")),
        ((Reference("F"), "-more"), None),
        (("prefix-", Reference("F"), ":live"), None),
        ((Unknown("later"), ":live"), None),
        ((Reference("F"), Reference("G")), None),
    ],
)
def test_a_function_is_found_behind_an_alias_or_version(value, expected):
    """A function is found behind an alias or a version, and in an ARN; not where its name is but a part."""
    given = ComposedText("why", parts=value) if isinstance(value, tuple) else value
    assert named_function(given) == (given if expected is None else expected)
