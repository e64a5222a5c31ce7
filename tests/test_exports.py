"""The public names."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import partialbatch

MODULES = [name for _, name, _ in pkgutil.walk_packages(partialbatch.__path__, "partialbatch.")]
OPTIONAL = ("partialbatch.cli", "partialbatch.testing", "partialbatch.producers", "partialbatch.hooks")


def test_the_face():
    """The package exports what its documentation lists, sorted, and all of it exists."""
    assert partialbatch.__all__ == [
        "Backoff",
        "BatchHandler",
        "BatchResult",
        "Change",
        "DynamoDBRecord",
        "ErrorPolicy",
        "FullBatchFailure",
        "KafkaRecord",
        "KinesisRecord",
        "PartialBatchError",
        "RawRecord",
        "Record",
        "RecordResult",
        "Reject",
        "RetryAfter",
        "SQSRecord",
        "batch_handler",
    ]
    assert all(hasattr(partialbatch, name) for name in partialbatch.__all__)


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith(OPTIONAL)])
def test_every_module_exports_what_it_has(name):
    """Each module's list is true."""
    module = importlib.import_module(name)
    assert all(hasattr(module, each) for each in getattr(module, "__all__", []))
