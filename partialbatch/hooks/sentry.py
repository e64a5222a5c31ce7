"""Failures in Sentry, each with the scope that was open when it happened.

https://docs.sentry.io/platforms/python/
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SentryHook"]


class SentryHook:
    """Captures the error of each failed record, in a scope of its own with the record's identifier."""

    def __init__(self) -> None:
        """Import the SDK now, when the module loads."""
        import sentry_sdk  # noqa: PLC0415 - only with this hook

        self._sdk = sentry_sdk

    @contextmanager
    def around_record(self, record: Any) -> Iterator[None]:
        """Open a scope; capture what the record function raises."""
        with self._sdk.isolation_scope() as scope:
            scope.set_tag("partialbatch.source", record.source)
            scope.set_tag("partialbatch.identifier", str(record.identifier))
            try:
                yield
            except BaseException as error:
                self._sdk.capture_exception(error)
                raise
