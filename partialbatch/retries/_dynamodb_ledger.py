"""Entries of the resume ledger in a DynamoDB table."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

from partialbatch.errors import ConfigurationError
from partialbatch.retries._entries import LIFETIME, decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DynamoDBLedger"]


class DynamoDBLedger:
    """One item a checkpoint: who reads, the stream, and the checkpoint's identifier are its key.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
    """

    def __init__(self, table: str, consumer: str, client: Any, key: str, ttl: str) -> None:
        self._table = table
        self._consumer = consumer
        self._key = key
        self._ttl = ttl
        self._client = client if client is not None else _made()

    def read(self, arn: str, checkpoint: str) -> frozenset[str]:
        """See `Ledger.read`; strongly consistent, for the entry may be a second old."""
        answer = self._client.get_item(TableName=self._table, Key=self._item_key(arn, checkpoint), ConsistentRead=True)
        item = answer.get("Item")
        # DynamoDB may remove expired items days later.
        if item is None or int(item[self._ttl]["N"]) < time():
            return frozenset()
        return decoded(item["done"]["S"])

    def write(self, arn: str, checkpoint: str, done: Sequence[str]) -> None:
        """See `Ledger.write`."""
        self._client.put_item(
            TableName=self._table,
            Item={
                **self._item_key(arn, checkpoint),
                "done": {"S": encoded(done)},
                self._ttl: {"N": str(int(time()) + LIFETIME)},
            },
        )

    def _item_key(self, arn: str, checkpoint: str) -> dict[str, Any]:
        return {self._key: {"S": f"{self._consumer}|{arn}|{checkpoint}"}}


def _made() -> Any:
    try:
        import boto3  # only with this ledger
        from botocore.config import Config
    except ImportError:
        raise ConfigurationError(
            "ResumeLedger.dynamodb needs boto3, which is not installed: pip install 'partialbatch[boto3]'"
        ) from None

    # Without the ledger a batch runs as well, so nothing waits for it long: the deadline's margin
    # has to hold the write.
    config = Config(connect_timeout=0.5, read_timeout=1, retries={"total_max_attempts": 1})
    return boto3.client("dynamodb", config=config)
