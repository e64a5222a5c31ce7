"""EventBridge: `PutEvents`.

Limits and the size of an entry:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from partialbatch.errors import RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._entry import Entry, Kind, Stats
from partialbatch.producers._failures import by_code
from partialbatch.producers._options import CommonOptions, Limits, text
from partialbatch.producers._responses import Faults, aligned
from partialbatch.producers._serialization import listed, to_text, utf8_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["EventBridgeProducer", "EventOptions"]

_LIMITS = Limits(entries=10, bytes=1_000_000)
_TIME_SIZE = 14


class EventOptions(TypedDict, total=False):
    """What `EventBridgeProducer.put` takes beside the detail."""

    source: str
    detail_type: str
    resources: Sequence[str]
    time: datetime
    trace_header: str


class EventBridgeProducer(Producer):
    """Puts events on a bus.

    Args:
        bus: The bus's name or ARN.
        source: The source of events that name none.
        detail_type: The detail type of events that name none.
        **options: See `CommonOptions`.
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
        self._bus = text("bus", bus, "the name or ARN of an event bus")
        self._defaults = {"source": source, "detail_type": detail_type}
        super().__init__(_LIMITS, options)

    def put(self, detail: Any, **options: Unpack[EventOptions]) -> None:
        """Take an event; send where a batch is full.

        Args:
            detail: What JSON can say as an object, or its text.
            **options: boto3's parameters of an entry, in snake_case.

        Raises:
            RecordError: An event that EventBridge would never take.
        """
        self._engine.add(self.entry(detail, options))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        detail = to_text(record, "detail", self._serializer)
        if not detail.lstrip().startswith("{"):
            raise RecordError("detail", "is no JSON object, and EventBridge takes nothing else")
        if options:
            self._check(options)
        source, kind = self._named("source", options), self._named("detail_type", options)
        if source.startswith("aws."):
            raise RecordError("source", "starts with 'aws.', which AWS keeps for its own events")
        wire = {"Source": source, "DetailType": kind, "Detail": detail, "EventBusName": self._bus}
        size = utf8_size(detail, "detail") + utf8_size(source, "source") + utf8_size(kind, "detail_type")
        if options:
            size += _optional(wire, options)
        if size > self._settings.max_bytes:
            raise RecordError.too_large("detail with source, detail_type and resources", size, self._settings.max_bytes)
        return Entry(self._next(), record, options, wire, size)

    def _named(self, option: str, options: Mapping[str, Any]) -> str:
        value = options.get(option) or self._defaults[option]
        if not isinstance(value, str) or not value:
            raise RecordError(option, "is missing or no str: name it at put, or for all at the producer")
        return value

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.put_events(Entries=[entry.wire for entry in entries])

    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        return aligned(answer.get("Entries"), entries, _kind)


def _optional(wire: dict[str, Any], options: Mapping[str, Any]) -> int:
    """Fill in the options, and return their bytes."""
    size = 0
    if options.get("resources"):
        names = wire["Resources"] = listed(options["resources"], "resources")
        if not all(isinstance(name, str) for name in names):
            raise RecordError("resources", "takes a list of str")
        size += sum(utf8_size(name, "resources") for name in names)
    if options.get("time") is not None:
        if not isinstance(options["time"], datetime):
            raise RecordError("time", f"is a {type(options['time']).__name__}, not a datetime")
        wire["Time"] = options["time"]
        size += _TIME_SIZE
    if options.get("trace_header"):
        wire["TraceHeader"] = options["trace_header"]
    return size


def _kind(code: str) -> Kind:
    """Retry what throttles and what broke inside; the rest is about the event."""
    kind = by_code(code)
    return kind if kind in {Kind.THROTTLED, Kind.TRANSIENT} else Kind.REJECTED
