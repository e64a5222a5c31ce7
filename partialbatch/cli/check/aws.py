"""Reads a deployed function from AWS. It only reads, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from partialbatch.cli.check.code_location import is_python
from partialbatch.cli.check.iam_policies import statements
from partialbatch.cli.check.model import Deployment, Function, Mapping, Place, Queue, Unknown
from partialbatch.cli.check.property_values import (
    consumption,
    fifo,
    integer,
    kind_of,
    pipe_parameters,
    redrive,
    setting,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from partialbatch.cli.check.model import Properties, Statement, Value

__all__ = ["read"]


def read(name: str, client: Callable[[str], Any]) -> Deployment:
    """Read the event source mappings and pipes of a function.

    Args:
        name: The function's name, with an alias or a version if needed, or its ARN.
        client: Makes a boto3 client for a service.

    Raises:
        botocore.exceptions.ClientError: The function or the list of its mappings can't be read. If any other
            request fails, its settings are `Unknown` in the result.
        botocore.exceptions.BotoCoreError: There are no credentials, no region, or no network.
    """
    return Deployment(tuple(_Reader(client).mappings(name)))


class _Reader:
    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def mappings(self, name: str) -> Iterator[Mapping]:
        client = self._client("lambda")
        configuration = client.get_function_configuration(FunctionName=name)
        function = self._function(configuration)
        for page in client.get_paginator("list_event_source_mappings").paginate(FunctionName=name):
            for body in page["EventSourceMappings"]:
                yield self._mapping(body, function)
        yield from self._pipes(configuration["FunctionArn"], function)

    def _function(self, configuration: Properties[str, Any]) -> Function:
        name = configuration["FunctionName"]
        role = configuration["Role"].rpartition("/")[2]
        found, unreadable = self._role(role)
        environment = configuration.get("Environment") or {}
        refused = Unknown("AWS can't decrypt the environment") if "Error" in environment else None
        return Function(
            name=name,
            place=Place(f"function {name}"),
            timeout=configuration["Timeout"],
            environment=refused or environment.get("Variables") or {},
            statements=tuple(found),
            unreadable=tuple(unreadable),
            deployed_name=name,
            role=role,
            python=is_python(configuration.get("Runtime")),
        )

    def _mapping(self, body: Properties[str, Any], function: Function) -> Mapping:
        source = body.get("EventSourceArn")
        kafka = body.get("SelfManagedEventSource") or body.get("Topics")
        kind = "kafka" if kafka else kind_of(source)
        label = f"event source mapping {body['UUID']}" + (f" ({source.rpartition(':')[2]})" if source else "")
        return Mapping(
            name=label,
            place=Place(label),
            function=function,
            kind=kind,
            source=source,
            queue=self._queue(str(source)) if kind == "sqs" else None,
            responses=setting(body, "FunctionResponseTypes"),
            bisect=setting(body, "BisectBatchOnFunctionError"),
            retries=body.get("MaximumRetryAttempts"),
            age=body.get("MaximumRecordAgeInSeconds"),
            destination=setting(body, "DestinationConfig", "OnFailure"),
            batching_window=body.get("MaximumBatchingWindowInSeconds"),
            tumbling_window=body.get("TumblingWindowInSeconds"),
            provisioned=setting(body, "ProvisionedPollerConfig"),
            consumption=consumption(body),
            identifier=body["UUID"],
        )

    def _queue(self, arn: str) -> Queue | Unknown:
        account, name = arn.split(":")[-2:]
        client = self._client("sqs")
        found = _ask(client.get_queue_url, QueueName=name, QueueOwnerAWSAccountId=account)
        if isinstance(found, Unknown):
            return found
        url = found["QueueUrl"]
        answer = _ask(client.get_queue_attributes, QueueUrl=url, AttributeNames=["All"])
        if isinstance(answer, Unknown):
            return answer
        attributes = answer["Attributes"]
        policy, max_receives = redrive(attributes.get("RedrivePolicy"))
        return Queue(
            name=name,
            place=Place(f"queue {name}"),
            arn=arn,
            fifo=fifo(attributes.get("FifoQueue")),
            visibility=integer(attributes["VisibilityTimeout"]),
            redrive=policy,
            max_receives=max_receives,
            url=url,
        )

    def _pipes(self, arn: str, function: Function) -> Iterator[Mapping]:
        client = self._client("pipes")
        listed = _ask(lambda **filters: _all(client, "list_pipes", "Pipes", **filters), TargetPrefix=arn)
        if isinstance(listed, Unknown):
            yield Mapping("pipes", Place(f"pipes to {function.name}"), function, listed, pipe=True)
            return
        for item in listed:
            # Other functions' ARNs may start with this ARN.
            if item["Target"] == arn or item["Target"].startswith(f"{arn}:"):
                pipe = _ask(client.describe_pipe, Name=item["Name"])
                yield self._pipe(item["Name"], {} if isinstance(pipe, Unknown) else pipe, pipe, function)

    def _pipe(self, name: str, body: Properties[str, Any], answer: Value, function: Function) -> Mapping:
        kind = answer if isinstance(answer, Unknown) else kind_of(body.get("Source"))
        return Mapping(
            name=f"pipe {name}",
            place=Place(f"pipe {name}"),
            function=function,
            kind=kind,
            queue=self._queue(body["Source"]) if kind == "sqs" else None,
            pipe=True,
            invocation=setting(body, "TargetParameters", "LambdaFunctionParameters", "InvocationType"),
            identifier=name,
            role=body.get("RoleArn"),
            **pipe_parameters(body, kind),
        )

    def _role(self, role: str) -> tuple[list[Statement], list[str]]:
        client = self._client("iam")
        found: list[Statement] = []
        unreadable: list[str] = []
        for name, document in self._documents(client, role):
            said, complete = statements(document)
            found += said
            unreadable += [] if complete else [name]
        return found, unreadable

    def _documents(self, client: Any, role: str) -> Iterator[tuple[str, Any]]:
        inline = _ask(lambda **names: _all(client, "list_role_policies", "PolicyNames", **names), RoleName=role)
        for name in [] if isinstance(inline, Unknown) else inline:
            answer = _ask(client.get_role_policy, RoleName=role, PolicyName=name)
            yield name, setting(answer, "PolicyDocument")
        attached = _ask(
            lambda **names: _all(client, "list_attached_role_policies", "AttachedPolicies", **names), RoleName=role
        )
        for policy in [] if isinstance(attached, Unknown) else attached:
            yield policy["PolicyName"], self._managed(client, policy["PolicyArn"])
        for answer in (inline, attached):
            if isinstance(answer, Unknown):
                yield f"of the role {role} ({answer.why})", None

    def _managed(self, client: Any, arn: str) -> Value:
        policy = _ask(client.get_policy, PolicyArn=arn)
        if isinstance(policy, Unknown):
            return policy
        version = _ask(client.get_policy_version, PolicyArn=arn, VersionId=policy["Policy"]["DefaultVersionId"])
        return setting(version, "PolicyVersion", "Document")


def _all(client: Any, operation: str, key: str, **arguments: Any) -> list[Any]:
    """Return the items of all pages."""
    return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page[key]]


def _ask(call: Callable[..., Any], **arguments: Any) -> Any:
    """Return AWS's response, or `Unknown` if the request fails. Some regions don't have Pipes, for example."""
    try:
        return call(**arguments)
    except ClientError as error:
        return Unknown(f"AWS answers {error.response['Error'].get('Code')} to {error.operation_name}")
    except (ConnectionError, HTTPClientError) as error:
        return Unknown(str(error))
