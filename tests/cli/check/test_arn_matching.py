"""Tests of targets and of the policy resources that cover them."""

from __future__ import annotations

import pytest

from partialbatch.cli.check.arn_matching import LIKELY, covers, parse, target_of
from partialbatch.cli.check.model import ComposedText, Reference, Target, Unknown


@pytest.mark.parametrize(
    ("service", "text", "expected"),
    [
        ("sns", "arn:aws:sns:eu-west-1:1:t", Target("sns", "t", "1", "eu-west-1")),
        ("sns", "arn:aws:sns:${AWS::Region}:${AWS::AccountId}:t", Target("sns", "t")),
        ("sns", "arn:aws", Target("sns")),
        ("dynamodb", "arn:aws:dynamodb:eu-west-1:1:table/t", Target("dynamodb", "table/t", "1", "eu-west-1")),
        ("dynamodb", "t", Target("dynamodb", "table/t")),
        ("kinesis", "s", Target("kinesis", "stream/s")),
        ("firehose", "s", Target("firehose", "deliverystream/s")),
        ("events", "default", Target("events", "event-bus/default")),
        ("sqs", "https://sqs.eu-west-1.amazonaws.com/1/q.fifo", Target("sqs", "q.fifo", "1", "eu-west-1")),
        ("sqs", "https://sqs.cn-north-1.amazonaws.com.cn/1/q", Target("sqs", "q", "1", "cn-north-1")),
        ("sqs", "https://vpce-1.sqs.us-gov-west-1.vpce.amazonaws.com/1/q", Target("sqs", "q", "1", "us-gov-west-1")),
        ("sqs", "http://localhost:4566/000000000000/q", Target("sqs", "q")),
        ("sqs", "https://queue.amazonaws.com/1/q", Target("sqs", "q")),
        ("sqs", "http://[/1/q", Target("sqs", "q")),
        ("sqs", "what", Target("sqs", "what")),
        ("sqs", "", Target("sqs")),
    ],
)
def test_targets_are_read_from_arns_urls_and_names(service, text, expected):
    """ARNs, URLs and names are read; an emulator's URL says nothing of where the queue will be."""
    assert parse(service, text) == expected


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_arn_is_complete_if_all_parts_are_known(region, partition):
    """An ARN is written where all of it is known."""
    assert Target("sqs", "q", "1", region).arn == f"arn:{partition}:sqs:{region}:1:q"
    assert Target("sqs", "q", "1").arn is None


KNOWN = {
    "Named": target_of("dynamodb", "Named", "orders"),
    "Other": target_of("dynamodb", "Other", "other"),
    "Stacked": target_of("dynamodb", "Stacked", "${AWS::StackName}-orders"),
    "Unnamed": target_of("dynamodb", "Unnamed", None),
    "Later": target_of("dynamodb", "Later", Unknown("later")),
    "Queue": target_of("sqs", "Queue", "orders"),
}
ORDERS = Target("dynamodb", "table/orders")
THERE = Target("dynamodb", "table/orders", "1", "eu-west-1")
ARN = "arn:aws:dynamodb:{}:table/{}"
HERE = "${AWS::Region}:${AWS::AccountId}"
REGION = "arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/"


@pytest.mark.parametrize(
    ("resource", "target", "expected"),
    [
        ("*", ORDERS, True),
        ("arn:aws:dynamodb:*", ORDERS, True),
        ("arn:aws:dynamodb:*:*:*", ORDERS, True),
        (ARN.format("*:*", "*"), ORDERS, True),
        (ARN.format("*:*", "ord?rs"), ORDERS, True),
        (ARN.format(HERE, "orders"), ORDERS, True),
        (ARN.format("eu-west-1:1", "orders"), ORDERS, LIKELY),
        (ARN.format("eu-west-1:1", "orders"), THERE, True),
        (ARN.format("us-east-1:1", "orders"), THERE, False),
        (ARN.format("eu-west-1:2", "*"), THERE, False),
        (ARN.format(HERE, "orders"), THERE, True),
        (ARN.format("*:*", "other"), ORDERS, False),
        (ARN.format("*:*", "[orders]"), ORDERS, False),
        (ARN.format("*:*", "orders/index/*"), ORDERS, False),
        (ARN.format("*:*", "${AWS::StackName}-orders"), ORDERS, False),
        (ARN.format("*:*", "${AWS::StackName}"), ORDERS, None),
        (ARN.format("*:*", "orders"), KNOWN["Stacked"], None),
        (ARN.format("*:*", "${AWS::StackName}-orders"), KNOWN["Stacked"], True),
        ("arn:aws:sqs:*:*:orders", ORDERS, False),
        ("arn:aws:dynamodb*orders", ORDERS, None),
        (ARN.format("*:*", "orders"), Target("dynamodb"), None),
        (ARN.format("*:*", "*"), Target("dynamodb"), True),
        ("arn:aws:dynamodb:*", Target("dynamodb"), True),
        (ARN.format("*:*", "orders"), KNOWN["Named"], True),
        (ARN.format("*:*", "orders"), KNOWN["Unnamed"], None),
        (Reference("Named"), ORDERS, True),
        (Reference("Other"), ORDERS, False),
        (Reference("Stacked"), ORDERS, None),
        (Reference("Unnamed"), ORDERS, None),
        (Reference("Later"), ORDERS, None),
        (Reference("Queue"), ORDERS, False),
        (Reference("NestedStack"), ORDERS, None),
        (Reference("Named"), Target("dynamodb"), None),
        (Reference("Unnamed"), KNOWN["Unnamed"], True),
        (Reference("Unnamed"), KNOWN["Later"], False),
        (Reference("Custom"), Target("dynamodb", reference="Custom"), True),
        (ComposedText("", parts=(REGION, Reference("Unnamed"))), KNOWN["Unnamed"], True),
        (ComposedText("", parts=(REGION, Reference("Unnamed"), "/index/*")), KNOWN["Unnamed"], None),
        (ComposedText("", parts=(REGION + "a-", Reference("Unnamed"))), KNOWN["Unnamed"], None),
        (ComposedText("", parts=(REGION, Unknown("later"))), KNOWN["Unnamed"], None),
        (Unknown("later"), ORDERS, None),
        (ComposedText("", parts=("arn:aws:dynamodb:", Unknown("later"), ":1:table/orders")), ORDERS, LIKELY),
        (ComposedText("", parts=("arn:aws:dynamodb:", Unknown("later"), ":1:table/other")), ORDERS, False),
        (ComposedText("", parts=("arn:aws:dynamodb:*:*:table/", Unknown("later"), "-x")), ORDERS, False),
        (ComposedText("", parts=("arn:aws:", Unknown("later"), ":*:*:table/orders")), ORDERS, LIKELY),
        (ComposedText("", parts=("arn:", Unknown("later"), ":dynamodb:*:*:table/", Reference("Other"))), ORDERS, False),
        ("arn:${AWS::Partition}:dynamodb:*:*:table/orders", ORDERS, True),
    ],
)
def test_a_resource_covers_targets_that_match_it(resource, target, expected):
    """A resource covers the targets that it matches, with wildcards, too; with unknown parts the answer is None."""
    found = covers(resource, target, KNOWN)
    if expected is None:
        assert "can't be compared with" in found.why
    else:
        assert found is expected
