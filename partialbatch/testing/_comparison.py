"""Compares error policies under the same synthetic load."""

from __future__ import annotations

import logging
import random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from partialbatch._core.decorator import batch_handler
from partialbatch.errors import ConfigurationError
from partialbatch.testing._context import Clock, LambdaContext
from partialbatch.testing._explanations import inversions
from partialbatch.testing._failure_plans import FOREVER, FailurePlan
from partialbatch.testing._queue import SimulatedQueue
from partialbatch.testing._stream import SimulatedStream
from partialbatch.testing._topic import SimulatedTopic
from partialbatch.testing._validation import seconds, whole
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from partialbatch.testing._delivery import Delivery

__all__ = ["POLICIES", "SOURCES", "Figures", "Load", "compare", "usual_groups"]

POLICIES = ("continue", "stop", "skip_group")
SOURCES = ("sqs", "fifo", "kinesis", "dynamodb", "kafka")
# Lambda's default of 3 s would end large batches early, and the comparison would show only that.
_TIMEOUT = 900.0
_GROUPS = 20
_GROUP_SIZE = 4
"""The number of messages in each group of a FIFO queue."""


@dataclass(frozen=True, slots=True)
class Load:
    """A synthetic load, and the settings of its delivery.

    Attributes:
        source: One of `SOURCES`.
        records: The number of records.
        groups: The number of groups that share them: message groups, keys, or for Kafka partitions.
        batch_size: The largest number of records in one invocation.
        failure_rate: The probability that an attempt fails, from 0 to below 1.
        poison: The number of records that always fail.
        record_seconds: The simulated seconds that each record takes.
        seed: The seed of the random failures. The same seed gives the same figures.
        max_receive_count: For SQS, the ``maxReceiveCount`` of the redrive policy, and of the handler.
        maximum_retry_attempts: For streams and Kafka, the largest number of retries.
        bisect: For streams, whether a failed batch is split.
        shards: For streams, the number of shards.
    """

    source: str = "sqs"
    records: int = 1_000
    groups: int = _GROUPS
    batch_size: int = 10
    failure_rate: float = 0.01
    poison: int = 0
    record_seconds: float = 0.01
    seed: int = 0
    max_receive_count: int | None = 5
    maximum_retry_attempts: int | None = 10
    bisect: bool = False
    shards: int = 1

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ConfigurationError.bad_value("source", self.source, " or ".join(SOURCES))
        whole("records", self.records, 1, 1_000_000)
        whole("groups", self.groups, 1, 1_000_000)
        whole("poison", self.poison, 0, self.records)
        seconds("record_seconds", self.record_seconds, 0, 900)
        if not 0 <= self.failure_rate < 1:
            raise ConfigurationError.bad_value(
                "failure_rate", self.failure_rate, "a probability from 0 to below 1; see poison"
            )

    def plan(self) -> FailurePlan:
        """Draw the records that fail, and the number of their failures."""
        chance = random.Random(self.seed)  # noqa: S311 - not a secret
        failures: dict[Any, tuple[int, Any]] = {}
        for number in range(self.records):
            times = 0
            while chance.random() < self.failure_rate:
                times += 1
            if times:
                failures[number] = (times, "error")
        failures |= dict.fromkeys(chance.sample(range(self.records), self.poison), (FOREVER, "error"))
        return FailurePlan(failures)

    def simulator(self) -> SimulatedQueue | SimulatedStream | SimulatedTopic:
        """Return the simulator with all records."""
        names = [f"group-{number % self.groups}" for number in range(self.records)]
        items = [{"id": name, "number": number} for number, name in enumerate(names)]
        if self.source in ("sqs", "fifo"):
            fifo = self.source == "fifo"
            limit = self.max_receive_count
            return SimulatedQueue(
                items, fifo=fifo, groups=names if fifo else None, batch_size=self.batch_size, max_receive_count=limit
            )
        retries = self.maximum_retry_attempts
        if self.source == "kafka":
            partitions: dict[str, list[Any]] = {}
            for number, item in enumerate(items):
                partitions.setdefault(f"orders-{number % self.groups}", []).append(item)
            return SimulatedTopic(partitions, batch_size=self.batch_size, maximum_retry_attempts=retries)
        return SimulatedStream(
            items,
            source=self.source,
            partition_keys=names,
            shards=self.shards,
            batch_size=self.batch_size,
            bisect=self.bisect,
            maximum_retry_attempts=retries,
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one error policy.

    Attributes:
        policy: The error policy.
        invocations: The number of calls of the handler.
        delivered: The number of records in all events together.
        duplicated: The number of successful runs beyond the first one of each record.
        seconds: The simulated seconds until the source was drained.
        groups: The number of groups, or 0 if the source has no order.
        in_order: The number of groups that stayed in order.
        dead_lettered: The number of records in the dead-letter queue, or given up after they had run.
        lost: The number of records that are gone without a success, or without having run.
        remaining: The number of records still there after the largest number of invocations.
    """

    policy: str
    invocations: int
    delivered: int
    duplicated: int
    seconds: float
    groups: int
    in_order: int
    dead_lettered: int
    lost: int
    remaining: int


def usual_groups(source: str, records: int) -> int:
    """Return a number of groups for which the policies differ.

    SQS fills a batch of a FIFO queue with one group after another, so the batch has several groups only if
    each group has fewer messages than the batch.
    """
    return max(1, records // _GROUP_SIZE) if source == "fifo" else _GROUPS


def compare(load: Load, policies: Iterable[str] = POLICIES) -> list[Figures]:
    """Run the same load under each policy.

    Raises:
        ConfigurationError: A policy doesn't exist.
    """
    figures = []
    for policy in policies:
        if policy not in POLICIES:
            raise ConfigurationError.bad_value("policy", policy, ", ".join(POLICIES))
        figures.append(_figures(policy, deliver(load, policy)))
    return figures


def deliver(load: Load, policy: str) -> Delivery:
    """Run the load under one policy."""
    plan, clock = load.plan(), Clock()

    def work(item: dict[str, Any]) -> None:
        clock.advance(load.record_seconds)
        plan.attempt(int(item["number"]))

    limit = load.max_receive_count if load.source in ("sqs", "fifo") else None
    handler = batch_handler(work, error_policy=ErrorPolicy(policy), max_receive_count=limit)
    with _silenced_log():
        return load.simulator().run(handler, LambdaContext(_TIMEOUT, clock))


@contextmanager
def _silenced_log() -> Iterator[None]:
    """Keep the planned failures out of the log."""
    logger = logging.getLogger("partialbatch")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _figures(policy: str, delivery: Delivery) -> Figures:
    groups = {record.group for record in delivery.records} - {None}
    broken = {later.group for _, later in inversions(delivery.records, None)}
    fates = delivery.fates
    return Figures(
        policy=policy,
        invocations=len(delivery.invocations),
        delivered=delivery.records_delivered,
        duplicated=delivery.duplicated_work,
        seconds=delivery.seconds,
        groups=len(groups),
        in_order=len(groups) - len(broken),
        dead_lettered=fates.get("dead_lettered", 0) + fates.get("expired", 0),
        lost=len(delivery.lost),
        remaining=fates.get("remaining", 0),
    )
