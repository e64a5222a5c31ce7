"""The pytest plugin: fixtures for tests of handlers.

A module of its own, beside the package: pytest imports plugins at every start, and this
one must neither cost anything until used, nor load the package before coverage watches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.testing import LambdaContext


@pytest.fixture
def lambda_context() -> LambdaContext:
    """A Lambda context with a timeout of 3 s, whose ``clock.advance(seconds)`` tests can call."""
    from partialbatch.testing import LambdaContext

    return LambdaContext()


@pytest.fixture
def simulate() -> Callable[..., Any]:
    """``simulate(handler, records, source="sqs", **options)``: see `partialbatch.testing.simulate`."""
    from partialbatch.testing import simulate

    return simulate
