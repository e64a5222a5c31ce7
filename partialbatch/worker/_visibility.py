"""How long received messages stay invisible, and making that longer."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from math import ceil
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

from partialbatch.worker._transient_errors import passing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_sqs import SQSClient

__all__ = ["ENTRIES", "Leases"]

ENTRIES = 10
"""The most entries of a batch call of SQS."""

_LONGEST = 43_200
_PAUSE = 0.5

_log = logging.getLogger("partialbatch.poll")


class Leases:
    """The times until which messages of one queue stay invisible.

    Attributes:
        ends: By receipt handle, on the monotonic clock; the message may be received again after it.
    """

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._url = queue_url
        self.ends: dict[str, float] = {}

    def extend(self, receipts: Sequence[str], seconds: float) -> list[str]:
        """Keep messages invisible for some seconds from now on; return those for which it is worth trying again."""
        again: list[str] = []
        whole = min(ceil(seconds), _LONGEST)
        for start in range(0, len(receipts), ENTRIES):
            some = receipts[start : start + ENTRIES]
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": whole}
                for number, receipt in enumerate(some)
            ]
            now = monotonic()
            try:
                answer = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)  # type: ignore[arg-type]  # the stubs want their own TypedDict
            except Exception as error:
                again += some if passing(error) else []
                _log.info("messages could not be kept invisible (%s)", error)
                continue
            self.ends |= {some[int(entry["Id"])]: now + whole for entry in answer.get("Successful", [])}
        return again

    @contextmanager
    def kept(self, receipts: Sequence[str], seconds: float) -> Iterator[None]:
        """Keep messages invisible while the context is open, for some seconds at most.

        They are extended once, when half of their time is over: messages that are done with before that come
        back when the queue says, and what the handler itself has set at its end stands.
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
                due, pause = self.extend(due, until - now), _PAUSE

        thread = Thread(target=extend, name="visibility", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
