"""Reads the roles of functions in a CloudFormation or SAM template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.arn_matching import PREFIXES
from partialbatch.cli.check.iam_policies import SAM_TEMPLATES, managed, statements
from partialbatch.cli.check.model import Properties, Reference, Statement, Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Roles"]

_ATTACHED = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy")
_EVENTS = {
    "SQS": "AWSLambdaSQSQueueExecutionRole",
    "Kinesis": "AWSLambdaKinesisExecutionRole",
    "DynamoDB": "AWSLambdaDynamoDBExecutionRole",
    "MSK": "AWSLambdaMSKExecutionRole",
}
"""The managed policy that SAM gives a role for an event source."""


class Roles:
    """Reads roles.

    Args:
        types: The resources' types, by name.
        properties: The resources' resolved properties, by name.
    """

    def __init__(self, types: Properties[str, str], properties: Properties[str, Properties[str, Value]]) -> None:
        self._types = types
        self._properties = properties

    def of(self, function: str) -> tuple[list[Statement], list[str]]:
        """Return the statements of a function's role, and the names of its unreadable policies."""
        properties = self._properties.get(function, {})
        found: list[Statement] = []
        unreadable: list[str] = []
        if properties.get("Role") is not None:
            policies = list(self._role(properties.get("Role")))
        else:
            policies = list(self._generated(properties))
        for name, policy in policies:
            granted, complete = policy if isinstance(policy, tuple) else self._policy(policy)
            found += granted
            unreadable += [] if complete else [name]
        return found, unreadable + self._connectors(function)

    def _connectors(self, function: str) -> list[str]:
        own = self._properties.get(function, {}).get("Connectors")
        apart = [name for name, kind in self._types.items() if kind == "AWS::Serverless::Connector"]
        return apart or (["of its Connectors"] if own else [])

    def _role(self, role: Value) -> Iterator[tuple[str, Any]]:
        name = role.name if isinstance(role, Reference) else None
        if name is None or self._types.get(name, "") != "AWS::IAM::Role":
            yield "of a role that is not in this template", Unknown("")
            return
        properties = self._properties.get(name, {})
        for policy in _items(properties.get("Policies")):
            yield f"in {name}", policy.get("PolicyDocument") if isinstance(policy, dict) else policy
        for arn in _items(properties.get("ManagedPolicyArns")):
            yield str(arn), arn
        for other, kind in self._types.items():
            if kind not in _ATTACHED:
                continue
            policy = self._properties.get(other, {})
            named = [*_items(policy.get("Roles")), policy.get("RoleName")]
            if role in named:
                yield other, policy.get("PolicyDocument")
            elif any(isinstance(item, Unknown) for item in named):
                yield other, Unknown("it may be this role's")

    def _generated(self, properties: Properties[str, Value]) -> Iterator[tuple[str, Any]]:
        for policy in _items(properties.get("Policies")):
            yield str(policy), policy
        yield "basic", "AWSLambdaBasicExecutionRole"
        for event in _values(properties.get("Events")):
            kind = event.get("Type") if isinstance(event, dict) else None
            if isinstance(kind, str) and kind in _EVENTS:
                yield kind, _EVENTS[kind]

    def _policy(self, policy: Value) -> tuple[list[Statement], bool]:
        """Read one policy: the name of a managed one, a document, or one of SAM's policy templates."""
        if isinstance(policy, str):
            known = managed(policy)
            return ([known], True) if known else ([], False)
        if isinstance(policy, Reference) and self._types.get(policy.name, "") == "AWS::IAM::ManagedPolicy":
            return statements(self._properties.get(policy.name, {}).get("PolicyDocument"))
        if isinstance(policy, dict) and "Statement" not in policy and len(policy) == 1:
            ((name, parameters),) = policy.items()
            if name in SAM_TEMPLATES:
                return [Statement(allow=True, actions=SAM_TEMPLATES[name], resources=_target(parameters))], True
        return statements(policy)


_PARAMETERS = {
    "TableName": "dynamodb",
    "StreamName": "kinesis",
    "DeliveryStreamName": "firehose",
    "EventBusName": "events",
}


def _target(parameters: Value) -> tuple[Value, ...]:
    """Return the resource of a policy template: a reference, or an ARN that ends in its parameter."""
    named = parameters.items() if isinstance(parameters, dict) else ()
    ends = [(PREFIXES.get(_PARAMETERS.get(name, ""), ""), value) for name, value in named]
    return tuple(f"arn:*:*:*:*:{start}{end}" if isinstance(end, str) else end for start, end in ends) or ("*",)


def _values(value: Value) -> Iterable[Value]:
    return value.values() if isinstance(value, dict) else ()


def _items(value: Value) -> list[Value]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
