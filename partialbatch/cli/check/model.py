"""What is deployed, as far as losing or repeating work is concerned; each reader makes a `Deployment` of its input."""

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
    """What calls are made on: None for what is not known of it.

    Attributes:
        service: As IAM's actions and ARNs name it.
        name: The last part of its ARN: ``table/orders``.
        account: The account of its ARN.
        region: The region of its ARN.
        reference: Its name in the input, where it is there.
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
        """What people call it."""
        return self.reference or self.name or f"what the handler calls of {self.service}"

    @property
    def arn(self) -> str | None:
        """The whole ARN, where it is known."""
        if not (self.name and self.account and self.region):
            return None
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(self.region.rsplit("-", 2)[0], "aws")
        return f"arn:{partition}:{self.service}:{self.region}:{self.account}:{self.name}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is set.

    Attributes:
        label: The resource's name, as its author knows it.
        file: The file, where there is one.
        line: The line from 1 on, where it is known.
        path: The way through a template.
        dialect: How a line to add is written: ``"cloudformation"`` or ``"terraform"``.
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
    """One statement of a policy; `resources` is empty where it speaks of no resource (``NotResource``, say)."""

    allow: bool
    actions: tuple[str, ...]
    resources: tuple[Value, ...]
    conditional: bool = False


NOT_GIVEN = Unknown("it may be set in the code; name the handler with --handler")


@dataclass(frozen=True, slots=True)
class Options:
    """The handler's options that matter here; `Unknown` where nobody said.

    Attributes:
        environment: `Unknown` where the function's environment may still set what the code leaves out.
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
    """Stands for a handler whose code is at hand.

    Attributes:
        target: ``module:handler``.
        folder: The folder that the module is in.
    """

    target: str
    folder: str


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function.

    Attributes:
        handler: A `Handler`, or `Unknown`; None where the input says nothing of it.
        python: Whether it runs Python, or may do so: others have none of our options.
        timeout: Seconds; never None, the readers know the default.
        environment: Its PARTIALBATCH_* variables, or `Unknown`.
        statements: What its role says.
        opaque: Policies of the role that cannot be read, by name.
        physical: Its name in AWS, where that is known.
        role: The role's name in AWS, where that is known.
        resources: What its options may call, by the names of the same input.
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
        visibility: Seconds; never None.
        redrive: The redrive policy; None: there is no dead-letter queue.
        receives: ``maxReceiveCount`` as a number, None without a redrive policy.
        url: Its URL, where that is known.
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
    """What brings a function its batches: an event source mapping, or a pipe.

    Attributes:
        kind: ``sqs kinesis dynamodb kafka``, ``other`` (Amazon MQ, DocumentDB) or `Unknown`.
        queue: The queue of an SQS source; `Unknown` where the input does not describe it.
        responses: ``FunctionResponseTypes``; pipes have none.
        retries: ``MaximumRetryAttempts``; None: not set.
        age: ``MaximumRecordAgeInSeconds``; None: not set.
        destination: The on-failure destination; a pipe's dead-letter queue.
        batching_window: Seconds.
        tumbling_window: Seconds.
        invocation: A pipe's ``InvocationType``; None: not set.
        provisioned: Whether the pollers are provisioned, which Kafka's error settings need.
        parameters: A pipe's ``SourceParameters`` as they are: an update replaces them as a whole.
        identifier: The mapping's UUID or the pipe's name in AWS, where that is known.
        role: A pipe's role.
        source: The ARN of a mapping's source, or a `Reference`.
        consumption: Kafka's ``ConsumptionMode``; None: not set.
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
    """Stands for a part of the input that may bring event sources and that nobody looked into.

    Attributes:
        what: What cannot be told of it, for people.
        why: It was not looked into.
    """

    place: Place
    what: str
    why: Unknown


@dataclass(frozen=True, slots=True)
class Deployment:
    """All that was found in one input."""

    mappings: tuple[Mapping, ...]
    unchecked: tuple[Unchecked, ...] = ()
