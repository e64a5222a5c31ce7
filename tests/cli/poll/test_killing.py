"""Nothing is lost when the poller is killed, wherever it is at that moment."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest
from hypothesis import settings

KILLS = max(3, settings.default.max_examples // 30)
RECORDS = 15 * KILLS  # more than are handled between two kills: each finds something to interrupt
BODIES = [f"r{number:04}" for number in range(RECORDS)]


def queue(server):
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="killed", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    for body in BODIES:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return ["--queue", url, "--wait", "1", "--timeout", "2"]


def kinesis(server):
    client = server.client("kinesis")
    client.create_stream(StreamName="killed", ShardCount=2)
    for body in BODIES:
        client.put_record(StreamName="killed", PartitionKey=body, Data=body.encode())
    return ["--stream", "killed", "--endpoint-url", server.url, "--batch-size", "5", "--checkpoints", "at.json"]


def dynamodb(server):
    client = server.client("dynamodb")
    client.create_table(
        TableName="killed",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    for body in BODIES:
        client.put_item(TableName="killed", Item={"id": {"S": body}})
    arn = client.describe_table(TableName="killed")["Table"]["LatestStreamArn"]
    where = ["--endpoint-url", server.url, "--checkpoints", "at.json"]
    return ["--dynamodb-stream", arn, "--batch-size", "5", *where]


def number_of_done(path):
    """Return how many records the checkpoints say are done; moto counts each shard from 1."""
    shards = json.loads(path.read_text())["shards"] if path.exists() else {}
    return sum(int(number) for number in shards.values())


@pytest.mark.parametrize("source", [queue, kinesis, dynamodb])
def test_a_killed_poller_loses_no_record(server, app, started, handled, until, source):  # fixtures
    """A poller that is killed at any point leaves every record to its successor, and the checkpoints whole."""
    options = source(server)
    moments = random.Random(source.__name__)
    for _ in range(KILLS):
        before = len(handled())
        process = started(f"{app}:handler", *options, PACE="0.02")
        if moments.random() < 0.8:  # else: while it starts
            until(lambda before=before, process=process: len(handled()) > before or process.poll() is not None)
        time.sleep(moments.random() * 0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if source is kinesis:
            assert number_of_done(Path("at.json")) <= len(set(handled()))
    last = started(f"{app}:handler", *options, "--until-empty")
    _, problems = last.communicate(timeout=120)
    assert (last.returncode, problems) == (0, "")
    assert sorted(set(handled())) == BODIES
    if source is not queue:
        assert len(handled()) <= RECORDS + KILLS * 2 * 5  # a batch a shard is repeated, and no more
