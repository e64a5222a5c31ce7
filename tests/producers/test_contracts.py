"""Calls against botocore's own models: Stubber refuses parameters and responses that don't fit them."""

from __future__ import annotations

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

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

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
DIGEST = {"MD5OfMessageBody": "0" * 32}


def client(service):
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


class HTTPResponse:
    status_code = 200


def sqs(c):
    return SQSProducer("https://sqs/1/q.fifo", client=c)


def put_sqs(p):
    p.put("a", message_group_id="g1", message_deduplication_id="d1", message_attributes={"s": "x", "b": b"y"})
    p.put("b", message_group_id="g2", message_deduplication_id="d2")


ENTRY = {"MessageBody": "a", "MessageGroupId": "g1", "MessageDeduplicationId": "d1"}
ATTRIBUTES = {"s": {"DataType": "String", "StringValue": "x"}, "b": {"DataType": "Binary", "BinaryValue": b"y"}}
STATS = {"SampleCount": 1, "Sum": 1.0, "Minimum": 1.0, "Maximum": 1.0}

CASES = {
    "sqs": (
        sqs,
        put_sqs,
        "send_message_batch",
        {
            "QueueUrl": "https://sqs/1/q.fifo",
            "Entries": [
                {"Id": "0", **ENTRY, "MessageAttributes": ATTRIBUTES},
                {"Id": "1", "MessageBody": "b", "MessageGroupId": "g2", "MessageDeduplicationId": "d2"},
            ],
        },
        {
            "Successful": [{"Id": "0", "MessageId": "m", **DIGEST, "SequenceNumber": "1"}],
            "Failed": [{"Id": "1", "SenderFault": True, "Code": "InvalidMessageContents", "Message": "no"}],
        },
        [("InvalidMessageContents", "no")],
    ),
    "sns": (
        lambda c: SNSProducer("arn:aws:sns:eu-west-1:1:t", client=c),
        lambda p: [p.put("a", subject="s", message_attributes={"s": "x"}), p.put("b", message_structure="json")],
        "publish_batch",
        {
            "TopicArn": "arn:aws:sns:eu-west-1:1:t",
            "PublishBatchRequestEntries": [
                {"Id": "0", "Message": "a", "Subject": "s", "MessageAttributes": {"s": ATTRIBUTES["s"]}},
                {"Id": "1", "Message": "b", "MessageStructure": "json"},
            ],
        },
        {
            "Successful": [{"Id": "0", "MessageId": "m"}],
            "Failed": [{"Id": "1", "SenderFault": True, "Code": "InvalidParameter"}],
        },
        [("InvalidParameter", None)],
    ),
    "kinesis": (
        lambda c: KinesisProducer("s", client=c),
        lambda p: p.put("a", partition_key="k", explicit_hash_key="7"),
        "put_records",
        {"StreamName": "s", "Records": [{"Data": b"a", "PartitionKey": "k", "ExplicitHashKey": "7"}]},
        {"Records": [{"SequenceNumber": "1", "ShardId": "shard-0"}]},
        [],
    ),
    "firehose": (
        lambda c: FirehoseProducer("s", client=c),
        lambda p: p.put("a"),
        "put_record_batch",
        {"DeliveryStreamName": "s", "Records": [{"Data": b"a"}]},
        {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "r"}]},
        [],
    ),
    "events": (
        lambda c: EventBridgeProducer("b", client=c),
        lambda p: p.put({"a": 1}, source="s", detail_type="d", time=WHEN, resources=["arn:x"], trace_header="Root=1"),
        "put_events",
        {
            "Entries": [
                {
                    "Source": "s",
                    "DetailType": "d",
                    "Detail": '{"a":1}',
                    "EventBusName": "b",
                    "Time": WHEN,
                    "Resources": ["arn:x"],
                    "TraceHeader": "Root=1",
                }
            ]
        },
        {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "no"}]},
        [("NotAuthorizedForSourceException", "no")],
    ),
    "dynamodb": (
        lambda c: DynamoDBProducer("t", keys="pk", client=c, return_consumed_capacity="TOTAL"),
        lambda p: [p.put({"pk": "a", "n": 1, "s": {b"x"}, "m": {"l": [None, True]}}), p.delete({"pk": "b"})],
        "batch_write_item",
        {
            "RequestItems": {
                "t": [
                    {
                        "PutRequest": {
                            "Item": {
                                "pk": {"S": "a"},
                                "n": {"N": "1"},
                                "s": {"BS": [b"x"]},
                                "m": {"M": {"l": {"L": [{"NULL": True}, {"BOOL": True}]}}},
                            }
                        }
                    },
                    {"DeleteRequest": {"Key": {"pk": {"S": "b"}}}},
                ]
            },
            "ReturnConsumedCapacity": "TOTAL",
        },
        {"UnprocessedItems": {}, "ConsumedCapacity": [{"TableName": "t", "CapacityUnits": 2.0}]},
        [],
    ),
    "cloudwatch": (
        lambda c: CloudWatchProducer("ns", client=c),
        lambda p: p.put(
            {
                "MetricName": "m",
                "StatisticValues": STATS,
                "Timestamp": WHEN,
                "Unit": "Count",
                "Dimensions": [{"Name": "n", "Value": "v"}],
            }
        ),
        "put_metric_data",
        {
            "Namespace": "ns",
            "MetricData": [
                {
                    "MetricName": "m",
                    "StatisticValues": STATS,
                    "Timestamp": WHEN,
                    "Unit": "Count",
                    "Dimensions": [{"Name": "n", "Value": "v"}],
                }
            ],
        },
        {},
        [],
    ),
}


