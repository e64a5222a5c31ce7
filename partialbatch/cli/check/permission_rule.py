"""The rule for permissions: the role must allow the calls that the handler's options make."""

from __future__ import annotations

import os
from collections.abc import Mapping as Properties
from typing import TYPE_CHECKING

from partialbatch.cli.check.arn_matching import as_text, named, parse
from partialbatch.cli.check.common import cannot_tell
from partialbatch.cli.check.findings import Change, Finding, Severity
from partialbatch.cli.check.handler_options import PLACEHOLDER
from partialbatch.cli.check.iam_policies import allows
from partialbatch.cli.check.model import Reference, Target, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from partialbatch.cli.check.model import Function, Mapping, Value

__all__ = ["permissions"]

_SINKS: dict[str, tuple[tuple[str, ...], str]] = {
    "SQSProducer": (("sqs:SendMessage",), "_url"),
    "SNSProducer": (("sns:Publish",), "_arn"),
    "KinesisProducer": (("kinesis:PutRecords",), "_target"),
    "FirehoseProducer": (("firehose:PutRecordBatch",), "_stream"),
    "EventBridgeProducer": (("events:PutEvents",), "_bus"),
    "DynamoDBProducer": (("dynamodb:BatchWriteItem",), "_tables.default"),
    "CloudWatchProducer": (("cloudwatch:PutMetricData",), ""),
    "ResumeLedger": (("dynamodb:GetItem", "dynamodb:PutItem"), "_store._table"),
    "discard": ((), ""),
}
"""The IAM actions that our classes call, and the attribute of an object with the resource that it calls."""


def permissions(mapping: Mapping) -> Iterator[Finding]:
    """Find actions that the handler's options need and the role doesn't allow."""
    options, function = mapping.function.options, mapping.function
    if mapping.kind == "sqs" and not mapping.pipe and _given(options.retry_delay):
        yield from _needed(function, "retry_delay", "sqs:ChangeMessageVisibility", _source(mapping))
    for option in ("dead_letter", "sink", "resume"):
        value = getattr(options, option)
        if not _given(value):
            continue
        actions, place = _uses(value)
        if actions is None:
            why = Unknown(f"{type(value).__name__} isn't a class of partialbatch")
            yield cannot_tell("permissions", function.place, f"which actions {option} needs the role to allow", why)
        for action in actions or ():
            yield from _needed(function, option, action, _target(value, place, action.partition(":")[0], function))


def _given(value: Value) -> bool:
    return value is not None and not isinstance(value, Unknown)


def _source(mapping: Mapping) -> Target:
    """Return the queue whose messages are delayed."""
    arn = named(mapping.queue.arn if mapping.queue and not isinstance(mapping.queue, Unknown) else mapping.source)
    if isinstance(arn, Reference):
        return _referred(arn, "sqs", mapping.function)
    text = as_text(arn)
    return parse("sqs", text) if text else Target("sqs")


def _uses(value: object) -> tuple[tuple[str, ...] | None, str]:
    """Return the IAM actions that an option's object needs, and the attribute with its resource."""
    names = [kind.__name__ for kind in type(value).__mro__]
    names += [names[0].strip("_").lower(), str(getattr(value, "__name__", ""))]
    actions, place = next((_SINKS[name] for name in names if name in _SINKS), (None, ""))
    stated = getattr(value, "iam_actions", None)
    return (actions, place) if stated in (None, actions) else (tuple(stated), "")


def _target(value: object, place: str, service: str, function: Function) -> Target:
    """Return the resource that an option's object calls. The function's environment may have named it."""
    text: object = value
    for name in place.split("."):
        text = getattr(text, name, None)
    if isinstance(text, Properties):
        text = next(iter(text.values()), None)
    variables = function.environment
    if not isinstance(text, str) or isinstance(variables, Unknown):
        return Target(service)
    for variable in variables.values():
        if isinstance(variable, Reference) and str(variable) in text:
            return _referred(variable, service, function) if str(variable) == text else Target(service)
    return Target(service) if _is_of_here(text, variables) else parse(service, text)


def _is_of_here(text: str, variables: Properties[str, Value]) -> bool:
    """Tell whether a name comes from this machine's environment, which doesn't tell the function's."""
    if text in map(str, variables.values()):
        return False
    later = [name for name, value in variables.items() if isinstance(value, Unknown)]
    unknown = [os.environ.get(name) or PLACEHOLDER.format(name) for name in later]
    unset = [value for name, value in os.environ.items() if name not in variables]
    return text in unset or any(value and value in text for value in unknown)


def _referred(reference: Reference, service: str, function: Function) -> Target:
    found = function.resources.get(reference.name)
    return found if found and found.service == service else Target(service, reference=reference.name)


def _needed(function: Function, option: str, action: str, target: Target) -> Iterator[Finding]:
    answer = allows(function, action, target)
    if isinstance(answer, Unknown):
        yield cannot_tell(
            "permissions", function.place, f"whether the role allows {action}, which {option} needs", answer
        )
    elif not answer:
        on = f" on {target.label}" if target.known else ""
        message = (
            f"The role does not allow {action}{on}, which the handler's {option} needs: each of these calls fails."
        )
        resource = target.arn or (f"<ARN of {target.label}>" if target.known else "<ARN>")
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        command = ("aws", "iam", "put-role-policy", "--role-name", function.role or f"<role of {function.name}>")
        policy = {"Policy": {"Version": "2012-10-17", "Statement": [statement]}}
        yield Finding("permissions", Severity.ERROR, function.place, message, Change(policy, command, "policy"))
