"""Polling an SQS queue, standard or FIFO."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from partialbatch.cli.poller.invoking import Silent, invoke
from partialbatch.cli.poller.records import sqs_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_sqs import SQSClient

    from partialbatch.cli.poller.invoking import Handler, Invocation, Observer
    from partialbatch.types import RawRecord

__all__ = ["QueueMapping", "QueuePoller"]

_ENTRIES = 10  # of a receive, and of a batch of deletes
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
        visibility: Seconds that received messages stay invisible; None: as the queue says.
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

    def __init__(  # noqa: PLR0913 - what a mapping has, and who looks on
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
        attributes = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        self._arn = attributes["Attributes"]["QueueArn"]

    def step(self) -> bool:
        """Receive a batch, have it handled and settle it; return False if there was none."""
        records = self._gather()
        if records and self._stopping():  # none has been started: another poller may have them now
            self._return(records, 0)
            return False
        if not records:
            return False
        invocation = invoke(self._handler, records, timeout=self._mapping.timeout, report=self._mapping.report)
        self._observer.invoked(invocation)
        self._settle(invocation)
        return True

    def _gather(self) -> list[Any]:
        """Receive messages until the batch is full, the window is over, or the poller is told to stop."""
        size = self._mapping.batch_size
        records = self._receive(size, self._mapping.wait)
        ends = monotonic() + self._mapping.window
        while records and len(records) < size and not self._stopping():
            left = ends - monotonic()
            if left <= 0:
                break
            # A second at a time: a stop does not have to wait for the window.
            more = self._receive(size - len(records), 1 if left >= 1 else 0)
            if not more and left < 1:  # long polling knows whole seconds only
                sleep(min(left, _PAUSE))
            records += more
        return records

    def _receive(self, most: int, wait: int) -> list[Any]:
        visibility: Any = {} if self._mapping.visibility is None else {"VisibilityTimeout": self._mapping.visibility}
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(most, _ENTRIES),
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            **visibility,
        )
        return [sqs_record(dict(message), self._arn) for message in answer.get("Messages", [])]

    def drained(self) -> bool:
        """Tell whether the queue holds no message, visible, in flight or delayed."""
        answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
        counts = [int(value) for name, value in answer["Attributes"].items() if name.startswith("ApproximateNumber")]
        return not any(counts)

    def _settle(self, invocation: Invocation) -> None:
        back = set(invocation.verdict.returned)
        done = [record for position, record in enumerate(invocation.records) if position not in back]
        for start in range(0, len(done), _ENTRIES):
            self._delete([record["receiptHandle"] for record in done[start : start + _ENTRIES]])
        if self._mapping.give_back_after is not None:
            self._return(invocation.returned, self._mapping.give_back_after)

    def _delete(self, receipts: list[str]) -> None:
        answer = self._client.delete_message_batch(
            QueueUrl=self._url,
            Entries=[{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)],
        )
        for failed in answer.get("Failed", []):
            _log.warning("a handled message was not deleted (%s) and will be delivered again", failed["Code"])

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
