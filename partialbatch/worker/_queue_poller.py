"""The poller of an SQS queue, standard or FIFO."""

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
from partialbatch.worker._event_size import is_full, size_of, split_into_events
from partialbatch.worker._handler_call import invoke
from partialbatch.worker._observer import NullObserver
from partialbatch.worker._received_records import sqs_record
from partialbatch.worker._visibility_timeouts import BATCH_CALL_LIMIT, VisibilityTimeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_sqs import SQSClient

    from partialbatch.types import RawRecord
    from partialbatch.worker._handler_call import Handler, Invocation
    from partialbatch.worker._observer import Observer

__all__ = ["QueueMapping", "QueuePoller"]

_WINDOW_PAUSE = 0.2  # seconds

_log = logging.getLogger("partialbatch.poll")


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """The settings of an event source mapping for a queue.

    Attributes:
        batch_size: The largest number of messages in one invocation: 1 to 10, or up to 10,000 with a window.
        window: The seconds to wait for more messages while a batch isn't full. Default 0.
        wait: The seconds that a receive waits for the first message (long polling): 0 to 20.
        timeout: The function's timeout in seconds. A later answer counts as a failure.
        report: Whether the mapping has ``ReportBatchItemFailures``. Without it, the response is ignored.
        visibility: The seconds for which received messages stay invisible. By default, the queue's visibility
            timeout applies, and is extended while a handler runs for longer.
        give_back_after: The seconds after which failed messages become visible again. By default, the
            visibility timeout decides (or a handler that has changed it), as with Lambda.

    Example:
        >>> from partialbatch.worker import QueueMapping
        >>> QueueMapping(batch_size=100, window=5).timeout
        30.0
    """

    batch_size: int = 10
    window: int = 0
    wait: int = 0
    timeout: float = 30.0
    report: bool = True
    visibility: int | None = None
    give_back_after: int | None = None


