"""Tests of the permissions that the handler's options need."""

from __future__ import annotations

import pytest

ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
SQS = "https://sqs.eu-west-1.amazonaws.com/123456789012/"
BEFORE = """
import os
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
from partialbatch import producers
from partialbatch.retries import ResumeLedger
"""
OPTIONS = {
    "sqs": (f"dead_letter=producers.SQSProducer('{SQS}mine')", "sqs:SendMessage", "mine"),
    "sns": (f"sink=producers.SNSProducer('{ARN.format('sns', 'mine')}')", "sns:Publish", "mine"),
    "kinesis": ("sink=producers.KinesisProducer('mine')", "kinesis:PutRecords", "stream/mine"),
    "firehose": ("sink=producers.FirehoseProducer('mine')", "firehose:PutRecordBatch", "deliverystream/mine"),
    "events": ("sink=producers.EventBridgeProducer('mine')", "events:PutEvents", "event-bus/mine"),
    "dynamodb": ("sink=producers.DynamoDBProducer('mine', keys='id')", "dynamodb:BatchWriteItem", "table/mine"),
    "ledger": ("resume=ResumeLedger.dynamodb('mine', consumer='c')", "dynamodb:*Item", "table/mine"),
}
SEVERAL = "sink=producers.DynamoDBProducer(keys={'mine': 'id', 'other': 'id'})"
FROM = "dead_letter=producers.SQSProducer(os.environ['DEAD'])"
AROUND = f"dead_letter=producers.SQSProducer('{SQS}' + os.environ['DEAD'])"


@pytest.fixture
def template(write):
    """Write a template whose function's role says this, with these variables."""

    def template(*statements, **variables):
        policies = [{"PolicyDocument": {"Statement": list(statements)}}]
        function = {"Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Environment": {"Variables": variables}}
        mapping = {
            "FunctionName": {"Ref": "F"},
            "EventSourceArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/s",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": True,
            "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:123456789012:d"}},
        }
        resources = {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}},
            "F": {"Type": "AWS::Lambda::Function", "Properties": function},
            "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
            "Dead": {"Type": "AWS::SQS::Queue"},
            "Mine": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "mine"}},
            "Other": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "other"}},
        }
        return write({"Resources": resources}, "t.json")

    return template


def allow(action, resource):
    return {"Effect": "Allow", "Action": action, "Resource": resource}


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_role_must_allow_the_call_on_the_very_resource(check, template, handler, kind):
    """The role must allow it for the very queue, topic, stream, bus or table; in a name's place a wildcard will do."""
    options, action, name = OPTIONS[kind]
    handled, service = handler(options, BEFORE), action.partition(":")[0]
    for resource in ("*", ARN.format(service, name), ARN.format(service, name[:-1] + "*")):
        assert check(template(allow(action, resource)), "--handler", handled).rules == {}
    found = check(template(allow(action, ARN.format(service, name + "2"))), "--handler", handled)
    assert found.rules == {"permissions": "error"}
    assert f" on {name}, which the handler's" in found.by["permissions"]["message"]
    assert name in found.by["permissions"]["fix"]
    assert check(template(allow(action, {"Fn::ImportValue": "x"})), "--handler", handled).rules == {
        "permissions": "cannot tell"
    }


@pytest.mark.parametrize(
    ("options", "resource", "variables", "severity"),
    [
        (OPTIONS["sqs"][0], {"Fn::GetAtt": ["Mine", "Arn"]}, {}, None),
        (OPTIONS["sqs"][0], {"Fn::GetAtt": ["Other", "Arn"]}, {}, "error"),
        (OPTIONS["sqs"][0], {"Fn::GetAtt": ["Dead", "Arn"]}, {}, "cannot tell"),
        (FROM, {"Fn::GetAtt": ["Dead", "Arn"]}, {"DEAD": {"Ref": "Dead"}}, None),
        (FROM, {"Fn::GetAtt": ["Mine", "Arn"]}, {"DEAD": {"Ref": "Dead"}}, "error"),
        (FROM, ARN.format("sqs", "mine"), {"DEAD": {"Ref": "Dead"}}, "cannot tell"),
        (FROM, ARN.format("sqs", "mine"), {"DEAD": {"Ref": "Mine"}}, None),
        (FROM, ARN.format("sqs", "mine"), {"DEAD": {"Ref": "Role"}}, "cannot tell"),
        (FROM, ARN.format("sqs", "mine"), {"DEAD": f"{SQS}mine"}, None),
        (FROM, ARN.format("sqs", "mine"), {"DEAD": f"{SQS}other"}, "error"),
        (FROM, ARN.format("sqs", "mine"), {"DEAD": {"Fn::ImportValue": "x"}}, "cannot tell"),
        (FROM, ARN.format("sqs", "mine"), {}, "cannot tell"),
        (FROM, "*", {}, None),
        (AROUND, ARN.format("sqs", "mine"), {"DEAD": {"Ref": "Mine"}}, "cannot tell"),
        (AROUND, ARN.format("sqs", "mine"), {"DEAD": {"Fn::ImportValue": "x"}}, "cannot tell"),
        (AROUND, ARN.format("sqs", "mine"), {"DEAD": "mine"}, None),
    ],
)
def test_a_queues_name_comes_from_the_functions_environment(  # fixtures and cases
    check, template, handler, monkeypatch, options, resource, variables, severity
):
    """A queue is known by its name, or by the variable that refers to it; a variable of this shell says nothing."""
    monkeypatch.setenv("DEAD", f"{SQS}local")
    path = template(allow("sqs:SendMessage", resource), **variables)
    rules = check(path, "--handler", handler(options, BEFORE)).rules
    assert rules == ({"permissions": severity} if severity else {})


