"""Rules for SQS queues."""

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
"""AWS recommends a visibility timeout of six function timeouts, so that a throttled batch can be retried."""
RECEIVES = 5
"""AWS recommends at least five receives before a message goes to the dead-letter queue."""


def visibility_timeout(mapping: Mapping) -> Iterator[Finding]:
    """Find queues whose messages become visible again while their batch may still wait or run."""
    if mapping.kind != "sqs" or mapping.queue is None:
        return
    rule, queue, window = "visibility-timeout", mapping.queue, mapping.batching_window or 0
    if isinstance(queue, Unknown):
        yield cannot_tell(rule, mapping.place, "the queue's visibility timeout", queue)
        return
    for name, value in (("visibility timeout", queue.visibility), ("batching window", window)):
        if not number(value):
            yield cannot_tell(rule, queue.place, f"the {name} of {mapping.name}", _unknown(value))
            return
    if isinstance(mapping.function.timeout, Unknown):
        return  # the deadline rule reports it
    timeout = mapping.function.timeout
    needed = FACTOR * timeout + window
    if queue.visibility < needed:
        severity = Severity.ERROR if queue.visibility < timeout else Severity.WARNING
        extra = f" + the batching window of {window} s" if window else ""
        message = (
            f"VisibilityTimeout is {queue.visibility} s and should be at least {needed} s, {FACTOR} x the function's "
            f"timeout of {timeout} s{extra}: messages become visible again, and run twice, while their batch runs."
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
            "There is no dead-letter queue: a message that always fails is retried until it expires, and is then lost."
        )
        redrive = {"deadLetterTargetArn": "<ARN of the dead-letter queue>", "maxReceiveCount": RECEIVES}
        yield Finding(rule, Severity.WARNING, queue.place, message, queue_change(queue, {"RedrivePolicy": redrive}))


def max_receive_count(mapping: Mapping) -> Iterator[Finding]:
    """Find queues that give messages up too early."""
    queue, rule = mapping.queue, "max-receive-count"
    if mapping.kind != "sqs" or queue is None or isinstance(queue, Unknown) or isinstance(queue.redrive, Unknown):
        return
    if isinstance(queue.max_receives, Unknown):
        yield cannot_tell(rule, queue.place, "the queue's maxReceiveCount", queue.max_receives)
    elif number(queue.max_receives) and queue.max_receives < RECEIVES:
        message = (
            f"maxReceiveCount is {queue.max_receives} and should be at least {RECEIVES}: throttled batches and "
            "messages held back to keep order count as receives, so messages that never failed are dead-lettered."
        )
        redrive = dict(queue.redrive) if isinstance(queue.redrive, dict) else {}
        target = redrive.get("deadLetterTargetArn")
        arn = target if isinstance(target, str) else "<ARN of the dead-letter queue>"
        settings = {"RedrivePolicy": {"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES}}
        yield Finding(rule, Severity.WARNING, queue.place, message, queue_change(queue, settings))


def handler_max_receive_count(mapping: Mapping) -> Iterator[Finding]:
    """Find handlers that don't know the queue's maxReceiveCount, or have a different number."""
    queue, options, rule = mapping.queue, mapping.function.options, "handler-max-receive-count"
    if mapping.kind != "sqs" or queue is None or isinstance(queue, Unknown):
        return
    option = options.max_receive_count
    if isinstance(option, Unknown) or not number(queue.max_receives):
        return  # other rules report it
    if isinstance(queue.fifo, Unknown):
        yield cannot_tell(rule, queue.place, "whether it is a FIFO queue", queue.fifo)
    elif option is None and queue.fifo and options.error_policy != "continue":
        message = (
            f"The queue is FIFO with a maxReceiveCount of {queue.max_receives}, and the handler has no "
            "max_receive_count: a message at its last attempt holds back the messages behind it, and SQS moves them "
            "to the dead-letter queue, too, although they never ran."
        )
        yield Finding(rule, Severity.WARNING, mapping.function.place, message, _handler(queue.max_receives))
    elif option is not None and option != queue.max_receives:
        message = (
            f"The handler's max_receive_count is {option}, but the queue's maxReceiveCount is {queue.max_receives}: "
            "the handler takes the wrong attempt for the last one."
        )
        yield Finding(rule, Severity.WARNING, mapping.function.place, message, _handler(queue.max_receives))


def _handler(max_receives: float) -> Change:
    return Change({"max_receive_count": max_receives}, form="handler")


def _unknown(value: object) -> Unknown:
    return value if isinstance(value, Unknown) else Unknown(f"it is of type {type(value).__name__} instead of a number")
