"""The bulk sink: a function called once with all records that succeeded, such as one SQL ``executemany``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from partialbatch._callables import gives_coroutine
from partialbatch._core.outcome import record_result
from partialbatch._core.results import SUCCEEDED, RecordResult, origin_of
from partialbatch._core.runners.settling import give_up
from partialbatch._core.stages.base import Stage
from partialbatch._inspection import is_a, kind_of
from partialbatch._unrun import check_value, is_awaitable
from partialbatch.errors import INTERRUPTS, PartialBatchError, RecordSkipped
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from partialbatch._core.batch import BatchState
    from partialbatch._core.options import Settings
    from partialbatch._core.runners.calling import Calling

__all__ = ["BulkSinkStage", "create"]


def create(settings: Settings) -> Stage | None:
    """Make the stage; None if the sink is a `Sink`, which gets items one by one."""
    return None if hasattr(settings.sink, "open") else BulkSinkStage(settings.sink)


class BulkSinkStage(Stage):
    """Calls ``f(succeeded) -> iterable of failed results`` once a batch; None means that none failed.

    A failed result is one that was given, the value of its `with_error`, or its record view.
    """

    keeps_results = keeps_order = collects_iterators = confirms_later = True

    def __init__(self, function: Callable[[list[RecordResult[Any]]], Any]) -> None:
        self._function = function
        self._awaits = gives_coroutine(function)

    async def begin(self, batch: BatchState, calling: Calling) -> None:
        """Check that an async function can be called at the end, before any record runs in vain.

        Raises:
            RuntimeError: It cannot: a loop runs here.
        """
        if self._awaits:
            calling.refuse_running_loop("an async sink")

    async def finish(self, batch: BatchState, calling: Calling) -> None:
        """Hand over the records that succeeded. Those returned fail, and the records of their groups behind them."""
        if batch.was_interrupted:
            return
        succeeded = {
            index: record_result(batch, index)
            for index, state in enumerate(batch.states)
            if state == SUCCEEDED and index not in batch.resumed
        }
        failures = await self._failures(succeeded, calling) if succeeded else {}
        if failures:
            await calling.call(_take_back, batch, succeeded, failures)
        for index in succeeded:
            if batch.states[index] == SUCCEEDED:
                batch.confirm(index)

    async def _failures(self, succeeded: Mapping[int, RecordResult[Any]], calling: Calling) -> dict[int, BaseException]:
        """Call the function.

        Returns:
            Why records failed after all, by index; all of them if the function raises, or if it
            returns something that cannot be told to be of exactly one of them.
        """
        results = list(succeeded.values())
        try:
            failed = await (
                calling.run(self._awaited, results) if self._awaits else calling.call(self._called, results)
            )
        except BaseException as error:
            if is_a(error, INTERRUPTS) or calling.is_cancelled:
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


def _take_back(batch: BatchState, succeeded: Iterable[int], failures: Mapping[int, BaseException]) -> None:
    """Fail the records that the bulk sink returned: as dead letters, if the error is permanent."""
    holds_back = batch.policy is not ErrorPolicy.CONTINUE
    held: set[Any] = set()
    for index in succeeded:
        lane = batch.lane(index)
        if index in failures:
            if give_up(batch, index, failures[index]) and holds_back and lane is not None:
                held.add(lane)
        elif lane in held:
            # It was written after one of its group that was not: only both again end up in order.
            batch.fail(index, RecordSkipped("a record of its group before it failed in the bulk sink"))


def _listed(failed: Any) -> list[Any]:
    # An asyncio future can be iterated over, and one that is done gives nothing, whatever its result.
    if isinstance(failed, str | bytes | Mapping) or is_awaitable(failed):
        raise TypeError(f"the bulk sink returned a value of type {kind_of(failed)}, no list of failed results")
    return [] if failed is None else list(failed)


def _unknown(failed: list[Any]) -> Exception:
    """Return the reason for which all fail: something returned is of none of them, or of several."""
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
