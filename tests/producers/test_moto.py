"""End-to-end tests over HTTP: moto's store holds exactly the records that the producer reports as accepted."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer
from proxy import Proxy

from partialbatch import Backoff
from partialbatch.producers import (
    CloudWatchProducer,
    DynamoDBProducer,
    DynamoDBReader,
    EventBridgeProducer,
    FirehoseProducer,
    KinesisProducer,
    SNSProducer,
    SQSProducer,
)

RECORDS = 60


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    # moto's store belongs to the process: another test may have left something there.
    urlopen(Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")).close()
    yield port
    server.stop()


@pytest.fixture
def proxy(moto):
    proxy = Proxy(moto)
    yield proxy
    proxy.close()


@pytest.fixture
def client(proxy):
    """Make clients that talk to the proxy."""
    made = []

    def make(service):
        config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
        made.append(
            boto3.client(
                service,
                endpoint_url=proxy.url,
                region_name="eu-west-1",
                config=config,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def patient(**more):
    return {"backoff": Backoff(0.001, 0.01, 50)} | more


def deliver(producer, put):
    """Put all records, and return the numbers that the producer says were delivered."""
    with producer:
        for number in range(RECORDS):
            put(producer, {"n": number, "pad": "é" * (number % 7)})
        back = producer.flush()
    assert producer.stats.records == RECORDS - len(back)
    return sorted(set(range(RECORDS)) - {entry.record["n"] for entry in back})


def drain(sqs, url):
    got = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60).get("Messages"):
        got += [message["Body"] for message in messages]
        entries = [{"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return got


def numbers(texts):
    return sorted(json.loads(text)["n"] for text in texts)


def check_proxy(proxy):
    assert proxy.throttled
    assert proxy.taken


@pytest.mark.parametrize("workers", [0, 3])
def test_every_sqs_message_reaches_the_queue_once(client, proxy, workers):
    """Every message is in the queue once."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=f"plain{workers}")["QueueUrl"]
    said = deliver(
        SQSProducer(url, client=sqs, **patient(workers=workers)),
        lambda p, r: p.put(r, message_attributes={"n": r["n"]}),
    )
    assert numbers(drain(sqs, url)) == said == list(range(RECORDS))
    check_proxy(proxy)


@pytest.mark.parametrize("workers", [0, 3])
def test_sqs_fifo_groups_arrive_in_the_order_of_the_puts(client, proxy, workers):
    """Each group is in the queue in the order of the puts."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=f"orders{workers}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    said = deliver(
        SQSProducer(url, client=sqs, **patient(workers=workers)),
        lambda p, r: p.put(r, message_group_id=f"g{r['n'] % 7}"),
    )
    got = []
    while (
        messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"] if len(got) < RECORDS else []
    ):
        for message in messages:
            got.append(json.loads(message["Body"])["n"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert sorted(got) == said == list(range(RECORDS))
    for group in range(7):
        mine = [number for number in got if number % 7 == group]
        assert mine == sorted(mine)
    check_proxy(proxy)


def test_every_sns_message_reaches_the_subscriber_once(client, proxy):
    """Every message reaches the topic's subscriber once, over the query protocol."""
    sns, sqs = client("sns"), client("sqs")
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sns.create_topic(Name="topic")["TopicArn"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    said = deliver(
        SNSProducer(arn, client=sns, **patient()), lambda p, r: p.put(r, subject="s", message_attributes={"a": "b"})
    )
    assert numbers(drain(sqs, url)) == said == list(range(RECORDS))
    check_proxy(proxy)


def test_every_kinesis_record_reaches_the_stream_once(client, proxy):
    """Every record is in the stream once."""
    kinesis = client("kinesis")
    kinesis.create_stream(StreamName="stream", ShardCount=2)
    said = deliver(
        KinesisProducer("stream", client=kinesis, max_entries=25, **patient()),
        lambda p, r: p.put(r, partition_key=str(r["n"])),
    )
    got = []
    for shard in kinesis.describe_stream(StreamName="stream")["StreamDescription"]["Shards"]:
        start = kinesis.get_shard_iterator(
            StreamName="stream", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        got += [record["Data"] for record in kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]]
    assert numbers(got) == said == list(range(RECORDS))
    check_proxy(proxy)


def test_every_firehose_record_becomes_one_line_in_the_bucket(client, proxy, moto):
    """Every record is in the bucket once, on its own line."""
    firehose = client("firehose")
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{moto}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    s3.create_bucket(Bucket="lake")
    destination = {"RoleARN": "arn:aws:iam::123456789012:role/r", "BucketARN": "arn:aws:s3:::lake"}
    firehose.create_delivery_stream(DeliveryStreamName="hose", ExtendedS3DestinationConfiguration=destination)
    producer = FirehoseProducer("hose", client=firehose, delimiter=b"\n", max_entries=25, **patient())
    said = deliver(producer, lambda p, r: p.put(r))
    objects = s3.list_objects_v2(Bucket="lake")["Contents"]
    lines = b"".join(s3.get_object(Bucket="lake", Key=row["Key"])["Body"].read() for row in objects).splitlines()
    s3.close()
    assert numbers(lines) == said == list(range(RECORDS))
    check_proxy(proxy)


def test_every_event_reaches_the_target_of_the_rule_once(client, proxy):
    """Every event reaches the rule's target once."""
    events, sqs = client("events"), client("sqs")
    url = sqs.create_queue(QueueName="target")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name="bus")
    events.put_rule(Name="all", EventBusName="bus", EventPattern=json.dumps({"source": ["me"]}), State="ENABLED")
    events.put_targets(Rule="all", EventBusName="bus", Targets=[{"Id": "1", "Arn": queue}])
    producer = EventBridgeProducer("bus", source="me", detail_type="t", client=events, **patient())
    said = deliver(producer, lambda p, r: p.put(r))
    got = [json.dumps(json.loads(text)["detail"]) for text in drain(sqs, url)]
    assert numbers(got) == said == list(range(RECORDS))
    check_proxy(proxy)


