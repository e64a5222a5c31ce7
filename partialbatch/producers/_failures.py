"""Classifies errors by their codes, with any prefix or suffix that a service adds.

The codes come from botocore's service models and from each service's "Common Errors" page, for instance
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from typing import Any

from partialbatch._inspection import safe_str
from partialbatch.errors import clip
from partialbatch.producers._entry import Failure, FailureKind

__all__ = ["classify", "kind_of_code"]

# In lower case, without "Exception" at the end and without a namespace in front, because
# SQS says KmsDisabled, SNS KMSDisabled and Kinesis KMSDisabledException.
_THROTTLED = frozenset(
    {
        "throttling",
        "throttled",
        "requestthrottled",
        "toomanyrequests",
        "provisionedthroughputexceeded",
        "requestlimitexceeded",
        "bandwidthlimitexceeded",
        "limitexceeded",
        "slowdown",
        "priorrequestnotcomplete",
        "transactioninprogress",
        "kmsthrottling",
        "kmsthrottled",
        "overlimit",
    }
)
_TRANSIENT = frozenset(
    {
        "internal",
        "internalfailure",
        "internalerror",
        "internalserver",
        "internalservererror",
        "internalservice",
        "internalservicefault",
        "serviceunavailable",
        "requesttimeout",
        "requesttimedout",
        "replicatedwriteconflict",
    }
)
_FATAL = frozenset(
    {
        "resourcenotfound",
        "queuedoesnotexist",
        "nonexistentqueue",
        "queuedeletedrecently",
        "notfound",
        "accessdenied",
        "authorizationerror",
        "notauthorized",
        "unauthorizedoperation",
        "unrecognizedclient",
        "invalidclienttokenid",
        "invalidaccesskeyid",
        "missingauthenticationtoken",
        "incompletesignature",
        "invalidsignature",
        "signaturedoesnotmatch",
        "requestexpired",
        "expiredtoken",
        "requesttimetooskewed",
        "authfailure",
        "optinrequired",
        "subscriptionrequired",
        "kmsdisabled",
        "kmsinvalidstate",
        "kmsnotfound",
        "kmsoptinrequired",
        "kmsaccessdenied",
        "kmsinvalidkeyusage",
        "invalidkmsresource",
        "invalidsecurity",
        "invalidaddress",
        "endpointdisabled",
        "platformapplicationdisabled",
    }
)
# Exceptions of botocore by name, so that this module needs no import of botocore.
_NO_ACCESS = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "NoAuthTokenError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "SSOTokenLoadError",
        "NoRegionError",
        "EndpointProviderError",
        "ProfileNotFound",
        "LoginError",
    }
)
_NOT_SENT = frozenset(
    {
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ProxyConnectionError",
        "ConnectionRefusedError",
    }
)


def _bare(code: str) -> str:
    return code.rpartition("#")[2].rpartition(".")[2].removesuffix("Exception").lower()


def kind_of_code(code: str | None) -> FailureKind | None:
    """Return the kind of failure of an error code, in any service; None for an unknown code."""
    bare = _bare(code) if isinstance(code, str) else ""
    if bare in _THROTTLED:
        return FailureKind.THROTTLED
    if bare in _TRANSIENT:
        return FailureKind.TRANSIENT
    return FailureKind.FATAL if bare in _FATAL else None


def classify(error: Exception) -> Failure:
    """Return the failure of all records of a call that raised an exception."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and isinstance(response.get("Error"), dict):
        return _error_response(response)
    names = {cls.__name__ for cls in type(error).__mro__}
    code, message = type(error).__name__, clip(safe_str(error), 500)
    if "ParamValidationError" in names:
        # botocore's own message quotes the values that it refuses.
        return Failure(FailureKind.INVALID_CALL, code, "botocore refused the parameters of the call")
    if names & _NO_ACCESS:
        return Failure(FailureKind.FATAL, code, message)
    return Failure(FailureKind.TRANSIENT, code, message, ambiguous=not names & _NOT_SENT)


def _error_response(response: dict[str, Any]) -> Failure:
    """Classify an error response of the service."""
    code, message = response["Error"].get("Code"), response["Error"].get("Message")
    # botocore always sets these; another client may leave them out.
    status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    status = status if isinstance(status, int) else 0
    kind = kind_of_code(code)
    if status == 429:  # Too Many Requests
        kind = kind or FailureKind.THROTTLED
    if kind is FailureKind.THROTTLED or kind is FailureKind.FATAL:
        return Failure(kind, code, message)
    if kind is FailureKind.TRANSIENT or status >= 500:  # a server error
        return Failure(FailureKind.TRANSIENT, code, message, ambiguous=True)
    return Failure(FailureKind.INVALID_CALL, code, message)
