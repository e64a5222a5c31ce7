"""The rules for SQS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partialbatch.cli.check.common import cannot_tell, number
from partialbatch.cli.check.findings import Change, Finding, Severity
from partialbatch.cli.check.fixes import queue_change
from partialbatch.cli.check.model import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from partialbatch.cli.check.model import Mapping

__all__ = ["dead_letter_queue", "handler_max_receive_count", "max_receive_count", "visibility_timeout"]

FACTOR = 6
"""AWS's advice: a visibility timeout of six function timeouts, so that a throttled batch can be retried."""
RECEIVES = 5
"""AWS's advice: at least five receives before the dead-letter queue."""


def visibility_timeout(mapping: Mapping) -> Iterator[Finding]:
    """Find queues that hand a message out again while its batch may still be waiting or running."""
    if mapping.kind != "sqs" or mapping.queue is None:
        return
    rule, queue, window = "visibility-timeout", mapping.queue, mapping.batching_window or 0
    if isinstance(queue, Unknown):
        yield cannot_tell(rule, mapping.place, "the queue's visibility timeout", queue)
        return
    for what, value in (("visibility timeout", queue.visibility), ("batching window", window)):
        if not number(value):
            yield cannot_tell(rule, queue.place, f"the {what} of {mapping.name}", _unknown(value))
            return
    if isinstance(mapping.function.timeout, Unknown):
        return  # the deadline rule says so
    timeout = mapping.function.timeout
    needed = FACTOR * timeout + window
    if queue.visibility < needed:
        severity = Severity.ERROR if queue.visibility < timeout else Severity.WARNING
        extra = f" + the batching window of {window} s" if window else ""
        message = (
            f"VisibilityTimeout is {queue.visibility} s and should be at least {needed} s, {FACTOR} x the function's "
            f"timeout of {timeout} s{extra}: messages are received again, and run twice, while their batch is at work."
        )
        yield Finding(rule, severity, queue.place, message, queue_change(queue, {"VisibilityTimeout": needed}))


def dead_letter_queue(mapping: Mapping) -> Iterator[Finding]:
    """Find queues without a dead-letter queue."""
    if mapping.kind != "sqs" or mapping.queue is None:
        return
    rule, queue = "dead-letter", mapping.queue
    if isinstance(queue, Unknown):
        yield cannot_tell(rule, mapping.place, "whether the queue has a dead-letter queue", queue)
    elif isinstance(queue.redrive, Unknown):
        yield cannot_tell(rule, queue.place, "whether the queue has a dead-letter queue", queue.redrive)
    elif queue.redrive is None:
        message = (
            "There is no dead-letter queue: a message that always fails runs again and again until it expires, "
            "and is then lost."
        )
        redrive = {"deadLetterTargetArn": "<ARN of the dead-letter queue>", "maxReceiveCount": RECEIVES}
        yield Finding(rule, Severity.WARNING, queue.place, message, queue_change(queue, {"RedrivePolicy": redrive}))


def max_receive_count(mapping: Mapping) -> Iterator[Finding]:
    """Find queues that give up too early."""
    queue, rule = mapping.queue, "max-receive-count"
    if mapping.kind != "sqs" or queue is None or isinstance(queue, Unknown) or isinstance(queue.redrive, Unknown):
        return
    if isinstance(queue.max_receives, Unknown):
        yield cannot_tell(rule, queue.place, "the queue's maxReceiveCount", queue.max_receives)
    elif number(queue.max_receives) and queue.max_receives < RECEIVES:
        message = (
            f"maxReceiveCount is {queue.max_receives} and should be at least {RECEIVES}: throttling and records held "
            "back for the sake of order count as receives, so messages that never failed are dead-lettered."
        )
        redrive = dict(queue.redrive) if isinstance(queue.redrive, dict) else {}
        target = redrive.get("deadLetterTargetArn")
        arn = target if isinstance(target, str) else "<ARN of the dead-letter queue>"
        settings = {"RedrivePolicy": {"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES}}
        yield Finding(rule, Severity.WARNING, queue.place, message, queue_change(queue, settings))


def handler_max_receive_count(mapping: Mapping) -> Iterator[Finding]:
    """Find handlers that do not know when SQS takes a message away, or are told another number than the queue."""
    queue, options, rule = mapping.queue, mapping.function.options, "handler-max-receive-count"
    if mapping.kind != "sqs" or queue is None or isinstance(queue, Unknown):
        return
    told = options.max_receive_count
    if isinstance(told, Unknown) or not number(queue.max_receives):
        return  # other rules say so
    if isinstance(queue.fifo, Unknown):
        yield cannot_tell(rule, queue.place, "whether it is a FIFO queue", queue.fifo)
    elif told is None and queue.fifo and options.error_policy != "continue":
        message = (
            f"The queue is FIFO with a maxReceiveCount of {queue.max_receives} and the handler has no max_receive_count: a "
            "message at its last attempt holds back those behind it, and SQS takes them, unrun, along into the "
            "dead-letter queue."
        )
        yield Finding(rule, Severity.WARNING, mapping.function.place, message, _handler(queue.max_receives))
    elif told is not None and told != queue.max_receives:
        message = (
            f"The handler's max_receive_count is {told} and the queue's maxReceiveCount {queue.max_receives}: the handler "
            "takes the wrong attempt for the last one."
        )
        yield Finding(rule, Severity.WARNING, mapping.function.place, message, _handler(queue.max_receives))


def _handler(max_receives: float) -> Change:
    return Change({"max_receive_count": max_receives}, form="handler")


def _unknown(value: object) -> Unknown:
    return value if isinstance(value, Unknown) else Unknown(f"{type(value).__name__} where a number should be")
