"""The function that runs the simulator of any source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.testing._event_layout import source_of
from partialbatch.testing._queue import SimulatedQueue
from partialbatch.testing._stream import SimulatedStream
from partialbatch.testing._topic import SimulatedTopic

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.testing._delivery import Delivery

__all__ = ["simulate"]


def simulate(
    handler: Callable[[Any, Any], Any],
    records: Any,
    source: str | None = None,
    *,
    context: Any = None,
    succeeded: Callable[[Any], bool | None] | None = None,
    **options: Any,
) -> Delivery:
    """Deliver records to a handler as Lambda does, until each is finished.

    Args:
        handler: Any callable ``(event, context)``.
        records: An event, or the records as the simulator of the source takes them.
        source: ``"sqs"``, ``"kinesis"``, ``"dynamodb"`` or ``"kafka"``. By default, the source of the event,
            or ``"sqs"`` if you don't pass an event.
        context: As in `SimulatedQueue.run`.
        succeeded: As in `SimulatedQueue.run`.
        options: The options of `SimulatedQueue`, `SimulatedStream` or `SimulatedTopic`.

    Raises:
        ConfigurationError: The source doesn't exist, or an option is out of its range.
        TypeError: The simulator of the source doesn't have one of the options.

    Example:
        >>> from partialbatch import batch_handler
        >>> from partialbatch.testing import simulate
        >>> @batch_handler
        ... def handler(order: dict):
        ...     return order["item"]
        >>> simulate(handler, [{"item": "tea"}, {"item": "jam"}]).fates
        {'deleted': 2}
    """
    if source is None:
        is_event = isinstance(records, dict) and ("Records" in records or "eventSource" in records)
        source = source_of(records) if is_event else "sqs"
    if source == "sqs":
        return SimulatedQueue(records, **options).run(handler, context, succeeded)
    if source in ("kinesis", "dynamodb"):
        return SimulatedStream(records, source=source, **options).run(handler, context, succeeded)
    if source == "kafka":
        return SimulatedTopic(records, **options).run(handler, context, succeeded)
    raise ConfigurationError.bad_value("source", source, "'sqs', 'kinesis', 'dynamodb' or 'kafka'")
