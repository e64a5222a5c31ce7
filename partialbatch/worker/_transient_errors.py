"""Errors of a service that may pass, so that a call is worth repeating."""

from __future__ import annotations

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, which is not Python's
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError

from partialbatch.producers._entry import FailureKind
from partialbatch.producers._failures import kind_of_code

__all__ = ["may_pass", "passing"]

_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429


def passing(error: BaseException) -> bool:
    """Tell whether an error may pass: the service is away, does too much, or has an error of its own."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS or may_pass(error.response["Error"].get("Code"))
    return isinstance(error, ConnectionError | HTTPClientError | IncompleteReadError | ResponseParserError)


def may_pass(code: str | None) -> bool:
    """Tell the same by the code of an error, whatever its spelling."""
    code = code or ""
    return kind_of_code(code) in (FailureKind.THROTTLED, FailureKind.TRANSIENT) or "throttl" in code.lower()
