"""The model of a deployment that the rules check. Each reader turns its input into a `Deployment`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from partialbatch.cli.check.placeholders import ComposedText, PartlyKnown, Properties, Reference, Unknown, Value

__all__ = [
    "ComposedText",
    "Deployment",
    "Function",
    "Handler",
    "Mapping",
    "Options",
    "PartlyKnown",
    "Place",
    "Properties",
    "Queue",
    "Reference",
    "Statement",
    "Target",
    "Unchecked",
    "Unknown",
    "Value",
]


@dataclass(frozen=True, slots=True)
class Target:
    """A resource that the handler calls. Attributes that are not known are None.

    Attributes:
        service: As IAM's actions and ARNs name it.
        name: The last part of its ARN: ``table/orders``.
        account: The account of its ARN.
        region: The region of its ARN.
        reference: Its name in the input, if the input defines it.
    """

    service: str
    name: str | None = None
    account: str | None = None
    region: str | None = None
    reference: str | None = None

    @property
    def known(self) -> bool:
        """Whether anything but the service is known."""
        return bool(self.name or self.reference)

    @property
    def label(self) -> str:
        """Its name in messages."""
        return self.reference or self.name or f"the {self.service} resource that the handler calls"

    @property
    def arn(self) -> str | None:
        """The complete ARN; None if it isn't known."""
        if not (self.name and self.account and self.region):
            return None
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(self.region.rsplit("-", 2)[0], "aws")
        return f"arn:{partition}:{self.service}:{self.region}:{self.account}:{self.name}"


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a setting.

    Attributes:
        label: The resource's name in the input.
        file: The file, if there is one.
        line: The line, counted from 1, if it is known.
        path: The path through a template.
        dialect: The language of lines to add: ``"cloudformation"`` or ``"terraform"``.
    """

    label: str
    file: str | None = None
    line: int | None = None
    path: tuple[str | int, ...] = ()
    dialect: str = "cloudformation"

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line} {self.label}" if self.file else self.label


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy. `resources` is empty if it lists none, as with ``NotResource``."""

    allow: bool
    actions: tuple[str, ...]
    resources: tuple[Value, ...]
    conditional: bool = False


NOT_GIVEN = Unknown("it may be set in the code; name the handler with --handler")


@dataclass(frozen=True, slots=True)
class Options:
    """The handler's options that the rules check, or `Unknown`.

    Attributes:
        environment: `Unknown` if the function's environment may set options that the code leaves out.
    """

    error_policy: Value = NOT_GIVEN
    max_receive_count: Value = NOT_GIVEN
    deadline_margin: Value = NOT_GIVEN
    retry_delay: Value = NOT_GIVEN
    dead_letter: Value = NOT_GIVEN
    resume: Value = NOT_GIVEN
    sink: Value = NOT_GIVEN
    environment: Unknown | None = None


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler whose code is available.

    Attributes:
        target: ``module:handler``.
        folder: The module's folder.
    """

    target: str
    folder: str


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function.

    Attributes:
        handler: A `Handler`, or `Unknown`; None if the input names none.
        python: Whether it runs or may run Python. Functions in other languages have none of our options.
        timeout: Seconds. Readers fill in the default.
        environment: Its environment variables, or `Unknown`.
        statements: The statements of its role's policies.
        unreadable: Names of the role's policies that can't be read.
        deployed_name: Its name in AWS, if it is known.
        role: The role's name in AWS, if it is known.
        resources: The resources of the input that its options may call, by name.
    """

    name: str
    place: Place
    timeout: Value
    environment: Properties[str, Value] | Unknown
    statements: tuple[Statement, ...] = ()
    unreadable: tuple[str, ...] = ()
    deployed_name: str | None = None
    role: str | None = None
    options: Options = Options()
    resources: Properties[str, Target] = field(default_factory=dict)
    handler: Handler | Unknown | None = None
    python: bool = True


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue.

    Attributes:
        arn: Its ARN, or a `Reference`.
        visibility: The visibility timeout in seconds. Readers fill in the default.
        redrive: The redrive policy; None if there is no dead-letter queue.
        max_receives: ``maxReceiveCount`` as a number; None without a redrive policy.
        url: Its URL, if it is known.
    """

    name: str
    place: Place
    arn: Value
    fifo: Value
    visibility: Value
    redrive: Value
    max_receives: Value
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """An event source mapping or a pipe, which calls a function with batches.

    Attributes:
        kind: ``sqs kinesis dynamodb kafka``, ``other`` (Amazon MQ, DocumentDB) or `Unknown`.
        queue: The queue of an SQS source; `Unknown` if the input doesn't describe it.
        responses: ``FunctionResponseTypes``. Pipes have none.
        retries: ``MaximumRetryAttempts``; None if not set.
        age: ``MaximumRecordAgeInSeconds``; None if not set.
        destination: The on-failure destination, or a pipe's dead-letter queue.
        batching_window: Seconds.
        tumbling_window: Seconds.
        invocation: A pipe's ``InvocationType``; None if not set.
        provisioned: Settings of provisioned pollers, which Kafka's error settings need; None if not set.
        parameters: A pipe's complete ``SourceParameters``, because an update replaces all of them.
        identifier: The mapping's UUID or the pipe's name in AWS, if it is known.
        role: A pipe's role.
        source: The ARN of a mapping's source, or a `Reference`.
        consumption: Kafka's ``ConsumptionMode``; None if not set.
    """

    name: str
    place: Place
    function: Function
    kind: Value
    queue: Queue | Unknown | None = None
    responses: Value = None
    bisect: Value = None
    retries: Value = None
    age: Value = None
    destination: Value = None
    batching_window: Value = None
    tumbling_window: Value = None
    pipe: bool = False
    invocation: Value = None
    provisioned: Value = None
    parameters: Properties[str, Any] = field(default_factory=dict)
    target_parameters: Properties[str, Any] = field(default_factory=dict)
    identifier: str | None = None
    role: str | None = None
    source: Value = None
    consumption: Value = None


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A part of the input that was not read, and that may contain event sources.

    Attributes:
        place: Its place.
        question: The question that it leaves open, for messages.
        why: The reason why it was not read.
    """

    place: Place
    question: str
    why: Unknown


@dataclass(frozen=True, slots=True)
class Deployment:
    """All event sources in one input."""

    mappings: tuple[Mapping, ...]
    unchecked: tuple[Unchecked, ...] = ()