def test_the_target_of_several_tables_is_unknown(check, template, handler):
    """With several tables, the target of a call is unknown."""
    handled, table = handler(SEVERAL, BEFORE), ARN.format("dynamodb", "table/{}")
    path = template(allow("dynamodb:BatchWriteItem", table.format("mine")))
    assert check(path, "--handler", handled).rules == {"permissions": "cannot tell"}
    path = template(allow("dynamodb:BatchWriteItem", table.format("*")))
    assert check(path, "--handler", handled).rules == {}


def test_a_producer_may_state_its_own_actions(check, template, handler):
    """A producer that states its actions may call something else than its class does."""
    before = BEFORE + "class Own(producers.SQSProducer):\n    iam_actions = ('s3:PutObject',)\n"
    handled = handler(f"dead_letter=Own('{SQS}mine')", before)
    assert check(template(), "--handler", handled).rules == {"permissions": "error"}
    path = template(allow("s3:PutObject", "arn:aws:s3:::bucket/*"))
    assert check(path, "--handler", handled).rules == {"permissions": "cannot tell"}


def test_any_name_may_come_from_an_unknown_environment(check, template, handler):
    """If the function's environment is unknown, any name may come from it."""
    path = template(allow("sqs:SendMessage", ARN.format("sqs", "mine")))
    path.write_text(path.read_text().replace('"Variables": {}', '"Variables": {"Fn::ImportValue": "x"}'))
    found = check(path, "--handler", handler(OPTIONS["sqs"][0], BEFORE))
    assert found.rules == {"permissions": "cannot tell", "handler-options": "cannot tell"}


@pytest.mark.parametrize(("name", "severity"), [("mine", None), ("other", "error")])
def test_a_policy_template_is_for_the_table_in_its_parameter(check, write, handler, name, severity):
    """A policy template of SAM is for the table in its parameter."""
    event = {"Stream": "arn:aws:kinesis:eu-west-1:123456789012:stream/s", "BisectBatchOnFunctionError": True}
    event |= {"FunctionResponseTypes": ["ReportBatchItemFailures"], "StartingPosition": "LATEST"}
    event["DestinationConfig"] = {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:123456789012:d"}}
    properties = {"Policies": [{"DynamoDBWritePolicy": {"TableName": name}}]}
    properties["Events"] = {"E": {"Type": "Kinesis", "Properties": event}}
    resources = {"F": {"Type": "AWS::Serverless::Function", "Properties": properties}}
    path = write({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}, "t.json")
    rules = check(path, "--handler", handler(OPTIONS["dynamodb"][0], BEFORE)).rules
    assert rules == ({"permissions": severity} if severity else {})


@pytest.mark.parametrize(("name", "severity"), [("far", None), ("f*", None), ("other", "error")])
def test_a_queue_outside_the_template_is_known_by_its_arn(check, template, handler, name, severity):
    """A queue that the template does not have is known by its ARN."""
    path = template(allow("sqs:ChangeMessageVisibility", ARN.format("sqs", name)))
    path.write_text(
        path.read_text().replace("kinesis:eu-west-1:123456789012:stream/s", "sqs:eu-west-1:123456789012:far")
    )
    handled = handler("retry_delay=Backoff(1, 60)", "from partialbatch import Backoff\n")
    assert check(path, "--handler", handled).rules.get("permissions") == severity
