"""One synthetic load under several error policies."""

from __future__ import annotations

import logging
import random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from partialbatch._core.batch_handler import batch_handler
from partialbatch.errors import ConfigurationError
from partialbatch.testing._context import Clock, LambdaContext
from partialbatch.testing._explanations import inversions
from partialbatch.testing._failure_plans import FOREVER, FailurePlan
from partialbatch.testing._queue import SimulatedQueue
from partialbatch.testing._stream import SimulatedStream
from partialbatch.testing._topic import SimulatedTopic
from partialbatch.testing._validation import seconds, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from partialbatch.testing._delivery import Delivery

__all__ = ["POLICIES", "SOURCES", "Figures", "Load", "compare", "usual_groups"]

POLICIES = ("continue", "stop", "skip_group")
SOURCES = ("sqs", "fifo", "kinesis", "dynamodb", "kafka")
# The Lambda default of 3 s would cut large batches short, and measure that alone.
_TIMEOUT = 900.0
_GROUPS = 20
_IN_A_GROUP = 4
"""Messages of a FIFO queue that share a group."""


@dataclass(frozen=True, slots=True)
class Load:
    """A load and how it is delivered.

    Attributes:
        source: One of `SOURCES`.
        records: How many records.
        groups: How many groups (message groups, keys; Kafka: partitions) share them.
        batch_size: The most records an invocation.
        failure_rate: The probability, from 0 to below 1, that an attempt fails.
        poison: How many records always fail.
        record_seconds: Virtual seconds a record takes.
        seed: Of the load; the same seed gives the same figures.
        max_receive_count: SQS: the redrive policy's; the handler is told as well.
        maximum_retry_attempts: Streams and Kafka.
        bisect: Streams.
        shards: Streams.
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
        """Draw which records fail how often."""
        chance = random.Random(self.seed)  # noqa: S311 - a load, not a secret
        failures: dict[Any, tuple[int, Any]] = {}
        for number in range(self.records):
            times = 0
            while chance.random() < self.failure_rate:
                times += 1
            if times:
                failures[number] = (times, "error")
        failures |= dict.fromkeys(chance.sample(range(self.records), self.poison), (FOREVER, "error"))
        return FailurePlan(failures)

    def simulated(self) -> Any:
        """Return the simulator, filled."""
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
    """What a policy came to.

    Attributes:
        policy: The error policy.
        invocations: How often the handler was called.
        delivered: How many records all events held together.
        duplicated: Successful runs of a record beyond its first.
        seconds: Virtual seconds until the source was drained.
        groups: How many groups there were; 0 where the source has no order.
        in_order: How many of them stayed in order.
        dead_lettered: Records in the dead-letter queue, or given up after they had run.
        lost: Records that are gone and never ran, or never succeeded.
        remaining: Records still there when the bound of invocations was hit.
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
    """Return a number of groups at which the policies differ.

    A batch of a FIFO queue holds one group after another, as SQS receives them: it has
    several groups only if each has fewer messages than the batch.
    """
    return max(1, records // _IN_A_GROUP) if source == "fifo" else _GROUPS


def compare(load: Load, policies: Iterable[str] = POLICIES) -> list[Figures]:
    """Run the same load under each policy.

    Raises:
        ConfigurationError: A policy or a setting that is not possible.
    """
    found = []
    for policy in policies:
        if policy not in POLICIES:
            raise ConfigurationError.bad_value("policy", policy, ", ".join(POLICIES))
        found.append(_figures(policy, deliver(load, policy)))
    return found


def deliver(load: Load, policy: str) -> Delivery:
    """Run the load under one policy."""
    plan, clock = load.plan(), Clock()

    def work(item: dict[str, Any]) -> None:
        clock.advance(load.record_seconds)
        plan.attempt(int(item["number"]))

    limit = load.max_receive_count if load.source in ("sqs", "fifo") else None
    handler = batch_handler(work, error_policy=policy, max_receive_count=limit)  # type: ignore[call-overload]  # a checked str
    with _quiet():
        return load.simulated().run(handler, LambdaContext(_TIMEOUT, clock))  # type: ignore[no-any-return]  # any simulator


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the planned failures out of the log."""
    logger = logging.getLogger("partialbatch")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _figures(policy: str, delivery: Delivery) -> Figures:
    groups = {story.group for story in delivery.records} - {None}
    broken = {late.group for _, late in inversions(delivery.records, None)}
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
