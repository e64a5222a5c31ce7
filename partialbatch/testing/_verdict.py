"""Reads the answer of an invocation as Lambda does, for the simulators, the poller and the commands.

It shares no code with the handler, so it can judge the handler's responses independently. The rules come from
the AWS Lambda developer guide (services-sqs-errorhandling, services-kinesis-batchfailurereporting,
services-ddb-batchfailurereporting, kafka-retry-configurations, services-kinesis-windows) and from the
EventBridge guide (eb-pipes-batching-concurrency). If they don't cover an answer, it counts as a failure, and
the reason says *undocumented*.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from partialbatch.errors import clip, described, listing, safe_repr
from partialbatch.testing._event_layout import identifier_of, records_of, sequence_number, source_of

__all__ = ["Outcome", "Verdict", "judge"]

# Lambda's quota for a synchronous response (gettingstarted-limits), and for the
# state of a tumbling window (services-kinesis-windows), in bytes.
_RESPONSE_LIMIT = 6 * 1024 * 1024
_STATE_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of an invocation: a response as JSON text, or an error.

    Attributes:
        text: The response as the runtime sends it.
        error: The type and message of the error, or None if there is a response.
    """

    text: str = ""
    error: str | None = None

    @classmethod
    def returned(cls, value: Any) -> Outcome:
        """Return the outcome of a handler that returned, serialized as Lambda's runtime does."""
        if isinstance(value, bytes):  # the runtime sends bytes as they are
            return cls(value.decode("utf-8", "replace"))
        try:
            return cls(json.dumps(_plain(value)))
        except (TypeError, ValueError, RecursionError) as error:
            return cls(error=f"Runtime.MarshalError: Unable to marshal response: {clip(str(error))}")

    @classmethod
    def raised(cls, error: BaseException) -> Outcome:
        """Return the outcome of a handler that raised. A `BaseException` ends the process."""
        if not isinstance(error, Exception):
            return cls(error="Runtime.ExitError: the process exited before it answered")
        return cls(error=clip(described(error), 300))

    @classmethod
    def timed_out(cls, seconds: float) -> Outcome:
        """Return the outcome of an invocation that Lambda ended after `seconds`."""
        return cls(error=f"Sandbox.Timedout: Task timed out after {seconds:.2f} seconds")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Lambda's reading of the answer of one invocation.

    Attributes:
        kind: ``"success"``: no record is delivered again. ``"partial"``: some are. ``"failure"``: the invocation
            failed, and all are.
        reason: The reason, in words.
        reported: The positions, within the event, of the records that the response reports.
        returned: The positions of the records that are delivered again, in event order.
        checkpoint: For streams, the position of the first record that is delivered again.
    """

    kind: Literal["success", "partial", "failure"]
    reason: str
    reported: tuple[int, ...] = ()
    returned: tuple[int, ...] = ()
    checkpoint: int | None = None


def judge(event: Any, outcome: Outcome, *, report_batch_item_failures: bool = True) -> Verdict:
    """Return the verdict that Lambda (or EventBridge Pipes) reaches after an invocation.

    Args:
        event: The event of the invocation.
        outcome: How the invocation ended.
        report_batch_item_failures: Whether ``ReportBatchItemFailures`` is among the
            ``FunctionResponseTypes`` of the event source mapping. Pipes always reads the response.

    Raises:
        EventError: The event comes from an unknown source.
    """
    source, records = source_of(event), records_of(event)
    phrases = _PHRASES[source]
    try:
        response = _read(outcome)
        if "window" in event:
            _check_state(response)
        named = _named(response, _unread(event, source, report=report_batch_item_failures))
        reported = _positions(event, source, named)
    except _Unread as unread:
        return Verdict("success", f"{unread}: {phrases.done(len(records))}")
    except _InvocationFailed as failed:
        return Verdict("failure", f"{failed}: {phrases.back(len(records))}", returned=tuple(range(len(records))))
    return _partial(source, records, reported)


class _Unread(Exception):
    """The response reports nothing, or isn't read."""


class _InvocationFailed(Exception):
    """The answer makes the invocation a failed one."""


@dataclass(frozen=True, slots=True)
class _Phrases:
    """Phrases about the records of one source."""

    noun: str
    finish: str
    repeat: str

    def done(self, count: int) -> str:
        return f"all {count} {self.noun} {self.finish}"

    def back(self, count: int) -> str:
        return f"all {count} {self.noun} {self.repeat}, including those that succeeded"


_STREAM = _Phrases("records", "count as processed, and the shard moves on", "are delivered again")
_PHRASES = {
    "sqs": _Phrases("messages", "are deleted from the queue", "become visible again"),
    "kinesis": _STREAM,
    "dynamodb": _STREAM,
    "kafka": _Phrases("records", "count as processed, and their offsets are committed", "are delivered again"),
}


