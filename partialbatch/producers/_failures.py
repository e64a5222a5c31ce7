"""What an error means: by its code, whatever prefix and suffix a service gives it.

Error codes: botocore's service models, and each service's "Common Errors" page, e.g.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from typing import Any

from partialbatch._inspection import safe_str
from partialbatch.errors import clip
from partialbatch.producers._entry import Fault, Kind

__all__ = ["by_code", "classify"]

# Lower case, without "Exception" at the end and without a namespace in front:
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
# botocore's own exceptions, by name: botocore itself need not be loaded here.
_NO_WAY_IN = frozenset(
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
_NEVER_ARRIVED = frozenset(
    {
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ProxyConnectionError",
        "ConnectionRefusedError",
    }
)


def _bare(code: str) -> str:
    return code.rpartition("#")[2].rpartition(".")[2].removesuffix("Exception").lower()


def by_code(code: str | None) -> Kind | None:
    """Return what a code means in any service, None where it is on no list."""
    bare = _bare(code) if isinstance(code, str) else ""
    if bare in _THROTTLED:
        return Kind.THROTTLED
    if bare in _TRANSIENT:
        return Kind.TRANSIENT
    return Kind.FATAL if bare in _FATAL else None


def classify(error: Exception) -> Fault:
    """Return what the exception of a whole call means for all its records."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and isinstance(response.get("Error"), dict):
        return _answered(response)
    names = {cls.__name__ for cls in type(error).__mro__}
    code, message = type(error).__name__, clip(safe_str(error), 500)
    if "ParamValidationError" in names:
        # botocore's report quotes the values it refuses.
        return Fault(Kind.POISON, code, "botocore refused the parameters")
    if names & _NO_WAY_IN:
        return Fault(Kind.FATAL, code, message)
    return Fault(Kind.TRANSIENT, code, message, ambiguous=not names & _NEVER_ARRIVED)


def _answered(response: dict[str, Any]) -> Fault:
    """Classify an error that the service answered with."""
    code, message = response["Error"].get("Code"), response["Error"].get("Message")
    # A client of the user's own may leave out what botocore always gives.
    status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    status = status if isinstance(status, int) else 0
    kind = by_code(code)
    if status == 429:  # HTTP's own number
        kind = kind or Kind.THROTTLED
    if kind is Kind.THROTTLED or kind is Kind.FATAL:
        return Fault(kind, code, message)
    if kind is Kind.TRANSIENT or status >= 500:  # HTTP's own number
        return Fault(Kind.TRANSIENT, code, message, ambiguous=True)
    return Fault(Kind.POISON, code, message)
