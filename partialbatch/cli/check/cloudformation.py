"""Reads a CloudFormation or SAM template, ``cdk synth``'s templates included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.arns import called
from partialbatch.cli.check.intrinsics import Resolver
from partialbatch.cli.check.model import Deployment, Function, Mapping, Place, Queue, Reference, Unknown
from partialbatch.cli.check.reading import (
    TIMEOUT,
    VISIBILITY,
    as_list,
    as_mapping,
    fifo,
    integer,
    kind_of,
    named_function,
    pipe_parameters,
    redrive,
    setting,
)
from partialbatch.cli.check.roles import Roles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cfnlint.template import Template

    from partialbatch.cli.check.model import Properties, Target, Value

__all__ = ["read"]

_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_EVENTS = {
    "SQS": "sqs",
    "Kinesis": "kinesis",
    "DynamoDB": "dynamodb",
    "MSK": "kafka",
    "SelfManagedKafka": "kafka",
    "MQ": "other",
    "DocumentDB": "other",
}
_KINDS = {
    "AWS::SQS::Queue": "sqs",
    "AWS::Kinesis::Stream": "kinesis",
    "AWS::Kinesis::StreamConsumer": "kinesis",
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::DynamoDB::GlobalTable": "dynamodb",
    "AWS::Serverless::SimpleTable": "dynamodb",
    "AWS::MSK::Cluster": "kafka",
    "AWS::MSK::ServerlessCluster": "kafka",
    "AWS::AmazonMQ::Broker": "other",
    "AWS::DocDB::DBCluster": "other",
}
_CALLED = {
    "AWS::SQS::Queue": ("sqs", "QueueName"),
    "AWS::SNS::Topic": ("sns", "TopicName"),
    "AWS::Kinesis::Stream": ("kinesis", "Name"),
    "AWS::KinesisFirehose::DeliveryStream": ("firehose", "DeliveryStreamName"),
    "AWS::Events::EventBus": ("events", "Name"),
    "AWS::DynamoDB::Table": ("dynamodb", "TableName"),
    "AWS::DynamoDB::GlobalTable": ("dynamodb", "TableName"),
    "AWS::Serverless::SimpleTable": ("dynamodb", "TableName"),
}
"""What an option may call: its service, and the property with its name."""


def read(template: Template, parameters: Properties[str, str]) -> Deployment:
    """Read a template that cfn-lint has decoded and transformed (which merges SAM's globals)."""
    return Deployment(tuple(_Reader(template, parameters).mappings()))


class _Reader:
    def __init__(self, template: Template, parameters: Properties[str, str]) -> None:
        self._template = template
        self._resolve = Resolver(template.template, parameters)
        bodies = template.get_resources()
        self._types = {str(name): str(body["Type"]) for name, body in bodies.items()}
        self._properties = {str(name): self._mapped(body.get("Properties")) for name, body in bodies.items()}
        self._roles = Roles(self._types, self._properties)
        self._resources = dict(self._called())

    def _called(self) -> Iterator[tuple[str, Target]]:
        for name, kind in self._types.items():
            if kind in _CALLED:
                service, word = _CALLED[kind]
                yield name, called(service, name, self._properties[name].get(word))

    def _mapped(self, value: Any) -> dict[str, Value]:
        resolved = self._resolve(value)
        return resolved if isinstance(resolved, dict) else {}

    def _place(self, label: str, *path: str) -> Place:
        full = ("Resources", *path)
        found = self._template.get_location_yaml(self._template.template, list(full))
        return Place(label, self._template.filename, found[0] + 1 if found else None, full)

    def mappings(self) -> Iterator[Mapping]:
        for name, kind in self._types.items():
            if kind == "AWS::Serverless::Function":
                yield from self._events(name)
            elif kind == "AWS::Lambda::EventSourceMapping":
                yield self._mapping(name, self._properties.get(name, {}), None, self._place(name, name))
            elif kind == "AWS::Pipes::Pipe":
                yield from self._pipe(name)

    def _events(self, name: str) -> Iterator[Mapping]:
        events = self._properties.get(name, {}).get("Events")
        for event, body in events.items() if isinstance(events, dict) else ():
            kind = body.get("Type") if isinstance(body, dict) else None
            if kind in _EVENTS:
                place = self._place(f"{name}.Events.{event}", name, "Properties", "Events", event)
                properties = body.get("Properties")
                yield self._mapping(name, properties if isinstance(properties, dict) else {}, _EVENTS[kind], place)

    def _mapping(self, name: str, properties: Properties[str, Value], kind: str | None, place: Place) -> Mapping:
        source = properties.get("EventSourceArn", properties.get("Queue", properties.get("Stream")))
        function = name if kind else properties.get("FunctionName")
        found = kind or self._kind(source, properties)
        return Mapping(
            name=place.label,
            place=place,
            function=self._function(Reference(function) if kind and isinstance(function, str) else function, place),
            kind=found,
            source=source,
            queue=self._queue(source) if found == "sqs" else None,
            responses=as_list(setting(properties, "FunctionResponseTypes")),
            bisect=setting(properties, "BisectBatchOnFunctionError"),
            retries=integer(properties.get("MaximumRetryAttempts")),
            age=integer(properties.get("MaximumRecordAgeInSeconds")),
            destination=setting(properties, "DestinationConfig", "OnFailure"),
            batching_window=integer(properties.get("MaximumBatchingWindowInSeconds")),
            tumbling_window=integer(properties.get("TumblingWindowInSeconds")),
            provisioned=setting(properties, "ProvisionedPollerConfig"),
        )

    def _kind(self, source: Value, properties: Properties[str, Value]) -> Value:
        if properties.get("SelfManagedEventSource") is not None or properties.get("Topics") is not None:
            return "kafka"
        if isinstance(source, Reference):
            kind = self._types.get(source.name, "")
            return _KINDS.get(kind) or Unknown(f"its source is {source.name}, of the type {kind}")
        return kind_of(source)

    def _pipe(self, name: str) -> Iterator[Mapping]:
        properties, place = self._properties.get(name, {}), self._place(name, name)
        target = properties.get("Target")
        lambda_parameters = setting(properties, "TargetParameters", "LambdaFunctionParameters")
        if not self._is_function(target) and lambda_parameters is None:
            return
        kind = self._kind(properties.get("Source"), {})
        yield Mapping(
            name=name,
            place=place,
            function=self._function(target, place),
            kind=kind,
            queue=self._queue(properties.get("Source")) if kind == "sqs" else None,
            pipe=True,
            invocation=setting(properties, "TargetParameters", "LambdaFunctionParameters", "InvocationType"),
            **pipe_parameters(properties, kind),
        )

    def _is_function(self, target: Value) -> bool:
        """Tell whether a target is a function, or may be one."""
        if isinstance(target, Reference):
            return self._types.get(target.name, "").startswith(("AWS::Lambda::", "AWS::Serverless::Function"))
        return isinstance(target, Unknown) or (isinstance(target, str) and ":lambda:" in target)

    def _queue(self, source: Value) -> Queue | Unknown:
        name = source.name if isinstance(source, Reference) else self._named(source, "AWS::SQS::Queue", "QueueName")
        if isinstance(source, Unknown):
            return source
        if name is None or self._types.get(name) != "AWS::SQS::Queue":
            return Unknown("the queue is not in this template")
        properties = self._properties.get(name, {})
        policy, receives = redrive(properties.get("RedrivePolicy"))
        visibility = integer(properties.get("VisibilityTimeout"))
        return Queue(
            name=name,
            place=self._place(name, name),
            arn=Reference(name),
            fifo=fifo(properties.get("FifoQueue")),
            visibility=VISIBILITY if visibility is None else visibility,
            redrive=policy,
            receives=receives,
        )

    def _named(self, value: Value, kind: str, name: str) -> str | None:
        """Find the resource with a fixed name, by its name or by an ARN that ends in it."""
        if not isinstance(value, str):
            return None
        last = value.rpartition(":")[2]
        found = [
            key for key, each in self._types.items() if each == kind and self._properties.get(key, {}).get(name) == last
        ]
        return found[0] if len(found) == 1 else None

    def _function(self, value: Value, place: Place) -> Function:
        function = named_function(value)
        name = function.name if isinstance(function, Reference) else None
        for kind in _FUNCTIONS:
            name = name or self._named(function, kind, "FunctionName")
        if name and self._types.get(name, "") in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            return self._function(self._properties.get(name, {}).get("FunctionName"), place)
        if name is None or self._types.get(name, "") not in _FUNCTIONS:
            why = value if isinstance(value, Unknown) else Unknown("the function is not in this template")
            return Function(str(value) if isinstance(value, str) else place.label, place, why, why, opaque=(why.why,))
        properties = self._properties.get(name, {})
        timeout = integer(properties.get("Timeout"))
        variables = as_mapping(setting(properties, "Environment", "Variables"))
        statements, opaque = self._roles.of(name)
        return Function(
            name=name,
            place=self._place(name, name),
            timeout=TIMEOUT if timeout is None else timeout,
            environment={} if variables is None else variables,
            statements=tuple(statements),
            opaque=tuple(opaque),
            resources=self._resources,
        )
