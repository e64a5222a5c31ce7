"""Producers send batches with boto3, and readers read them: each record is accepted, or comes back as you gave it."""

from __future__ import annotations

from partialbatch.producers._entry import Stats
from partialbatch.producers._options import CommonOptions, ReaderOptions
from partialbatch.producers._session import Item
from partialbatch.producers.cloudwatch import CloudWatchProducer
from partialbatch.producers.dynamodb import DynamoDBProducer
from partialbatch.producers.dynamodb_reader import DynamoDBReader
from partialbatch.producers.eventbridge import EventBridgeProducer
from partialbatch.producers.firehose import FirehoseProducer
from partialbatch.producers.kinesis import KinesisProducer
from partialbatch.producers.sns import SNSProducer
from partialbatch.producers.sqs import SQSProducer

__all__ = [
    "CloudWatchProducer",
    "CommonOptions",
    "DynamoDBProducer",
    "DynamoDBReader",
    "EventBridgeProducer",
    "FirehoseProducer",
    "Item",
    "KinesisProducer",
    "ReaderOptions",
    "SNSProducer",
    "SQSProducer",
    "Stats",
]
