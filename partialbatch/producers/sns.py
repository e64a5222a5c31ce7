"""SNS and SNS FIFO: `PublishBatch`.

Limits: botocore's model of the call, and
https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from partialbatch.errors import RecordError
from partialbatch.producers._entry import Entry, Stats
from partialbatch.producers._fifo import FifoProducer
from partialbatch.producers._message_attributes import message_attributes, text_size
from partialbatch.producers._options import CommonOptions, Limits, whole
from partialbatch.producers._responses import Faults, by_id
from partialbatch.producers._serialization import to_text

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
    """What `SNSProducer.put` takes beside the message."""

    subject: str
    message_structure: str
    message_attributes: Mapping[str, Any]
    message_group_id: str
    message_deduplication_id: str


class SNSProducer(FifoProducer):
    """Publishes messages to a topic; a FIFO topic by its ARN, which ends in ``.fifo``.

    Args:
        topic_arn: The topic's ARN.
        max_record_bytes: What the topic takes; up to 1 MiB where it was raised.
        ordering: As for `SQSProducer`.
        on_rejected_group: As for `SQSProducer`.
        content_based_deduplication: As for `SQSProducer`.
        **options: See `CommonOptions`.
    """

    service = "sns"
    target = "topic_arn"
    put_options = frozenset(SNSOptions.__annotations__)

    def __init__(
        self,
        topic_arn: str,
        *,
        max_record_bytes: int = _BYTES,
        ordering: str = "strict",
        on_rejected_group: str = "send",
        content_based_deduplication: bool = False,
        **options: Unpack[CommonOptions],
    ) -> None:
        whole("max_record_bytes", max_record_bytes, 1, _MOST_BYTES)
        self._arn = topic_arn
        self._largest = max_record_bytes
        super().__init__(
            topic_arn,
            Limits(_ENTRIES, max(_BYTES, max_record_bytes)),
            options,
            ordering=ordering,
            on_rejected_group=on_rejected_group,
            deduplicated=content_based_deduplication,
        )

    def put(self, message: Any, **options: Unpack[SNSOptions]) -> None:
        """Take a message; publish where a batch is full.

        Args:
            message: `str`, UTF-8 `bytes`, or what JSON can say.
            **options: boto3's parameters of an entry, in snake_case.

        Raises:
            RecordError: A message that SNS would never take.
        """
        self._engine.add(self.entry(message, options))

    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        text = to_text(record, "Message", self._serializer)
        size = text_size(text, "Message")
        seq = self._next()
        wire: dict[str, Any] = {"Id": str(seq), "Message": text}
        if options or self._fifo:
            self._check(options)
            size += self._optional(wire, options)
        most = min(self._largest, self._settings.max_bytes)
        if size > most:
            raise RecordError.too_large("Message with its attributes and subject", size, most)
        return Entry(seq, record, options, wire, size, wire.get("MessageGroupId") if self._strict else None)

    def _optional(self, wire: dict[str, Any], options: Mapping[str, Any]) -> int:
        """Fill in the options, and return their bytes."""
        size = 0
        subject, structure = options.get("subject"), options.get("message_structure")
        if subject is not None:
            if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
                raise RecordError("subject", "takes 1 to 99 printable ASCII characters, the first no space")
            wire["Subject"], size = subject, len(subject)
        if structure is not None:
            if structure != "json":
                raise RecordError("message_structure", "takes 'json' alone")
            wire["MessageStructure"] = structure
        if options.get("message_attributes"):
            # No limit on their number: it holds for raw delivery to SQS only.
            wire["MessageAttributes"], added = message_attributes(
                options["message_attributes"], "message_attributes", None
            )
            size += added
        self._order(wire, options)
        return size

    def call(self, entries: Sequence[Entry]) -> Any:
        return self._client.publish_batch(
            TopicArn=self._arn, PublishBatchRequestEntries=[entry.wire for entry in entries]
        )

    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        return by_id(answer, entries)
