"""Reading the shards of a Kinesis or DynamoDB stream, forward and without gaps."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from math import floor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from partialbatch.worker._received_records import arrived, dynamodb_record, kinesis_record, number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_kinesis import KinesisClient

__all__ = ["ShardReader", "dynamodb_shards", "kinesis_shards"]

_log = logging.getLogger("partialbatch.poll")


class ShardReader:
    """One shard, read forward.

    Attributes:
        arn: The stream.
        shard_id: The shard.
        parents: The shards that this one was split off from, or merged from.
        at_end: Whether the last read found the end of what is there for now.
        closed: Whether there is nothing more to read, now or later.
    """

    def __init__(  # what differs between the two services
        self,
        arn: str,
        shard: Any,
        *,
        iterator: Callable[[str | None], str],
        fetch: Callable[[str, int], Any],
        convert: Callable[[dict[str, Any], str, str], Any],
        since: float | None = None,
    ) -> None:
        self.arn = arn
        self.shard_id: str = shard["ShardId"]
        self.parents = tuple(shard[name] for name in ("ParentShardId", "AdjacentParentShardId") if shard.get(name))
        self.at_end = False
        self.closed = False
        self._ended = "EndingSequenceNumber" in shard.get("SequenceNumberRange", {})
        self._iterator = iterator
        self._fetch = fetch
        self._convert = convert
        self._since = since
        self._after: str | None = None
        self._next: str | None = None

    def seek(self, after: str | None) -> None:
        """Go on after a sequence number; None: from the oldest record on."""
        self._after = after
        self.closed = False
        try:
            self._next = self._iterator(after)
        except ClientError as error:
            if after is None or error.response["Error"]["Code"] != "TrimmedDataAccessException":
                raise
            _log.warning(
                "%s: the records after the checkpoint %s have passed the stream's retention; going on at the oldest",
                self.shard_id,
                after,
            )
            self.seek(None)

    def read(self, limit: int) -> list[Any]:
        """Return up to `limit` raw records; none at the end of what is there for now."""
        if self._next is None:
            return []
        answer = self._answer(self._next, limit)
        self._next = answer.get("NextShardIterator")
        records = [self._convert(record, self.arn, self.shard_id) for record in answer["Records"]]
        behind = answer.get("MillisBehindLatest")
        self.at_end = not records and not behind
        # Emulators hand out iterators of shards that have ended; the service does not.
        self.closed = self._next is None or (self.at_end and self._ended and behind == 0)
        if records:
            self._after = number_of(records[-1])
        return [record for record in records if self._since is None or arrived(record) >= self._since]

    def _answer(self, iterator: str, limit: int) -> Any:
        try:
            return self._fetch(iterator, limit)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExpiredIteratorException":
                raise
        # They live five minutes (Kinesis) or fifteen (DynamoDB): a slow handler outlives them.
        return self._fetch(self._iterator(self._after), limit)


def kinesis_shards(
    client: KinesisClient, arn: str, since: float | None = None, *, name: str | None = None
) -> Iterator[ShardReader]:
    """Yield a reader for each shard of a Kinesis stream.

    Args:
        client: Of boto3.
        arn: The stream.
        since: Leave out what arrived before this time, in epoch seconds; None: nothing.
        name: The stream's name, to ask by it: more emulators know names than ARNs, other accounts' streams
            have ARNs only. None: ask by the ARN.
    """
    oldest: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
    if since is not None:
        oldest = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(since, UTC)}
    stream: Any = {"StreamARN": arn} if name is None else {"StreamName": name}
    by_arn: Any = stream if name is None else {}  # GetRecords takes no name
    for shard in _kinesis_shards(client, stream):
        which = {**stream, "ShardId": shard["ShardId"]}
        yield ShardReader(
            arn,
            shard,
            iterator=_iterator(client.get_shard_iterator, "StartingSequenceNumber", oldest, which),
            fetch=lambda iterator, limit: client.get_records(ShardIterator=iterator, Limit=limit, **by_arn),
            convert=kinesis_record,
            since=since,
        )


def dynamodb_shards(client: DynamoDBStreamsClient, arn: str, since: float | None = None) -> Iterator[ShardReader]:
    """Yield a reader for each shard of a DynamoDB stream; the arguments are those of `kinesis_shards`."""
    # The service cuts a record's time to the second: one that came right after `since` would seem to be older.
    since = since if since is None else floor(since)
    for shard in _dynamodb_shards(client, arn):
        which = {"StreamArn": arn, "ShardId": shard["ShardId"]}
        yield ShardReader(
            arn,
            shard,
            iterator=_iterator(
                client.get_shard_iterator, "SequenceNumber", {"ShardIteratorType": "TRIM_HORIZON"}, which
            ),
            fetch=lambda iterator, limit: client.get_records(ShardIterator=iterator, Limit=min(limit, 1000)),
            convert=dynamodb_record,
            since=since,
        )


def _kinesis_shards(client: KinesisClient, stream: Any) -> list[Any]:
    page = client.list_shards(**stream)
    shards: list[Any] = list(page["Shards"])
    # boto3's paginator names the stream beside the token, which the service refuses (boto/botocore#2009).
    while token := page.get("NextToken"):
        page = client.list_shards(NextToken=token)
        shards += page["Shards"]
    return shards


def _dynamodb_shards(client: DynamoDBStreamsClient, arn: str) -> list[Any]:
    page = client.describe_stream(StreamArn=arn)["StreamDescription"]
    shards: list[Any] = list(page["Shards"])
    while "LastEvaluatedShardId" in page:  # boto3 has no paginator for it
        page = client.describe_stream(StreamArn=arn, ExclusiveStartShardId=page["LastEvaluatedShardId"])[
            "StreamDescription"
        ]
        shards += page["Shards"]
    return shards


def _iterator(
    call: Callable[..., Any], parameter: str, oldest: dict[str, Any], which: dict[str, str]
) -> Callable[[str | None], str]:
    def start(after: str | None) -> str:
        place = oldest if after is None else {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", parameter: after}
        try:
            return str(call(**place, **which)["ShardIterator"])
        except ClientError as error:
            if "Timestamp" not in place or error.response["Error"]["Code"] != "InvalidArgumentException":
                raise
        # A time that is still to come for the service, as this machine's clock is ahead of it, is refused.
        # The reader leaves out what is older by itself; beginning there is only faster.
        return str(call(ShardIteratorType="TRIM_HORIZON", **which)["ShardIterator"])

    return start
