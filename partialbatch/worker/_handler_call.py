"""One call of the handler, and the way in which Lambda would read its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from partialbatch.testing._context import LambdaContext
from partialbatch.testing._verdict import Outcome, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partialbatch.types import RawRecord

__all__ = ["Handler", "Invocation", "invoke"]

Handler = Callable[[Any, Any], Any]
"""A Lambda handler, made by partialbatch or not: called with an event and a context, returns the response.

>>> from partialbatch.worker import Handler
>>> def log_all(event, context) -> dict:
...     return {"batchItemFailures": []}
>>> handler: Handler = log_all
"""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of the handler.

    Attributes:
        records: The raw records of the event, in order.
        outcome: The answer of the handler as Lambda sees it: JSON text, or an error.
        verdict: Lambda's reading of that answer: ``verdict.kind`` is ``success``, ``partial`` or ``failure``.
        duration: The time that the call took, in seconds.

    Example:
        >>> from partialbatch.testing import sqs_event
        >>> from partialbatch.worker import Invocation
        >>> from partialbatch.worker._handler_call import invoke
        >>> def handler(event, context):
        ...     return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
        >>> invocation = invoke(handler, sqs_event(["tea", "jam"])["Records"], timeout=3, report=True)
        >>> isinstance(invocation, Invocation), invocation.verdict.kind
        (True, 'partial')
        >>> [record["body"] for record in invocation.returned]
        ['tea']
    """

    records: Sequence[RawRecord]
    outcome: Outcome
    verdict: Verdict
    duration: float

    @property
    def returned(self) -> list[RawRecord]:
        """The records that are delivered again, in event order."""
        return [self.records[position] for position in self.verdict.returned]


def invoke(handler: Handler, records: Sequence[RawRecord], *, timeout: float, report: bool) -> Invocation:
    """Call a handler with an event of these records, and read its answer as Lambda does.

    Args:
        handler: Called with the event and a context. It gets its own copy of the records.
        records: At least one raw record.
        timeout: The function's timeout in seconds. The call is not interrupted; an answer that
            comes later than that counts as a timeout.
        report: Whether the event source mapping has ``ReportBatchItemFailures``.

    Raises:
        KeyboardInterrupt: The user stops the poller. Nothing has been settled then.
    """
    event = json.loads(json.dumps({"Records": records}))
    started = monotonic()
    try:
        outcome = Outcome.returned(handler(event, LambdaContext(timeout, monotonic, "local")))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        outcome = Outcome.raised(error)
    duration = monotonic() - started
    if duration > timeout:
        outcome = Outcome.timed_out(timeout)
    verdict = judge({"Records": records}, outcome, report_batch_item_failures=report)
    return Invocation(records, outcome, verdict, duration)