@pytest.mark.parametrize("service", CASES)
def test_calls_and_responses_fit_the_service_model(service):
    """The parameters sent and the responses read are those of botocore's model."""
    make, put, operation, expected, answer, failed = CASES[service]
    with Stubber(client(service)) as stubber:
        stubber.add_response(operation, answer, expected)
        producer = make(stubber.client)
        put(producer)
        assert [(entry.code, entry.message) for entry in producer.flush()] == failed
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("service", CASES)
@pytest.mark.parametrize(
    ("code", "status", "reason"), [("AccessDenied", 403, "fatal"), ("ValidationError", 400, "rejected")]
)
def test_errors_of_whole_calls_are_classified(service, code, status, reason):
    """An error raised by botocore itself is classified by its code, for every service."""
    make, put, operation, *_ = CASES[service]
    with Stubber(client(service)) as stubber:
        for _ in range(3):
            stubber.add_client_error(operation, code, "no", status)
        producer = make(stubber.client)
        put(producer)
        back = producer.flush()
        assert back
        assert {(entry.code, entry.message, entry.reason) for entry in back} == {(code, "no", reason)}


def test_parameters_that_botocore_refuses_are_bisected():
    """A record that fails only botocore's own validation is found, and the others are sent."""
    events = client("events")
    # After botocore's validation, and in place of the request.
    events.meta.events.register("before-call", lambda **_: (HTTPResponse(), {"Entries": [{"EventId": "1"}] * 9}))
    producer = EventBridgeProducer(source="s", detail_type="d", client=events)
    for number in range(3):
        producer.put({"n": number}, trace_header=5 if number == 2 else "Root=1")
    (entry,) = producer.flush()
    assert entry.record == {"n": 2}
    assert (entry.reason, entry.code) == ("rejected", "ParamValidationError")
    assert "n" not in (entry.message or "").split()


def test_the_reader_sends_its_options_with_each_call():
    """A retry of unprocessed keys has the same options as the first call."""
    names = {"#partialbatch_key0": "pk"}
    first = {
        "t": {
            "Keys": [{"pk": {"S": "a"}}, {"pk": {"S": "b"}}],
            "ConsistentRead": True,
            "ProjectionExpression": "v, #partialbatch_key0",
            "ExpressionAttributeNames": names,
        }
    }
    again = {"t": {**first["t"], "Keys": [{"pk": {"S": "b"}}]}}
    with Stubber(client("dynamodb")) as stubber:
        stubber.add_response(
            "batch_get_item",
            {
                "Responses": {"t": [{"pk": {"S": "a"}, "v": {"NS": ["1"]}}]},
                "UnprocessedKeys": {"t": {"Keys": [{"pk": {"S": "b"}}]}},
            },
            {"RequestItems": first},
        )
        stubber.add_response("batch_get_item", {"Responses": {"t": []}}, {"RequestItems": again})
        reader = DynamoDBReader("t", client=stubber.client, consistent_read=True, projection_expression="v")
        assert list(reader.get([{"pk": "a"}, {"pk": "b"}])) == [
            ({"pk": "a"}, {"pk": "a", "v": {1}}),
            ({"pk": "b"}, None),
        ]
