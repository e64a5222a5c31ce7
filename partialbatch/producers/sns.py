"""Producer for SNS and SNS FIFO: `PublishBatch`.

Limits: botocore's model of the call, and
https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from partialbatch.errors import RecordError
from partialbatch.producers._entry import Entry, Stats
from partialbatch.producers._fifo import FifoProducer, OnRejectedGroup, Ordering
from partialbatch.producers._message_attributes import message_attributes, message_text
from partialbatch.producers._options import CommonOptions, Limits, check_int
from partialbatch.producers._responses import Failures, failures_by_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SNSOptions", "SNSProducer"]

_ENTRIES = 10
_BYTES = 262_144
_MOST_BYTES = 1_048_576
# "ASCII text that begins with a letter, number, or punctuation mark; must not include
# line breaks or control characters; and must be less than 100 characters long".
_SUBJECT = re.compile(r"[!-~][ -~]{0,98}")


class SNSOptions(TypedDict, total=False):
    """Put options of an `SNSProducer`.

    Attributes:
        subject: The subject for e-mail subscribers, 1 to 99 printable ASCII characters.
        message_structure: ``"json"`` if the message has a text for each protocol.
        message_attributes: Names with plain values (str, int, float, Decimal, bytes, list) or boto3's typed ones.
        message_group_id: The message group, 1 to 128 characters. A FIFO topic needs one.
        message_deduplication_id: The deduplication id, 1 to 128 characters, for FIFO topics alone.
            Default: a random one, unless ``content_based_deduplication`` is set.
    """

    subject: str
    message_structure: Literal["json"]
    message_attributes: Mapping[str, Any]
    message_group_id: str
    message_deduplication_id: str


class SNSProducer(FifoProducer):
    """Publishes messages to a topic, up to 10 in a call (``PublishBatch``). An ARN that ends in ``.fifo`` is a FIFO.

    >>> from partialbatch.producers import SNSProducer
    >>> class Topic:  # in place of boto3's client
    ...     def publish_batch(self, TopicArn, PublishBatchRequestEntries):
    ...         print(PublishBatchRequestEntries)
    ...         return {"Successful": [{"Id": entry["Id"]} for entry in PublishBatchRequestEntries]}
    >>> with SNSProducer("arn:aws:sns:eu-west-1:123456789012:orders", client=Topic()) as producer:
    ...     producer.put({"id": 1}, subject="A new order")
    [{'Id': '0', 'Message': '{"id":1}', 'Subject': 'A new order'}]

    A message has at most 262,144 bytes with its attributes and subject, unless you raise
    ``max_record_bytes``, and so has a call: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html

    Args:
        topic_arn: The topic's ARN.
        max_record_bytes: The topic's own limit for a message, in bytes, from 1 to 1,048,576. Default: 262,144.
        ordering: For FIFO topics. ``"strict"`` (the default) or ``"batch"``, as for `SQSProducer`.
        on_rejected_group: For FIFO topics. ``"send"`` (the default) or ``"hold"``, as for `SQSProducer`.
        content_based_deduplication: Whether the topic makes the deduplication ids. Default: False.
        **options: See `CommonOptions`.

    Raises:
        ConfigurationError: An option has an impossible value.
    """

    service = "sns"
    target = "topic_arn"
    put_options = frozenset(SNSOptions.__annotations__)

    def __init__(
        self,
        topic_arn: str,
        *,
        max_record_bytes: int = _BYTES,
        ordering: Ordering = "strict",
        on_rejected_group: OnRejectedGroup = "send",
        content_based_deduplication: bool = False,
        **options: Unpack[CommonOptions],
    ) -> None:
        check_int("max_record_bytes", max_record_bytes, 1, _MOST_BYTES)
        self._arn = topic_arn
        self._largest = max_record_bytes
        super().__init__(
            topic_arn,
            Limits(_ENTRIES, max(_BYTES, max_record_bytes)),
            options,
            ordering=ordering,
            on_rejected_group=on_rejected_group,
            content_based_deduplication=content_based_deduplication,
        )

    def put(self, message: Any, **options: Unpack[SNSOptions]) -> None:
        """Take a message, and publish a batch if one is full.

        Args:
            message: `str`, UTF-8 `bytes`, or a value that becomes JSON.
            **options: See `SNSOptions`. The names are boto3's in snake_case.

        Raises:
            RecordError: SNS would never take the message.
            ClosedError: The producer is closed.
        """
        self._sender.add(self.entry(message, options))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        text, size = message_text(record, "Message", self._serializer)
        seq = self._next()
        wire: dict[str, Any] = {"Id": str(seq), "Message": text}
        if options or self._fifo:
            self._check_put_options(options)
            size += self._add_options(wire, options)
        most = min(self._largest, self._settings.max_bytes)
        if size > most:
            raise RecordError.too_large("Message with its attributes and subject", size, most)
        return Entry(seq, record, options, wire, size, wire.get("MessageGroupId") if self._strict else None)

    def _add_options(self, wire: dict[str, Any], options: Mapping[str, Any]) -> int:
        """Add the put options, and return their bytes."""
        size = 0
        subject, structure = options.get("subject"), options.get("message_structure")
        if subject is not None:
            if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
                raise RecordError("subject", "takes 1 to 99 printable ASCII characters, and doesn't start with a space")
            wire["Subject"], size = subject, len(subject)
        if structure is not None:
            if structure != "json":
                raise RecordError("message_structure", "takes only 'json'")
            wire["MessageStructure"] = structure
        if options.get("message_attributes"):
            # Without a limit on their number: SNS has one only for raw delivery to SQS.
            wire["MessageAttributes"], added = message_attributes(
                options["message_attributes"], "message_attributes", None
            )
            size += added
        self._add_fifo_options(wire, options)
        return size

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.publish_batch(
            TopicArn=self._arn, PublishBatchRequestEntries=[entry.wire for entry in entries]
        )

    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        return failures_by_id(response, entries)
