"""Reading the shards of a Kinesis or DynamoDB stream, forward and without gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partialbatch.cli.poller.records import dynamodb_record, kinesis_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_kinesis import KinesisClient

__all__ = ["ShardReader", "dynamodb_shards", "kinesis_shards"]


class ShardReader:
    """One shard, read forward.

    Attributes:
        arn: The stream.
        shard_id: The shard.
    """

    def __init__(
        self,
        arn: str,
        shard_id: str,
        *,
        iterator: Callable[[str | None], str],
        fetch: Callable[[str, int], Any],
        convert: Callable[[dict[str, Any], str, str], dict[str, Any]],
    ) -> None:
        self.arn = arn
        self.shard_id = shard_id
        self._iterator = iterator
        self._fetch = fetch
        self._convert = convert
        self._next: str | None = None

    def seek(self, after: str | None) -> None:
        """Go on after a sequence number; None: from the oldest record on."""
        self._next = self._iterator(after)

    def read(self, limit: int) -> list[Any]:
        """Return up to `limit` raw records; none at the end of what is there for now."""
        if self._next is None:
            return []
        answer = self._fetch(self._next, limit)
        self._next = answer.get("NextShardIterator")
        return [self._convert(record, self.arn, self.shard_id) for record in answer["Records"]]


def kinesis_shards(client: KinesisClient, arn: str) -> Iterator[ShardReader]:
    """Yield a reader for each shard of a Kinesis stream."""
    pages = client.get_paginator("list_shards").paginate(StreamARN=arn)
    for shard_id in [shard["ShardId"] for page in pages for shard in page["Shards"]]:
        yield ShardReader(
            arn,
            shard_id,
            iterator=_iterator(client.get_shard_iterator, "StartingSequenceNumber", StreamARN=arn, ShardId=shard_id),
            fetch=lambda iterator, limit: client.get_records(StreamARN=arn, ShardIterator=iterator, Limit=limit),
            convert=kinesis_record,
        )


def dynamodb_shards(client: DynamoDBStreamsClient, arn: str) -> Iterator[ShardReader]:
    """Yield a reader for each shard of a DynamoDB stream."""
    for shard_id in _dynamodb_shard_ids(client, arn):
        yield ShardReader(
            arn,
            shard_id,
            iterator=_iterator(client.get_shard_iterator, "SequenceNumber", StreamArn=arn, ShardId=shard_id),
            fetch=lambda iterator, limit: client.get_records(ShardIterator=iterator, Limit=limit),
            convert=dynamodb_record,
        )


def _dynamodb_shard_ids(client: DynamoDBStreamsClient, arn: str) -> list[str]:
    page = client.describe_stream(StreamArn=arn)["StreamDescription"]
    ids = [shard["ShardId"] for shard in page["Shards"]]
    while "LastEvaluatedShardId" in page:  # boto3 has no paginator for it
        page = client.describe_stream(StreamArn=arn, ExclusiveStartShardId=page["LastEvaluatedShardId"])[
            "StreamDescription"
        ]
        ids += [shard["ShardId"] for shard in page["Shards"]]
    return ids


def _iterator(call: Callable[..., Any], parameter: str, **which: str) -> Callable[[str | None], str]:
    def start(after: str | None) -> str:
        if after is None:
            return str(call(ShardIteratorType="TRIM_HORIZON", **which)["ShardIterator"])
        return str(call(ShardIteratorType="AFTER_SEQUENCE_NUMBER", **{parameter: after}, **which)["ShardIterator"])

    return start
