"""The simulator of a Kafka topic with a Lambda function, on a simulated clock."""

from __future__ import annotations

import json
from collections import deque
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._event_layout import group_of
from partialbatch.testing._event_records import kafka_head, kafka_partitions
from partialbatch.testing._limits import BATCH_LIMIT
from partialbatch.testing._shards import RetrySettings, Shard, drain
from partialbatch.testing._simulation_loop import SimulationLoop, TrackedRecord
from partialbatch.testing._validation import bound, seconds, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from partialbatch.testing._delivery import Delivery
    from partialbatch.testing._verdict import Verdict

__all__ = ["SimulatedTopic"]

# Lambda developer guide, kafka-retry-configurations. Without a destination, the default is no limit.
_RETRIES_TO_A_DESTINATION = 10


class SimulatedTopic:
    """A Kafka topic that delivers the records of its partitions to a handler as Lambda does.

    A batch takes records from each partition in turn, and is retried before the next batch is made.

    Args:
        records: The values of each topic-partition, as in `kafka_event`, or an event.
        batch_size: The largest number of records in one invocation: 1 to 10,000.
        maximum_retry_attempts: The largest number of retries: 0 to 10,000, or -1 for no limit. By default, 10
            with an on-failure destination, and no limit without one.
        reading: The meaning of the reported records of a partial response. With ``"retry"``, these records are
            delivered again; with ``"resume"``, all records from the lowest reported offset of each partition
            on. AWS's pages can be read in both ways, so try both.
        retention: The seconds after which a record leaves the topic: at least 60.
        on_failure_destination: Whether records that ran and were given up count as dead-lettered.
        report_batch_item_failures: Whether the event source mapping has that setting.
        self_managed: Whether you run the cluster yourself, rather than Amazon MSK. An event decides for itself.
        max_invocations: The largest number of invocations in a run. By default, 1,000 and 10 for each record.

    Raises:
        ConfigurationError: A setting is out of its range, or the records aren't those of a topic.

    Example:
        >>> from partialbatch.testing import SimulatedTopic
        >>> topic = SimulatedTopic({"orders-0": ["tea", "jam"], "orders-1": ["harp"]}, batch_size=2)
        >>> delivery = topic.run(lambda event, context: {"batchItemFailures": []})
        >>> [invocation.delivered for invocation in delivery.invocations]
        [2, 1]
    """

    def __init__(
        self,
        records: Mapping[str, Iterable[Any]],
        *,
        batch_size: int = 100,
        maximum_retry_attempts: int | None = None,
        reading: str = "retry",
        retention: float = 604_800,
        on_failure_destination: bool = False,
        report_batch_item_failures: bool = True,
        self_managed: bool = False,
        max_invocations: int | None = None,
    ) -> None:
        if reading not in ("retry", "resume"):
            raise ConfigurationError.bad_value("reading", reading, "'retry' or 'resume'")
        self.reading = reading
        self.batch_size = whole("batch_size", batch_size, 1, BATCH_LIMIT)
        self.maximum_retry_attempts = _retries(maximum_retry_attempts, destination=on_failure_destination)
        self.retention = seconds("retention", retention, 60, 10**9)
        self.on_failure_destination = on_failure_destination
        self.report_batch_item_failures = report_batch_item_failures
        self._head, partitions = _raw_partitions(records, kafka_head(self_managed=self_managed))
        # Kept as text, because a parsed record takes three times the memory.
        self._partitions = [[json.dumps(raw) for raw in raws] for _, raws in partitions]
        self.max_invocations = bound(max_invocations, sum(map(len, self._partitions)))

    def run(
        self,
        handler: Callable[[Any, Any], Any],
        context: Any = None,
        succeeded: Callable[[Any], bool | None] | None = None,
    ) -> Delivery:
        """Deliver until the topic is read to its end, or until ``max_invocations``.

        Args:
            handler: Any callable ``(event, context)``.
            context: The second argument of the handler. A `LambdaContext` starts anew for each invocation,
                and its timeout applies. By default, a new one with its own clock.
            succeeded: For handlers not made by partialbatch. Takes each raw record after each invocation, and
                returns True, False, or None for a record that this invocation didn't run.

        Raises:
            ConfigurationError: The handler or ``succeeded`` can't be called, or ``succeeded`` returns
                another value.
        """
        loop = SimulationLoop(
            "kafka",
            handler,
            context,
            succeeded,
            ordered=True,
            report=self.report_batch_item_failures,
            bound=self.max_invocations,
        )
        partitions = [[TrackedRecord.of(text, "kafka") for text in texts] for texts in self._partitions]
        # Offset by offset, so that each batch holds records of every partition.
        waiting = deque(entry for row in zip_longest(*partitions) for entry in row if entry is not None)
        drain(loop, [Shard(waiting, order=lambda entry: str(entry.group))], self._retry_settings())
        return loop.delivery(list(chain.from_iterable(partitions)))

    def _retry_settings(self) -> RetrySettings:
        return RetrySettings(
            batch_size=self.batch_size,
            event=self._event,
            returned=_resumed if self.reading == "resume" else lambda verdict, _: verdict.returned,
            retries=self.maximum_retry_attempts,
            maximum_age=self.retention,
            destination=self.on_failure_destination,
        )

    def _event(self, texts: Iterable[str]) -> dict[str, Any]:
        partitions: dict[Any, list[Any]] = {}
        for raw in map(json.loads, texts):
            partitions.setdefault(group_of("kafka", raw), []).append(raw)
        return {**self._head, "records": partitions}


def _retries(value: int | None, *, destination: bool) -> int | None:
    if value is None:
        return _RETRIES_TO_A_DESTINATION if destination else None
    return None if value == -1 else whole("maximum_retry_attempts", value, -1, 10_000)


def _resumed(verdict: Verdict, batch: list[TrackedRecord]) -> list[int]:
    lowest: dict[Any, int] = {}
    for position in verdict.returned:
        lowest.setdefault(batch[position].group, position)
    return [position for position, entry in enumerate(batch) if position >= lowest.get(entry.group, len(batch))]


def _raw_partitions(records: Any, head: dict[str, Any]) -> tuple[dict[str, Any], Iterable[tuple[str, Iterable[Any]]]]:
    """Return the fields beside the records, and the records of each topic-partition."""
    if isinstance(records, dict) and isinstance(records.get("records"), dict):
        own = {name: records[name] for name in records if name != "records"}
        return own or head, records["records"].items()
    return head, kafka_partitions(records)
