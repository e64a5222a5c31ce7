"""Keeps received messages invisible for as long as their handler runs."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from math import ceil
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from partialbatch.worker._transient_errors import is_transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_sqs import SQSClient

__all__ = ["BATCH_CALL_LIMIT", "VisibilityTimeouts"]

BATCH_CALL_LIMIT = 10
"""SQS's limit for the entries of one batch call."""

_LONGEST_TIMEOUT = 43_200  # seconds
_RETRY_PAUSE = 0.5  # seconds

_log = logging.getLogger("partialbatch.poll")


class VisibilityTimeouts:
    """The visibility timeouts of received messages of one queue.

    Attributes:
        ends: By receipt handle, the time on the monotonic clock at which the message becomes visible again.
    """

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._url = queue_url
        self.ends: dict[str, float] = {}

    def extend(self, receipts: Sequence[str], seconds: float) -> list[str]:
        """Set the visibility timeout of messages; return the receipt handles that are worth another attempt.

        Args:
            receipts: The receipt handles of the messages.
            seconds: The timeout, counted from now. SQS allows 12 hours at most.
        """
        again: list[str] = []
        whole = min(ceil(seconds), _LONGEST_TIMEOUT)
        for start in range(0, len(receipts), BATCH_CALL_LIMIT):
            some = receipts[start : start + BATCH_CALL_LIMIT]
            entries: list[Any] = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": whole}
                for number, receipt in enumerate(some)
            ]
            now = monotonic()
            try:
                answer = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            except Exception as error:
                again += some if is_transient(error) else []
                _log.info("the visibility timeout of %d messages could not be extended: %s", len(some), error)
                continue
            self.ends |= {some[int(entry["Id"])]: now + whole for entry in answer.get("Successful", [])}
        return again

    @contextmanager
    def keep_invisible(self, receipts: Sequence[str], seconds: float) -> Iterator[None]:
        """Keep messages invisible while the context is open, for at most `seconds` from now.

        The timeout is extended once, when half of it has passed. So a quick handler leaves the queue's own
        timeout in place, and a timeout that the handler sets at its end is not overwritten.
        """
        now = monotonic()
        left = min(self.ends[receipt] for receipt in receipts) - now
        if left >= seconds or not seconds:
            yield
            return
        done, until = Event(), now + seconds

        def extend() -> None:
            due, pause = list(receipts), left / 2
            while due and not done.wait(max(pause, 0)) and until > (now := monotonic()):
                due, pause = self.extend(due, until - now), _RETRY_PAUSE

        thread = Thread(target=extend, name="visibility", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
