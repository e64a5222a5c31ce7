"""Transient errors."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from partialbatch.worker._transient_errors import is_transient


def client_error(code, status=400):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetRecords")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url="x"), True),
        (ReadTimeoutError(endpoint_url="x"), True),
        (ResponseParserError("cut off"), True),
        (client_error("InternalFailure", 500), True),
        (client_error("ReceiptHandleIsInvalid", 499), False),
        (client_error("ProvisionedThroughputExceededException"), True),
        (client_error("InternalFailure"), True),
        (client_error("LimitExceededException"), True),
        (client_error("KmsThrottled"), True),
        (client_error("KMS.ThrottlingException"), True),
        (client_error("KMSThrottlingException"), True),
        (client_error("AWS.SimpleQueueService.OverLimit"), True),
        (client_error("OverLimit"), True),
        (client_error("RequestThrottledException"), True),
        (client_error("ThrottledException"), True),
        (client_error("EC2ThrottledException"), True),
        (client_error("ServiceUnavailable", 503), True),
        (client_error("Unknown", 429), True),
        (client_error("AccessDenied"), False),
        (client_error("KmsAccessDenied"), False),
        (ConnectionClosedError(endpoint_url="x"), True),
        (ClientError({"Error": {}}, "GetRecords"), False),
        (ClientError({"Error": {"Code": "x"}}, "GetRecords"), False),
        (NoCredentialsError(), False),
        (ConnectionError("Python's own"), False),
    ],
)
def test_unreachable_and_overloaded_services_are_transient(error, expected):
    """An unreachable or overloaded service is transient; a refusal isn't."""
    assert is_transient(error) is expected
