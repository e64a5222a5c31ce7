"""CloudWatch metrics: `PutMetricData`, all or nothing.

Limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from partialbatch.errors import ConfigurationError, RecordError, safe_repr
from partialbatch.producers._base import Producer
from partialbatch.producers._entry import Entry, Stats
from partialbatch.producers._options import CommonOptions, Limits, text
from partialbatch.producers._serialization import listed, plain, utf8_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partialbatch.producers._responses import Faults

__all__ = ["CloudWatchProducer"]

_LIMITS = Limits(entries=1_000, bytes=1_000_000)
_VALUES = 150
_DIMENSIONS = 30
_LONGEST_NAME = 255
_NAMESPACE = "1 to 255 characters, not starting with 'AWS/'"
_FARTHEST = 2.0**360
_STATISTICS = ("SampleCount", "Sum", "Minimum", "Maximum")


class CloudWatchProducer(Producer):
    """Publishes metric data.

    Args:
        namespace: The namespace of all the data.
        **options: See `CommonOptions`; `serializer` returns a dict.
    """

    service = "cloudwatch"

    def __init__(self, namespace: str, **options: Unpack[CommonOptions]) -> None:
        self._namespace = text("namespace", namespace, _NAMESPACE)
        if len(namespace) > _LONGEST_NAME or namespace.startswith("AWS/"):
            raise ConfigurationError.bad_value("namespace", namespace, _NAMESPACE)
        super().__init__(_LIMITS, options)

    def put(self, datum: Any) -> None:
        """Take a datum; publish where a batch is full.

        Args:
            datum: boto3's MetricDatum: ``{"MetricName": ..., "Value": ...}``.

        Raises:
            RecordError: A datum that CloudWatch would never take.
        """
        self._engine.add(self.entry(datum, {}))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        if options:
            self._check(options)
        datum = record if self._serializer is None else self._serializer(record)
        try:
            fields = dict(datum if isinstance(datum, Mapping) else plain(datum, "python"))
        except TypeError:
            raise RecordError("datum", f"is a {type(datum).__name__}; boto3's dict of a datum is possible") from None
        # A model's optional fields are None; boto3 wants them left out.
        wire = {name: value for name, value in fields.items() if value is not None}
        _check_datum(wire)
        size = _size(wire)
        if size > self._settings.max_bytes:
            raise RecordError.too_large("datum", size, self._settings.max_bytes)
        return Entry(self._next(), record, options, wire, size)

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.put_metric_data(Namespace=self._namespace, MetricData=[entry.wire for entry in entries])

    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        return []


def _check_datum(datum: dict[str, Any]) -> None:
    name = datum.get("MetricName")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise RecordError("MetricName", f"is missing or no str of 1 to {_LONGEST_NAME} characters")
    dimensions = listed(datum.get("Dimensions", ()), "Dimensions")
    if len(dimensions) > _DIMENSIONS:
        raise RecordError.too_large("Dimensions", len(dimensions), _DIMENSIONS, "dimensions")
    datum["Dimensions"] = [_dimension(given) for given in dimensions]
    if not dimensions:
        del datum["Dimensions"]
    _check_numbers(datum)


def _dimension(given: Any) -> dict[str, Any]:
    parts = [given.get(part) for part in ("Name", "Value")] if isinstance(given, Mapping) else [None]
    if not all(isinstance(part, str) and part for part in parts):
        raise RecordError("Dimensions", "holds something other than {'Name': ..., 'Value': ...}, both of them a str")
    return dict(given)


def _check_numbers(datum: dict[str, Any]) -> None:
    given = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
    if len(given) != 1:
        raise RecordError(
            "Value", f"exactly one of Value, Values and StatisticValues is needed, {len(given)} are given"
        )
    for name in ("Values", "Counts"):
        if name in datum:
            datum[name] = listed(datum[name], name)
            if not 0 < len(datum[name]) <= _VALUES:
                raise RecordError(name, f"has {len(datum[name])} numbers; 1 to {_VALUES} are possible")
            for number in datum[name]:
                _check_number(name, number)
    if "Counts" in datum and len(datum["Counts"]) != len(datum.get("Values", ())):
        raise RecordError("Counts", f"has {len(datum['Counts'])} numbers, not as many as Values")
    if given == ["Value"]:
        _check_number("Value", datum["Value"])
    if given == ["StatisticValues"]:
        datum["StatisticValues"] = _statistics(datum["StatisticValues"])


def _statistics(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise RecordError("StatisticValues", f"is a {type(given).__name__}, not a dict")
    for name in _STATISTICS:
        _check_number(f"StatisticValues.{name}", given.get(name))
    return dict(given)


def _check_number(field: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordError(field, f"is a {type(value).__name__}, not an int or float")
    # NaN is within no bounds, and an int may be too large for a float.
    if not -_FARTHEST <= value <= _FARTHEST:
        shown = safe_repr(value)
        raise RecordError(field, f"is {shown}: CloudWatch takes numbers from -2**360 to 2**360, no NaN, no infinity")


def _size(value: Any) -> int:
    """Return a bound on the bytes in any of the service's protocols (CBOR, JSON), names included."""
    if isinstance(value, str):
        return utf8_size(value, "datum") + 5
    if isinstance(value, Mapping):
        return 9 + sum([_size(name) + _size(inner) for name, inner in value.items()])
    if isinstance(value, list | tuple):
        return 9 + sum(map(_size, value))
    return 26  # a number or a time: 9 bytes as CBOR, at most 25 digits and a comma as JSON
