"""Rules for Kinesis, DynamoDB Streams and Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.common import STREAMS, cannot_tell, number
from partialbatch.cli.check.findings import Change, Finding, Severity
from partialbatch.cli.check.fixes import mapping_change, pipe_source_change
from partialbatch.cli.check.model import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from partialbatch.cli.check.model import Mapping, Properties, Value

__all__ = ["bisect", "consumption_mode", "endless_retries", "on_failure_destination", "unrun_records_discarded"]

QUEUE_RETRIES = 0
"""Lambda's default number of retries of a Kafka batch in queue mode. The broker delivers records again."""
POLLERS = {"ProvisionedPollerConfig": {"MinimumPollers": 1}}
"""Setting that Kafka needs for limited retries and bisect. The other sources don't need it."""
KAFKA_RETRIES = 10
"""Lambda's default number of retries of a Kafka batch with an on-failure destination."""
ENDLESS = -1
RETRIES = 10
_ORDERED = ("stop", "skip_group")


def unrun_records_discarded(mapping: Mapping) -> Iterator[Finding]:
    """Find error policies that hold records back on sources that give up whole batches."""
    policy, options = _policy(mapping), mapping.function.options
    if not _streaming(mapping) or _queue_mode(mapping) is not False or policy not in _ORDERED:
        return
    rule, endless = "unrun-records-discarded", _endless(mapping)
    dead_letter = options.dead_letter
    if mapping.bisect is True or endless is True or (dead_letter and not isinstance(dead_letter, Unknown)):
        return
    unknowns = (
        ("there is a tumbling window", mapping.tumbling_window),
        ("bisect is on", mapping.bisect),
        ("retries are unlimited", endless),
        ("the handler has dead_letter", dead_letter),
    )
    for condition, value in unknowns:
        if isinstance(value, Unknown):
            yield cannot_tell(
                rule, mapping.place, f"whether {condition}, which matters for the error policy {policy}", value
            )
            return
    message = (
        f"The error policy is {policy}, without bisect, unlimited retries or dead_letter: when the retries are "
        "exhausted, the records held back behind the failed one are discarded with it and never run."
    )
    yield Finding(rule, Severity.ERROR, mapping.place, message, _bisecting(mapping))


def _policy(mapping: Mapping) -> Value:
    """Return the effective error policy. With a tumbling window it is always ``stop``, whatever the options."""
    if mapping.tumbling_window and mapping.function.python:
        return "stop"
    return mapping.function.options.error_policy


def _streaming(mapping: Mapping) -> bool:
    # A pipe from Kafka has no error settings. It retries until the record expires.
    return mapping.kind in STREAMS or (mapping.kind == "kafka" and not mapping.pipe)


def _retries(mapping: Mapping) -> Value:
    """Return the number of retries; -1 if they are unlimited."""
    if mapping.retries is None and _queue_mode(mapping) is not False:
        return QUEUE_RETRIES if _queue_mode(mapping) is True else mapping.consumption
    if mapping.retries is None and mapping.kind == "kafka" and mapping.destination is not None:
        return KAFKA_RETRIES
    return ENDLESS if mapping.retries is None else mapping.retries


def _queue_mode(mapping: Mapping) -> bool | Unknown:
    """Tell whether Kafka delivers records one by one, as a queue does."""
    mode = mapping.consumption if mapping.kind == "kafka" and not mapping.pipe else None
    return mode if isinstance(mode, Unknown) else mode == "Queue"


def consumption_mode(mapping: Mapping) -> Iterator[Finding]:
    """Find error policies that keep order although Kafka keeps none, because ConsumptionMode is Queue."""
    rule, mode, policy = "consumption-mode", _queue_mode(mapping), _policy(mapping)
    if mode is False or not mapping.function.python:
        return
    if isinstance(mode, Unknown):
        yield cannot_tell(rule, mapping.place, "whether Kafka keeps order, on which the error policy depends", mode)
    elif policy in _ORDERED:
        message = (
            f"ConsumptionMode is Queue and the error policy is {policy}: Kafka keeps no order in this mode, so holding "
            "records back protects nothing. Each time counts towards group.share.delivery.count.limit, after which "
            "the broker drops records that never ran. Use the error policy continue."
        )
        change = Change({"error_policy": "continue"}, form="handler")
        yield Finding(rule, Severity.WARNING, mapping.function.place, message, change)


