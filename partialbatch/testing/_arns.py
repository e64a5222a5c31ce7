"""ARNs of queues, streams and tables, and their parts."""

from __future__ import annotations

import re

from partialbatch.errors import ConfigurationError

__all__ = ["ACCOUNT", "REGION", "account_of", "queue_arn", "region_of", "stream_arn", "table_arn"]

ACCOUNT = "123456789012"
REGION = "eu-west-1"
"""The region of a queue, stream or table that is given by its name."""


def queue_arn(queue: str, *, fifo: bool) -> str:
    """Return the ARN of a queue, given its name or ARN. The ARN of a FIFO queue ends in ``.fifo``."""
    arn = _arn("queue", queue, "sqs", "")
    return f"{arn}.fifo" if fifo and not arn.endswith(".fifo") else arn


def stream_arn(stream: str) -> str:
    """Return the ARN of a Kinesis data stream, given its name or ARN."""
    return _arn("stream", stream, "kinesis", "stream/")


def table_arn(table: str) -> str:
    """Return the ARN of a table's stream, given the name or ARN of the table, or the ARN of the stream."""
    arn = _arn("table", table, "dynamodb", "table/")
    return arn if "/stream/" in arn else f"{arn}/stream/2026-01-01T00:00:00.000"


def region_of(arn: str) -> str:
    """Return the region that an ARN names."""
    return arn.split(":")[3]


def account_of(arn: str) -> str:
    """Return the account that an ARN names."""
    return arn.split(":")[4]


def _arn(option: str, given: str, service: str, kind: str) -> str:
    arn = given if given.startswith("arn:") else f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}{given}"
    if not re.fullmatch(rf"arn:[^:]+:{service}:[^:]+:[^:]+:{kind}.+", arn):
        raise ConfigurationError.bad_value(option, given, f"a name, or an ARN of {service}")
    return arn
