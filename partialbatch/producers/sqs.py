"""Producer for SQS and SQS FIFO: `SendMessageBatch`.

Limits: botocore's model of the call, and
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from partialbatch.errors import RecordError
from partialbatch.producers._entry import Entry, Stats
from partialbatch.producers._fifo import FifoProducer, OnRejectedGroup, Ordering
from partialbatch.producers._message_attributes import message_attributes, message_text
from partialbatch.producers._options import CommonOptions, Limits
from partialbatch.producers._responses import Failures, failures_by_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SQSOptions", "SQSProducer"]

_LIMITS = Limits(entries=10, bytes=1_048_576)
_ATTRIBUTES = 10
_LONGEST_DELAY = 900


class SQSOptions(TypedDict, total=False):
    """Put options of an `SQSProducer`.

    Attributes:
        delay_seconds: Whole seconds, from 0 to 900, until the message becomes visible. A FIFO queue takes
            no delay for a single message.
        message_attributes: At most 10 names with plain values (str, int, float, Decimal, bytes) or boto3's
            typed ones.
        message_system_attributes: The same for system attributes, for instance ``AWSTraceHeader``.
        message_group_id: The message group, 1 to 128 characters. A FIFO queue needs one.
        message_deduplication_id: The deduplication id, 1 to 128 characters, for FIFO queues alone.
            Default: a random one, unless ``content_based_deduplication`` is set.
    """

    delay_seconds: int
    message_attributes: Mapping[str, Any]
    message_system_attributes: Mapping[str, Any]
    message_group_id: str
    message_deduplication_id: str


class SQSProducer(FifoProducer):
    """Sends messages to a queue, up to 10 in a call (``SendMessageBatch``). A URL that ends in ``.fifo`` is a FIFO.

    >>> from partialbatch.producers import SQSProducer
    >>> class Queue:  # in place of boto3's client
    ...     def send_message_batch(self, QueueUrl, Entries):
    ...         print([entry["MessageBody"] for entry in Entries])
    ...         return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}
    >>> url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"
    >>> with SQSProducer(url, client=Queue()) as producer:
    ...     producer.put({"id": 1}, delay_seconds=5)
    ...     producer.put("plain text")
    ['{"id":1}', 'plain text']

    A message has at most 1,048,576 bytes with its attributes, and so has a call:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html

    Args:
        queue_url: The queue's URL.
        ordering: For FIFO queues. ``"strict"`` (the default) has only one unacknowledged message of each group, so
            a retry overtakes no other message. ``"batch"`` sends the messages of a group together, one call at
            a time; a message that has to be retried then arrives after the messages behind it.
        on_rejected_group: For FIFO queues with strict ordering. After a rejected message, ``"send"`` (the
            default) still sends the rest of its group; ``"hold"`` hands the rest back until the next flush,
            also if the message was given up for another reason.
        content_based_deduplication: Whether the queue makes the deduplication ids. Default: False, and each
            message gets a random one when it is put, unless you pass one.
        **options: See `CommonOptions`.

    Raises:
        ConfigurationError: An option has an impossible value.
    """

    service = "sqs"
    target = "queue_url"
    put_options = frozenset(SQSOptions.__annotations__)

    def __init__(
        self,
        queue_url: str,
        *,
        ordering: Ordering = "strict",
        on_rejected_group: OnRejectedGroup = "send",
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
            content_based_deduplication=content_based_deduplication,
        )
        self._largest = self._settings.max_bytes

    def put(self, message: Any, **options: Unpack[SQSOptions]) -> None:
        """Take a message, and send a batch if one is full.

        Args:
            message: `str`, UTF-8 `bytes`, or a value that becomes JSON.
            **options: See `SQSOptions`. The names are boto3's in snake_case.

        Raises:
            RecordError: SQS would never take the message.
            ClosedError: The producer is closed.
        """
        self._sender.add(self.entry(message, options))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        body, size = message_text(record, "MessageBody", self._serializer)
        seq = self._next()
        wire: dict[str, Any] = {"Id": str(seq), "MessageBody": body}
        if options or self._fifo:
            self._check_put_options(options)
            size += self._add_options(wire, options)
        if size > self._largest:
            raise RecordError.too_large("MessageBody with its attributes", size, self._largest)
        return Entry(seq, record, options, wire, size, wire.get("MessageGroupId") if self._strict else None)

    def _add_options(self, wire: dict[str, Any], options: Mapping[str, Any]) -> int:
        """Add the put options, and return their bytes."""
        size = 0
        if "delay_seconds" in options:
            wire["DelaySeconds"] = self._delay(options["delay_seconds"])
        if options.get("message_attributes"):
            wire["MessageAttributes"], size = message_attributes(
                options["message_attributes"], "message_attributes", _ATTRIBUTES
            )
        if options.get("message_system_attributes"):
            # They don't count toward the size of the message.
            wire["MessageSystemAttributes"], _ = message_attributes(
                options["message_system_attributes"], "message_system_attributes", None
            )
        self._add_fifo_options(wire, options)
        return size

    def _delay(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LONGEST_DELAY:
            raise RecordError("delay_seconds", f"is {value!r}; it takes whole seconds from 0 to {_LONGEST_DELAY}")
        if self._fifo and value:
            raise RecordError("delay_seconds", "a FIFO queue takes no delay for a single message; set it on the queue")
        return value

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.send_message_batch(QueueUrl=self._url, Entries=[entry.wire for entry in entries])

    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        return failures_by_id(response, entries)
