"""What a role allows, as far as its policies can be read."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.model import Reference, Statement, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from partialbatch.cli.check.model import Function, Value

__all__ = ["MANAGED", "SAM_TEMPLATES", "allows", "managed", "statements"]

_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")

MANAGED: dict[str, tuple[str, ...]] = {
    "AWSLambdaBasicExecutionRole": _LOGS,
    "AWSLambdaVPCAccessExecutionRole": _LOGS,
    "AWSLambdaMSKExecutionRole": _LOGS,
    "AWSXRayDaemonWriteAccess": ("xray:PutTraceSegments",),
    "AWSXrayWriteOnlyAccess": ("xray:PutTraceSegments",),
    "AWSLambdaSQSQueueExecutionRole": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "AWSLambdaKinesisExecutionRole": (
        *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords"),
        *("kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:ListStreams", "kinesis:SubscribeToShard"),
    ),
    "AWSLambdaDynamoDBExecutionRole": (
        *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
    ),
    "AmazonSQSFullAccess": ("sqs:*",),
    "AmazonSNSFullAccess": ("sns:*",),
    "AmazonKinesisFullAccess": ("kinesis:*",),
    "AmazonDynamoDBFullAccess": ("dynamodb:*",),
    "AmazonEventBridgeFullAccess": ("events:*",),
    "AdministratorAccess": ("*",),
}
"""AWS managed policies: what they grant of the services that options use (the last part of the ARN is the name)."""

_CRUD = ("GetItem", "DeleteItem", "PutItem", "Scan", "Query", "UpdateItem", "BatchWriteItem", "BatchGetItem")

SAM_TEMPLATES: dict[str, tuple[str, ...]] = {
    "SQSPollerPolicy": (
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ),
    "SQSSendMessagePolicy": ("sqs:SendMessage*",),
    "SNSPublishMessagePolicy": ("sns:Publish",),
    "SNSCrudPolicy": ("sns:Publish",),
    "KinesisCrudPolicy": ("kinesis:PutRecord", "kinesis:PutRecords"),
    "FirehoseWritePolicy": ("firehose:PutRecord", "firehose:PutRecordBatch"),
    "FirehoseCrudPolicy": ("firehose:PutRecord", "firehose:PutRecordBatch"),
    "EventBridgePutEventsPolicy": ("events:PutEvents",),
    "DynamoDBCrudPolicy": tuple(f"dynamodb:{action}" for action in _CRUD),
    "DynamoDBWritePolicy": ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"),
    "DynamoDBReadPolicy": ("dynamodb:GetItem", "dynamodb:Scan", "dynamodb:Query", "dynamodb:BatchGetItem"),
    "CloudWatchPutMetricPolicy": ("cloudwatch:PutMetricData",),
}
"""The policy templates of SAM that can grant what an option needs, each for the resource in its parameter."""


def managed(name: str) -> Statement | None:
    """Return what a managed policy says, by its name or ARN; None: not known here."""
    actions = MANAGED.get(name.rpartition("/")[2])
    return Statement(allow=True, actions=actions, resources=("*",)) if actions else None


def statements(document: Any) -> tuple[list[Statement], bool]:
    """Read a policy document, already resolved.

    Returns:
        Its statements, and whether all of it could be read.
    """
    if not isinstance(document, dict) or isinstance(document.get("Statement"), Unknown | None):
        return [], False
    found, complete = [], True
    for body in _listed(document["Statement"]):
        effect = body.get("Effect") if isinstance(body, dict) else None
        actions = _listed(body.get("Action")) if isinstance(body, dict) else []
        if effect not in ("Allow", "Deny") or not actions or not all(isinstance(action, str) for action in actions):
            complete = False
            continue
        resources = tuple(_listed(body.get("Resource")))
        found.append(Statement(effect == "Allow", tuple(actions), resources, conditional=bool(body.get("Condition"))))
    return found, complete


def _listed(value: Value) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def allows(function: Function, action: str, target: Value = None) -> bool | Unknown:
    """Tell whether a function's role allows an action.

    Args:
        function: Its statements and the policies that could not be read count.
        action: ``sqs:SendMessage``, say.
        target: On what, an ARN or a `Reference`; None: on anything.
    """
    answers = [_says(statement, action, target) for statement in function.statements]
    if any(answer is False for answer in answers):
        return False
    if any(answer is True for answer in answers):
        unsure = [answer for answer in answers if isinstance(answer, Unknown) and answer.why.startswith("a Deny")]
        return unsure[0] if unsure else True
    for answer in answers:
        if isinstance(answer, Unknown):
            return answer
    return Unknown(f"the policy {function.opaque[0]} cannot be read") if function.opaque else False


def _says(statement: Statement, action: str, target: Value) -> bool | Unknown | None:
    """Return True: allowed, False: denied, None: says nothing of it."""
    if not any(fnmatchcase(action.lower(), pattern.lower()) for pattern in statement.actions):
        return None
    if target is None and not statement.allow and "*" not in statement.resources:
        return Unknown("a Deny statement is for some resources")
    covered = _covers(statement.resources, target)
    if covered is False:
        return None
    word = "an Allow" if statement.allow else "a Deny"
    if isinstance(covered, Unknown):
        return Unknown(f"{word} statement is for {covered.why}")
    if statement.conditional:
        return Unknown(f"{word} statement has conditions")
    return statement.allow


def _covers(resources: Iterable[Value], target: Value) -> bool | Unknown:
    answers = [_same(resource, target) for resource in resources] or [Unknown("resources that are not listed")]
    if any(answer is True for answer in answers):
        return True
    return next((answer for answer in answers if isinstance(answer, Unknown)), False)


def _same(resource: Value, target: Value) -> bool | Unknown:
    if resource == "*" or target is None:
        return True
    if isinstance(resource, Reference) and isinstance(target, Reference):
        return resource.name == target.name
    if isinstance(resource, str) and isinstance(target, str):
        return fnmatchcase(target, resource)
    return Unknown("a resource that cannot be compared with the queue")
