"""Producer for EventBridge: `PutEvents`.

Limits and the size of an entry:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from partialbatch.errors import RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._entry import Entry, FailureKind, Stats
from partialbatch.producers._failures import kind_of_code
from partialbatch.producers._options import CommonOptions, Limits, check_name
from partialbatch.producers._responses import Failures, failures_by_position
from partialbatch.producers._serialization import listed, to_text, utf8_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["EventBridgeProducer", "EventOptions"]

_LIMITS = Limits(entries=10, bytes=1_000_000)
_TIME_SIZE = 14


class EventOptions(TypedDict, total=False):
    """Put options of an `EventBridgeProducer`.

    Attributes:
        source: The event's source; it can't start with ``aws.``. Default: the producer's.
        detail_type: The event's detail type. Default: the producer's.
        resources: ARNs of resources that the event concerns.
        time: The time of the event. Default: the time of the call.
        trace_header: An AWS X-Ray trace header.
    """

    source: str
    detail_type: str
    resources: Sequence[str]
    time: datetime
    trace_header: str


class EventBridgeProducer(Producer):
    """Puts events on a bus, up to 10 in a call (``PutEvents``).

    >>> from partialbatch.producers import EventBridgeProducer
    >>> class Events:  # in place of boto3's client
    ...     def put_events(self, Entries):
    ...         print([entry["Detail"] for entry in Entries])
    ...         return {"Entries": [{"EventId": "1"} for entry in Entries]}
    >>> with EventBridgeProducer("orders", source="shop", detail_type="OrderPlaced", client=Events()) as producer:
    ...     producer.put({"id": 1})
    ['{"id":1}']

    A call has at most 1,000,000 bytes:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html

    Args:
        bus: The name or ARN of the event bus. Default: ``"default"``.
        source: The source of events that are put without one.
        detail_type: The detail type of events that are put without one.
        **options: See `CommonOptions`.

    Raises:
        ConfigurationError: An option has an impossible value.
    """

    service = "events"
    put_options = frozenset(EventOptions.__annotations__)

    def __init__(
        self,
        bus: str = "default",
        *,
        source: str | None = None,
        detail_type: str | None = None,
        **options: Unpack[CommonOptions],
    ) -> None:
        self._bus = check_name("bus", bus, "the name or ARN of an event bus")
        self._defaults = {"source": source, "detail_type": detail_type}
        super().__init__(_LIMITS, options)

    def put(self, detail: Any, **options: Unpack[EventOptions]) -> None:
        """Take an event, and send a batch if one is full.

        Args:
            detail: A value that becomes a JSON object, or the text of one.
            **options: See `EventOptions`. The names are boto3's in snake_case.

        Raises:
            RecordError: EventBridge would never take the event.
            ClosedError: The producer is closed.
        """
        self._sender.add(self.entry(detail, options))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        detail = to_text(record, "detail", self._serializer)
        if not detail.lstrip().startswith("{"):
            raise RecordError("detail", "isn't a JSON object, and EventBridge takes nothing else")
        if options:
            self._check_put_options(options)
        source, kind = self._required("source", options), self._required("detail_type", options)
        if source.startswith("aws."):
            raise RecordError("source", "starts with 'aws.', which is reserved for events of AWS; choose another name")
        wire = {"Source": source, "DetailType": kind, "Detail": detail, "EventBusName": self._bus}
        size = utf8_size(detail, "detail") + utf8_size(source, "source") + utf8_size(kind, "detail_type")
        if options:
            size += _add_options(wire, options)
        if size > self._settings.max_bytes:
            raise RecordError.too_large("detail with source, detail_type and resources", size, self._settings.max_bytes)
        return Entry(self._next(), record, options, wire, size)

    def _required(self, option: str, options: Mapping[str, Any]) -> str:
        value = options.get(option) or self._defaults[option]
        if not isinstance(value, str) or not value:
            raise RecordError(option, "is missing or not a str; set it in put, or in the producer for all events")
        return value

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.put_events(Entries=[entry.wire for entry in entries])

    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        return failures_by_position(response.get("Entries"), entries, _kind)


def _add_options(wire: dict[str, Any], options: Mapping[str, Any]) -> int:
    """Add the put options, and return their bytes."""
    size = 0
    if options.get("resources"):
        names = wire["Resources"] = listed(options["resources"], "resources")
        if not all(isinstance(name, str) for name in names):
            raise RecordError("resources", "takes a list of str")
        size += sum(utf8_size(name, "resources") for name in names)
    if options.get("time") is not None:
        if not isinstance(options["time"], datetime):
            raise RecordError("time", f"is of type {type(options['time']).__name__}; it takes a datetime")
        wire["Time"] = options["time"]
        size += _TIME_SIZE
    if options.get("trace_header"):
        wire["TraceHeader"] = options["trace_header"]
    return size


def _kind(code: str) -> FailureKind:
    """Retry throttled events and those that failed inside the service; other codes are about the event itself."""
    kind = kind_of_code(code)
    return kind if kind in {FailureKind.THROTTLED, FailureKind.TRANSIENT} else FailureKind.REJECTED
