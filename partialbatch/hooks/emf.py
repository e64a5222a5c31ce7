"""Metrics in CloudWatch's embedded metric format: one line of JSON a batch on standard output.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import re
import sys
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.hooks._batches import Batches
from partialbatch.hooks._naming import source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from partialbatch._core.results import BatchResult
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

NAMESPACE = re.compile(r"[A-Za-z0-9 ._/#:-]{1,255}")
MOST_DIMENSIONS = 30  # one of them is Source
RESERVED = ("_aws", "Source", *_UNITS)


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
            ConfigurationError: A namespace or a dimension that CloudWatch would not take, or more than 29.
        """
        if not (NAMESPACE.fullmatch(namespace) and namespace.strip()):
            raise ConfigurationError.bad_value(
                "EmfMetrics.namespace", namespace, "1 to 255 letters, digits, spaces or any of .-_/#:"
            )
        self._namespace = namespace
        self._dimensions = dict(dimensions or {})
        if len(self._dimensions) >= MOST_DIMENSIONS:
            raise ConfigurationError.bad_value("EmfMetrics.dimensions", len(self._dimensions), "at most 29 of them")
        for name, value in self._dimensions.items():
            if name in RESERVED or not (_is_text(name, 250) and _is_text(value, 1024)):
                raise ConfigurationError.bad_value(
                    "EmfMetrics.dimensions",
                    {name: value},
                    f"names and values of printable ASCII, no name among {', '.join(RESERVED)}",
                )
        self._write = write
        self._batches: Batches[tuple[float, float | None]] = Batches("partialbatch_emf")

    def on_batch_start(self, records: Sequence[Any], context: LambdaContext | None) -> None:  # noqa: ARG002 - the hook's shape
        """Note when the batch began, and how old its oldest record is."""
        self._batches.begin(len(records))
        moments = [moment for moment in map(_moment, records) if moment is not None]
        self._batches.note((perf_counter(), time() - min(moments) if moments else None))

    def on_batch_end(self, result: BatchResult[Any]) -> None:
        """Write the line."""
        begun, age = self._batches.end(len(result.results)) or (perf_counter(), None)
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
        dimensions = {"Source": source_of(result.results[0].record) if result.results else "empty", **self._dimensions}
        self._emit(dimensions, values)

    def _emit(self, dimensions: Mapping[str, str], values: Mapping[str, float]) -> None:
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
            sys.stdout.flush()  # a frozen environment writes nothing


def _is_text(value: object, longest: int) -> bool:
    """Tell whether CloudWatch takes a text as a dimension's name or value.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
    """
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        return False
    return value.isascii() and value.isprintable() and bool(value.strip()) and not value.startswith(":")


def _moment(record: Any) -> float | None:
    """Return when a record was made, in seconds since the epoch; None where its source does not say."""
    for name in ("sent_at", "arrived_at", "created_at", "timestamp"):
        if hasattr(type(record), name):
            try:
                return float(getattr(record, name).timestamp())
            except Exception:
                return None
    return None
