"""The poller as a library: an event source mapping in your own process, over boto3 clients.

A poller reads one queue or one shard and calls any handler ``(event, context)`` with events
in Lambda's shape. It reads the answer as Lambda does, then deletes messages, makes them
visible again, moves the checkpoint, splits batches and gives records up.

Each call of ``step()`` handles one batch. Nothing is settled before the handler has answered,
so a process that is killed at any point loses no record.

``partialbatch poll`` and ``partialbatch demo`` are built on this package. A single ``Worker``
class will come on top of it; until then, its names may change between versions.
"""

from partialbatch.worker._given_up import GivenUp
from partialbatch.worker._handler_call import Handler, Invocation
from partialbatch.worker._observer import Observer
from partialbatch.worker._queue_poller import QueueMapping, QueuePoller
from partialbatch.worker._shard_poller import ShardPoller, StreamMapping
from partialbatch.worker._shard_reader import ShardReader, dynamodb_shards, kinesis_shards

__all__ = [
    "GivenUp",
    "Handler",
    "Invocation",
    "Observer",
    "QueueMapping",
    "QueuePoller",
    "ShardPoller",
    "ShardReader",
    "StreamMapping",
    "dynamodb_shards",
    "kinesis_shards",
]
