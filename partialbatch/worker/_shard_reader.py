"""Readers of the shards of a Kinesis or DynamoDB stream, forward and without gaps."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from math import floor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from partialbatch.worker._received_records import arrival_time, dynamodb_record, kinesis_record, sequence_number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_kinesis import KinesisClient

__all__ = ["ShardReader", "dynamodb_shards", "kinesis_shards"]

_log = logging.getLogger("partialbatch.poll")


class ShardReader:
    """A shard of a stream, read forward. `kinesis_shards` and `dynamodb_shards` make the readers.

    Attributes:
        arn: The ARN of the stream.
        shard_id: The id of the shard.
        parents: The ids of the shards that this one was split or merged from.
        at_end: Whether the last read reached the newest record.
        closed: Whether nothing more can come: the shard was split or merged, and is read to its end.

    Example:
        >>> import boto3
        >>> from moto import mock_aws
        >>> from partialbatch.worker import kinesis_shards
        >>> with mock_aws():
        ...     kinesis = boto3.client("kinesis", "eu-west-1")
        ...     created = kinesis.create_stream(StreamName="orders", ShardCount=1)
        ...     arn = kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamARN"]
        ...     put = kinesis.put_record(StreamARN=arn, Data=b"tea", PartitionKey="anna")
        ...     [reader] = kinesis_shards(kinesis, arn)
        ...     reader.seek(None)
        ...     [record["kinesis"]["data"] for record in reader.read(limit=10)]
        ['dGVh']
    """

    def __init__(
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
        """Continue after a sequence number, or at the oldest record if it is None.

        Raises:
            ClientError: The service refuses the call.
        """
        self._after = after
        self.closed = False
        try:
            self._next = self._iterator(after)
        except ClientError as error:
            if after is None or error.response["Error"]["Code"] != "TrimmedDataAccessException":
                raise
            _log.warning(
                "%s: records after the checkpoint %s are older than the stream's retention: reading from the oldest",
                self.shard_id,
                after,
            )
            self.seek(None)

    def read(self, limit: int) -> list[Any]:
        """Return up to `limit` raw records, or none if there is no newer record now.

        Raises:
            ClientError: The service refuses the call.
        """
        if self._next is None:
            return []
        answer = self._answer(self._next, limit)
        self._next = answer.get("NextShardIterator")
        records = [self._convert(record, self.arn, self.shard_id) for record in answer["Records"]]
        behind = answer.get("MillisBehindLatest")
        self.at_end = not records and not behind
        # Emulators return an iterator for a shard that has ended; the service doesn't.
        self.closed = self._next is None or (self.at_end and self._ended and behind == 0)
        if records:
            self._after = sequence_number_of(records[-1])
        return [record for record in records if self._since is None or arrival_time(record) >= self._since]

    def _answer(self, iterator: str, limit: int) -> Any:
        try:
            return self._fetch(iterator, limit)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExpiredIteratorException":
                raise
        # Iterators are valid for five minutes (Kinesis) or fifteen (DynamoDB); a slow handler takes longer.
        return self._fetch(self._iterator(self._after), limit)


def kinesis_shards(
    client: KinesisClient, arn: str, since: float | None = None, *, name: str | None = None
) -> Iterator[ShardReader]:
    """Yield a reader for each shard of a Kinesis stream.

    Args:
        client: A boto3 client for Kinesis.
        arn: The ARN of the stream.
        since: Leave out records that arrived before this time, in seconds since the epoch. By default, none.
        name: The stream's name, to use in calls instead of the ARN. Some emulators know names only;
            a stream of another account can be named by its ARN only.

    Raises:
        ClientError: The service refuses a call.

    Example:
        >>> import boto3
        >>> from moto import mock_aws
        >>> from partialbatch.worker import kinesis_shards
        >>> with mock_aws():
        ...     kinesis = boto3.client("kinesis", "eu-west-1")
        ...     created = kinesis.create_stream(StreamName="orders", ShardCount=2)
        ...     arn = kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamARN"]
        ...     [shard.shard_id for shard in kinesis_shards(kinesis, arn)]
        ['shardId-000000000000', 'shardId-000000000001']
    """
    oldest: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
    if since is not None:
        oldest = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(since, UTC)}
    stream: Any = {"StreamARN": arn} if name is None else {"StreamName": name}
    by_arn: Any = stream if name is None else {}  # GetRecords takes an ARN, but no name
    for shard in _kinesis_shards(client, stream):
        target = {**stream, "ShardId": shard["ShardId"]}
        yield ShardReader(
            arn,
            shard,
            iterator=_iterator(client.get_shard_iterator, "StartingSequenceNumber", oldest, target),
            fetch=lambda iterator, limit: client.get_records(ShardIterator=iterator, Limit=limit, **by_arn),
            convert=kinesis_record,
            since=since,
        )


def dynamodb_shards(client: DynamoDBStreamsClient, arn: str, since: float | None = None) -> Iterator[ShardReader]:
    """Yield a reader for each shard of a DynamoDB stream.

    Args:
        client: A boto3 client for DynamoDB Streams.
        arn: The ARN of the stream.
        since: Leave out records that arrived before this time, in seconds since the epoch. By default, none.

    Raises:
        ClientError: The service refuses a call.

    Example:
        >>> import boto3
        >>> from botocore.stub import Stubber
        >>> from partialbatch.worker import dynamodb_shards
        >>> arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
        >>> streams = boto3.client("dynamodbstreams", "eu-west-1")
        >>> description = {"StreamArn": arn, "Shards": [{"ShardId": "shardId-00000001767225600000-a0b1c2d3"}]}
        >>> with Stubber(streams) as stub:
        ...     stub.add_response("describe_stream", {"StreamDescription": description})
        ...     [shard.shard_id for shard in dynamodb_shards(streams, arn)]
        ['shardId-00000001767225600000-a0b1c2d3']
    """
    # DynamoDB rounds a record's time down to the second: a record right after `since` would seem to be older.
    since = since if since is None else floor(since)
    for shard in _dynamodb_shards(client, arn):
        target = {"StreamArn": arn, "ShardId": shard["ShardId"]}
        yield ShardReader(
            arn,
            shard,
            iterator=_iterator(
                client.get_shard_iterator, "SequenceNumber", {"ShardIteratorType": "TRIM_HORIZON"}, target
            ),
            fetch=lambda iterator, limit: client.get_records(ShardIterator=iterator, Limit=min(limit, 1000)),
            convert=dynamodb_record,
            since=since,
        )


def _kinesis_shards(client: KinesisClient, stream: Any) -> list[Any]:
    page = client.list_shards(**stream)
    shards: list[Any] = list(page["Shards"])
    # boto3's paginator sends the stream with the token, which the service refuses (boto/botocore#2009).
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
    call: Callable[..., Any], parameter: str, oldest: dict[str, Any], target: dict[str, str]
) -> Callable[[str | None], str]:
    def start(after: str | None) -> str:
        place = oldest if after is None else {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", parameter: after}
        try:
            return str(call(**place, **target)["ShardIterator"])
        except ClientError as error:
            if "Timestamp" not in place or error.response["Error"]["Code"] != "InvalidArgumentException":
                raise
        # This machine's clock is ahead, and Kinesis refuses a time in the future. AT_TIMESTAMP only saves
        # reads: the reader itself leaves out older records.
        return str(call(ShardIteratorType="TRIM_HORIZON", **target)["ShardIterator"])

    return start
