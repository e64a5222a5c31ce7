"""Errors of a service that are likely to pass, so that the call is worth repeating."""

from __future__ import annotations

from botocore import exceptions
from botocore.parsers import ResponseParserError

from partialbatch.producers._entry import FailureKind
from partialbatch.producers._failures import kind_of_code

__all__ = ["is_transient", "is_transient_code"]

_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429
_TRANSIENT = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    ResponseParserError,
)


def is_transient(error: BaseException) -> bool:
    """Tell whether an error is likely to pass: the service is unreachable, throttles, or has an internal error."""
    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS:
            return True
        return is_transient_code(error.response["Error"].get("Code"))
    return isinstance(error, _TRANSIENT)


def is_transient_code(code: str | None) -> bool:
    """Tell whether an error code, in any service's spelling, names an error that is likely to pass."""
    code = code or ""
    return kind_of_code(code) in (FailureKind.THROTTLED, FailureKind.TRANSIENT) or "throttl" in code.lower()
