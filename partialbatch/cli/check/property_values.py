"""Turns properties of an input into values of the model. All readers use it."""

from __future__ import annotations

import json
import re
from typing import Any

from partialbatch.cli.check.arn_matching import HOLE, as_text, split_arn
from partialbatch.cli.check.model import ComposedText, PartlyKnown, Properties, Reference, Unknown, Value

__all__ = [
    "TIMEOUT",
    "VISIBILITY",
    "as_list",
    "as_mapping",
    "consumption",
    "fifo",
    "integer",
    "kind_of",
    "mapped",
    "named_function",
    "pipe_parameters",
    "redrive",
    "setting",
    "text",
]

TIMEOUT = 3
"""A function's default timeout in seconds."""
VISIBILITY = 30
"""A queue's default visibility timeout in seconds."""
_QUALIFIER = re.compile(r"(?<!:function):[^:{}]+$")
_SERVICES = {
    "sqs": "sqs",
    "kinesis": "kinesis",
    "dynamodb": "dynamodb",
    "kafka": "kafka",
    "mq": "other",
    "rds": "other",
}


def kind_of(arn: Value) -> Value:
    """Return the kind of source that an ARN names, even if other parts of the ARN are unknown."""
    parts = split_arn(as_text(arn) or "")
    service = parts[2] if len(parts) > 2 else ""  # arn:partition:service
    if isinstance(arn, Unknown) and (HOLE in service or not service):
        return arn
    return _SERVICES.get(service) or Unknown(f"its source {as_text(arn) or arn!r} isn't of a known kind")


def named_function(value: Value) -> Value:
    """Return the function in a text that may be an ARN and have an alias or a version."""
    parts = value.parts if isinstance(value, ComposedText) else ()
    for before, part, after in zip((":function:", *parts), parts, (*parts[1:], ":"), strict=False):
        around = isinstance(before, str) and isinstance(after, str) and isinstance(part, Reference)
        if around and before.endswith(":function:") and after.startswith(":"):
            return part
    return _QUALIFIER.sub("", value) if isinstance(value, str) else value


def setting(properties: Value, *path: str) -> Value:
    """Follow a path through nested properties. Return `Unknown` if a step is unknown or isn't a mapping."""
    found = properties
    for name in path:
        found = as_mapping(found)
        if not isinstance(found, dict):
            return found
        found = found.get(name)
    if isinstance(found, list):
        found = next((item for item in found if isinstance(item, Unknown)), found)
    empty = found in ([], {}) and not isinstance(found, PartlyKnown)
    return None if empty else _boolean(found)


def mapped(value: Value) -> dict[str, Value]:
    """Read the properties of a resource. If they are unknown, so is each of them; if unset, there are none."""
    found = as_mapping(value)
    return PartlyKnown({}, found) if isinstance(found, Unknown) else {} if found is None else found


def text(value: Value) -> str | None:
    """Return a text; None for other values."""
    return value if isinstance(value, str) else None


def as_mapping(value: Value) -> dict[str, Value] | Unknown | None:
    """Read nested properties. Other values become `Unknown`."""
    return value if value is None or isinstance(value, dict | Unknown) else _other(value, "a mapping")


def as_list(value: Value) -> list[str] | Unknown | None:
    """Read a list of texts, or one text with commas. Other values become `Unknown`."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")]  # the value of a list parameter
    if value is None or isinstance(value, Unknown):
        return value
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return value if texts else _other(value, "a list of texts")


def _other(value: Value, wanted: str) -> Unknown:
    found = f"a reference to {value.name}" if isinstance(value, Reference) else repr(value)
    return Unknown(f"it is {found} instead of {wanted}")


def _boolean(value: Value) -> Value:
    """Read a boolean, which CloudFormation also takes as text."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def integer(value: Value) -> Value:
    """Read a whole number, also from text. Other values become `Unknown`."""
    if value is None or isinstance(value, Unknown):
        return value
    try:
        return int(value)
    except (TypeError, ValueError):
        return Unknown(f"{value!r} isn't a number")


def fifo(value: Value) -> Value:
    """Read ``FifoQueue``, which is False if not set."""
    return False if value is None else _boolean(value)


def redrive(value: Value) -> tuple[Value, Value]:
    """Return a redrive policy, given as an object or as JSON, and its ``maxReceiveCount``."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value else None
        except ValueError:
            value = Unknown("the RedrivePolicy isn't JSON")
    if not isinstance(value, dict):
        return value, value if isinstance(value, Unknown) else None
    max_receives = value.get("maxReceiveCount")
    return value, Unknown("the RedrivePolicy doesn't set it") if max_receives is None else integer(max_receives)


def consumption(properties: Properties[str, Value]) -> Value:
    """Return Kafka's consumption mode, which only self-managed clusters have."""
    return setting(properties, "SelfManagedKafkaEventSourceConfig", "ConsumptionMode")


_SOURCES = {"kinesis": "KinesisStreamParameters", "dynamodb": "DynamoDBStreamParameters", "sqs": "SqsQueueParameters"}


def pipe_parameters(properties: Properties[str, Value], kind: Value) -> dict[str, Any]:
    """Return the settings in a pipe's source parameters, under the names of `Mapping`'s attributes."""
    name = _SOURCES.get(kind if isinstance(kind, str) else "", "")
    parameters = as_mapping(setting(properties, "SourceParameters", name))
    bisect = setting(parameters, "OnPartialBatchItemFailure")
    whole = [setting(properties, part) for part in ("SourceParameters", "TargetParameters")]
    return {
        "bisect": bisect if isinstance(bisect, Unknown) else bisect == "AUTOMATIC_BISECT",
        "retries": integer(setting(parameters, "MaximumRetryAttempts")),
        "age": integer(setting(parameters, "MaximumRecordAgeInSeconds")),
        "destination": setting(parameters, "DeadLetterConfig"),
        "batching_window": integer(setting(parameters, "MaximumBatchingWindowInSeconds")),
        "parameters": whole[0] if isinstance(whole[0], dict) else {},
        "target_parameters": whole[1] if isinstance(whole[1], dict) else {},
    }
