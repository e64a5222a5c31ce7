"""SQS and SQS FIFO: `SendMessageBatch`.

Limits: botocore's model of the call, and
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from partialbatch.errors import RecordError
from partialbatch.producers._entry import Entry, Stats
from partialbatch.producers._fifo import FifoProducer
from partialbatch.producers._message_attributes import message_attributes, text_size
from partialbatch.producers._options import CommonOptions, Limits
from partialbatch.producers._responses import Faults, by_id
from partialbatch.producers._serialization import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SQSOptions", "SQSProducer"]

_LIMITS = Limits(entries=10, bytes=1_048_576)
_ATTRIBUTES = 10
_LONGEST_DELAY = 900


class SQSOptions(TypedDict, total=False):
    """What `SQSProducer.put` takes beside the message."""

    delay_seconds: int
    message_attributes: Mapping[str, Any]
    message_system_attributes: Mapping[str, Any]
    message_group_id: str
    message_deduplication_id: str


class SQSProducer(FifoProducer):
    """Sends messages to a queue; a FIFO queue by its name, which ends in ``.fifo``.

    Args:
        queue_url: The queue's URL.
        ordering: FIFO queues: ``"strict"`` keeps one unacknowledged message a group, so that
            a retry overtakes nothing; ``"batch"`` sends a group's messages together, one call
            at a time, and a message that has to be retried then arrives after its followers.
        on_rejected_group: FIFO queues, strict: after a message was rejected for good, ``"send"``
            the rest of its group, or ``"hold"`` it and hand it back (behind one that was given up,
            too) until the next flush.
        content_based_deduplication: Whether the queue makes the deduplication ids; otherwise
            a message without one gets one here, once, when it is put.
        **options: See `CommonOptions`.
    """

    service = "sqs"
    target = "queue_url"
    put_options = frozenset(SQSOptions.__annotations__)

    def __init__(
        self,
        queue_url: str,
        *,
        ordering: str = "strict",
        on_rejected_group: str = "send",
        content_based_deduplication: bool = False,
        **options: Unpack[CommonOptions],
    ) -> None:
        self._url = queue_url
        super().__init__(
            queue_url,
            _LIMITS,
            options,
            ordering=ordering,
            on_rejected_group=on_rejected_group,
            deduplicated=content_based_deduplication,
        )

    def put(self, message: Any, **options: Unpack[SQSOptions]) -> None:
        """Take a message; send where a batch is full.

        Args:
            message: `str`, UTF-8 `bytes`, or what JSON can say.
            **options: boto3's parameters of an entry, in snake_case. Message attributes are
                plain values or boto3's typed ones.

        Raises:
            RecordError: A message that SQS would never take.
        """
        self._engine.add(self.entry(message, options))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        body = to_text(record, "MessageBody", self._serializer)
        size = text_size(body, "MessageBody")
        seq = self._next()
        wire: dict[str, Any] = {"Id": str(seq), "MessageBody": body}
        if options or self._fifo:
            self._check(options)
            size += self._optional(wire, options)
        if size > self._settings.max_bytes:
            raise RecordError.too_large("MessageBody with its attributes", size, self._settings.max_bytes)
        return Entry(seq, record, options, wire, size, wire.get("MessageGroupId") if self._strict else None)

    def _optional(self, wire: dict[str, Any], options: Mapping[str, Any]) -> int:
        """Fill in the options, and return their bytes."""
        size = 0
        if "delay_seconds" in options:
            wire["DelaySeconds"] = self._delay(options["delay_seconds"])
        if options.get("message_attributes"):
            wire["MessageAttributes"], size = message_attributes(
                options["message_attributes"], "message_attributes", _ATTRIBUTES
            )
        if options.get("message_system_attributes"):
            # Their size does not count.
            wire["MessageSystemAttributes"], _ = message_attributes(
                options["message_system_attributes"], "message_system_attributes", None
            )
        self._order(wire, options)
        return size

    def _delay(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LONGEST_DELAY:
            raise RecordError("delay_seconds", f"is {value!r}; it takes whole seconds from 0 to {_LONGEST_DELAY}")
        if self._fifo and value:
            raise RecordError("delay_seconds", "is possible on the queue, not on a message, of a FIFO queue")
        return value

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.send_message_batch(QueueUrl=self._url, Entries=[entry.wire for entry in entries])

    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        return by_id(answer, entries)
