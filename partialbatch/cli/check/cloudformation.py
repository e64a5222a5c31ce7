"""Reads CloudFormation and SAM templates, including those from ``cdk synth``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partialbatch.cli.check.arn_matching import HOLE, as_text, last_part, named, split_arn, target_of
from partialbatch.cli.check.code_location import is_python, locate
from partialbatch.cli.check.model import (
    Deployment,
    Function,
    Mapping,
    PartlyKnown,
    Place,
    Queue,
    Reference,
    Unchecked,
    Unknown,
)
from partialbatch.cli.check.property_values import (
    TIMEOUT,
    VISIBILITY,
    as_list,
    as_mapping,
    consumption,
    fifo,
    integer,
    kind_of,
    mapped,
    named_function,
    pipe_parameters,
    redrive,
    setting,
)
from partialbatch.cli.check.stacks import Stacks
from partialbatch.cli.check.template_roles import Roles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from partialbatch.cli.check.model import Properties, Target, Value
    from partialbatch.cli.check.stacks import Stack

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
"""Resource types that a handler's option may call, with their service and the property that has their name."""


def read(stacks: Sequence[Stack]) -> Deployment:
    """Read stacks that are deployed together; most often there is only one."""
    reader = _Reader(Stacks(stacks))
    return Deployment(tuple(reader.mappings()), tuple(reader.unchecked()))


