"""Reads a Terraform plan in JSON, from ``terraform show -json plan.out``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.arn_matching import target_of
from partialbatch.cli.check.code_location import is_python
from partialbatch.cli.check.iam_policies import managed, statements
from partialbatch.cli.check.model import Deployment, Function, Mapping, Place, Queue, Reference, Unknown
from partialbatch.cli.check.property_values import (
    TIMEOUT,
    VISIBILITY,
    as_list,
    fifo,
    integer,
    kind_of,
    named_function,
    redrive,
    text,
)
from partialbatch.cli.check.terraform_plan import AFTER_APPLY, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from partialbatch.cli.check.model import Properties, Statement, Value
    from partialbatch.cli.check.terraform_plan import Resource

__all__ = ["read"]

_KINDS = {
    "aws_sqs_queue": "sqs",
    "aws_kinesis_stream": "kinesis",
    "aws_kinesis_stream_consumer": "kinesis",
    "aws_dynamodb_table": "dynamodb",
    "aws_msk_cluster": "kafka",
    "aws_msk_serverless_cluster": "kafka",
    "aws_mq_broker": "other",
    "aws_docdb_cluster": "other",
}
_PIPES = {
    "kinesis": "kinesis_stream_parameters",
    "dynamodb": "dynamodb_stream_parameters",
    "sqs": "sqs_queue_parameters",
}
_CALLED = {
    "aws_sqs_queue": "sqs",
    "aws_sns_topic": "sns",
    "aws_kinesis_stream": "kinesis",
    "aws_kinesis_firehose_delivery_stream": "firehose",
    "aws_cloudwatch_event_bus": "events",
    "aws_dynamodb_table": "dynamodb",
}
"""Resource types that a handler's option may call, with their service."""


def read(plan: Properties[str, Any], file: str) -> Deployment:
    """Read a plan that is parsed from its JSON."""
    return Deployment(tuple(_Reader(Plan(plan), file).mappings()))


