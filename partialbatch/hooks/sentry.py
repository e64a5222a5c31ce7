"""Error reports to Sentry, each with the scope of its record.

https://docs.sentry.io/platforms/python/
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from partialbatch.hooks._batch_stack import BatchStack
from partialbatch.hooks._naming import identifier_of, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from partialbatch._core.results import BatchResult, RecordResult
    from partialbatch.types import LambdaContext

__all__ = ["SentryHook"]


class SentryHook:
    """A hook that captures the error of each failed record once, with the record's source and identifier as tags.

    An error of the record function is captured while its scope is open, with the tags and breadcrumbs that the
    function has set. An error that comes later, for instance from a sink, is captured in a scope of its own.

    Raises:
        ImportError: ``sentry-sdk`` isn't installed.

    Example:
        >>> from partialbatch import batch_handler
        >>> from partialbatch.hooks import SentryHook
        >>> from partialbatch.testing import sqs_event
        >>> @batch_handler(hooks=[SentryHook()])  # after sentry_sdk.init(dsn=...)
        ... def handler(record):
        ...     return record.body
        >>> handler(sqs_event(["tea"]))
        {'batchItemFailures': []}
    """

    def __init__(self) -> None:
        # Imported here: only this hook needs it, and it loads with your module.
        import sentry_sdk

        self._sdk = sentry_sdk
        # By identity, because exceptions may define their own equality. The batch keeps them alive.
        self._captured: BatchStack[set[int]] = BatchStack("partialbatch_sentry")

    def on_batch_start(self, records: Sequence[Any], context: LambdaContext | None) -> None:
        """Begin a set of captured errors."""
        self._captured.begin(len(records))
        self._captured.keep(set())

    def on_batch_end(self, result: BatchResult[Any]) -> None:
        """Drop the set of captured errors."""
        self._captured.end(len(result.results))

    @contextmanager
    def around_record(self, record: Any) -> Iterator[None]:
        """Open a scope, and capture an error of the record function."""
        with self._scope(record):
            try:
                yield
            except BaseException as error:
                self._capture(error)
                raise

    def on_record_end(self, result: RecordResult[Any]) -> None:
        """Capture an error that came after the record function had returned."""
        if result.status == "failed" and id(result.error) not in (self._captured.current or ()):
            with self._scope(result.record):
                self._capture(result.error)

    @contextmanager
    def _scope(self, record: Any) -> Iterator[None]:
        with self._sdk.isolation_scope() as scope:
            scope.set_tag("partialbatch.source", source_of(record))
            scope.set_tag("partialbatch.identifier", identifier_of(record))
            yield

    def _capture(self, error: BaseException | None) -> None:
        self._sdk.capture_exception(error)
        captured = self._captured.current
        if captured is not None:
            captured.add(id(error))
