"""A local event source mapping: what Lambda's pollers do, over real boto3 clients.

It reads queues and streams, hands Lambda-shaped events to any callable
``(event, context)``, lets `partialbatch.testing._verdict` read the answer, and then
does what the service would: delete, give back, move the checkpoint, split, give up.

One ``step()`` is one batch, and nothing is settled before the handler has
answered: a process that is killed at any point leaves every record with the service.
"""

from partialbatch.worker._invoking import Invocation, Observer
from partialbatch.worker._queues import QueueMapping, QueuePoller
from partialbatch.worker._shard_reader import ShardReader, dynamodb_shards, kinesis_shards
from partialbatch.worker._shards import GivenUp, ShardPoller, StreamMapping

__all__ = [
    "GivenUp",
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