def test_the_dynamodb_reader_finds_the_items_that_were_put_and_not_deleted(client, proxy):
    """The table holds the items that were put and not deleted, and the reader finds exactly those."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "n", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "n", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )
    producer = DynamoDBProducer(
        "orders", keys="n", client=dynamodb, return_consumed_capacity="TOTAL", **patient(workers=2)
    )
    said = deliver(producer, lambda p, r: p.put({**r, "tags": {"a"}, "raw": b"\x00"}))
    for number in range(0, RECORDS, 3):
        producer = producer if number else DynamoDBProducer("orders", keys="n", client=dynamodb, **patient())
        producer.delete({"n": number})
    assert producer.flush() == []
    proxy.active = False
    held = sorted(int(item["n"]["N"]) for item in dynamodb.scan(TableName="orders")["Items"])
    proxy.active = True
    assert said == list(range(RECORDS))
    assert held == [number for number in range(RECORDS) if number % 3]
    reader = DynamoDBReader(
        "orders",
        client=dynamodb,
        consistent_read=True,
        projection_expression="#p",
        expression_attribute_names={"#p": "pad"},
        **patient(),
    )
    got = list(reader.get(({"n": number} for number in range(RECORDS)), ordered=True))
    assert [key["n"] for key, _ in got] == list(range(RECORDS))
    assert [key["n"] for key, item in got if item is not None] == held
    assert all(item == {"n": key["n"], "pad": "é" * (key["n"] % 7)} for key, item in got if item)
    check_proxy(proxy)


def test_every_datum_is_counted_once(client, proxy):
    """Every datum is counted once, although whole calls are throttled."""
    cloudwatch = client("cloudwatch")
    producer = CloudWatchProducer(
        "app", client=cloudwatch, max_entries=10, serializer=lambda r: {"MetricName": "m", "Value": 1.0}, **patient()
    )
    said = deliver(producer, lambda p, r: p.put(r))
    metrics = cloudwatch.get_metric_statistics(
        Namespace="app",
        MetricName="m",
        StartTime="2020-01-01T00:00:00Z",
        EndTime="2100-01-01T00:00:00Z",
        Period=86_400,
        Statistics=["SampleCount"],
    )
    assert sum(point["SampleCount"] for point in metrics["Datapoints"]) == len(said) == RECORDS
    assert proxy.throttled


@pytest.mark.parametrize(
    "make",
    [
        lambda c: (SQSProducer("http://127.0.0.1/123456789012/none", client=c("sqs")), {}),
        lambda c: (SNSProducer("arn:aws:sns:eu-west-1:123456789012:none", client=c("sns")), {}),
        lambda c: (KinesisProducer("none", client=c("kinesis")), {"partition_key": "k"}),
        lambda c: (FirehoseProducer("none", client=c("firehose")), {}),
        lambda c: (DynamoDBProducer("none", keys="n", client=c("dynamodb")), {}),
    ],
)
def test_a_missing_target_returns_every_record_after_one_call(client, proxy, make):
    """There is one call, and every record comes back with the service's own code."""
    proxy.active = False
    producer, options = make(client)
    given = [{"n": number} for number in range(30)]
    for record in given:
        producer.put(record, **options)
    back = producer.flush()
    assert [entry.record for entry in back] == given
    assert {entry.reason for entry in back} == {"fatal"}
    assert producer.stats.calls == 1
