"""boto3 clients of the polled services, and their errors in one line."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
)
from botocore.parsers import ResponseParserError

from partialbatch.cli.command_error import CommandError
from partialbatch.errors import clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["client_factory", "describe_error", "naming_option"]

_MISSING = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"}
_MISSING |= {"ResourceNotFoundException", "StreamNotFound"}


def client_factory(
    source_name: str, *, region: str | None, endpoint_url: str | None, wait: int = 0
) -> Callable[[str], Any]:
    """Return a function that makes a boto3 client for a service.

    Args:
        source_name: The queue's URL, or the stream's ARN or name. It sets region and endpoint without options.
        region: The option; None takes the region from the URL or ARN, the environment or the profile.
        endpoint_url: The option; None takes the endpoint from a queue's URL outside AWS, else AWS.
        wait: Seconds of long polling before a call returns.
    """
    host = urlsplit(source_name).hostname or ""
    if endpoint_url is None and host and not host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
        parts = urlsplit(source_name)
        endpoint_url = f"{parts.scheme}://{parts.netloc}"
    named = re.match(r"arn:[\w-]+:\w+:([\w-]+):", source_name) or re.match(r"sqs\.([\w-]+)\.", host)
    session: Any = boto3.Session()  # untyped: the stubs only take literal service names
    where = region or (named[1] if named else None) or session.region_name or os.environ.get("AWS_REGION")
    if endpoint_url is not None:
        where = where or "us-east-1"  # an emulator needs a region, but mostly ignores it
    config = Config(
        connect_timeout=5,
        read_timeout=wait + 20,
        max_pool_connections=50,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    return lambda service: session.client(service, region_name=where, endpoint_url=endpoint_url, config=config)


@contextmanager
def naming_option(option: str, value: str) -> Iterator[None]:
    """Turn errors of the first calls into one line that names the option.

    Raises:
        CommandError: There is no such queue or stream, its URL or ARN is malformed, or the service is
            unavailable.
    """
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError, ValueError) as error:
        missing = isinstance(error, ClientError) and error.response["Error"]["Code"] in _MISSING
        raise CommandError(f"{option} {value}: {'it does not exist' if missing else describe_error(error)}") from None


def describe_error(error: BaseException) -> str:
    """Describe an error in one line."""
    if isinstance(error, CommandError):
        return error.format_message()
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials (for an emulator, set AWS_ACCESS_KEY_ID=local and AWS_SECRET_ACCESS_KEY=local)"
    if isinstance(error, NoRegionError):
        return "no AWS region; give --region or set AWS_REGION"
    text = clip(" ".join(str(error).split()), 300)
    if isinstance(error, BotoCoreError | ClientError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
