"""Tests of the actions that a role allows."""

from __future__ import annotations

import json

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from partialbatch.cli.check.iam_policies import MANAGED, allows, managed, statements
from partialbatch.cli.check.model import Function, Place, Reference, Statement, Target, Unknown

ACTION = "sqs:ChangeMessageVisibility"
SERVICES = {"sqs", "sns", "kinesis", "dynamodb", "firehose", "events", "cloudwatch", "*"}


def actions(document):
    for statement in document["Statement"]:
        listed = statement["Action"]
        yield from [listed] if isinstance(listed, str) else listed


@pytest.mark.parametrize("name", MANAGED)
def test_managed_policies_grant_their_actions_on_our_services(name):
    """For each managed policy, all granted actions on the services that options use are known."""
    data = json.loads(aws_managed_policies_data) if isinstance(aws_managed_policies_data, str) else None
    granted = set(actions((data or aws_managed_policies_data)[name]["Document"]))
    ours = {action for action in granted if action.split(":")[0] in SERVICES}
    known = {action for action in MANAGED[name] if action.split(":")[0] in SERVICES}
    assert known <= granted
    assert ours - known == set() or name.endswith("FullAccess")


def test_a_managed_policy_is_known_by_name_and_arn():
    """A managed policy is known by its name and by its ARN; others are not known."""
    assert managed("arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole") == managed(
        "AWSLambdaSQSQueueExecutionRole"
    )
    assert managed("arn:aws:iam::1:policy/own") is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        "text",
        {},
        {"Statement": Unknown("later")},
        {"Statement": [Unknown("later")]},
        {"Statement": [{"Effect": Unknown("later"), "Action": "a:b"}]},
        {"Statement": [{"Effect": "Allow", "Action": [Unknown("later")]}]},
        {"Statement": [{"Effect": "Allow", "NotAction": "a:b", "Resource": "*"}]},
    ],
)
def test_an_unclear_document_is_incomplete(document):
    """A document that is not plain to the last statement is not complete."""
    assert statements(document) == ([], False)


def function(*said, unreadable=()):
    known = {name: Target("sqs", reference=name) for name in ("Orders", "Else")}
    return Function("F", Place("F"), 3, {}, statements=said, unreadable=unreadable, resources=known)


def allow(*resources, actions=(ACTION,), conditional=False):
    return Statement(allow=True, actions=actions, resources=resources, conditional=conditional)


def deny(*resources, actions=(ACTION,)):
    return Statement(allow=False, actions=actions, resources=resources)


ARN = "arn:aws:sqs:eu-west-1:1:orders"
HERE = Reference("Orders")
QUEUE, NAMED, REFERRED = (
    Target("sqs", "orders", "1", "eu-west-1"),
    Target("sqs", "orders"),
    Target("sqs", reference="Orders"),
)
ANY = Target("sqs")


@pytest.mark.parametrize(
    ("said", "target", "expected"),
    [
        ([], ANY, False),
        ([allow("*")], QUEUE, True),
        ([allow("*", actions=("SQS:Change*",))], QUEUE, True),
        ([allow("*", actions=("sqs:SendMessage",))], QUEUE, False),
        ([allow(ARN)], QUEUE, True),
        ([allow(ARN)], NAMED, True),
        ([allow("arn:aws:sqs:*:1:ord*")], QUEUE, True),
        ([allow("arn:aws:sqs:*:1:else")], QUEUE, False),
        ([allow(HERE)], REFERRED, True),
        ([allow(Reference("Else"))], REFERRED, False),
        ([allow(Reference("Else"), HERE)], REFERRED, True),
        ([allow(ARN)], REFERRED, None),
        ([allow(Unknown("later"))], QUEUE, None),
        ([allow()], QUEUE, None),
        ([allow("*", conditional=True)], QUEUE, None),
        ([allow(ARN)], ANY, None),
        ([allow("*")], ANY, True),
        ([allow("*"), deny("*")], QUEUE, False),
        ([allow("*"), deny(ARN)], QUEUE, False),
        ([allow("*"), deny("arn:aws:sqs:eu-west-1:1:else")], QUEUE, True),
        ([allow("*"), deny(ARN)], NAMED, None),
        ([allow("*"), deny(ARN)], ANY, None),
        ([allow("*"), deny(HERE)], QUEUE, None),
        ([deny(HERE)], QUEUE, False),
    ],
)
def test_an_allow_counts_unless_a_deny_covers_the_target(said, target, expected):
    """An Allow for the target allows unless a Deny covers it; if they can't be compared the answer is None."""
    answer = allows(function(*said), ACTION, target)
    assert (None if isinstance(answer, Unknown) else answer) is expected


def test_an_unreadable_policy_may_allow_an_action():
    """An unreadable policy may allow an action, and doesn't matter if another policy allows it."""
    assert "own" in allows(function(unreadable=("own",)), ACTION, QUEUE).why
    assert allows(function(allow("*"), unreadable=("own",)), ACTION, QUEUE) is True