def _endless(mapping: Mapping) -> bool | Unknown:
    """Tell whether a record is retried until its source deletes it."""
    values = (_retries(mapping), ENDLESS if mapping.age is None else mapping.age)
    if any(number(value) and value != ENDLESS for value in values):
        return False
    return next((value for value in values if isinstance(value, Unknown)), True)


def on_failure_destination(mapping: Mapping) -> Iterator[Finding]:
    """Find sources that give records up without an on-failure destination."""
    rule, endless = "on-failure-destination", _endless(mapping)
    if not _streaming(mapping) or endless is True:
        return
    unknown = next((value for value in (mapping.destination, endless) if isinstance(value, Unknown)), None)
    if unknown and (mapping.destination is None or isinstance(mapping.destination, Unknown)):
        yield cannot_tell(rule, mapping.place, "whether records that are given up are reported anywhere", unknown)
    elif mapping.destination is None:
        message = (
            "Retries are limited and there is no on-failure destination: records that are given up are reported "
            "nowhere, and are lost."
        )
        yield Finding(rule, Severity.WARNING, mapping.place, message, _change(mapping, _destination(mapping)))


def endless_retries(mapping: Mapping) -> Iterator[Finding]:
    """Find sources on which one bad record blocks all records behind it."""
    if not _streaming(mapping) or _endless(mapping) is not True or mapping.destination is not None:
        return
    where = "the topic partition" if mapping.kind == "kafka" else "the shard"
    pollers = " A limit needs provisioned pollers." if _pollers(mapping) else ""
    message = (
        f"Retries are unlimited and there is no on-failure destination: one record that always fails blocks {where} "
        f"until it expires, records near it run again and again, and records that expire behind it are lost.{pollers}"
    )
    settings = {"MaximumRetryAttempts": RETRIES} | _destination(mapping) | _pollers(mapping)
    yield Finding("endless-retries", Severity.WARNING, mapping.place, message, _change(mapping, settings))


def bisect(mapping: Mapping) -> Iterator[Finding]:
    """Find streams that retry and give up whole batches. On Kafka, only provisioned pollers can bisect."""
    if not _streaming(mapping) or mapping.bisect is True:
        return
    if mapping.kind == "kafka" and (mapping.provisioned is None or _queue_mode(mapping) is not False):
        return
    # A ledger identifies a delivery by its first record, but the second half of a batch has another first record.
    resume = mapping.function.options.resume
    if resume and not isinstance(resume, Unknown) and _endless(mapping) is True:
        return
    if isinstance(mapping.bisect, Unknown):
        yield cannot_tell("bisect", mapping.place, "whether batches are bisected", mapping.bisect)
        return
    name = "OnPartialBatchItemFailure" if mapping.pipe else "BisectBatchOnFunctionError"
    message = (
        f"{name} is off: an error or a timeout repeats the whole batch, and when the retries are exhausted, the whole "
        "batch is given up instead of only the failing record."
    )
    yield Finding("bisect", Severity.WARNING, mapping.place, message, _bisecting(mapping))


def _bisecting(mapping: Mapping) -> Change:
    if mapping.pipe:
        return _change(mapping, {"OnPartialBatchItemFailure": "AUTOMATIC_BISECT"})
    return _change(mapping, {"BisectBatchOnFunctionError": True} | _pollers(mapping))


def _pollers(mapping: Mapping) -> dict[str, Any]:
    """Return the setting for provisioned pollers that a change on Kafka needs, unless they are already set."""
    missing = mapping.provisioned is None or isinstance(mapping.provisioned, Unknown)
    return POLLERS if mapping.kind == "kafka" and missing else {}


def _destination(mapping: Mapping) -> dict[str, Any]:
    arn = "<ARN of a queue, topic or bucket>"
    if mapping.pipe:
        return {"DeadLetterConfig": {"Arn": arn}}
    return {"DestinationConfig": {"OnFailure": {"Destination": arn}}}


def _change(mapping: Mapping, settings: Properties[str, Any]) -> Change:
    return pipe_source_change(mapping, settings) if mapping.pipe else mapping_change(mapping, settings)
