"""Queues, streams and tables on moto's server, for the tests of the commands and of the worker."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.kinesis.models import kinesis_backends

from partialbatch.cli.demo.local_server import local_services

_numbers = count(1)  # one for all folders: their fixtures share the services of a process


class Services:
    """Makes queues, streams and tables. Each name is used once, so that tests can share one server."""

    def __init__(self, client):
        self.sqs = client("sqs")
        self.kinesis = client("kinesis")
        self.dynamodb = client("dynamodb")
        self.dynamodbstreams = client("dynamodbstreams")
        self._numbers = _numbers

    def queue(self, *, fifo=False, max_receive_count=None, visibility=30):
        """Return the URLs of a queue and of its dead-letter queue, if it has one."""
        attributes = {"VisibilityTimeout": str(visibility)} | ({"FifoQueue": "true"} if fifo else {})
        dead_letters = None
        if max_receive_count:
            dead_letters = self._create_queue(fifo, attributes)
            names = ["QueueArn"]
            arn = self.sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=names)["Attributes"]["QueueArn"]
            policy = {"deadLetterTargetArn": arn, "maxReceiveCount": max_receive_count}
            attributes = attributes | {"RedrivePolicy": json.dumps(policy)}
        return self._create_queue(fifo, attributes), dead_letters

    def _create_queue(self, fifo, attributes):
        name = f"queue-{next(self._numbers)}" + (".fifo" if fifo else "")
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def send(self, url, bodies, group=None):
        """Send a message for each body."""
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        if group:
            entries = [
                entry | {"MessageGroupId": group, "MessageDeduplicationId": entry["MessageBody"]} for entry in entries
            ]
        for start in range(0, len(entries), 10):
            self.sqs.send_message_batch(QueueUrl=url, Entries=entries[start : start + 10])

    def bodies(self, url):
        """Receive every visible message of a queue, and return the bodies."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in messages]
        return found

    def stream(self, *, shards=1):
        """Return the ARN of a Kinesis stream."""
        name = f"stream-{next(self._numbers)}"
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        return self.kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]

    def put(self, arn, bodies):
        """Put a record for each body."""
        records = [{"Data": body.encode(), "PartitionKey": body} for body in bodies]
        self.kinesis.put_records(StreamARN=arn, Records=records)

    def age(self, arn, seconds):
        """Make the records of a stream older, which is possible because the server runs in this process."""
        region = self.kinesis.meta.region_name
        stream = kinesis_backends[DEFAULT_ACCOUNT_ID][region].streams[arn.rpartition("/")[2]]
        for shard in stream.shards.values():
            for record in shard.records.values():
                record.created_at -= seconds
                record.created_at_datetime -= timedelta(seconds=seconds)

    def table(self):
        """Return the name of a table and the ARN of its stream."""
        name = f"table-{next(self._numbers)}"
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        return name, self.dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"]


@pytest.fixture(scope="session")
def services():
    with local_services() as client:
        yield Services(client)
