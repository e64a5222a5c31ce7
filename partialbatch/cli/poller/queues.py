"""Polling an SQS queue, standard or FIFO."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from partialbatch.cli.poller.invoking import Silent, invoke
from partialbatch.cli.poller.records import sqs_record

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from partialbatch.cli.poller.invoking import Handler, Invocation, Observer

__all__ = ["QueueMapping", "QueuePoller"]

_log = logging.getLogger("partialbatch.poll")


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """The settings of an event source mapping for a queue.

    Attributes:
        batch_size: Messages an invocation, from 1 to 10.
        wait: Seconds that a receive waits for the first message (long polling), 0 to 20.
        timeout: The function's timeout in seconds.
        report: Whether ``ReportBatchItemFailures`` is set.
        give_back_after: Seconds after which returned messages are visible again. None
            leaves that to the queue's visibility timeout (or to a handler that has
            changed it), as Lambda does.
    """

    batch_size: int = 10
    wait: int = 0
    timeout: float = 30.0
    report: bool = True
    give_back_after: int | None = None


class QueuePoller:
    """Takes batches from one queue; dead-lettering is the queue's own doing."""

    def __init__(
        self,
        client: SQSClient,
        queue_url: str,
        handler: Handler,
        mapping: QueueMapping,
        observer: Observer | None = None,
    ) -> None:
        self._client = client
        self._url = queue_url
        self._handler = handler
        self._mapping = mapping
        self._observer = observer or Silent()
        attributes = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        self._arn = attributes["Attributes"]["QueueArn"]

    def step(self) -> bool:
        """Receive a batch, have it handled and settle it; return False if there was none."""
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=self._mapping.batch_size,
            WaitTimeSeconds=self._mapping.wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        records: list[Any] = [sqs_record(dict(message), self._arn) for message in answer.get("Messages", [])]
        if not records:
            return False
        invocation = invoke(self._handler, records, timeout=self._mapping.timeout, report=self._mapping.report)
        self._observer.invoked(invocation)
        self._settle(invocation)
        return True

    def drained(self) -> bool:
        """Tell whether the queue holds no message, visible, in flight or delayed."""
        answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
        counts = [int(value) for name, value in answer["Attributes"].items() if name.startswith("ApproximateNumber")]
        return not any(counts)

    def _settle(self, invocation: Invocation) -> None:
        back = set(invocation.verdict.returned)
        done = [record for position, record in enumerate(invocation.records) if position not in back]
        self._delete([record["receiptHandle"] for record in done])
        if self._mapping.give_back_after is not None:
            for record in invocation.returned:
                self._give_back(record["receiptHandle"], self._mapping.give_back_after)

    def _delete(self, receipts: list[str]) -> None:
        if not receipts:
            return
        answer = self._client.delete_message_batch(
            QueueUrl=self._url,
            Entries=[{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)],
        )
        for failed in answer.get("Failed", []):
            _log.warning("a handled message was not deleted (%s) and will be delivered again", failed["Code"])

    def _give_back(self, receipt: str, seconds: int) -> None:
        # One by one and in order: a FIFO group must come back from its first message on,
        # and emulators free a group message by message.
        try:
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)
        except ClientError as error:
            # Visible again or deleted by the handler: either way nothing is left to do.
            _log.info("a message was not given back (%s): its visibility timeout will do it", error.response["Error"])
