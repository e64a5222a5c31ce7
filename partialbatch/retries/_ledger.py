"""The resume ledger: it remembers which records behind a redelivered checkpoint have already succeeded.

Streams deliver everything from the lowest reported record on, successes included. The ledger keeps,
for that checkpoint, the identifiers that had succeeded behind it, so that they do not run twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from partialbatch._callables import has_plain
from partialbatch.errors import ConfigurationError
from partialbatch.retries._entries import fitting
from partialbatch.retries._memory_ledger import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Ledger", "ResumeLedger"]


class Ledger(Protocol):
    """Where entries are kept."""

    def read(self, arn: str, checkpoint: str) -> frozenset[str]:
        """Return the identifiers that are done behind a checkpoint; none where nothing is known.

        Args:
            arn: The stream, the shard and the handler that reads it: part of the key, and nothing to be parsed.
            checkpoint: The identifier of the first record of the delivery.
        """
        ...

    def write(self, arn: str, checkpoint: str, done: Sequence[str]) -> None:
        """Keep the identifiers that are done behind a checkpoint."""
        ...


class ResumeLedger:
    """Remembers the records of a stream that succeeded behind a checkpoint, for ``resume=``.

    Streams deliver everything from the first reported record on again, the successes included. With a ledger, the
    successes don't run a second time. At worst, a record runs again.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html

    >>> from partialbatch import batch_handler
    >>> from partialbatch.retries import ResumeLedger
    >>> from partialbatch.testing import kinesis_event
    >>> calls = []
    >>> @batch_handler(resume=ResumeLedger.in_memory())
    ... def handler(text: str):
    ...     calls.append(text)
    ...     if calls == ["A"]:
    ...         raise ValueError("only the first time")
    >>> event = kinesis_event(["A", "B"])
    >>> len(handler(event, None)["batchItemFailures"]), handler(event, None), calls
    (1, {'batchItemFailures': []}, ['A', 'B', 'A'])
    """

    def __init__(self, store: Ledger, iam_actions: tuple[str, ...] | None = None) -> None:
        """Keep entries in a store of your own; see `in_memory` and `dynamodb`.

        Args:
            store: An object with the methods of `Ledger`.
            iam_actions: The actions that the function's role must allow, for ``partialbatch check``, or None if they
                are unknown.

        Raises:
            ConfigurationError: The store lacks ``read`` or ``write``, or one of them is async.
        """
        if isinstance(store, type) or not has_plain(store, "read", "write"):
            raise ConfigurationError.bad_value(
                "ResumeLedger.store", store, "an object with `read` and `write`, none of them async"
            )
        self._store = store
        self.iam_actions = iam_actions

    @classmethod
    def in_memory(cls) -> ResumeLedger:
        """Keep entries in this execution environment. They cost nothing, and are lost with it.

        The ledger doesn't know which records another environment has handled in the meantime. If the last write of a
        key must be the newest one even then, use `dynamodb`, or write an item only if it is newer than the stored one.
        """
        return cls(MemoryLedger(), iam_actions=())

    @classmethod
    def dynamodb(
        cls, table: str, *, consumer: str, client: Any = None, key: str = "id", ttl: str = "expires_at"
    ) -> ResumeLedger:
        """Keep entries in a DynamoDB table, for all execution environments.

        Args:
            table: The table's name. Its partition key is a string, and it has no sort key.
            consumer: A name for the reader of the stream. Two functions on one stream must not share entries.
            client: A boto3 DynamoDB client. By default, one is made when the module loads.
            key: The name of the partition key.
            ttl: The attribute for DynamoDB's time to live, in seconds since the epoch. An entry lives for a day.

        Raises:
            ConfigurationError: A name is empty or taken, or boto3 is not installed.
        """
        for option, value in (("table", table), ("consumer", consumer), ("key", key), ("ttl", ttl)):
            if not value:
                raise ConfigurationError.bad_value(f"ResumeLedger.dynamodb.{option}", value, "a name")
        if len({key, ttl, "done"}) < 3:  # the attributes of an item
            raise ConfigurationError(
                f"ResumeLedger.dynamodb: key={key!r} and ttl={ttl!r} must differ, and neither can be 'done', "
                "the attribute of the entry itself"
            )
        from partialbatch.retries._dynamodb_ledger import DynamoDBLedger  # loads boto3

        store = DynamoDBLedger(table, consumer, client, key, ttl)
        return cls(store, iam_actions=("dynamodb:GetItem", "dynamodb:PutItem"))

    def done_behind(self, arn: str, checkpoint: str) -> frozenset[str]:
        """Return the identifiers behind the first record of a delivery that have succeeded.

        If this raises, the handler logs it, and runs the batch as without a ledger.
        """
        return self._store.read(arn, checkpoint)

    def remember(self, arn: str, checkpoint: str, done: Sequence[str]) -> None:
        """Keep the identifiers behind a reported checkpoint that have succeeded.

        If this raises, the handler logs it.
        """
        self._store.write(arn, checkpoint, fitting(done))
