"""The runtime client's side of a call: how it decodes an event, and the context that it hands over."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from awslambdaric.lambda_context import LambdaContext
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 900
TASK_ROOT = "/var/task"

_marshaller = LambdaMarshaller()


def as_in_lambda() -> None:
    """Set what Lambda sets: Powertools, for one, keeps its event loop only if it finds this variable."""
    os.environ["LAMBDA_TASK_ROOT"] = TASK_ROOT


def context() -> LambdaContext:
    """Return the runtime client's own context, with 15 minutes left."""
    deadline = int(time.time() * 1000) + TIMEOUT * 1000
    return LambdaContext(
        "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        None,
        None,
        deadline,
        "arn:aws:lambda:eu-west-1:123456789012:function:orders",
    )


def decode(body: bytes) -> Any:
    """Return an event as the runtime client decodes it."""
    return _marshaller.unmarshal_request(body)


def delivered(
    handler: Callable[[Any, Any], Any], event: Any, *, has_context: bool = True
) -> Callable[[], Callable[[], Any]]:
    """Return what prepares a round: it makes a context, and returns a call of the handler with a decoded event.

    The strings and keys of a decoded event are new objects, other than those of an event that Python code builds. Each
    contestant keeps its own event for all rounds: the first collection of garbage after decoding takes long, and would
    count for the contestant that happens to allocate enough to set it off.
    """
    decoded = decode(json.dumps(event).encode())

    def prepare() -> Callable[[], Any]:
        given = context() if has_context else None
        return partial(handler, decoded, given)

    return prepare
