"""Polling an SQS queue, standard or FIFO."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from partialbatch.worker._deletes import Deleter
from partialbatch.worker._event_size import cut, fills, size_of
from partialbatch.worker._invoking import Silent, invoke
from partialbatch.worker._received_records import sqs_record
from partialbatch.worker._visibility import ENTRIES, Leases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_sqs import SQSClient

    from partialbatch.types import RawRecord
    from partialbatch.worker._invoking import Handler, Invocation, Observer

__all__ = ["QueueMapping", "QueuePoller"]

_PAUSE = 0.2

_log = logging.getLogger("partialbatch.poll")


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """The settings of an event source mapping for a queue.

    Attributes:
        batch_size: Messages an invocation, from 1 to 10; with a window up to 10,000.
        window: Seconds that a batch which is not full waits for more messages.
        wait: Seconds that a receive waits for the first message (long polling), 0 to 20.
        timeout: The function's timeout in seconds.
        report: Whether ``ReportBatchItemFailures`` is set.
        visibility: Seconds that received messages stay invisible; None: as the queue says, and longer
            while a handler takes longer.
        give_back_after: Seconds after which returned messages are visible again. None
            leaves that to the queue's visibility timeout (or to a handler that has
            changed it), as Lambda does.
    """

    batch_size: int = 10
    window: int = 0
    wait: int = 0
    timeout: float = 30.0
    report: bool = True
    visibility: int | None = None
    give_back_after: int | None = None


class QueuePoller:
    """Takes batches from one queue; dead-lettering is the queue's own doing."""

    def __init__(  # what a mapping has, and who looks on
        self,
        client: SQSClient,
        queue_url: str,
        handler: Handler,
        mapping: QueueMapping,
        observer: Observer | None = None,
        *,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._url = queue_url
        self._handler = handler
        self._mapping = mapping
        self._observer = observer or Silent()
        self._stopping = stopping
        self._leases = Leases(client, queue_url)
        self._deleter = Deleter(client, queue_url, self._observer.waiting)

    @cached_property
    def _attributes(self) -> Any:
        # Not at the start: by now the engine waits for a service that is away.
        names: list[Any] = ["QueueArn", "VisibilityTimeout"]
        return self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]

    @property
    def _arn(self) -> str:
        return str(self._attributes["QueueArn"])

    def step(self) -> bool:
        """Receive a batch, have it handled and settle it; return False if there was none.

        A batch of more than 6 MB is handled as several events, one after another.
        """
        events = deque(cut(self._gather()))
        handled = False
        while events:
            if self._stopping():  # none of these has been started: another poller may have them now
                self._return(list(chain.from_iterable(events)), 0)
                break
            invocation = self._invoke(events.popleft(), events)
            self._observer.invoked(invocation)
            self._settle(invocation)
            events = self._unblocked(events, invocation)
            handled = True
        return handled

    def _gather(self) -> list[Any]:
        """Receive messages until the batch is full, the window is over, or the poller is told to stop."""
        self._leases.ends.clear()
        most = self._mapping.batch_size
        records = self._receive(most, self._mapping.wait)
        size, ends = size_of(records), monotonic() + self._mapping.window
        while records and len(records) < most and not fills(size) and not self._stopping():
            left = ends - monotonic()
            if left <= 0:
                break
            # A second at a time: a stop does not have to wait for the window.
            more = self._receive(most - len(records), 1 if left >= 1 else 0)
            if not more and left < 1:  # long polling knows whole seconds only
                sleep(min(left, _PAUSE))
            records += more
            size += size_of(more)
        return records

    def _receive(self, most: int, wait: int) -> list[Any]:
        visibility, asked = self._visibility()
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(most, ENTRIES),
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            **asked,
        )
        records: list[Any] = [sqs_record(dict(message), self._arn) for message in answer.get("Messages", [])]
        self._leases.ends |= dict.fromkeys(_receipts(records), monotonic() + visibility)
        return records

    def _visibility(self) -> tuple[int, Any]:
        """Return for how many seconds messages are received, and the arguments that say so."""
        mapping = self._mapping
        if mapping.visibility is not None:
            return mapping.visibility, {"VisibilityTimeout": mapping.visibility}
        own = int(self._attributes["VisibilityTimeout"])
        if mapping.window and own < mapping.timeout + mapping.window:
            return own + mapping.window, {"VisibilityTimeout": own + mapping.window}
        return own, {}

    def drained(self) -> bool:
        """Tell whether the queue holds no message, visible, in flight or delayed."""
        answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
        counts = [int(value) for name, value in answer["Attributes"].items() if name.startswith("ApproximateNumber")]
        return not any(counts)

    def _invoke(self, records: Sequence[RawRecord], later: Iterable[Sequence[RawRecord]]) -> Invocation:
        """Call the handler, and keep its messages invisible meanwhile."""
        timeout = self._mapping.timeout
        visibility, _ = self._visibility()
        self._leases.extend(_receipts(chain.from_iterable(later)), timeout + max(timeout, visibility))
        # Messages that stay invisible for long enough as they are need no thread that looks after them.
        needed = timeout if visibility < timeout + self._mapping.window else 0
        with self._leases.kept(_receipts(records), needed):
            return invoke(self._handler, records, timeout=timeout, report=self._mapping.report)

    def _unblocked(self, events: Iterable[list[RawRecord]], invocation: Invocation) -> deque[list[RawRecord]]:
        """Leave out what must not run now: of a FIFO queue, the messages behind one that failed."""
        if not self._arn.endswith(".fifo"):
            return deque(events)
        failed = {_group(record) for record in invocation.returned}
        back = [record for event in events for record in event if _group(record) in failed]
        if self._mapping.give_back_after is not None:
            self._return(back, self._mapping.give_back_after)
        left = ([record for record in event if _group(record) not in failed] for event in events)
        return deque(filter(None, left))

    def _settle(self, invocation: Invocation) -> None:
        back = set(invocation.verdict.returned)
        done = [record for position, record in enumerate(invocation.records) if position not in back]
        self._deleter.delete(_receipts(done), self._leases.ends)
        if self._mapping.give_back_after is not None:
            self._return(invocation.returned, self._mapping.give_back_after)

    def _return(self, records: Sequence[RawRecord], seconds: int) -> None:
        for record in records:
            self._give_back(record["receiptHandle"], seconds)

    def _give_back(self, receipt: str, seconds: int) -> None:
        # One by one and in order: a FIFO group must come back from its first message on,
        # and emulators free a group message by message.
        try:
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)
        except ClientError as error:
            # Visible again or deleted by the handler: either way nothing is left to do.
            _log.info("a message was not given back (%s): its visibility timeout will do it", error.response["Error"])


def _receipts(records: Iterable[RawRecord]) -> list[str]:
    return [record["receiptHandle"] for record in records]


def _group(record: RawRecord) -> str:
    return str(record["attributes"]["MessageGroupId"])
