"""What of a stream is done already, behind a checkpoint that is delivered again.

Streams deliver everything from the lowest reported record on, successes included. The ledger keeps,
for that checkpoint, the identifiers that had succeeded behind it, so that they do not run twice.
"""

from __future__ import annotations

import json
import threading
from time import time
from typing import TYPE_CHECKING, Any, Protocol

from partialbatch._core import logs
from partialbatch._core.validation import has_plain
from partialbatch.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Ledger", "ResumeLedger"]

LIFETIME = 86_400
"""Seconds that an entry is kept: a day, as long as a Kinesis stream keeps records by default."""

LARGEST = 290_000
"""Bytes of an entry's identifiers; with its key it stays under 300 KB, and DynamoDB takes items of up to 400 KB."""

HELD = 200_000
"""Identifiers in memory: 25 MB of Kinesis' numbers. Lambda redelivers at once, so what is old is not missed."""


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
            store: Where entries are kept.
            iam_actions: What the function's role must allow, for ``partialbatch check``; None: unknown.

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
        """Keep entries in this execution environment: at no cost, and lost with it.

        What another environment did meanwhile is unknown here. Where the last write of a key must be
        its newest even then, take `dynamodb`, or write only what is newer than what is there.
        """
        return cls(_Memory(), iam_actions=())

    @classmethod
    def dynamodb(
        cls, table: str, *, consumer: str, client: Any = None, key: str = "id", ttl: str = "expires_at"
    ) -> ResumeLedger:
        """Keep entries in a DynamoDB table, for all execution environments.

        Args:
            table: The table's name; its partition key is a string, and there is no sort key.
            consumer: Who reads the stream: two functions on one stream must not share entries.
            client: A boto3 DynamoDB client; by default one is made when the module loads.
            key: The name of the partition key.
            ttl: The attribute for DynamoDB's time to live, in seconds since the epoch.

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
        """Return what is done behind the first record of a delivery; nothing where that cannot be read."""
        try:
            return self._store.read(arn, checkpoint)
        except Exception as error:
            logs.ledger_unavailable("read", error)
            return frozenset()

    def remember(self, arn: str, checkpoint: str, done: Sequence[str]) -> None:
        """Note what is done behind a checkpoint that was reported."""
        try:
            self._store.write(arn, checkpoint, fitting(done))
        except Exception as error:
            logs.ledger_unavailable("written", error)


def encoded(done: Iterable[str]) -> str:
    """Write identifiers as JSON; `decoded` reads it."""
    return json.dumps(list(done), separators=(",", ":"))


def decoded(text: str) -> frozenset[str]:
    """Read what `encoded` wrote."""
    return frozenset(json.loads(text))


def fitting(done: Iterable[str]) -> list[str]:
    """Return as many identifiers as an entry holds; the last are left out, and run again."""
    size = len("[]") - 1  # one comma less than there are identifiers
    kept: list[str] = []
    for identifier in done:
        size += len(encoded([identifier])) - 1  # with its comma, without brackets
        if size > LARGEST:
            break
        kept.append(identifier)
    return kept


class _Memory:
    """Entries in a dict, the oldest dropped first."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], tuple[float, frozenset[str]]] = {}
        self._lock = threading.Lock()
        self._held = 0

    def read(self, arn: str, checkpoint: str) -> frozenset[str]:
        """See `Ledger.read`."""
        if not self._entries:
            return frozenset()
        expires, done = self._entries.get((arn, checkpoint), (0.0, frozenset[str]()))
        return done if expires > time() else frozenset()

    def write(self, arn: str, checkpoint: str, done: Sequence[str]) -> None:
        """See `Ledger.write`."""
        with self._lock:
            self._drop((arn, checkpoint))
            self._entries[arn, checkpoint] = (time() + LIFETIME, frozenset(done))
            self._held += len(self._entries[arn, checkpoint][1])
            while self._held > HELD:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: tuple[str, str]) -> None:
        _, done = self._entries.pop(key, (0.0, frozenset[str]()))
        self._held -= len(done)
