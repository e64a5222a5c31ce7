"""Partial failure responses for AWS Lambda batches, from a per-record function."""

from partialbatch.backoff import Backoff
from partialbatch.errors import FullBatchFailure, PartialBatchError, Reject, RetryAfter
from partialbatch.handler import BatchHandler, batch_handler
from partialbatch.payloads import Change
from partialbatch.results import BatchResult, RecordResult
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
