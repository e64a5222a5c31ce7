"""Change the visibility timeout of messages, after which they become visible again.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
"""

from __future__ import annotations

import os
from collections import Counter
from importlib import import_module
from math import ceil
from random import SystemRandom
from threading import Lock
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._inspection import is_a, leaves
from partialbatch.errors import ConfigurationError, RetryAfter, described

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from partialbatch._backoff import Backoff
    from partialbatch.types import RawRecord

__all__ = ["Visibility", "plan_timeouts", "random_wait"]

LONGEST = 42_000
"""Seconds. SQS refuses timeouts that end more than 12 hours (43,200 s) after the message was received."""

PER_CALL = 10
AT_ONCE = 10
"""Calls side by side: 10,000 messages are 1,000 calls, which would take longer than the deadline's margin."""

ENOUGH = 1.0
"""Seconds that must be left, beside those kept for the response, before a call: it ends within 1.5."""

_random = SystemRandom()  # SnapStart clones would share any other generator's state


class Visibility:
    """Changes the visibility timeout of messages; failing to is logged, and changes nothing else."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}

    def warm_up(self) -> None:
        """Make the client of the function's own region, when the module loads: that takes 100 ms and more.

        Raises:
            ConfigurationError: boto3 is not installed.
        """
        try:
            import_module("boto3")
        except ImportError:
            raise ConfigurationError(
                "retry_delay needs boto3, which is not installed: pip install 'partialbatch[boto3]'"
            ) from None
        region = os.environ.get("AWS_REGION")
        if region:
            self._client(region)

    def change(
        self, timeouts: Mapping[int, int], records: Sequence[RawRecord], seconds_left: Callable[[], float] | None
    ) -> None:
        """Set timeouts, ten messages a call, up to ten calls at once.

        Args:
            timeouts: Seconds, by index.
            records: The raw records.
            seconds_left: Gives the seconds left; None: no limit.
        """
        _Changes(timeouts, lambda part: self._change(part, records), seconds_left).make()

    def _change(self, timeouts: Mapping[int, int], records: Sequence[RawRecord]) -> list[str]:
        """Send one call.

        Returns:
            The error code of each message that stayed as it was.
        """
        arn = str(records[next(iter(timeouts))]["eventSourceARN"])
        _, _, _, region, account, name = arn.split(":")
        client = self._client(region)
        answer = client.change_message_visibility_batch(
            # The same as GetQueueUrl gives, without the call and its permission.
            QueueUrl=f"{client.meta.endpoint_url.rstrip('/')}/{account}/{name}",
            Entries=[
                {"Id": str(index), "ReceiptHandle": records[index]["receiptHandle"], "VisibilityTimeout": seconds}
                for index, seconds in timeouts.items()
            ],
        )
        return [str(entry.get("Code")) for entry in answer.get("Failed") or ()]

    def _client(self, region: str) -> Any:
        if region not in self._clients:
            import boto3  # only where a visibility is changed
            from botocore.config import Config

            # The deadline's margin has to hold a call, so it is tried again here, if there is time.
            config = Config(
                connect_timeout=0.5,
                read_timeout=1,
                retries={"total_max_attempts": 1},
                max_pool_connections=AT_ONCE,
            )
            self._clients[region] = boto3.client("sqs", region_name=region, config=config)
        return self._clients[region]


class _Changes:
    """The changes of one batch, in calls that go out side by side."""

    def __init__(
        self,
        timeouts: Mapping[int, int],
        change: Callable[[dict[int, int]], list[str]],
        seconds_left: Callable[[], float] | None,
    ) -> None:
        """Take the changes.

        Args:
            timeouts: Seconds, by index.
            change: Makes a call; returns the error code of each message that stayed as it was.
            seconds_left: Gives the seconds left; None: no limit.
        """
        chosen = sorted(timeouts)
        parts = [chosen[at : at + PER_CALL] for at in range(0, len(chosen), PER_CALL)]
        self._parts = [{index: timeouts[index] for index in part} for part in reversed(parts)]
        self._change = change
        self._seconds_left = seconds_left
        self._unchanged: Counter[str] = Counter()
        self._again = True  # one call of a batch is made twice: time is short
        self._lock = Lock()

    def make(self) -> None:
        """Make all calls, and log the messages that stayed unchanged."""
        # The first one alone: if it fails, for a permission or the network, the others fail too.
        self._next()
        if not self._again:
            self._next()
        if len(self._parts) > 1:
            from concurrent.futures import ThreadPoolExecutor  # few batches need it

            count = min(AT_ONCE, len(self._parts))
            with ThreadPoolExecutor(count, "partialbatch-visibility") as pool:
                workers = [pool.submit(self._work) for _ in range(count)]
            for worker in workers:
                worker.result()
        self._work()
        if self._unchanged:
            logs.visibility_unchanged(self._unchanged)

    def _work(self) -> None:
        while self._next():
            pass

    def _next(self) -> bool:
        """Make the next call; False if there is none, or no time for it."""
        with self._lock:
            if not self._parts:
                return False
            if self._seconds_left is not None and self._seconds_left() < ENOUGH:
                self._give_up("too little time was left")
                return False
            part = self._parts.pop()
        try:
            codes = self._change(part)
        except Exception as error:
            with self._lock:
                self._parts.append(part)
                if not self._again:
                    self._give_up(described(error))
                self._again = False
        else:
            with self._lock:
                self._unchanged.update(codes)
        return True

    def _give_up(self, why: str) -> None:
        """Count the remaining messages as unchanged; the lock is held."""
        self._unchanged[why] += sum(map(len, self._parts))
        self._parts.clear()


def random_wait(backoff: Backoff, receive_count: int) -> float:
    """Return the seconds to wait after so many receives."""
    return backoff.wait(receive_count - 1, _random.random)


def plan_timeouts(
    failed: Mapping[int, BaseException],
    skipped: Iterable[int],
    *,
    wait: Callable[[int], float] | None,
    group: Callable[[int], Hashable],
) -> dict[int, int]:
    """Decide when messages become visible again.

    Args:
        failed: Why messages failed, by index.
        skipped: The messages that were not started.
        wait: Gives the seconds that a failed message waits; None: only a `RetryAfter` delays.
        group: Gives the group that a message must stay in order with; None: it stands alone.

    Returns:
        Seconds, by index. A skipped message gets the timeout of the failed one of its group, so that
        they come back in order; no timeout if the queue decides. One of another group comes back
        at once.
    """
    timeouts: dict[int, int] = {}
    by_group: dict[Hashable, list[int | None]] = {}
    for index, error in sorted(failed.items()):
        seconds = _asked(error)
        if seconds is None and wait is not None:
            seconds = wait(index)
        if seconds is not None:
            timeouts[index] = min(ceil(seconds), LONGEST)
        by_group.setdefault(group(index), []).append(timeouts.get(index))
    by_group.pop(None, None)
    for index in skipped:
        asked = by_group.get(group(index), [0])
        if None not in asked:
            timeouts[index] = max(seconds for seconds in asked if seconds is not None)
    return timeouts


def _asked(error: BaseException) -> float | None:
    """Return the longest wait that an exception asks for, itself or inside a group; None if none asks."""
    return max((leaf.seconds for leaf in leaves(error) if is_a(leaf, RetryAfter)), default=None)
