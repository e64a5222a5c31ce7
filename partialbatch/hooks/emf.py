"""Metrics in CloudWatch's embedded metric format: one line of JSON a batch on standard output.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import sys
from contextvars import ContextVar
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from partialbatch.results import BatchResult
    from partialbatch.types import LambdaContext

__all__ = ["EmfMetrics"]

_UNITS = {
    "BatchSize": "Count",
    "Failed": "Count",
    "Skipped": "Count",
    "DeadLettered": "Count",
    "Resumed": "Count",
    "Duration": "Milliseconds",
    "OldestRecordAge": "Seconds",
}


class EmfMetrics:
    """Writes batch size, failures, duration and the age of the oldest record, by source.

    CloudWatch Logs makes metrics of the line; no call is made, and no permission needed.
    """

    def __init__(
        self,
        namespace: str = "partialbatch",
        *,
        dimensions: Mapping[str, str] | None = None,
        write: Callable[[str], object] | None = None,
    ) -> None:
        """Name the metrics.

        Args:
            namespace: The CloudWatch namespace.
            dimensions: Further dimensions beside ``Source``, the function's name for instance.
            write: Takes the line; standard output by default.

        Raises:
            ConfigurationError: An empty namespace, or more dimensions than CloudWatch takes (30).
        """
        if not namespace:
            raise ConfigurationError.bad_value("EmfMetrics.namespace", namespace, "a name")
        self._namespace = namespace
        self._dimensions = dict(dimensions or {})
        if len(self._dimensions) >= 30:  # noqa: PLR2004 - CloudWatch's limit, one of them is Source
            raise ConfigurationError.bad_value("EmfMetrics.dimensions", len(self._dimensions), "at most 29 of them")
        self._write = write
        # In a context variable, for two threads may run batches at once.
        self._begun: ContextVar[tuple[float, float | None]] = ContextVar("partialbatch_emf")

    def on_batch_start(self, records: Sequence[Any], context: LambdaContext | None) -> None:  # noqa: ARG002 - the hook's shape
        """Note when the batch began, and how old its oldest record is."""
        moments = [moment for moment in map(_moment, records) if moment is not None]
        self._begun.set((perf_counter(), time() - min(moments) if moments else None))

    def on_batch_end(self, result: BatchResult[Any]) -> None:
        """Write the line."""
        begun, age = self._begun.get((perf_counter(), None))
        values: dict[str, float] = {
            "BatchSize": len(result.results),
            "Failed": len(result.failed),
            "Skipped": len(result.skipped),
            "DeadLettered": len(result.dead_lettered),
            "Resumed": sum(entry.resumed for entry in result.results),
            "Duration": round((perf_counter() - begun) * 1000, 3),
        }
        if age is not None:
            values["OldestRecordAge"] = round(max(age, 0.0), 3)
        dimensions = {"Source": result.results[0].record.source if result.results else "empty", **self._dimensions}
        line = json.dumps(
            {
                "_aws": {
                    "Timestamp": int(time() * 1000),
                    "CloudWatchMetrics": [
                        {
                            "Namespace": self._namespace,
                            "Dimensions": [list(dimensions)],
                            "Metrics": [{"Name": name, "Unit": _UNITS[name]} for name in values],
                        }
                    ],
                },
                **dimensions,
                **values,
            }
        )
        if self._write is not None:
            self._write(line)
        else:
            sys.stdout.write(f"{line}\n")


def _moment(record: Any) -> float | None:
    """Return when a record was made, in seconds since the epoch; None where its source does not say."""
    for name in ("sent_at", "arrived_at", "created_at", "timestamp"):
        if hasattr(type(record), name):
            try:
                return float(getattr(record, name).timestamp())
            except Exception:
                return None
    return None
