"""A bulk step after the record functions, for sinks that are no producer: one SQL ``executemany``, say."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from partialbatch.errors import PartialBatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from partialbatch.results import RecordResult

__all__ = ["Bulk"]


class Bulk:
    """Calls ``f(succeeded) -> iterable of failed results`` once a batch.

    Attributes:
        awaits: Whether the function is async.
    """

    def __init__(self, function: Callable[[list[RecordResult[Any]]], Any]) -> None:
        self._function = function
        call = getattr(type(function), "__call__", None)  # noqa: B004 - its kind is asked for, not whether it exists
        self.awaits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)

    async def failures(self, succeeded: Mapping[int, RecordResult[Any]]) -> dict[int, BaseException]:
        """Hand over what succeeded.

        Args:
            succeeded: The results, by the record's index.

        Returns:
            Why records failed after all, by index; all of them if the function raises, or if it
            returns something that it was not given.
        """
        if not succeeded:
            return {}
        try:
            returned = self._function(list(succeeded.values()))
            if self.awaits:
                returned = await returned
            failed = list(returned or ())
        except Exception as error:
            return dict.fromkeys(succeeded, error)
        index_of = {id(result.record): index for index, result in succeeded.items()}
        # By the view: a result with an error is a new object, made with `dataclasses.replace`.
        found = {index_of.get(id(getattr(result, "record", None))): result for result in failed}
        if None in found:
            stranger = PartialBatchError("the bulk sink returned a result that it was not given; all it was given fail")
            return dict.fromkeys(succeeded, stranger)
        refused = PartialBatchError("the bulk sink returned the record as failed")
        return {index: result.error or refused for index, result in found.items() if index is not None}
