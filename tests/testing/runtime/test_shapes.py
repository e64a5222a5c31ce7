"""The kit's context and digests beside the real ones."""

from __future__ import annotations

from decimal import Decimal

from awslambdaric.lambda_context import LambdaContext as RealContext
from moto.sqs.models import Message

from partialbatch.testing import LambdaContext, sqs_event


def test_context_has_every_attribute_of_lambdas_context():
    """The kit's context has every public attribute of the real one."""
    real = {name for name in vars(RealContext("id", {}, {}, 0, "arn")) if not name.startswith("_")}
    assert real <= set(vars(LambdaContext()))


def test_md5_of_attributes_equals_that_of_a_queue():
    """The kit's digest of message attributes equals the digest of a queue."""
    given = {"s": "x", "n": Decimal("1.5"), "b": b"\x00"}
    message = Message("id", "a")
    message.message_attributes = {
        "s": {"DataType": "String", "StringValue": "x"},
        "n": {"DataType": "Number", "StringValue": "1.5"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00"},
    }
    raw = sqs_event(["a"], message_attributes=given)["Records"][0]
    assert raw["md5OfMessageAttributes"] == message.attribute_md5
