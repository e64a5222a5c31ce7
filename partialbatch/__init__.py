"""Partial failure responses for AWS Lambda batches, from a function that handles one record.

>>> from partialbatch import batch_handler
>>> @batch_handler
... def handler(record):
...     print(record.body)
"""

from partialbatch._backoff import Backoff
from partialbatch._core.decorator import batch_handler
from partialbatch._core.function.payloads import Change
from partialbatch._core.handler import BatchHandler
from partialbatch._core.results import BatchResult, RecordResult
from partialbatch.errors import FullBatchFailure, PartialBatchError, Reject, RetryAfter
from partialbatch.sources import DynamoDBRecord, KafkaRecord, KinesisRecord, Record, SQSRecord
from partialbatch.types import ErrorPolicy, RawRecord

__version__ = "0.1.0"

__all__ = [
    "Backoff",
    "BatchHandler",
    "BatchResult",
    "Change",
    "DynamoDBRecord",
    "ErrorPolicy",
    "FullBatchFailure",
    "KafkaRecord",
    "KinesisRecord",
    "PartialBatchError",
    "RawRecord",
    "Record",
    "RecordResult",
    "Reject",
    "RetryAfter",
    "SQSRecord",
    "batch_handler",
]
