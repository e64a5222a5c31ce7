"""Amazon DynamoDB Streams.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from partialbatch.errors import PayloadError
from partialbatch.sources._detection import PIPE, RECORDS, Listed
from partialbatch.sources._dynamodb_json import to_python
from partialbatch.sources._lazy import Lazy
from partialbatch.sources.record import Record, calling, field, moment
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from datetime import datetime

    from partialbatch.types import Identifier, RawRecord

__all__ = ["DynamoDBPipeSource", "DynamoDBRecord", "DynamoDBSource"]


class DynamoDBRecord(Record):
    """A view of a change of a DynamoDB item. Numbers are `Decimal`, sets `set`, binaries `bytes`.

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html

    >>> from partialbatch import DynamoDBRecord, batch_handler
    >>> from partialbatch.testing import dynamodb_event
    >>> @batch_handler
    ... def handler(record: DynamoDBRecord):
    ...     return record.event_name, record.keys, record.new_image
    >>> handler.process(dynamodb_event([{"id": "A-1", "quantity": 2}])).results[0].value
    ('INSERT', {'id': 'A-1'}, {'id': 'A-1', 'quantity': Decimal('2')})
    """

    __slots__ = ("_keys", "_old_image")

    @property
    def event_name(self) -> str:
        """``INSERT``, ``MODIFY`` or ``REMOVE``."""
        return field(self.raw, "eventName", str)

    @Lazy
    def keys(self) -> dict[str, Any]:
        """The item's primary key."""
        return to_python(field(self._change, "Keys", dict))

    @property
    def new_image(self) -> dict[str, Any] | None:
        """The item after the change. None on REMOVE, or if the stream's view type leaves it out."""
        new: dict[str, Any] | None = self.payload
        return new

    @Lazy
    def old_image(self) -> dict[str, Any] | None:
        """The item before the change. None on INSERT, or if the stream's view type leaves it out."""
        return image(self.raw, "OldImage")

    @property
    def sequence_number(self) -> str:
        """The number within the shard. Compare it as an integer."""
        return field(self._change, "SequenceNumber", str)

    @property
    def stream_view_type(self) -> str:
        """The images that the stream has: ``KEYS_ONLY``, ``NEW_IMAGE``, ``OLD_IMAGE`` or ``NEW_AND_OLD_IMAGES``."""
        return field(self._change, "StreamViewType", str)

    @property
    def created_at(self) -> datetime:
        """The time of the change, to the second, in UTC."""
        return moment(self._change.get("ApproximateCreationDateTime"), "dynamodb.ApproximateCreationDateTime")

    @property
    def is_ttl_delete(self) -> bool:
        """Whether DynamoDB removed the item because its time to live was over.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
        """
        identity = {} if self.raw.get("userIdentity") is None else field(self.raw, "userIdentity", dict)
        return identity.get("type") == "Service" and identity.get("principalId") == "dynamodb.amazonaws.com"

    @property
    def _change(self) -> dict[str, Any]:
        return field(self.raw, "dynamodb", dict)


def _sequence_number(raw: Any) -> Identifier:
    """Return the sequence number, unchecked: the response is checked."""
    number: Identifier = raw["dynamodb"]["SequenceNumber"]
    return number


sequence_number: Callable[[Any], Identifier] = _sequence_number
event_id: Callable[[Any], Identifier] = itemgetter("eventID")


class DynamoDBSource(Listed):
    """Records of a table's stream, each reported by its sequence number."""

    name = "dynamodb"
    origins = ((RECORDS, "aws:dynamodb"),)
    partial_response = True
    identifier = staticmethod(sequence_number)

    def payload(self, raw: RawRecord) -> dict[str, Any] | None:
        """Return the new image as plain Python."""
        return image(raw, "NewImage")

    def view(self, raw: RawRecord) -> DynamoDBRecord:
        """See `EventSource.view`."""
        return DynamoDBRecord(raw, self)

    def calling(self, function: Callable[[DynamoDBRecord], Any]) -> Callable[[RawRecord], Any]:
        """Return a function of a raw record that calls `function` with its view."""
        return calling(function, DynamoDBRecord, self)

    def group(self, raw: RawRecord) -> Hashable:
        """Return the item's primary key. DynamoDB writes the values of keys in one canonical form."""
        keys = field(field(raw, "dynamodb", dict), "Keys", dict)
        # Keys are strings, numbers or binaries, and all of them are text in an event.
        group = tuple((name, *field(keys, name, dict).items()) for name in sorted(keys))
        try:
            hash(group)
        except TypeError:
            pass
        else:
            return group
        raise PayloadError("the record's field 'dynamodb.Keys' has a key whose value isn't text")

    def policy(self, records: Sequence[RawRecord]) -> ErrorPolicy:
        """Continue: Lambda starts again at the lowest sequence number that is reported."""
        return ErrorPolicy.CONTINUE


class DynamoDBPipeSource(DynamoDBSource):
    """The records of an EventBridge Pipe, each reported by its event id."""

    origins = ((PIPE, "aws:dynamodb"),)
    identifier = staticmethod(event_id)


DynamoDBRecord._default_source = DynamoDBSource()


def image(raw: RawRecord | dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return an image as plain Python, or None if the record doesn't have it."""
    change = raw.get("dynamodb")
    value = (change if type(change) is dict else field(raw, "dynamodb", dict)).get(name)
    return None if value is None else to_python(value)
