"""Deletes handled messages, and tries again after transient errors: a message that isn't deleted runs again."""

from __future__ import annotations

import logging
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from partialbatch.worker._transient_errors import is_transient
from partialbatch.worker._visibility_timeouts import BATCH_CALL_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

__all__ = ["Deleter"]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_INVALID_RECEIPT = "ReceiptHandleIsInvalid"

_log = logging.getLogger("partialbatch.poll")


class Deleter:
    """Deletes messages of one queue, and tries again until it succeeds or they become visible again.

    Args:
        client: A boto3 client for SQS.
        queue_url: The URL of the queue.
        waiting: Called with a transient error and the seconds until the next attempt.
    """

    def __init__(self, client: SQSClient, queue_url: str, waiting: Callable[[BaseException, float], None]) -> None:
        self._client = client
        self._url = queue_url
        self._waiting = waiting
        self._last_error: Exception = ClientError({}, "DeleteMessageBatch")

    def delete(self, receipts: Sequence[str], ends: Mapping[str, float]) -> None:
        """Delete messages.

        Args:
            receipts: The receipt handles of the messages.
            ends: By receipt handle, the time on the monotonic clock at which the message becomes visible again.

        Raises:
            ClientError: The service refuses the call, for instance because a permission is missing.
        """
        left, pause = self._attempt(receipts), _FIRST_PAUSE
        while left:
            now = monotonic()
            still = [receipt for receipt in left if ends[receipt] > now]
            if len(still) < len(left):
                _log.warning(
                    "%d handled messages were not deleted before they became visible again (%s): they may run again",
                    len(left) - len(still),
                    self._last_error,
                )
            if not still:
                return
            wait = min(pause, max(ends[receipt] for receipt in still) - now)
            self._waiting(self._last_error, wait)
            sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
            left = self._attempt(still)

    def _attempt(self, receipts: Sequence[str]) -> list[str]:
        """Try to delete each message once; return the receipt handles that are worth another attempt."""
        again: list[str] = []
        for start in range(0, len(receipts), BATCH_CALL_LIMIT):
            again += self._call(receipts[start : start + BATCH_CALL_LIMIT])
        return again

    def _call(self, receipts: Sequence[str]) -> list[str]:
        entries: list[Any] = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
        try:
            answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        except Exception as error:
            if not is_transient(error):
                raise
            self._last_error = error
            return list(receipts)
        again = []
        for failed in answer.get("Failed", []):
            if failed["Code"] == _INVALID_RECEIPT:
                _log.warning("a handled message was not deleted (%s): it will be delivered again", failed["Code"])
                continue
            code, message = failed["Code"], failed.get("Message", "")
            self._last_error = ClientError({"Error": {"Code": code, "Message": message}}, "DeleteMessageBatch")
            again.append(receipts[int(failed["Id"])])
        return again
