"""Deleting handled messages: what isn't deleted is handled once more."""

from __future__ import annotations

import logging
from time import monotonic, sleep
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from partialbatch.worker._transient_errors import passing
from partialbatch.worker._visibility import ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

__all__ = ["Deleter"]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_USELESS = "ReceiptHandleIsInvalid"

_log = logging.getLogger("partialbatch.poll")


class Deleter:
    """Deletes messages of one queue, and tries again until it succeeds or they are visible again.

    Args:
        client: Of boto3.
        queue_url: The queue.
        waiting: Told of an error, and of the seconds until the next attempt.
    """

    def __init__(self, client: SQSClient, queue_url: str, waiting: Callable[[BaseException, float], None]) -> None:
        self._client = client
        self._url = queue_url
        self._waiting = waiting
        self._problem: Exception = ClientError({}, "DeleteMessageBatch")

    def delete(self, receipts: Sequence[str], ends: Mapping[str, float]) -> None:
        """Delete messages.

        Args:
            receipts: Their receipt handles.
            ends: When each is visible again, on the monotonic clock.

        Raises:
            ClientError: The service refuses to delete messages at all.
        """
        left, pause = self._round(receipts), _FIRST_PAUSE
        while left:
            now = monotonic()
            still = [receipt for receipt in left if ends[receipt] > now]
            if len(still) < len(left):
                _log.warning(
                    "%d handled messages were not deleted while they were invisible (%s) and may be delivered again",
                    len(left) - len(still),
                    self._problem,
                )
            if not still:
                return
            wait = min(pause, max(ends[receipt] for receipt in still) - now)
            self._waiting(self._problem, wait)
            sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
            left = self._round(still)

    def _round(self, receipts: Sequence[str]) -> list[str]:
        """Try once; return those for which it is worth trying again."""
        again: list[str] = []
        for start in range(0, len(receipts), ENTRIES):
            again += self._call(receipts[start : start + ENTRIES])
        return again

    def _call(self, receipts: Sequence[str]) -> list[str]:
        entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
        try:
            answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)  # type: ignore[arg-type]  # the stubs want their own TypedDict
        except Exception as error:
            if not passing(error):
                raise
            self._problem = error
            return list(receipts)
        again = []
        for failed in answer.get("Failed", []):
            if failed["Code"] == _USELESS:
                _log.warning("a handled message was not deleted (%s) and will be delivered again", failed["Code"])
                continue
            code, message = failed["Code"], failed.get("Message", "")
            self._problem = ClientError({"Error": {"Code": code, "Message": message}}, "DeleteMessageBatch")
            again.append(receipts[int(failed["Id"])])
        return again
