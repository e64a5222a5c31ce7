"""The rules. Each checks one mapping or pipe, and yields findings about settings that lose or repeat work.

The behaviour of the services is described in the AWS Lambda developer guide: services-sqs-errorhandling,
services-sqs-configure, services-kinesis-batchfailurereporting, kafka-retry-configurations; for pipes in
eb-pipes-batching-concurrency.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from partialbatch.cli.check import queue_rules, stream_rules
from partialbatch.cli.check.common import REPORTING, cannot_tell, number
from partialbatch.cli.check.findings import Change, Finding, Severity
from partialbatch.cli.check.fixes import mapping_change, pipe_target_change
from partialbatch.cli.check.handler_options import ENVIRONMENT
from partialbatch.cli.check.model import Unknown
from partialbatch.cli.check.permission_rule import permissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from partialbatch.cli.check.model import Deployment, Mapping, Unchecked

__all__ = ["NOT_CHECKED", "RULES", "check", "not_checked"]

REPORT = "ReportBatchItemFailures"
NOT_CHECKED = "not-checked"
"""The only rule that isn't about a mapping."""


def not_checked(part: Unchecked) -> Finding:
    """Report parts of the input that may contain event sources and were not checked."""
    return cannot_tell(NOT_CHECKED, part.place, f"{part.question}, so they were not checked", part.why)


def source(mapping: Mapping) -> Iterator[Finding]:
    """Report sources whose kind isn't known."""
    if isinstance(mapping.kind, Unknown):
        yield cannot_tell("source", mapping.place, "the kind of the event source, so it was not checked", mapping.kind)


def report_batch_item_failures(mapping: Mapping) -> Iterator[Finding]:
    """Find mappings that make Lambda ignore the response."""
    if mapping.pipe or mapping.kind not in REPORTING:
        return
    rule, types = "report-batch-item-failures", mapping.responses
    if isinstance(types, Unknown):
        yield cannot_tell(rule, mapping.place, f"whether FunctionResponseTypes has {REPORT}", types)
    elif REPORT not in (types or ()):
        message = (
            f"FunctionResponseTypes lacks {REPORT}: Lambda ignores the response, takes every return as success, and "
            "deletes or skips the failed records, which are lost without a trace."
        )
        change = mapping_change(mapping, {"FunctionResponseTypes": [REPORT]})
        yield Finding(rule, Severity.ERROR, mapping.place, message, change)


def pipe_invocation(mapping: Mapping) -> Iterator[Finding]:
    """Find pipes that don't wait for the function. REQUEST_RESPONSE is the default."""
    if not mapping.pipe:
        return
    rule, kind = "pipe-invocation-type", mapping.invocation
    if isinstance(kind, Unknown):
        yield cannot_tell(rule, mapping.place, "the pipe's InvocationType", kind)
    elif kind not in (None, "REQUEST_RESPONSE"):
        message = (
            f"InvocationType is {kind}: the pipe doesn't wait for the function, never learns which records failed, "
            "and removes all of them from the source."
        )
        yield Finding(rule, Severity.ERROR, mapping.place, message, pipe_target_change(mapping))


def deadline_margin(mapping: Mapping) -> Iterator[Finding]:
    """Find functions whose timeout is within the handler's deadline margin, so that no record ever starts."""
    function, rule = mapping.function, "deadline-margin"
    margin = function.options.deadline_margin
    if isinstance(function.timeout, Unknown):
        yield cannot_tell(rule, function.place, "the function's timeout", function.timeout)
    elif number(margin) and margin >= function.timeout:
        message = (
            f"The function times out after {function.timeout} s, of which the handler keeps {margin} s free "
            "(deadline_margin): no record ever starts, and all are delivered again until they are given up."
        )
        settings = {"Timeout": int(margin) + 30}
        name = function.deployed_name or f"<name of {function.name}>"
        command = ("aws", "lambda", "update-function-configuration", "--function-name", name)
        yield Finding(rule, Severity.ERROR, function.place, message, Change(settings, command))


def handler_options(mapping: Mapping) -> Iterator[Finding]:
    """Report options of the handler that are not known, because their rules were not checked."""
    options = mapping.function.options
    if not mapping.function.python:
        return
    names = ["error_policy", "deadline_margin", "dead_letter", "sink"]
    names += {"sqs": ["max_receive_count", "retry_delay"], "kafka": []}.get(str(mapping.kind), ["resume"])
    missing = [name for name in names if isinstance(getattr(options, name), Unknown)]
    if missing and mapping.kind != "other":
        text = f"the handler's {', '.join(missing)}, so the rules about them were not checked"
        yield cannot_tell("handler-options", mapping.function.place, text, getattr(options, missing[0]))
    if options.environment and mapping.kind != "other":
        settable = " or ".join(name for name in names if name in ENVIRONMENT)
        text = f"whether the function's environment sets {settable} if the handler's code doesn't"
        yield cannot_tell("handler-options", mapping.function.place, text, options.environment)


RULES: dict[str, Callable[[Mapping], Iterator[Finding]]] = {
    "source": source,
    "report-batch-item-failures": report_batch_item_failures,
    "unrun-records-discarded": stream_rules.unrun_records_discarded,
    "pipe-invocation-type": pipe_invocation,
    "visibility-timeout": queue_rules.visibility_timeout,
    "dead-letter": queue_rules.dead_letter_queue,
    "on-failure-destination": stream_rules.on_failure_destination,
    "max-receive-count": queue_rules.max_receive_count,
    "handler-max-receive-count": queue_rules.handler_max_receive_count,
    "endless-retries": stream_rules.endless_retries,
    "bisect": stream_rules.bisect,
    "deadline-margin": deadline_margin,
    "permissions": permissions,
    "handler-options": handler_options,
    "consumption-mode": stream_rules.consumption_mode,
}
"""All rules by name. Each yields only findings with its own name."""

_ORDER = list(Severity)


def check(deployment: Deployment) -> list[Finding]:
    """Return all findings, the most severe first. Mappings that share a function share its findings."""
    found = [finding for mapping in deployment.mappings for rule in RULES.values() for finding in rule(mapping)]
    found += map(not_checked, deployment.unchecked)
    unique = {(finding.rule, finding.place, finding.message): finding for finding in found}
    return sorted(unique.values(), key=lambda finding: _ORDER.index(finding.severity))
