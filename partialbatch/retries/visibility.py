"""When failed messages of a queue come back: their visibility timeout.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
"""

from __future__ import annotations

import os
from math import ceil
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from partialbatch import logs
from partialbatch.errors import RetryAfter

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from partialbatch.backoff import Backoff
    from partialbatch.types import RawRecord

__all__ = ["Visibility", "plan_timeouts"]

LONGEST = 42_000
"""Seconds. SQS refuses what would end later than 12 hours (43,200 s) after the message was received."""

PER_CALL = 10
_random = SystemRandom()  # SnapStart clones would share any other generator's state


class Visibility:
    """Changes the visibility timeout of messages; failing to is logged, and changes nothing else."""

    def __init__(self, client: Any = None) -> None:
        self._clients: dict[str, Any] = {}
        self._given = client

    def warm_up(self) -> None:
        """Make the client of the function's own region, when the module loads: that takes 100 ms and more."""
        region = os.environ.get("AWS_REGION")
        if region:
            self._client(region)

    def change(
        self, timeouts: Mapping[int, int], records: Sequence[RawRecord], seconds_left: Callable[[], float] | None
    ) -> None:
        """Set timeouts, ten messages a call.

        Args:
            timeouts: Seconds, by index.
            records: The raw records.
            seconds_left: Gives the seconds left; no call is begun with less than one.
        """
        chosen = sorted(timeouts)
        for start in range(0, len(chosen), PER_CALL):
            chunk = chosen[start : start + PER_CALL]
            if seconds_left is not None and seconds_left() < 1:
                logs.visibility_unchanged(len(chosen) - start, "too little time was left")
                return
            try:
                self._change({str(index): timeouts[index] for index in chunk}, records)
            except Exception as error:
                logs.visibility_unchanged(len(chunk), f"{type(error).__name__}: {error}")

    def _change(self, timeouts: Mapping[str, int], records: Sequence[RawRecord]) -> None:
        arn = str(records[int(next(iter(timeouts)))]["eventSourceARN"])
        _, _, _, region, account, name = arn.split(":")
        client = self._client(region)
        answer = client.change_message_visibility_batch(
            QueueUrl=f"{client.meta.endpoint_url}/{account}/{name}",
            Entries=[
                {"Id": index, "ReceiptHandle": records[int(index)]["receiptHandle"], "VisibilityTimeout": seconds}
                for index, seconds in timeouts.items()
            ],
        )
        failed = answer.get("Failed") or []
        if failed:
            codes = ", ".join(sorted({str(entry.get("Code")) for entry in failed}))
            logs.visibility_unchanged(len(failed), codes)

    def _client(self, region: str) -> Any:
        if self._given is not None:
            return self._given
        if region not in self._clients:
            import boto3  # noqa: PLC0415 - only where a visibility is changed
            from botocore.config import Config  # noqa: PLC0415 - as above

            # The deadline's margin has to hold these calls.
            config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2})
            self._clients[region] = boto3.client("sqs", region_name=region, config=config)
        return self._clients[region]


def plan_timeouts(
    failed: Mapping[int, BaseException],
    skipped: Iterable[int],
    *,
    backoff: Backoff | None,
    receive_count: Callable[[int], int],
    group: Callable[[int], Hashable],
    random: Callable[[], float] = _random.random,
) -> dict[int, int]:
    """Decide when messages come back.

    Args:
        failed: Why messages failed, by index.
        skipped: The messages that were not started.
        backoff: The waits by receive count; None: only what a `RetryAfter` asks for.
        receive_count: Gives a message's receive count, from 1 on.
        group: Gives what a message must stay in order with; None: it stands alone.
        random: Gives numbers from 0 to 1.

    Returns:
        Seconds, by index. A skipped message gets the timeout of the failed one of its group, so that
        they come back in order; one of another group comes back at once.
    """
    timeouts: dict[int, int] = {}
    by_group: dict[Hashable, int] = {}
    for index, error in sorted(failed.items()):
        if isinstance(error, RetryAfter):
            wait: float = error.seconds
        elif backoff is not None:
            wait = backoff.wait(receive_count(index) - 1, random)
        else:
            continue
        timeouts[index] = min(ceil(wait), LONGEST)
        mine = group(index)
        if mine is not None:
            by_group[mine] = max(by_group.get(mine, 0), timeouts[index])
    for index in skipped:
        timeouts[index] = by_group.get(group(index), 0)
    return timeouts
