"""A bulk step after the record functions, for sinks that are no producer: one SQL ``executemany``, say."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from partialbatch.checks import gives_coroutine
from partialbatch.errors import INTERRUPTS, PartialBatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from partialbatch.results import RecordResult

__all__ = ["Bulk"]


class Place(Protocol):
    """Where a call may wait (see `runners.places`)."""

    @property
    def is_cancelled(self) -> bool: ...
    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any: ...
    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any: ...


class Bulk:
    """Calls ``f(succeeded) -> iterable of failed results`` once a batch.

    Attributes:
        awaits: Whether it is an async function.
    """

    def __init__(self, function: Callable[[list[RecordResult[Any]]], Any]) -> None:
        self._function = function
        self.awaits = gives_coroutine(function)

    async def failures(self, succeeded: Mapping[int, RecordResult[Any]], place: Place) -> dict[int, BaseException]:
        """Hand over what succeeded.

        Args:
            succeeded: The results, by the record's index.
            place: Where to call.

        Returns:
            Why records failed after all, by index; all of them if the function raises, or if it
            returns something that it was not given.
        """
        if not succeeded:
            return {}
        results = list(succeeded.values())
        try:
            failed = await (place.run(self._awaited, results) if self.awaits else place.call(self._called, results))
        except BaseException as error:
            if isinstance(error, INTERRUPTS) or place.is_cancelled:
                raise
            return dict.fromkeys(succeeded, error)
        index_of = {id(result.record): index for index, result in succeeded.items()}
        # By the view: a result with an error is a new object, made by `with_error`.
        found = {index_of.get(id(getattr(result, "record", None))): result for result in failed}
        if None in found:
            stranger = PartialBatchError("the bulk sink returned a result that it was not given; all it was given fail")
            return dict.fromkeys(succeeded, stranger)
        refused = PartialBatchError("the bulk sink returned the record as failed")
        return {index: result.error or refused for index, result in found.items() if index is not None}

    def _called(self, results: list[Any]) -> list[Any]:
        returned = self._function(results)
        if hasattr(type(returned), "__await__"):
            with suppress(AttributeError):
                returned.close()  # or Python warns that it was never awaited: the error says so
            raise TypeError("the bulk sink returned an awaitable that nobody awaits: write `async def`")
        return _listed(returned)

    async def _awaited(self, results: list[Any]) -> list[Any]:
        return _listed(await self._function(results))


def _listed(failed: Any) -> list[Any]:
    return [] if failed is None else list(failed)
