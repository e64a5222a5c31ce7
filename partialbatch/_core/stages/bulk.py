"""A bulk step after the record functions, for sinks that are no producer: one SQL ``executemany``, say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from partialbatch._core.results import RecordResult, origin_of
from partialbatch._core.unrun import check_value, is_awaitable
from partialbatch._core.validation import gives_coroutine
from partialbatch._inspection import is_a, kind_of
from partialbatch.errors import INTERRUPTS, PartialBatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Bulk"]


class Place(Protocol):
    """Where a call may wait (see `runners.places`)."""

    @property
    def is_cancelled(self) -> bool: ...
    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any: ...
    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any: ...


class Bulk:
    """Calls ``f(succeeded) -> iterable of failed results`` once a batch; None means that none failed.

    A failed result is one that was given, what its `with_error` returned, or its record view.

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
            returns something that cannot be told to be of exactly one of them.
        """
        if not succeeded:
            return {}
        results = list(succeeded.values())
        try:
            failed = await (place.run(self._awaited, results) if self.awaits else place.call(self._called, results))
        except BaseException as error:
            if is_a(error, INTERRUPTS) or place.is_cancelled:
                raise
            return dict.fromkeys(succeeded, error)
        found = _attributed(failed, succeeded)
        if found is None:
            return dict.fromkeys(succeeded, _unknown(failed))
        refused = PartialBatchError("the bulk sink returned the record as failed")
        return {index: error or refused for index, error in found.items()}

    def _called(self, results: list[Any]) -> list[Any]:
        returned = self._function(results)
        if is_awaitable(returned):
            check_value(returned, "the bulk sink", "write `async def`")
        return _listed(returned)

    async def _awaited(self, results: list[Any]) -> list[Any]:
        return _listed(await self._function(results))


def _listed(failed: Any) -> list[Any]:
    # An asyncio future can be iterated over, and one that is done gives nothing, whatever its result.
    if isinstance(failed, str | bytes | Mapping) or is_awaitable(failed):
        raise TypeError(f"the bulk sink returned a value of type {kind_of(failed)}, no list of failed results")
    return [] if failed is None else list(failed)


def _unknown(failed: list[Any]) -> Exception:
    """Return why all fail where something was returned that is of none of them, or of several."""
    try:
        check_value(failed, "the bulk sink")
    except Exception as error:
        return error
    return PartialBatchError(
        "the bulk sink returned something that it was not given, or a record view that several results share: "
        "all that it was given fail. Return the results that failed, or `result.with_error(error)` for each"
    )


def _attributed(
    failed: Iterable[Any], succeeded: Mapping[int, RecordResult[Any]]
) -> dict[int, BaseException | None] | None:
    """Find the record that each returned thing is of, by identity, and the error that it names.

    Returns:
        The errors by index; None if something is not of exactly one record.
    """
    by_result = {id(result): index for index, result in succeeded.items()}
    by_record: dict[int, int | None] = {}
    for index, result in succeeded.items():
        # A source of the user's own may show several records by one view.
        by_record[id(result.record)] = None if id(result.record) in by_record else index
    found: dict[int, BaseException | None] = {}
    for each in failed:
        is_result = issubclass(type(each), RecordResult)  # its `__class__` may raise
        owner = by_result.get(id(origin_of(each)), by_record.get(id(each.record if is_result else each)))
        if owner is None:
            return None
        error = each.error if is_result else None
        found[owner] = error if issubclass(type(error), BaseException) else None
    return found
