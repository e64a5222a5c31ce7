"""The error for an event from an unknown source. It names the sender, and says what to do."""

from __future__ import annotations

import re
from typing import Any

from partialbatch._inspection import shape
from partialbatch.errors import EventError
from partialbatch.sources.record import Record

__all__ = ["unrecognized"]

_QUEUE = "put an SQS queue in between, and have the queue invoke the function"
_NO_ANSWER = (
    "Lambda ignores what a function returns for it; give source= an EventSource with partial_response = False, "
    "so that a failed record fails the invocation"
)
_ADVICE = {
    "aws:s3": f"{_QUEUE}: S3 can send its notifications to one",
    "aws:sns": f"{_QUEUE}: subscribe one to the topic, and envelope='sns' takes the message out",
    "aws:ses": "let SES publish to an SNS topic, subscribe an SQS queue to it, and have the queue invoke the function",
    "aws:mq": _NO_ANSWER,
    "aws:rmq": _NO_ANSWER,
    "aws:docdb": _NO_ANSWER,
}
_EVENTBRIDGE = f"{_QUEUE}: make one the rule's target, and envelope='eventbridge' takes the detail out"
_OTHER = "if it does invoke functions with batches, give source= an EventSource for it"
_KNOWN = ("aws:sqs", "aws:kinesis", "aws:dynamodb", "aws:kafka", "SelfManagedKafka", "aws:SelfManagedKafka")
_NAME = re.compile(r"[\w.:-]{1,60}")
_LAYOUT = (
    "a batch has a list under 'Records' (SQS, Kinesis, DynamoDB), lists by topic-partition under 'records' (Kafka), "
    "or is a list (EventBridge Pipes)"
)
_TWO_BATCHES = (
    "this event has both 'Records' and 'records', and only one of them can be the batch: remove the other, "
    "or give source= an EventSource that takes both"
)
_OWN = "for a source of your own, give source= an EventSource"
_CALL = "to run the record function on one record or payload, call `handler.function(...)`"


def unrecognized(event: object) -> EventError:
    """Return the error for an event that isn't a batch of a known source. It never holds the event's values."""
    if isinstance(event, Record):
        return EventError(f"this is one record (a {type(event).__name__}) and not a batch; {_CALL}")
    if isinstance(event, dict) and event.get("records") and event.get("Records") is not None:
        return EventError(_TWO_BATCHES)
    first, listed = _first(event)
    sender = _sender(first)
    if sender in _KNOWN:
        return _misshapen(sender, event, listed=listed)
    if sender:
        return _refused(sender, _ADVICE.get(sender, _OTHER))
    if isinstance(event, dict) and "detail-type" in event:
        return _refused("EventBridge", _EVENTBRIDGE)
    lack = "doesn't name its 'eventSource'" if isinstance(first, dict) else "isn't a dict"
    found = f"{shape(event)}, which {lack}" if listed else f"it is {shape(event)}; {_LAYOUT}"
    return EventError(f"this isn't a batch that partialbatch knows: {found}; {_CALL}; {_OWN}")


def _misshapen(sender: str, event: Any, *, listed: bool) -> EventError:
    """Return the error for an event that names a known source, but isn't a batch as that source sends it."""
    if listed or "records" in event:
        return EventError(f"this names {sender} and isn't a batch as it sends them ({shape(event)}): {_LAYOUT}")
    return EventError(f"this is one record from {sender} and not a batch; {_CALL}")


def _refused(sender: str, advice: str) -> EventError:
    return EventError(
        f"this event comes from {sender}, which doesn't send batches that take a partial failure response; {advice}"
    )


def _first(event: Any) -> tuple[Any, bool]:
    """Return an event's first record, or the event itself, and whether it was in a list."""
    records = event.get("Records") if isinstance(event, dict) else event
    return (records[0], True) if isinstance(records, list) and records else (event, False)


def _sender(record: Any) -> str:
    """Return the event source that a record names (SNS writes ``EventSource``), or an empty text."""
    if not isinstance(record, dict):
        return ""
    name = record.get("eventSource", record.get("EventSource"))
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""
