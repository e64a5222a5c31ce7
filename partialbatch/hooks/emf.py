"""Metrics in CloudWatch's embedded metric format: one line of JSON for each batch, on standard output.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import re
import sys
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.hooks._batch_stack import BatchStack
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
    """A hook that writes metrics: batch size, failures, duration and the age of the oldest record, by source.

    CloudWatch Logs turns the line into metrics, so the function makes no call and needs no permission.

    Args:
        namespace: The CloudWatch namespace.
        dimensions: Dimensions beside ``Source``, such as the name of the function. At most 29.
        write: Called with the line of each batch. By default, the line goes to standard output.

    Raises:
        ConfigurationError: CloudWatch doesn't accept the namespace or a dimension.

    Example:
        >>> import json
        >>> from partialbatch import batch_handler
        >>> from partialbatch.hooks import EmfMetrics
        >>> from partialbatch.testing import sqs_event
        >>> lines = []
        >>> @batch_handler(hooks=[EmfMetrics("Shop", write=lines.append)])
        ... def handler(record):
        ...     return record.body
        >>> response = handler(sqs_event(["tea", "jam"]))
        >>> metrics = json.loads(lines[0])
        >>> metrics["Source"], metrics["BatchSize"], metrics["Failed"]
        ('sqs', 2, 0)
    """

    def __init__(
        self,
        namespace: str = "partialbatch",
        *,
        dimensions: Mapping[str, str] | None = None,
        write: Callable[[str], object] | None = None,
    ) -> None:
        if not (NAMESPACE.fullmatch(namespace) and namespace.strip()):
            raise ConfigurationError.bad_value(
                "EmfMetrics.namespace", namespace, "1 to 255 letters, digits, spaces or any of .-_/#:"
            )
        self._namespace = namespace
        self._dimensions = dict(dimensions or {})
        if len(self._dimensions) >= MOST_DIMENSIONS:
            raise ConfigurationError.bad_value("EmfMetrics.dimensions", len(self._dimensions), "at most 29 dimensions")
        for name, value in self._dimensions.items():
            if name in RESERVED or not (_is_text(name, 250) and _is_text(value, 1024)):
                raise ConfigurationError.bad_value(
                    "EmfMetrics.dimensions",
                    {name: value},
                    f"names and values of printable ASCII, and none of the names {', '.join(RESERVED)}",
                )
        self._write = write
        self._batches: BatchStack[tuple[float, float | None]] = BatchStack("partialbatch_emf")

    def on_batch_start(self, records: Sequence[Any], context: LambdaContext | None) -> None:
        """Remember the start of the batch, and the age of its oldest record."""
        self._batches.begin(len(records))
        moments = [moment for moment in map(_moment, records) if moment is not None]
        self._batches.keep((perf_counter(), time() - min(moments) if moments else None))

    def on_batch_end(self, result: BatchResult[Any]) -> None:
        """Write the line of the batch."""
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
            sys.stdout.flush()  # a frozen execution environment doesn't flush


def _is_text(value: object, longest: int) -> bool:
    """Tell whether CloudWatch accepts a value as the name or value of a dimension.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
    """
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        return False
    return value.isascii() and value.isprintable() and bool(value.strip()) and not value.startswith(":")


def _moment(record: Any) -> float | None:
    """Return the time of a record in seconds since the epoch, or None if its source has none."""
    for name in ("sent_at", "arrived_at", "created_at", "timestamp"):
        if hasattr(type(record), name):
            try:
                return float(getattr(record, name).timestamp())
            except Exception:
                return None
    return None
