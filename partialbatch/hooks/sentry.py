"""Failures in Sentry, each with the scope that was open when it happened.

https://docs.sentry.io/platforms/python/
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from partialbatch.hooks._batches import Batches
from partialbatch.hooks._naming import identifier_of, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from partialbatch._core.results import BatchResult, RecordResult
    from partialbatch.types import LambdaContext

__all__ = ["SentryHook"]


class SentryHook:
    """Captures the error of each failed record once, in a scope with the record's source and identifier.

    What the record function raises is captured while its own scope is open, with the tags and
    breadcrumbs that it set; what fails the record later, a sink that refuses its items say, when it does.
    """

    def __init__(self) -> None:
        """Import the SDK now, when the module loads."""
        import sentry_sdk  # only with this hook

        self._sdk = sentry_sdk
        # By identity: the batch keeps its errors alive, and an exception may define its own equality.
        self._captured: Batches[set[int]] = Batches("partialbatch_sentry")

    def on_batch_start(self, records: Sequence[Any], context: LambdaContext | None) -> None:  # noqa: ARG002 - the hook's shape
        """Begin to note which errors were captured."""
        self._captured.begin(len(records))
        self._captured.note(set())

    def on_batch_end(self, result: BatchResult[Any]) -> None:
        """Forget the batch."""
        self._captured.end(len(result.results))

    @contextmanager
    def around_record(self, record: Any) -> Iterator[None]:
        """Open a scope; capture what the record function raises."""
        with self._scope(record):
            try:
                yield
            except BaseException as error:
                self._capture(error)
                raise

    def on_record_end(self, result: RecordResult[Any]) -> None:
        """Capture what failed the record after its function had returned."""
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