def _plain(value: Any) -> Any:
    """Turn the values that only the runtime's own JSON encoder takes into plain ones."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Decimal):
        return json.loads(str(value)) if value.is_finite() else float(value)
    return value.decode() if isinstance(value, bytes) else value


def _read(outcome: Outcome) -> Any:
    if outcome.error is not None:
        raise _InvocationFailed(f"the invocation failed with {outcome.error}")
    size = len(outcome.text.encode("utf-8", "surrogatepass"))
    if size > _RESPONSE_LIMIT:
        raise _InvocationFailed(f"the response has {size:,} bytes, over Lambda's {_RESPONSE_LIMIT:,}")
    if not outcome.text:
        return None

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} isn't JSON")

    try:
        return json.loads(outcome.text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise _InvocationFailed(f"the response isn't valid JSON ({error})") from None


def _check_state(response: Any) -> None:
    state = response.get("state") if isinstance(response, dict) else None
    if state is None:
        raise _InvocationFailed("the response to a tumbling window must contain 'state'")
    size = len(json.dumps(state, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > _STATE_LIMIT:
        raise _InvocationFailed(f"the state of the tumbling window has {size:,} bytes, over Lambda's {_STATE_LIMIT:,}")


def _unread(event: Any, source: str, *, report: bool) -> str:
    """Return the reason why the response isn't read, or an empty text if it is."""
    if isinstance(event, list):
        return "EventBridge Pipes ignores partial responses for Kafka" if source == "kafka" else ""
    return "" if report else "the event source mapping has no ReportBatchItemFailures, so the response is ignored"


def _named(response: Any, unread: str) -> list[Any]:
    """Return the identifiers that the response reports. They are well-formed, but may be unknown."""
    failures = response.get("batchItemFailures") if isinstance(response, dict) else response
    if unread:
        count = f", including the {len(failures)} that it reports" if failures and isinstance(failures, list) else ""
        raise _Unread(unread + count)
    if response in (None, "", [], {}):  # 0 and false aren't equal to any of these
        raise _Unread("the response is empty")
    if not isinstance(response, dict):
        raise _InvocationFailed(f"the response is a JSON {type(response).__name__}, not an object (undocumented)")
    if "batchItemFailures" not in response:
        keys = f"; its keys are {listing(response)}"
        raise _Unread(f"the response has no key 'batchItemFailures', so it reports no failure{keys}")
    if failures is None or failures == []:
        raise _Unread("the response reports no failure")
    if not isinstance(failures, list):
        raise _InvocationFailed(f"'batchItemFailures' isn't a list: it is {safe_repr(failures)} (undocumented)")
    return [_identifier(failure, number) for number, failure in enumerate(failures)]


def _identifier(failure: Any, number: int) -> Any:
    where = f"batchItemFailures[{number}]"
    if not isinstance(failure, dict):
        raise _InvocationFailed(f'{where} is {safe_repr(failure)} instead of {{"itemIdentifier": ...}}')
    if "itemIdentifier" not in failure:
        raise _InvocationFailed(f"{where} has no key 'itemIdentifier'; its keys are {listing(failure)}")
    if failure["itemIdentifier"] in (None, "", {}):
        raise _InvocationFailed(f"{where} has an empty 'itemIdentifier': {failure['itemIdentifier']!r}")
    return failure["itemIdentifier"]


def _positions(event: Any, source: str, named: list[Any]) -> tuple[int, ...]:
    # JSON text is the key, so that 5, "5" and true differ, and a dict can be a key.
    # A queue may deliver a message twice in one batch. If its identifier is reported, neither copy is deleted.
    known: dict[str, list[int]] = {}
    for position, raw in enumerate(records_of(event)):
        known.setdefault(_key(identifier_of(event, raw)), []).append(position)
    for identifier in named:
        if _key(identifier) not in known:
            undocumented = "" if source in ("sqs", "kafka") else " (undocumented)"
            raise _InvocationFailed(f"the reported {safe_repr(identifier)} isn't a record of this event{undocumented}")
    return tuple(sorted({position for identifier in named for position in known[_key(identifier)]}))


def _key(identifier: Any) -> str:
    return json.dumps(identifier, sort_keys=True)


def _partial(source: str, records: list[Any], reported: tuple[int, ...]) -> Verdict:
    phrases = _PHRASES[source]
    count = f"{len(reported)} of {len(records)} {phrases.noun}"
    if source in ("sqs", "kafka"):
        others = len(records) - len(reported)
        rest = f", the other {others} {phrases.finish}" if others else ""
        return Verdict("partial", f"{count} are reported: they {phrases.repeat}{rest}", reported, reported)
    numbers = [int(sequence_number(source, raw)) for raw in records]
    checkpoint = min(reported, key=numbers.__getitem__)
    returned = tuple(position for position, number in enumerate(numbers) if number >= numbers[checkpoint])
    reason = (
        f"{count} are reported; the lowest sequence number is the checkpoint: "
        f"{len(returned)} records are delivered again, from record {checkpoint} of the event on"
    )
    return Verdict("partial", reason, reported, returned, checkpoint)
