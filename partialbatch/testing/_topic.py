"""A Kafka topic with a Lambda function behind it, on a virtual clock."""

from __future__ import annotations

import json
from collections import deque
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._event_layout import group_of
from partialbatch.testing._events import BATCH_LIMIT, kafka_head, kafka_partitions
from partialbatch.testing._shards import Lane, Retrying, drain
from partialbatch.testing._simulation_loop import Engine, Tracked
from partialbatch.testing._validation import bound, seconds, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from partialbatch.testing._delivery import Delivery
    from partialbatch.testing._verdict import Verdict

__all__ = ["SimulatedTopic"]

# Lambda developer guide, kafka-retry-configurations: without a destination the default is no limit.
_RETRIES_TO_A_DESTINATION = 10


class SimulatedTopic:
    """Topic-partitions whose records go to a handler as Lambda delivers them.

    A batch takes from each partition in turn, and is retried before the next one is made.

    Args:
        records: The messages of each topic-partition, as in `kafka_event`, or an event.
        batch_size: At most so many records an invocation, 1 to 10,000.
        maximum_retry_attempts: 0 to 10,000, or -1: no limit; without, 10 where there is an
            on-failure destination, and no limit where there is none.
        reading: What the named records of a partial response mean: ``"retry"``: these are
            delivered again; ``"resume"``: all from the lowest offset of each partition on.
            AWS's pages can be read both ways, so try both.
        retention: Seconds after which a record leaves the topic.
        on_failure_destination: Whether given-up records that ran count as dead-lettered.
        report_batch_item_failures: Whether the event source mapping has that setting.
        self_managed: Whether the cluster is one's own, not one of Amazon MSK; an event tells it itself.
        max_invocations: The bound of a run; without, 1,000 and 10 more a record.
    """

    def __init__(  # the settings of a topic and its mapping
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
        # As text: parsed, a record takes three times the memory.
        self._partitions = [[json.dumps(raw) for raw in raws] for _, raws in partitions]
        self.max_invocations = bound(max_invocations, sum(map(len, self._partitions)))

    def run(
        self,
        handler: Callable[[Any, Any], Any],
        context: Any = None,
        succeeded: Callable[[Any], bool | None] | None = None,
    ) -> Delivery:
        """Deliver until the topic is read to its end, or the bound is hit.

        Args:
            handler: Any callable ``(event, context)``.
            context: Its context; a `LambdaContext` (its timeout counts) starts anew each time.
            succeeded: Raw record -> whether it has succeeded, for handlers that are not
                ours: True, False, or None if this invocation did not run it, which is neither
                a success nor a failure. Asked after each invocation.
        """
        engine = Engine(
            "kafka",
            handler,
            context,
            succeeded,
            ordered=True,
            report=self.report_batch_item_failures,
            bound=self.max_invocations,
        )
        partitions = [[Tracked.of(text, "kafka") for text in texts] for texts in self._partitions]
        # Offset by offset, so that each batch takes from every partition.
        waiting = deque(entry for row in zip_longest(*partitions) for entry in row if entry is not None)
        drain(engine, [Lane(waiting, order=lambda entry: str(entry.group))], self._retrying())
        return engine.delivery(list(chain.from_iterable(partitions)))

    def _retrying(self) -> Retrying:
        return Retrying(
            batch_size=self.batch_size,
            event=self._event,
            returned=_resumed if self.reading == "resume" else lambda verdict, _: verdict.returned,
            retries=self.maximum_retry_attempts,
            longest=self.retention,
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


def _resumed(verdict: Verdict, batch: list[Tracked]) -> list[int]:
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
