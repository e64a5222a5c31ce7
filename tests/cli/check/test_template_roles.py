"""Permissions that options need, in templates."""

from __future__ import annotations

import pytest

from partialbatch.cli.check.model import Unknown

SEND = {
    "Statement": [
        {"Effect": "Allow", "Action": "sqs:ChangeMessageVisibility", "Resource": {"Fn::GetAtt": ["Q", "Arn"]}}
    ]
}
OTHER = {"Statement": [{"Effect": "Allow", "Action": "sqs:ChangeMessageVisibility", "Resource": {"Ref": "Topic"}}]}
LATER = {"Fn::ImportValue": "x"}
ROLE = {"Fn::GetAtt": ["Role", "Arn"]}


@pytest.fixture
def sam(write):
    """Write a SAM template whose function has these properties, with these resources beside it."""

    def sam(resources=None, **properties):
        mapping = {"Queue": {"Fn::GetAtt": ["Q", "Arn"]}, "FunctionResponseTypes": ["ReportBatchItemFailures"]}
        events = {"E": {"Type": "SQS", "Properties": mapping}}
        queue = {"VisibilityTimeout": 18, "RedrivePolicy": {"maxReceiveCount": 5}}
        template = {
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {
                "Q": {"Type": "AWS::SQS::Queue", "Properties": queue},
                "Topic": {"Type": "AWS::SNS::Topic"},
                "F": {"Type": "AWS::Serverless::Function", "Properties": {"Events": events} | properties},
            }
            | (resources or {}),
        }
        return write(template, "t.json")

    return sam


def role(**properties):
    return {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}


def beside(kind="AWS::IAM::Policy", **properties):
    return role() | {"P": {"Type": kind, "Properties": {"PolicyDocument": SEND} | properties}}


@pytest.mark.parametrize(
    ("resources", "properties", "severity"),
    [
        ({}, {}, "error"),
        ({}, {"Policies": [SEND]}, None),
        ({}, {"Policies": SEND}, None),
        ({}, {"Policies": [OTHER]}, "error"),
        ({}, {"Policies": [{"SQSPollerPolicy": {"QueueName": {"Fn::GetAtt": ["Q", "QueueName"]}}}]}, None),
        ({}, {"Policies": [{"SQSPollerPolicy": {"QueueName": {"Ref": "Topic"}}}]}, "error"),
        ({}, {"Policies": [{"SQSPollerPolicy": {"QueueName": "name"}}]}, "cannot tell"),
        ({}, {"Policies": [{"S3ReadPolicy": {"BucketName": "name"}}]}, "cannot tell"),
        ({}, {"Policies": ["AmazonSQSFullAccess"]}, None),
        ({}, {"Policies": "arn:aws:iam::1:policy/own"}, "cannot tell"),
        ({}, {"Policies": LATER}, "cannot tell"),
        (
            {"M": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": SEND}}},
            {"Policies": [{"Ref": "M"}]},
            None,
        ),
        ({}, {"Connectors": {"C": {"Properties": {}}}}, "cannot tell"),
        ({"C": {"Type": "AWS::Serverless::Connector", "Properties": {}}}, {}, "cannot tell"),
        ({}, {"Role": LATER}, "cannot tell"),
        (role(), {"Role": ROLE}, "error"),
        (role(Policies=[{"PolicyDocument": SEND}]), {"Role": ROLE}, None),
        (role(Policies=[LATER]), {"Role": ROLE}, "cannot tell"),
        (role(ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonSQSFullAccess"]), {"Role": ROLE}, None),
        (role(ManagedPolicyArns=LATER), {"Role": ROLE}, "cannot tell"),
        (beside(Roles=[{"Ref": "Role"}]), {"Role": ROLE}, None),
        (beside(Roles=[{"Ref": "Topic"}]), {"Role": ROLE}, "error"),
        (beside("AWS::IAM::RolePolicy", RoleName={"Ref": "Role"}), {"Role": ROLE}, None),
        (beside(Roles=[LATER]), {"Role": ROLE}, "cannot tell"),
    ],
)
def test_policies_are_found_wherever_a_template_can_have_them(
    check, sam, handler, with_options, resources, properties, severity
):  # fixtures and cases
    """Policies are found wherever a template can have them; SAM's own role cannot change a visibility timeout."""
    with_options(retry_delay=object())
    rules = check(sam(resources, **properties), "--handler", handler()).rules
    assert rules == ({"permissions": severity} if severity else {})


class SQSProducer:
    """Stands for the producer, which is known by its name."""


class Sub(SQSProducer):
    pass


class Own:
    pass


class Stated:
    iam_actions = ("s3:PutObject",)


def discard():
    """Stands for the sink, which needs nothing."""


@pytest.mark.parametrize("option", ["dead_letter", "sink", "resume"])
@pytest.mark.parametrize(
    ("value", "severity", "text"),
    [
        (SQSProducer(), "error", "sqs:SendMessage"),
        (Sub(), "error", "sqs:SendMessage"),
        (Stated(), "error", "s3:PutObject"),
        (Own(), "cannot tell", "Own isn't a class of partialbatch"),
        (discard, None, ""),
        (None, None, ""),
        (Unknown("later"), "cannot tell", "later"),
    ],
)
def test_a_sinks_actions_are_known_by_its_class_or_itself(
    check, sam, handler, with_options, option, value, severity, text
):  # fixtures and cases
    """A sink's action is known by its class or stated by itself; other sinks are reported as unknown."""
    with_options(**{option: value})
    found = check(sam(), "--handler", handler()).found
    if option == "resume" and isinstance(value, Unknown):
        severity = None  # no option of SQS
    assert [(each["severity"], text in each["message"]) for each in found] == ([(severity, True)] if severity else [])
    allowed = {"Statement": [{"Effect": "Allow", "Action": ["sqs:*", "s3:*"], "Resource": "*"}]}
    rules = check(sam(Policies=[allowed]), "--handler", handler()).rules
    assert "error" not in rules.values()


def test_the_command_grants_one_action(check, sam, handler, with_options):
    """The command grants one action on a resource to fill in."""
    with_options(retry_delay=object())
    found = check(sam(), "--handler", handler()).by["permissions"]
    assert found["fix"].startswith("aws iam put-role-policy --role-name '<role of F>' --policy-name partialbatch ")
    assert "sqs:ChangeMessageVisibility" in found["add"]
