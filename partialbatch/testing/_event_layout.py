"""The layout of events: the place of the records, their identifiers and their groups, for each source."""

from __future__ import annotations

import json
from typing import Any

from partialbatch.errors import ConfigurationError, EventError
from partialbatch.testing._validation import listed

__all__ = [
    "given_records",
    "group_of",
    "identifier_in",
    "identifier_of",
    "records_of",
    "sequence_number",
    "source_of",
]

_SOURCES = {
    "aws:sqs": "sqs",
    "aws:kinesis": "kinesis",
    "aws:dynamodb": "dynamodb",
    "aws:kafka": "kafka",
    "SelfManagedKafka": "kafka",
    "aws:SelfManagedKafka": "kafka",  # in some hand-written events
}


def source_of(event: Any) -> str:
    """Return ``"sqs"``, ``"kinesis"``, ``"dynamodb"`` or ``"kafka"``.

    Raises:
        EventError: The event comes from another source.
    """
    records = event if isinstance(event, list) else event.get("Records") if isinstance(event, dict) else None
    head = records[0] if records else event
    if isinstance(head, dict):
        # The last event of a tumbling window may hold no record; then its ARN names the source.
        service = ":".join(str(head.get("eventSourceARN")).split(":")[1:3])
        source = _SOURCES.get(str(head.get("eventSource") or service))  # a body may look like a record
        if source:
            return source
    raise EventError(
        "this isn't an event of SQS, Kinesis, DynamoDB Streams or Kafka: it has no eventSource such as 'aws:sqs'"
    )


def records_of(event: Any) -> list[Any]:
    """Return the raw records in the order of the event."""
    if isinstance(event, list):
        return event
    if "records" in event:
        return [record for records in event["records"].values() for record in records]
    return list(event.get("Records") or ())


def identifier_of(event: Any, raw: Any) -> Any:
    """Return the identifier of a record in a response: a string, or for Kafka its partition and offset."""
    source = source_of(event)
    if isinstance(event, list) and source in ("kinesis", "dynamodb"):
        return raw["eventID"]
    return identifier_in(source, raw)


def identifier_in(source: str, raw: Any) -> Any:
    """Return the identifier of a record that Lambda delivers itself, without EventBridge Pipes."""
    if source == "sqs":
        return raw["messageId"]
    if source == "kafka":
        return {"partition": f"{raw['topic']}-{raw['partition']}", "offset": raw["offset"]}
    return sequence_number(source, raw)


def sequence_number(source: str, raw: Any) -> Any:
    """Return the sequence number of a record of a stream: a decimal string."""
    if source == "dynamodb":
        return raw["dynamodb"]["SequenceNumber"]
    return raw["kinesis"]["sequenceNumber"] if "kinesis" in raw else raw["sequenceNumber"]


def group_of(source: str, raw: Any) -> str | None:
    """Return the group in which a record keeps its order, or None if it has no order."""
    if source == "sqs":
        return raw["attributes"].get("MessageGroupId") if raw["eventSourceARN"].endswith(".fifo") else None
    if source == "kinesis":
        return str(raw["kinesis"].get("partitionKey") or raw["kinesis"]["sequenceNumber"])
    if source == "dynamodb":
        return json.dumps(raw["dynamodb"]["Keys"], sort_keys=True)
    return f"{raw['topic']}-{raw['partition']}"


def given_records(option: str, given: Any, sources: tuple[str, ...]) -> tuple[list[Any], bool]:
    """Return the entries that a simulator was given, and whether they are raw records rather than bodies.

    Args:
        option: The name of the argument, for messages.
        given: Bodies, raw records or an event.
        sources: The sources whose records the simulator delivers.

    Raises:
        ConfigurationError: The raw records are of another source, or of a kind that can't be simulated.
    """
    is_event = isinstance(given, dict) and "Records" in given
    entries = records_of(given) if is_event else listed(option, given)
    found = {_source_or_none(entry) for entry in entries}
    if not found or (None in found and not is_event):
        return entries, False
    if found - set(sources):
        raise ConfigurationError(f"{option} takes records of {' or '.join(sources)}, but these are of {_names(found)}")
    if any("sequenceNumber" in entry for entry in entries):
        raise ConfigurationError(f"{option} takes records of Lambda itself, but these come from EventBridge Pipes")
    if is_event and "window" in given:
        raise ConfigurationError(f"{option}: tumbling windows can't be simulated; call your handler with the event")
    return entries, True


def _source_or_none(entry: Any) -> str | None:
    try:
        return source_of([entry])
    except EventError:
        return None


def _names(sources: set[str | None]) -> str:
    return " and ".join(sorted(source or "no known source" for source in sources))
