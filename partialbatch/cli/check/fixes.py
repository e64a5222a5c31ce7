"""Changes of mappings, pipes and queues, with the AWS CLI commands that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.findings import Change
from partialbatch.cli.check.model import Reference, Unknown

if TYPE_CHECKING:
    from partialbatch.cli.check.model import Mapping, Properties, Queue, Value

__all__ = ["mapping_change", "pipe_source_change", "pipe_target_change", "queue_change"]

_SOURCES = {"kinesis": "KinesisStreamParameters", "dynamodb": "DynamoDBStreamParameters"}


def mapping_change(mapping: Mapping, settings: Properties[str, Any]) -> Change:
    """Return a change of an event source mapping."""
    identifier = mapping.identifier or f"<UUID of {mapping.name}>"
    return Change(settings, ("aws", "lambda", "update-event-source-mapping", "--uuid", identifier))


def pipe_source_change(mapping: Mapping, settings: Properties[str, Any]) -> Change:
    """Return a change of a pipe's stream source.

    An update resets every setting that it leaves out, so the command repeats the current settings. The starting
    position can't be updated.
    """
    name = _SOURCES[mapping.kind]
    there = mapping.parameters.get(name) or {}
    fixed = ("StartingPosition", "StartingPositionTimestamp")
    kept = {key: value for key, value in there.items() if key not in fixed}
    command = {"SourceParameters": {name: _written(kept) | dict(settings)}}
    return Change({"SourceParameters": {name: settings}}, _pipe(mapping), cli_settings=command)


def pipe_target_change(mapping: Mapping) -> Change:
    """Return the change that makes a pipe wait for its function. The command repeats the other parameters."""
    settings = {"LambdaFunctionParameters": {"InvocationType": "REQUEST_RESPONSE"}}
    command = {"TargetParameters": _written(dict(mapping.target_parameters)) | settings}
    return Change({"TargetParameters": settings}, _pipe(mapping), cli_settings=command)


def _pipe(mapping: Mapping) -> tuple[str, ...]:
    name = mapping.identifier or f"<name of {mapping.name}>"
    return ("aws", "pipes", "update-pipe", "--name", name, "--role-arn", mapping.role or f"<role of {mapping.name}>")


def _written(value: Value, name: str = "") -> Any:
    """Return settings for a command, with ``<>`` around values that the user has to fill in."""
    if isinstance(value, dict):
        return {key: _written(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_written(item, name) for item in value]
    if isinstance(value, Reference):
        return f"<ARN of {value.name}>"
    return f"<value of {value.name or name}>" if isinstance(value, Unknown) else value


def queue_change(queue: Queue, settings: Properties[str, Any]) -> Change:
    """Return a change of a queue."""
    url = queue.url or f"<URL of {queue.name}>"
    return Change(settings, ("aws", "sqs", "set-queue-attributes", "--queue-url", url), "attributes")
