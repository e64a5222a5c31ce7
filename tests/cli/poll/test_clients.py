"""Clients, and errors in one line."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from partialbatch.cli.command_error import CommandError
from partialbatch.cli.poll.clients import client_factory, describe_error, naming_option


def client_error(code, status=400):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetRecords")


@pytest.mark.parametrize(
    ("source_name", "options", "region", "endpoint"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/1/q", {}, "eu-west-1", "https://sqs.eu-west-1.amazonaws.com"),
        ("arn:aws:kinesis:ap-south-1:1:stream/s", {}, "ap-south-1", "https://sqs.ap-south-1.amazonaws.com"),
        ("s", {"region": "eu-north-1"}, "eu-north-1", "https://sqs.eu-north-1.amazonaws.com"),
        ("http://127.0.0.1:5000/1/q", {}, "us-east-1", "http://127.0.0.1:5000"),
        ("http://127.0.0.1:5000/1/q", {"endpoint_url": "http://localhost:6"}, "us-east-1", "http://localhost:6"),
        ("arn:aws:kinesis:ap-south-1:1:stream/s", {"region": "eu-west-3"}, "eu-west-3", None),
    ],
)
def test_options_override_region_and_endpoint_of_the_url(source_name, options, region, endpoint):
    """The option decides; then the URL or ARN; an emulator is in some region or other."""
    client = client_factory(source_name, **{"region": None, "endpoint_url": None} | options)("sqs")
    assert client.meta.region_name == region
    assert endpoint in (None, client.meta.endpoint_url)


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_comes_from_the_environment(monkeypatch, name):
    """Lambda's and containers' variable counts beside boto3's own."""
    monkeypatch.setenv(name, "sa-east-1")
    assert client_factory("s", region=None, endpoint_url=None)("sqs").meta.region_name == "sa-east-1"


def test_errors_are_described_in_one_line():
    """Every error is one line; one that isn't the service's has its type."""
    assert describe_error(ValueError("a\n b")) == "ValueError: a b"
    assert describe_error(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert "\n" not in describe_error(client_error("x\ny"))
    assert len(describe_error(ValueError("x" * 999))) < 320
    assert (
        describe_error(CommandError("--checkpoints at.json: No space left")) == "--checkpoints at.json: No space left"
    )


def test_a_missing_queue_and_a_failed_request_end_with_2():
    """A queue that doesn't exist, and one that could not be asked for, end the command with one line and 2."""
    with pytest.raises(CommandError, match="--queue q: it does not exist"), naming_option("--queue", "q"):
        raise client_error("QueueDoesNotExist")
    with pytest.raises(CommandError, match=r"--queue q: .*AccessDenied"), naming_option("--queue", "q"):
        raise client_error("AccessDenied")
