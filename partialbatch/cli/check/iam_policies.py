"""Tells whether a role allows an action, as far as its policies can be read."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.arn_matching import LIKELY, covers
from partialbatch.cli.check.model import Statement, Unknown

if TYPE_CHECKING:
    from partialbatch.cli.check.model import Function, Properties, Target, Value

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
"""AWS managed policies by name, with the actions they grant on services that our options use."""

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
"""SAM's policy templates, with the actions they grant on the resource in their parameter."""


def managed(name: str) -> Statement | None:
    """Return the statement of a managed policy, given its name or ARN; None if it isn't in `MANAGED`."""
    actions = MANAGED.get(name.rpartition("/")[2])
    return Statement(allow=True, actions=actions, resources=("*",)) if actions else None


def statements(document: Any) -> tuple[list[Statement], bool]:
    """Read a resolved policy document.

    Returns:
        Its statements, and whether the whole document could be read.
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


def allows(function: Function, action: str, target: Target) -> bool | Unknown:
    """Tell whether a function's role allows an action on a target.

    Args:
        function: The function, with its role's statements and unreadable policies.
        action: An action such as ``sqs:SendMessage``.
        target: The resource that it acts on.
    """
    denied, allowed = (_says(function, action, target, allow=allow) for allow in (False, True))
    if denied is True:
        return False
    if allowed is True:
        return denied if isinstance(denied, Unknown) else True
    if isinstance(allowed, Unknown):
        return allowed
    return Unknown(f"the policy {function.unreadable[0]} can't be read") if function.unreadable else False


def _says(function: Function, action: str, target: Target, *, allow: bool) -> bool | Unknown:
    """Tell whether any statement allows an action, or with `allow` False denies it."""
    statements = [statement for statement in function.statements if statement.allow is allow]
    answers = [
        _applies(statement, target, function.resources)
        for statement in statements
        if any(fnmatchcase(action.lower(), pattern.lower()) for pattern in statement.actions)
    ]
    return _strongest(answers)


def _applies(statement: Statement, target: Target, known: Properties[str, Target]) -> bool | Unknown:
    resources = statement.resources
    found = [covers(each, target, known) for each in resources] or [Unknown("resources that are not listed")]
    # An Allow is usually for the region and account of the deployment, so it is trusted; a Deny is not.
    covered = _strongest([True if each is LIKELY and statement.allow else each for each in found])
    word = "an Allow" if statement.allow else "a Deny"
    if isinstance(covered, Unknown):
        return Unknown(f"{word} statement is for {covered.why}")
    return Unknown(f"{word} statement has conditions") if covered and statement.conditional else covered


def _strongest(answers: list[bool | Unknown]) -> bool | Unknown:
    """Return True if there is one, else the first `Unknown`, else False."""
    return True if True in answers else next((each for each in answers if isinstance(each, Unknown)), False)
