"""Producer for CloudWatch metrics: `PutMetricData`, which accepts a call as a whole or not at all.

Limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from partialbatch.errors import ConfigurationError, RecordError, safe_repr
from partialbatch.producers._base import Producer
from partialbatch.producers._entry import Entry, Stats
from partialbatch.producers._options import CommonOptions, Limits, check_name
from partialbatch.producers._serialization import listed, plain, utf8_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partialbatch.producers._responses import Failures

__all__ = ["CloudWatchProducer"]

_LIMITS = Limits(entries=1_000, bytes=1_000_000)
_VALUES = 150
_DIMENSIONS = 30
_LONGEST_NAME = 255
_NAMESPACE = "1 to 255 characters, not starting with 'AWS/'"
_LARGEST_NUMBER = 2.0**360
_STATISTICS = ("SampleCount", "Sum", "Minimum", "Maximum")


class CloudWatchProducer(Producer):
    """Publishes metric data, up to 1,000 data in a call (``PutMetricData``).

    >>> from partialbatch.producers import CloudWatchProducer
    >>> class Metrics:  # in place of boto3's client
    ...     def put_metric_data(self, Namespace, MetricData):
    ...         print(Namespace, [datum["Value"] for datum in MetricData])
    >>> with CloudWatchProducer("shop", client=Metrics()) as producer:
    ...     producer.put({"MetricName": "Orders", "Value": 3, "Unit": "Count"})
    shop [3]

    A call has at most 1,000,000 bytes, and a datum has at most 150 values and 30 dimensions:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html

    Args:
        namespace: The namespace of all data, 1 to 255 characters; it can't start with ``AWS/``.
        **options: See `CommonOptions`. A `serializer` returns a dict.

    Raises:
        ConfigurationError: An option has an impossible value.
    """

    service = "cloudwatch"

    def __init__(self, namespace: str, **options: Unpack[CommonOptions]) -> None:
        self._namespace = check_name("namespace", namespace, _NAMESPACE)
        if len(namespace) > _LONGEST_NAME or namespace.startswith("AWS/"):
            raise ConfigurationError.bad_value("namespace", namespace, _NAMESPACE)
        super().__init__(_LIMITS, options)

    def put(self, datum: Any) -> None:
        """Take a datum, and publish a batch if one is full.

        Args:
            datum: A dict in the form of boto3's MetricDatum, ``{"MetricName": ..., "Value": ...}``, or a
                dataclass or pydantic model with these fields. None in a field leaves it out.

        Raises:
            RecordError: CloudWatch would never take the datum.
            ClosedError: The producer is closed.
        """
        self._sender.add(self.entry(datum, {}))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        if options:
            self._check_put_options(options)
        datum = record if self._serializer is None else self._serializer(record)
        try:
            fields = dict(datum if isinstance(datum, Mapping) else plain(datum, "python"))
        except TypeError:
            raise RecordError(
                "datum", f"is of type {type(datum).__name__}; it takes a dict, a dataclass or a pydantic model"
            ) from None
        # boto3 takes no None, and optional fields of a model are None.
        wire = {name: value for name, value in fields.items() if value is not None}
        _check_datum(wire)
        size = _size(wire)
        if size > self._settings.max_bytes:
            raise RecordError.too_large("datum", size, self._settings.max_bytes)
        return Entry(self._next(), record, options, wire, size)

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.put_metric_data(Namespace=self._namespace, MetricData=[entry.wire for entry in entries])

    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        return []


def _check_datum(datum: dict[str, Any]) -> None:
    name = datum.get("MetricName")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise RecordError(
            "MetricName", f"is missing, empty or too long; it takes a str of 1 to {_LONGEST_NAME} characters"
        )
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
        raise RecordError("Dimensions", "takes a list of {'Name': ..., 'Value': ...}, each with a str that isn't empty")
    return dict(given)


def _check_numbers(datum: dict[str, Any]) -> None:
    given = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
    if len(given) != 1:
        raise RecordError(
            "Value", f"a datum needs exactly one of Value, Values and StatisticValues, and has {len(given)}"
        )
    for name in ("Values", "Counts"):
        if name in datum:
            datum[name] = listed(datum[name], name)
            if not 0 < len(datum[name]) <= _VALUES:
                raise RecordError(name, f"has {len(datum[name])} numbers; it takes 1 to {_VALUES}")
            for number in datum[name]:
                _check_number(name, number)
    if "Counts" in datum and len(datum["Counts"]) != len(datum.get("Values", ())):
        raise RecordError("Counts", f"has {len(datum['Counts'])} numbers; it takes as many as Values has")
    if given == ["Value"]:
        _check_number("Value", datum["Value"])
    if given == ["StatisticValues"]:
        datum["StatisticValues"] = _statistics(datum["StatisticValues"])


def _statistics(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise RecordError("StatisticValues", f"is of type {type(given).__name__}; it takes a dict")
    for name in _STATISTICS:
        _check_number(f"StatisticValues.{name}", given.get(name))
    return dict(given)


def _check_number(field: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordError(field, f"is of type {type(value).__name__}; it takes an int or a float")
    # NaN fails both comparisons. An int may be too large for a float.
    if not -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER:
        raise RecordError(field, f"is {safe_repr(value)}; CloudWatch takes numbers from -2**360 to 2**360")


def _size(value: Any) -> int:
    """Return an upper bound of the bytes, names included, in any protocol of the service (CBOR, JSON)."""
    if isinstance(value, str):
        return utf8_size(value, "datum") + 5
    if isinstance(value, Mapping):
        return 9 + sum([_size(name) + _size(inner) for name, inner in value.items()])
    if isinstance(value, list | tuple):
        return 9 + sum(map(_size, value))
    return 26  # a number or a time: 9 bytes as CBOR, and as JSON at most 25 digits and a comma