class _Reader:
    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._types = stacks.types
        self._properties = stacks.properties
        self._roles = Roles(self._types, self._properties)
        self._resources = dict(self._called())

    def _called(self) -> Iterator[tuple[str, Target]]:
        for name, kind in self._types.items():
            if kind in _CALLED:
                service, word = _CALLED[kind]
                yield name, target_of(service, name, self._properties[name].get(word))

    def unchecked(self) -> Iterator[Unchecked]:
        yield from self._stacks.unchecked()
        for name, kind in self._types.items():
            events = mapped(self._properties[name].get("Events") if kind == "AWS::Serverless::Function" else None)
            if isinstance(events, PartlyKnown):
                yield Unchecked(self._stacks.place(name, "Properties"), "which events the function has", events.why)
            for event, body in events.items():
                found = mapped(body)
                why = found.get("Type")
                if isinstance(why, Unknown):
                    yield Unchecked(self._event(name, event), "which kind of event it is", why)

    def _event(self, name: str, event: str) -> Place:
        label = f"{self._stacks.place(name).label}.Events.{event}"
        return self._stacks.place(name, "Properties", "Events", event, label=label)

    def mappings(self) -> Iterator[Mapping]:
        for name, kind in self._types.items():
            if kind == "AWS::Serverless::Function":
                yield from self._events(name)
            elif kind == "AWS::Lambda::EventSourceMapping":
                properties, place = self._properties[name], self._stacks.place(name)
                function = self._function(properties.get("FunctionName"), name, place)
                yield self._mapping(name, properties, function, place)
            elif kind == "AWS::Pipes::Pipe":
                yield from self._pipe(name)

    def _events(self, name: str) -> Iterator[Mapping]:
        for event, body in mapped(self._properties[name].get("Events")).items():
            found, place = mapped(body), self._event(name, event)
            kind = found.get("Type")
            if isinstance(kind, str) and kind in _EVENTS:
                function = self._function(Reference(name), name, place)
                yield self._mapping(name, mapped(found.get("Properties")), function, place, _EVENTS[kind])

    def _mapping(
        self, name: str, properties: Properties[str, Value], function: Function, place: Place, kind: Value = None
    ) -> Mapping:
        words = [word for word in ("EventSourceArn", "Queue", "Stream") if word in properties]
        source = named(properties.get(words[0] if words else "EventSourceArn"))
        kind = kind or self._kind(source, properties)
        return Mapping(
            name=place.label,
            place=place,
            function=function,
            kind=kind,
            source=source,
            queue=self._queue(source, name) if kind == "sqs" else None,
            responses=as_list(setting(properties, "FunctionResponseTypes")),
            bisect=setting(properties, "BisectBatchOnFunctionError"),
            retries=integer(properties.get("MaximumRetryAttempts")),
            age=integer(properties.get("MaximumRecordAgeInSeconds")),
            destination=setting(properties, "DestinationConfig", "OnFailure"),
            batching_window=integer(properties.get("MaximumBatchingWindowInSeconds")),
            tumbling_window=integer(properties.get("TumblingWindowInSeconds")),
            provisioned=setting(properties, "ProvisionedPollerConfig"),
            consumption=consumption(properties),
        )

    def _kind(self, source: Value, properties: Properties[str, Value]) -> Value:
        if "SelfManagedEventSource" in properties or "Topics" in properties:
            return "kafka"
        if isinstance(source, Reference):
            kind = self._types.get(source.name, "")
            return _KINDS.get(kind) or Unknown(f"its source is {source.name}, of the type {kind}")
        return kind_of(source)

    def _pipe(self, name: str) -> Iterator[Mapping]:
        properties, place = self._properties[name], self._stacks.place(name)
        target, source = named(properties.get("Target")), named(properties.get("Source"))
        lambda_parameters = setting(properties, "TargetParameters", "LambdaFunctionParameters")
        if not self._is_function(target) and lambda_parameters is None:
            return
        kind = self._kind(source, {})
        yield Mapping(
            name=place.label,
            place=place,
            function=self._function(target, name, place),
            kind=kind,
            queue=self._queue(source, name) if kind == "sqs" else None,
            pipe=True,
            invocation=setting(properties, "TargetParameters", "LambdaFunctionParameters", "InvocationType"),
            **pipe_parameters(properties, kind),
        )

    def _is_function(self, target: Value) -> bool:
        """Tell whether a target is or may be a function."""
        if isinstance(target, Reference):
            return self._types.get(target.name, "").startswith(("AWS::Lambda::", "AWS::Serverless::Function"))
        text = split_arn(as_text(target) or "")
        service = text[2] if len(text) > 2 else None  # arn:partition:service
        return service == "lambda" or (isinstance(target, Unknown) and service in (None, HOLE))

    def _queue(self, source: Value, by: str) -> Queue | Unknown:
        found = self._named(source, by, ("AWS::SQS::Queue",), "QueueName")
        if found is None or self._types.get(found) != "AWS::SQS::Queue":
            return source if isinstance(source, Unknown) else Unknown("the queue is not in this template")
        properties, place = self._properties[found], self._stacks.place(found)
        policy, max_receives = redrive(properties.get("RedrivePolicy"))
        visibility = integer(properties.get("VisibilityTimeout"))
        return Queue(
            name=place.label,
            place=place,
            arn=Reference(found),
            fifo=fifo(properties.get("FifoQueue")),
            visibility=VISIBILITY if visibility is None else visibility,
            redrive=policy,
            max_receives=max_receives,
        )

    def _named(self, value: Value, by: str, kinds: tuple[str, ...], name: str) -> str | None:
        """Find a resource by reference, name or ARN, first in the same stack."""
        if isinstance(value, Reference):
            return value.name
        last = last_part(value) if as_text(value) else ()
        same = [each for each, kind in self._types.items() if kind in kinds and last]
        found = [each for each in same if last_part(self._properties[each].get(name)) == last]
        near = [each for each in found if self._stacks.within(each) == self._stacks.within(by)]
        chosen = near or found
        return chosen[0] if len(chosen) == 1 else None

    def _function(self, value: Value, by: str, place: Place) -> Function:
        name = self._named(named_function(value), by, _FUNCTIONS, "FunctionName")
        passed = {name}
        while name and self._types.get(name) in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            value = self._properties[name].get("FunctionName")
            name = self._named(named_function(value), name, _FUNCTIONS, "FunctionName")
            if name in passed:
                break
            passed.add(name)
        if name and self._types.get(name) in _FUNCTIONS:
            return self._found(name)
        why = value if isinstance(value, Unknown) else Unknown("the function is not in this template")
        return Function(value if isinstance(value, str) else place.label, place, why, why, unreadable=(why.why,))

    def _found(self, name: str) -> Function:
        properties, place = self._properties[name], self._stacks.place(name)
        timeout = integer(properties.get("Timeout"))
        variables = as_mapping(setting(properties, "Environment", "Variables"))
        statements, unreadable = self._roles.of(name)
        return Function(
            name=place.label,
            place=place,
            timeout=TIMEOUT if timeout is None else timeout,
            environment={} if variables is None else variables,
            statements=tuple(statements),
            unreadable=tuple(unreadable),
            resources=self._resources,
            handler=locate(properties, self._stacks.metadata(name), self._stacks.folder(name)),
            python=is_python(properties.get("Runtime")),
        )
