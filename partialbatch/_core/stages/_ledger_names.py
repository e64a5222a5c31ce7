"""Names of the handlers that read a stream, so that two of them never share an entry of a ledger."""

from __future__ import annotations

import os
import threading
import weakref
from functools import partial
from typing import Any

__all__ = ["reader", "stream"]

_owners: dict[tuple[int, str], list[weakref.ref[Any]]] = {}
_lock = threading.Lock()


def reader(function: Any, ledger: object, owner: object) -> str:
    """Return a name for a handler: Lambda's function name, and module and qualified name of the record function.

    The second handler with this ledger over a function of the same name, while the first is there, gets a number;
    handlers are made in the same order in each execution environment, when the module loads.

    Args:
        function: The record function.
        ledger: The ledger that handlers may share.
        owner: The name is taken as long as this object lives; it keeps the ledger alive.
    """
    while isinstance(function, partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    deployed = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    name = ":".join(part for part in (deployed, named.__module__, named.__qualname__) if part)
    with _lock:
        for gone in [key for key, known in _owners.items() if all(each() is None for each in known)]:
            del _owners[gone]
        owners = _owners.setdefault((id(ledger), name), [])
        free = next((slot for slot, known in enumerate(owners) if known() is None), len(owners))
        owners[free : free + 1] = [weakref.ref(owner)]
    return name if free == 0 else f"{name}#{free + 1}"


def stream(raw: Any) -> str:
    """Return a name for the scope of a record's number: the stream and, for Kinesis, the shard.

    https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html: a sequence number is
    unique per partition key within its shard.
    """
    shard, found, _ = str(raw.get("eventID", "")).partition(":")
    return f"{raw.get('eventSourceARN', '')}/{shard}" if found else str(raw.get("eventSourceARN", ""))
