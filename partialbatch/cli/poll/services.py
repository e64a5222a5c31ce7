"""Clients of the services, and in one line what went wrong with them."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import click
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, which is not Python's
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
)
from botocore.parsers import ResponseParserError

from partialbatch.cli.loading import Unusable
from partialbatch.errors import clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Failed", "connect", "explain", "naming", "passing"]

_MISSING = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"}
_MISSING |= {"ResourceNotFoundException", "StreamNotFound"}
_THROTTLED = {"Throttling", "ThrottlingException", "RequestThrottled", "LimitExceededException"}
_THROTTLED |= {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "SlowDown"}
_SERVER_ERROR = 500


class Failed(click.ClickException):
    """The run has failed: one line on standard error, exit code 1."""


def connect(place: str, *, region: str | None, endpoint_url: str | None, wait: int = 0) -> Callable[[str], Any]:
    """Return a maker of boto3 clients.

    Args:
        place: The queue's URL or the stream's ARN or name: says region and endpoint where no option does.
        region: Of the option; None: what the place, the environment or the profile says.
        endpoint_url: Of an emulator; None: that of a queue's URL that is not AWS's, else AWS.
        wait: Seconds that a call may wait before it answers.
    """
    host = urlsplit(place).hostname or ""
    if endpoint_url is None and host and not host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
        parts = urlsplit(place)
        endpoint_url = f"{parts.scheme}://{parts.netloc}"
    named = re.match(r"arn:[\w-]+:\w+:([\w-]+):", place) or re.match(r"sqs\.([\w-]+)\.", host)
    session = boto3.Session()
    where = region or (named[1] if named else None) or session.region_name or os.environ.get("AWS_REGION")
    if endpoint_url is not None:
        where = where or "us-east-1"  # an emulator wants one, and seldom cares which
    config = Config(
        connect_timeout=5,
        read_timeout=wait + 20,
        max_pool_connections=50,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    return lambda service: session.client(  # type: ignore[call-overload]  # the stubs list literal names
        service, region_name=where, endpoint_url=endpoint_url, config=config
    )


@contextmanager
def naming(option: str, value: str) -> Iterator[None]:
    """Turn errors of the first calls into one line that names the option.

    Raises:
        Unusable: There is no such queue or stream, or can be none: a malformed URL or ARN, say.
        Failed: The service could not be asked.
    """
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError, ValueError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in _MISSING:
            raise Unusable(f"{option} {value}: there is none") from None
        if isinstance(error, ParamValidationError | ValueError):  # refused before anything was sent
            raise Unusable(f"{option} {value}: {explain(error)}") from None
        raise Failed(f"{option} {value}: {explain(error)}") from None


def passing(error: BaseException) -> bool:
    """Tell whether an error may pass: the service is away, or does too much."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or error.response["Error"]["Code"] in _THROTTLED
    return isinstance(error, ConnectionError | HTTPClientError | IncompleteReadError | ResponseParserError)


def explain(error: BaseException) -> str:
    """Say in one line what is wrong."""
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials (an emulator takes any: AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local)"
    if isinstance(error, NoRegionError):
        return "no AWS region: give --region, or set AWS_REGION"
    text = clip(" ".join(str(error).split()), 300)
    if isinstance(error, BotoCoreError | ClientError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
