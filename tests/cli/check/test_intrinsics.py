"""Intrinsic functions."""

from __future__ import annotations

import pytest

from partialbatch.cli.check.intrinsics import Resolver
from partialbatch.cli.check.model import ComposedText, Reference, Unknown

TEMPLATE = {
    "Parameters": {
        "Number": {"Type": "Number", "Default": "7"},
        "Odd": {"Type": "Number", "Default": "x"},
        "Text": {"Type": "String", "Default": "7"},
        "None": {"Type": "String"},
    },
    "Resources": {"Q": {"Type": "AWS::SQS::Queue"}},
    "Conditions": {
        "Seven": {"Fn::Equals": [{"Ref": "Number"}, "7"]},
        "Eight": {"Fn::Not": [{"Condition": "Seven"}]},
        "Either": {"Fn::Or": [{"Condition": "Open"}, {"Condition": "Seven"}]},
        "Both": {"Fn::And": [{"Condition": "Seven"}, {"Condition": "Eight"}]},
        "Open": {"Fn::And": [{"Condition": "Seven"}, {"Fn::Equals": [{"Ref": "None"}, "x"]}]},
        "Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]},
        "Circle": {"Fn::Not": [{"Condition": "Circle"}]},
        "Odd": {"Fn::Contains": [1]},
        "Yes": {"Fn::Equals": [True, "true"]},
    },
    "Mappings": {"M": {"a": {"b": 5}}},
}
LATER = {"Fn::ImportValue": "x"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (5, 5),
        ({"Ref": "Q"}, Reference("Q")),
        ({"Ref": "AWS::NoValue"}, None),
        ({"Ref": "AWS::Region"}, "${AWS::Region}"),
        ({"Ref": "Number"}, 7),
        ({"Ref": "Text"}, "7"),
        ({"Ref": "Odd"}, "x"),
        ({"Ref": "Given"}, 3),
        ({"Ref": "None"}, Unknown),
        ([1, {"Ref": "AWS::NoValue"}], [1]),
        ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1}),
        ({"Fn::GetAtt": ["Q", "Arn"]}, Reference("Q")),
        ({"Fn::GetAtt": "Q.Arn"}, Reference("Q")),
        ({"Fn::GetAtt": "X.Arn"}, Unknown),
        ({"Fn::GetAtt": []}, Unknown),
        ({"Fn::Sub": "${Q.Arn}"}, Reference("Q")),
        ({"Fn::Sub": "${Q}"}, Reference("Q")),
        ({"Fn::Sub": "a-${Number}-${AWS::Region}-${!literal}"}, "a-7-${AWS::Region}-${!literal}"),
        ({"Fn::Sub": ["${x}-b", {"x": {"Ref": "Text"}}]}, "7-b"),
        ({"Fn::Sub": ["${Text}-b"]}, "7-b"),
        ({"Fn::Sub": ["${x}", {"x": LATER}]}, Unknown),
        ({"Fn::Sub": "a-${None}"}, Unknown),
        ({"Fn::Sub": "a-${Q}"}, Unknown),
        ({"Fn::Sub": 5}, ""),
        ({"Fn::Sub": "${Number}"}, 7),
        ({"Fn::Sub": ["a-${x}", {"x": {"Fn::Sub": "${Q}-${Text}"}}]}, ("a-", Reference("Q"), "-7")),
        ({"Fn::Sub": "${Q.Arn}:${None}"}, (Reference("Q"), ":", Unknown)),
        (
            {"Fn::Join": ["", ["a:", {"Ref": "AWS::Region"}, {"Ref": "Q"}, ":", 1]]},
            ("a:${AWS::Region}", Reference("Q"), ":1"),
        ),
        ({"Fn::Join": ["-", [{"Ref": "Q"}]]}, Reference("Q")),
        ({"Fn::Join": ["-", ["a", 1]]}, "a-1"),
        ({"Fn::Join": ["-", ["a", LATER]]}, Unknown),
        ({"Fn::Join": ["-", ["a", {"Ref": "Q"}]]}, Unknown),
        ({"Fn::Join": ["-", LATER]}, Unknown),
        ({"Fn::Join": ["-", "a"]}, Unknown),
        ({"Fn::Join": "a"}, Unknown),
        ({"Fn::If": ["c", 1, 1]}, 1),
        ({"Fn::If": ["c", 1, 2]}, Unknown),
        ({"Fn::If": ["c", 1, {"Ref": "AWS::NoValue"}]}, Unknown),
        ({"Fn::If": []}, Unknown),
        ({"Fn::If": ["Seven", 1, 2]}, 1),
        ({"Fn::If": ["Eight", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Open", 1, 2]}, Unknown),
        ({"Fn::If": ["Here", 1, 2]}, Unknown),
        ({"Fn::If": ["Circle", 1, 2]}, Unknown),
        ({"Fn::If": ["Odd", 1, 2]}, Unknown),
        ({"Fn::If": ["Yes", 1, 2]}, 1),
        ({"Fn::If": ["c", {"a": 1}, {"a": 1}]}, {"a": 1}),
        ({"Ref": ["Q"]}, Unknown),
        ({"Fn::Sub": []}, ""),
        ({"Fn::Transform": {"Name": "AWS::Include"}}, Unknown),
        ({"Fn::FindInMap": ["M", "a", "b"]}, 5),
        ({"Fn::FindInMap": ["M", "a", "c"]}, Unknown),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "b"]}, Unknown),
        ({"Fn::FindInMap": ["M", LATER, "b"]}, Unknown),
        ({"Fn::FindInMap": "M"}, Unknown),
        (LATER, Unknown),
    ],
)
def test_functions_are_resolved_as_far_as_possible(value, expected):
    """Functions are resolved as far as possible without deploying; the rest is unknown, with reason and parts."""
    found = Resolver(TEMPLATE, {"Given": "3"})(value)
    if isinstance(expected, tuple):
        assert isinstance(found, ComposedText)
        assert [Unknown if isinstance(part, Unknown) else part for part in found.parts] == list(expected)
    elif expected is Unknown:
        assert isinstance(found, Unknown)
        assert found.why
    else:
        assert found == expected


def test_every_section_of_a_template_is_optional():
    """A template may lack any section."""
    assert isinstance(Resolver({"Mappings": 5}, {})({"Fn::FindInMap": ["M", "a", "b"]}), Unknown)
