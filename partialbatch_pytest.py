"""The pytest plugin, with fixtures for tests of handlers.

It is a module beside the package, because pytest imports plugins at every start. So it costs nothing until
you use it, and doesn't load the package before coverage has started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.testing import LambdaContext


@pytest.fixture
def lambda_context() -> LambdaContext:
    """A Lambda context with a timeout of 3 s. Move its time with ``lambda_context.clock.advance(seconds)``."""
    from partialbatch.testing import LambdaContext

    return LambdaContext()


@pytest.fixture
def simulate() -> Callable[..., Any]:
    """The function `partialbatch.testing.simulate`: call it with your handler, the records, the source and options."""
    from partialbatch.testing import simulate

    return simulate