class _Reader:
    def __init__(self, plan: Plan, file: str) -> None:
        self._plan = plan
        self._file = file
        self._resources = {resource.address: resource for resource in plan.resources}

    def mappings(self) -> Iterator[Mapping]:
        for resource in self._plan.resources:
            if resource.type == "aws_lambda_event_source_mapping":
                yield self._mapping(resource)
            elif resource.type == "aws_pipes_pipe":
                yield from self._pipe(resource)

    def _place(self, resource: Resource) -> Place:
        return Place(resource.address, self._file, dialect="terraform")

    def _mapping(self, resource: Resource) -> Mapping:
        source = self._plan.value(resource, "event_source_arn")
        kafka = resource.values.get("self_managed_event_source") or resource.values.get("topics")
        kind = "kafka" if kafka else self._kind(source)
        place = self._place(resource)
        return Mapping(
            name=resource.address,
            place=place,
            function=self._function(self._plan.value(resource, "function_name"), place),
            kind=kind,
            source=source,
            queue=self._queue(source) if kind == "sqs" else None,
            responses=as_list(self._plan.value(resource, "function_response_types")),
            bisect=self._plan.value(resource, "bisect_batch_on_function_error"),
            retries=integer(self._plan.value(resource, "maximum_retry_attempts")),
            age=integer(self._plan.value(resource, "maximum_record_age_in_seconds")),
            destination=_block(resource, "destination_config", "on_failure"),
            batching_window=integer(self._plan.value(resource, "maximum_batching_window_in_seconds")),
            tumbling_window=integer(self._plan.value(resource, "tumbling_window_in_seconds")),
            provisioned=_block(resource, "provisioned_poller_config"),
            consumption=_block(resource, "self_managed_kafka_event_source_config", "consumption_mode"),
            identifier=text(resource.values.get("uuid")),
        )

    def _kind(self, source: Value) -> Value:
        if not isinstance(source, Reference):
            return kind_of(source)
        kind = self._resources[source.name].type
        return _KINDS.get(kind) or Unknown(f"its source is {source.name}, of the type {kind}")

    def _pipe(self, resource: Resource) -> Iterator[Mapping]:
        target, place = self._plan.value(resource, "target"), self._place(resource)
        parameters = _block(resource, "target_parameters", "lambda_function_parameters")
        if not _is_function(target) and parameters is None:
            return
        source = self._plan.value(resource, "source")
        kind = self._kind(source)
        block = _block(resource, "source_parameters", _PIPES.get(str(kind), ""))
        bisect = _part(block, "on_partial_batch_item_failure")
        yield Mapping(
            name=resource.address,
            place=place,
            function=self._function(target, place),
            kind=kind,
            queue=self._queue(source) if kind == "sqs" else None,
            pipe=True,
            invocation=_part(parameters, "invocation_type"),
            bisect=bisect if isinstance(bisect, Unknown) else bisect == "AUTOMATIC_BISECT",
            retries=integer(_part(block, "maximum_retry_attempts")),
            age=integer(_part(block, "maximum_record_age_in_seconds")),
            destination=_part(block, "dead_letter_config") or None,
            batching_window=integer(_part(block, "maximum_batching_window_in_seconds")),
            identifier=text(resource.values.get("name")),
            role=text(resource.values.get("role_arn")),
        )

    def _queue(self, source: Value) -> Queue | Unknown:
        resource = self._find(source, "aws_sqs_queue", "arn")
        if resource is None:
            return source if isinstance(source, Unknown) else Unknown("the queue is not in this plan")
        policy, max_receives = redrive(self._redrive(resource))
        visibility = integer(self._plan.value(resource, "visibility_timeout_seconds"))
        return Queue(
            name=resource.address,
            place=self._place(resource),
            arn=Reference(resource.address),
            fifo=fifo(self._plan.value(resource, "fifo_queue")),
            visibility=VISIBILITY if visibility is None else visibility,
            redrive=policy,
            max_receives=max_receives,
            url=text(resource.values.get("url")),
        )

    def _redrive(self, queue: Resource) -> Value:
        policy = self._text(queue, "redrive_policy")
        for other in self._plan.resources:
            if other.type == "aws_sqs_queue_redrive_policy":
                owner = self._find(self._plan.value(other, "queue_url"), "aws_sqs_queue", "url")
                policy = self._text(other, "redrive_policy") if owner is queue else policy
        return policy

    def _text(self, resource: Resource, name: str) -> Value:
        """Return a text. A text with references in it is only known after the apply."""
        value = self._plan.value(resource, name)
        return Unknown(AFTER_APPLY) if isinstance(value, Reference) else value

    def _find(self, value: Value, kind: str, *names: str) -> Resource | None:
        """Find a resource by reference, or by one of its attributes."""
        if isinstance(value, Reference):
            found = self._resources[value.name]
            return found if found.type == kind else None
        same = [each for each in self._plan.resources if each.type == kind and isinstance(value, str)]
        return next((each for each in same if any(each.values.get(name) == value for name in names)), None)

    def _function(self, value: Value, place: Place) -> Function:
        alias = self._find(value, "aws_lambda_alias", "arn")
        if alias:
            return self._function(self._plan.value(alias, "function_name"), place)
        resource = self._find(named_function(value), "aws_lambda_function", "arn", "function_name")
        if resource is None:
            why = value if isinstance(value, Unknown) else Unknown("the function is not in this plan")
            return Function(
                str(value) if isinstance(value, str) else place.label, place, why, why, unreadable=(why.why,)
            )
        timeout = integer(self._plan.value(resource, "timeout"))
        found, unreadable = self._role(self._plan.value(resource, "role"))
        return Function(
            name=resource.address,
            place=self._place(resource),
            timeout=TIMEOUT if timeout is None else timeout,
            environment=_environment(resource),
            statements=tuple(found),
            unreadable=tuple(unreadable),
            deployed_name=text(resource.values.get("function_name")),
            python=is_python(resource.values.get("runtime")),
            resources={
                each.address: target_of(_CALLED[each.type], each.address, each.values.get("name"))
                for each in self._plan.resources
                if each.type in _CALLED
            },
        )

    def _role(self, value: Value) -> tuple[list[Statement], list[str]]:
        role = self._find(value, "aws_iam_role", "arn")
        if role is None:
            return [], ["of a role that is not in this plan"]
        found, unreadable = [], []
        for name, policy in self._policies(role):
            granted, complete = _policy_statements(policy)
            found += granted
            unreadable += [] if complete else [name]
        return found, unreadable

    def _policies(self, role: Resource) -> Iterator[tuple[str, Value]]:
        for inline in _block_list(role, "inline_policy"):
            yield f"in {role.address}", _part(inline, "policy") or Unknown(AFTER_APPLY)
        for arn in role.values.get("managed_policy_arns") or ():
            yield arn, arn
        for other in self._plan.resources:
            if other.type not in ("aws_iam_role_policy", "aws_iam_role_policy_attachment"):
                continue
            owner = self._plan.value(other, "role")
            if isinstance(owner, Unknown):
                yield other.address, owner  # it may belong to this role
            elif self._find(owner, "aws_iam_role", "name", "id") is role:
                yield other.address, self._attached(other)

    def _attached(self, resource: Resource) -> Value:
        if resource.type == "aws_iam_role_policy":
            return self._text(resource, "policy")
        arn = self._plan.value(resource, "policy_arn")
        policy = self._find(arn, "aws_iam_policy", "arn")
        return self._text(policy, "policy") if policy else arn


def _policy_statements(policy: Value) -> tuple[list[Statement], bool]:
    """Read a managed policy's ARN or a policy document in JSON."""
    if not isinstance(policy, str):
        return [], False
    if policy.startswith("arn:"):
        known = managed(policy)
        return ([known], True) if known else ([], False)
    try:
        return statements(json.loads(policy))
    except ValueError:
        return [], False


def _is_function(target: Value) -> bool:
    if isinstance(target, Reference):
        return "aws_lambda_" in target.name
    return isinstance(target, Unknown) or (isinstance(target, str) and ":lambda:" in target)


def _block_list(resource: Resource, name: str) -> list[Any]:
    found = resource.values.get(name)
    if found:
        return list(found)
    return [Unknown(AFTER_APPLY)] if resource.unknown.get(name) is True and name in resource.expressions else []


def _block(resource: Resource, name: str, inner: str | None = None) -> Value:
    """Return a block's content; None if there is no block. A block may exist although its content is unknown."""
    found = next(iter(_block_list(resource, name)), None)
    return found if inner is None or found is None else _part(found, inner)


def _part(block: Value, name: str) -> Value:
    if not isinstance(block, dict):
        return block
    found = block.get(name)
    return (found[0] if found else None) if isinstance(found, list) else found


def _environment(resource: Resource) -> Properties[str, Value] | Unknown:
    block = _block(resource, "environment")
    if isinstance(block, Unknown):
        return block
    unknown: Any = next(iter(resource.unknown.get("environment") or ()), {})
    later = unknown.get("variables") if isinstance(unknown, dict) else None
    if later is True:
        return Unknown(AFTER_APPLY)
    return dict(_part(block, "variables") or {}) | {name: Unknown(AFTER_APPLY) for name in later or ()}
