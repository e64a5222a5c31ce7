"""Stream records that are not tried again, and the message about them for a destination."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from partialbatch.worker._received_records import arrival_time, sequence_number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partialbatch.types import RawRecord

__all__ = ["GivenUp"]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Stream records that were given up: their retries are exhausted, or they are too old.

    Attributes:
        arn: The ARN of the stream.
        shard_id: The id of the shard.
        records: The raw records in order, including those that never ran.
        invocations: The number of invocations that the records were part of.
        condition: The reason: ``RetryAttemptsExhausted`` or ``RecordAgeExceeded``.

    Example:
        >>> from partialbatch.testing import kinesis_event
        >>> from partialbatch.worker import GivenUp
        >>> records = kinesis_event(["tea", "jam"], first_sequence_number=1)["Records"]
        >>> arn = records[0]["eventSourceARN"]
        >>> given_up = GivenUp(arn, "shardId-000000000000", records, invocations=3)
        >>> batch = given_up.message()["KinesisBatchInfo"]
        >>> batch["startSequenceNumber"], batch["endSequenceNumber"], batch["batchSize"]
        ('1', '2', 2)
    """

    arn: str
    shard_id: str
    records: Sequence[RawRecord]
    invocations: int
    condition: str = "RetryAttemptsExhausted"

    def message(self) -> dict[str, Any]:
        """Return the message for an on-failure destination: the place of the records, not their data."""
        first, last = self.records[0], self.records[-1]
        kind = "KinesisBatchInfo" if "kinesis" in first else "DDBStreamBatchInfo"
        return {
            "requestContext": {
                "condition": self.condition,
                "approximateInvokeCount": self.invocations,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(),
            kind: {
                "shardId": self.shard_id,
                "startSequenceNumber": sequence_number_of(first),
                "endSequenceNumber": sequence_number_of(last),
                "approximateArrivalOfFirstRecord": _time(first),
                "approximateArrivalOfLastRecord": _time(last),
                "batchSize": len(self.records),
                "streamArn": self.arn,
            },
        }


def _time(record: RawRecord) -> str:
    return datetime.fromtimestamp(arrival_time(record), UTC).isoformat()