class QueuePoller:
    """Receives batches from one queue, and settles each after the handler has answered.

    The queue itself moves messages to its dead-letter queue, by its redrive policy.

    Args:
        client: A boto3 client for SQS.
        queue_url: The URL of the queue.
        handler: Any callable ``(event, context)``.
        mapping: The settings of the event source mapping.
        observer: Told about each call of the handler and each wait.
        stopping: Returns True once the poller should stop: it then makes messages that haven't run visible again.

    Example:
        >>> import boto3
        >>> from moto import mock_aws
        >>> from partialbatch.worker import QueueMapping, QueuePoller
        >>> def handler(event, context):
        ...     print([record["body"] for record in event["Records"]])
        ...     return {"batchItemFailures": []}
        >>> with mock_aws():
        ...     sqs = boto3.client("sqs", "eu-west-1")
        ...     url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        ...     sent = sqs.send_message(QueueUrl=url, MessageBody="tea")
        ...     poller = QueuePoller(sqs, url, handler, QueueMapping())
        ...     poller.step(), poller.drained()
        ['tea']
        (True, True)
    """

    def __init__(
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
        self._observer = observer or NullObserver()
        self._stopping = stopping
        self._timeouts = VisibilityTimeouts(client, queue_url)
        self._deleter = Deleter(client, queue_url, self._observer.waiting)

    @cached_property
    def _attributes(self) -> Any:
        # Read at the first step, whose caller waits while the service is unreachable.
        names: list[Any] = ["QueueArn", "VisibilityTimeout"]
        return self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]

    @property
    def _arn(self) -> str:
        return str(self._attributes["QueueArn"])

    def step(self) -> bool:
        """Receive one batch, call the handler and settle the messages; return False if no message came.

        A batch of more than 6 MB is handled as several events, one after another.

        Raises:
            ClientError: SQS refuses a call.
            KeyboardInterrupt: The user stops the poller. Messages that aren't settled become visible again.
        """
        events = deque(split_into_events(self._gather()))
        handled = False
        while events:
            if self._stopping():  # none of these messages ran: another poller may receive them at once
                self._make_visible(list(chain.from_iterable(events)), 0)
                break
            invocation = self._invoke(events.popleft(), events)
            self._observer.invoked(invocation)
            self._settle(invocation)
            events = self._unblocked(events, invocation)
            handled = True
        return handled

    def _gather(self) -> list[Any]:
        """Receive messages until the batch is full, the window is over, or the poller is told to stop."""
        self._timeouts.ends.clear()
        most = self._mapping.batch_size
        records = self._receive(most, self._mapping.wait)
        size, ends = size_of(records), monotonic() + self._mapping.window
        while records and len(records) < most and not is_full(size) and not self._stopping():
            left = ends - monotonic()
            if left <= 0:
                break
            # A second at a time, so that a stop needn't wait for the end of the window.
            more = self._receive(most - len(records), 1 if left >= 1 else 0)
            if not more and left < 1:  # long polling takes whole seconds only
                sleep(min(left, _WINDOW_PAUSE))
            records += more
            size += size_of(more)
        return records

    def _receive(self, most: int, wait: int) -> list[Any]:
        visibility, asked = self._visibility()
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(most, BATCH_CALL_LIMIT),
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            **asked,
        )
        records: list[Any] = [sqs_record(dict(message), self._arn) for message in answer.get("Messages", [])]
        self._timeouts.ends |= dict.fromkeys(_receipts(records), monotonic() + visibility)
        return records

    def _visibility(self) -> tuple[int, Any]:
        """Return the visibility timeout of received messages in seconds, and the arguments that ask for it."""
        mapping = self._mapping
        if mapping.visibility is not None:
            return mapping.visibility, {"VisibilityTimeout": mapping.visibility}
        own = int(self._attributes["VisibilityTimeout"])
        if mapping.window and own < mapping.timeout + mapping.window:
            return own + mapping.window, {"VisibilityTimeout": own + mapping.window}
        return own, {}

    def drained(self) -> bool:
        """Tell whether the queue is empty: it holds no message, be it visible, in flight or delayed."""
        answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
        counts = [int(value) for name, value in answer["Attributes"].items() if name.startswith("ApproximateNumber")]
        return not any(counts)

    def _invoke(self, records: Sequence[RawRecord], later: Iterable[Sequence[RawRecord]]) -> Invocation:
        """Call the handler, and keep its messages invisible while it runs."""
        timeout = self._mapping.timeout
        visibility, _ = self._visibility()
        self._timeouts.extend(_receipts(chain.from_iterable(later)), timeout + max(timeout, visibility))
        # If the visibility timeout is long enough, no thread is needed to extend it.
        needed = timeout if visibility < timeout + self._mapping.window else 0
        with self._timeouts.keep_invisible(_receipts(records), needed):
            return invoke(self._handler, records, timeout=timeout, report=self._mapping.report)

    def _unblocked(self, events: Iterable[list[RawRecord]], invocation: Invocation) -> deque[list[RawRecord]]:
        """Leave out the messages of a FIFO queue that must not run now: those behind a failed one of their group."""
        if not self._arn.endswith(".fifo"):
            return deque(events)
        failed = {_group(record) for record in invocation.returned}
        back = [record for event in events for record in event if _group(record) in failed]
        if self._mapping.give_back_after is not None:
            self._make_visible(back, self._mapping.give_back_after)
        left = ([record for record in event if _group(record) not in failed] for event in events)
        return deque(filter(None, left))

    def _settle(self, invocation: Invocation) -> None:
        back = set(invocation.verdict.returned)
        done = [record for position, record in enumerate(invocation.records) if position not in back]
        self._deleter.delete(_receipts(done), self._timeouts.ends)
        if self._mapping.give_back_after is not None:
            self._make_visible(invocation.returned, self._mapping.give_back_after)

    def _make_visible(self, records: Sequence[RawRecord], seconds: int) -> None:
        for record in records:
            self._make_one_visible(record["receiptHandle"], seconds)

    def _make_one_visible(self, receipt: str, seconds: int) -> None:
        # One by one and in order: a FIFO group must become visible again from its first message on,
        # and emulators release a group message by message.
        try:
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)
        except ClientError as error:
            # The handler has deleted it, or it is visible again already: in both cases nothing is left to do.
            _log.info(
                "a message was not made visible (%s): it becomes visible when its timeout ends",
                error.response["Error"],
            )


def _receipts(records: Iterable[RawRecord]) -> list[str]:
    return [record["receiptHandle"] for record in records]


def _group(record: RawRecord) -> str:
    return str(record["attributes"]["MessageGroupId"])
