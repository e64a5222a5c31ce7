"""The public names."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import partialbatch

MODULES = [name for _, name, _ in pkgutil.walk_packages(partialbatch.__path__, "partialbatch.")]
OPTIONAL = (
    "partialbatch.cli",
    "partialbatch.testing",
    "partialbatch.producers",
    "partialbatch.hooks",
    "partialbatch.worker",
)


def test_package_exports_the_names_of_its_documentation():
    """The package exports the names that its documentation lists, sorted, and all of them exist."""
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
def test_every_module_has_the_names_that_it_exports(name):
    """Each name in a module's list exists in the module."""
    module = importlib.import_module(name)
    assert all(hasattr(module, each) for each in getattr(module, "__all__", []))
