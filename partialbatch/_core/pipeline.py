"""One call of a handler, from the event to the response."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from importlib import import_module
from logging import INFO
from time import perf_counter
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.batch import BatchState
from partialbatch._core.copies import copied
from partialbatch._core.direct import Route, run_directly
from partialbatch._core.function.binding import Window, bind
from partialbatch._core.options import check_source
from partialbatch._core.outcome import batch_result, conclude, raise_if_ignored
from partialbatch._core.planning import Planner
from partialbatch._core.reasons import ENDING
from partialbatch._core.runners.calling import Direct, InThread
from partialbatch._core.runners.rounds import run_plain
from partialbatch._core.runners.sequential import can_run_in_order, run_in_order
from partialbatch._core.runners.without_loop import drive
from partialbatch._core.stages import build
from partialbatch._inspection import holds
from partialbatch.errors import INTERRUPTS, Reject, RetryAfter
from partialbatch.sources import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch._core.function.signature import Plan
    from partialbatch._core.options import Settings
    from partialbatch._core.results import BatchResult
    from partialbatch._core.runners.calling import Calling
    from partialbatch._core.stages.base import Stage
    from partialbatch.types import BatchResponse, EventSource, Identifier, RawRecord

__all__ = ["Pipeline"]

_DIRECT = Direct()


class Pipeline:
    """Runs record functions over batches with one set of settings; keeps nothing of a call.

    The methods stand in the order in which a call passes through them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._particular = settings.particular  # asked of the settings, it would take 1 µs a batch
        # An identifier given by a source of the user's own may be a part of the record.
        self._identifier = None if isinstance(settings.source, str) else partial(_identifier, settings.source)
        self._catalogue = Catalogue(settings)
        self._stages = build(settings)
        self._planner = Planner(settings, self._stages)
        self._on_request: Stage | None = None

    def load_for(self, plan: Plan, function: Any) -> None:
        """Load the modules that a record function will need: initialisation has burst CPU, and SnapStart covers it."""
        for stage in self._stages.all:
            stage.decorated(function, self)
        if plan.awaits or plan.relays:
            import_module("partialbatch._core.runners.tasks")  # loads asyncio
            import_module("partialbatch._core.runners.event_loop")
        elif self._planner.concurrency > 1:
            import_module("concurrent.futures.thread")  # handlers of one worker need none

    def handle(
        self, function: Callable[..., Any], plan: Plan, routes: dict[str, Route], event: Any, context: Any
    ) -> BatchResponse:
        """Run a batch and return the Lambda result.

        Args:
            function: The record function.
            plan: How it is called.
            routes: What earlier batches have shown, by ARN. Only calls with the same function share it.
            event: The event.
            context: Lambda's context object.

        Raises:
            EventError: The event, or the response to it, cannot be trusted.
            FullBatchFailure: No record succeeded, or the source ignores the response and one did not.
        """
        begun, identifiers = perf_counter(), None
        try:
            records = event["Records"]
            route = routes[records[0]["eventSourceARN"]]
            if type(event) is dict and len(event) == 1 and type(records) is list:
                records = records.copy()  # removing a record from the event must not make it a success
                identifiers = route.identify(records)
        except Exception:  # `prepare` finds out whether anything is wrong
            identifiers = None
        if identifiers is None:
            return self.handle_anew(function, plan, routes, event, context)
        batch = run_directly(route, records, identifiers, context, begun)
        if batch is None and not logs.is_enabled(INFO):
            return {"batchItemFailures": []}
        return self._respond_directly(batch or route.succeeded(records, identifiers, context, begun))

    def handle_anew(
        self, function: Callable[..., Any], plan: Plan, routes: dict[str, Route], event: Any, context: Any
    ) -> BatchResponse:
        """Do the same as `handle`, as if this were the first batch."""
        batch = self.prepare(function, plan, event, context)
        if not self._planner.can_run_directly(batch):
            response = drive(self._respond(batch, _DIRECT))
            return self._returned(batch, response)
        if batch.source is not None:
            route = Route(batch, self._settings.deadline_margin)
            if self._identifier is None and not plan.takes_extras:
                route.note(routes, event)
            run_directly(route, batch.records, batch.identifiers, context, batch.started, batch)
        return self._respond_directly(batch)

    def process(self, function: Callable[..., Any], plan: Plan, event: Any, context: Any) -> BatchResult[Any]:
        """Run a batch and return a result for each record.

        Raises:
            EventError: The event, or the response to it, cannot be trusted.
        """
        batch = self.prepare(function, plan, event, context, keep_results=True)
        return batch_result(batch, drive(self._respond(batch, _DIRECT)))

    async def aprocess(self, function: Callable[..., Any], plan: Plan, event: Any, context: Any) -> BatchResult[Any]:
        """Do the same as `process`, for a caller that is in an event loop."""
        batch = self.prepare(function, plan, event, context, keep_results=True)
        return batch_result(batch, await self._respond(batch, InThread()))

    def prepare(
        self, function: Callable[..., Any], plan: Plan, event: Any, context: Any, *, keep_results: bool = False
    ) -> BatchState:
        """Take the event apart and bind the record function to it. The testing kit sees each batch here.

        Raises:
            EventError: The event cannot be trusted.
        """
        source, records = self._catalogue.open(event)
        window = Window(event) if isinstance(event, dict) and "window" in event else None
        if source is None:
            return BatchState(plan, None, (), (), function, window, context, self._stages)
        if not plan.universal:
            plan.check_source(source)
        if self._particular:
            check_source(self._particular, source.name)
        # Before any code of the user's runs: it may change the raw records.
        try:
            identifiers: list[Identifier | None] = list(map(self._identifier or source.identifier, records))
        except Exception:  # at least one has none, which matters only if it must be reported
            identifiers = [_identifier(source, raw) for raw in records]
        invoke = bind(function, plan, source, context, window)
        if plan.awaits or plan.relays:
            invoke = self._in_loop(invoke, plan)
        batch = BatchState(plan, source, records, identifiers, invoke, window, context, self._stages)
        if keep_results or self._stages.keeps_results:
            batch.keep_results()
        if self._settings.max_receive_count is not None:
            batch.last_attempts = _last_attempts(source, records)
        batch.policy = self._planner.policy(batch)
        return batch

    def _in_loop(self, invoke: Callable[[RawRecord], Any], plan: Plan) -> Callable[[RawRecord], Any]:
        """Limit the time of an async record function, or run the coroutine that a plain one returns."""
        if plan.relays:
            from partialbatch._core.runners.event_loop import completed  # loads asyncio

            return completed(invoke)
        if self._settings.record_timeout is None:
            return invoke
        from partialbatch._core.runners.tasks import with_timeout  # loads asyncio

        return with_timeout(invoke, self._settings.record_timeout)

    def _respond_directly(self, batch: BatchState) -> BatchResponse:
        """Build the response to a batch that the fast path has run."""
        if batch.errors and self._acts_on_requests(batch):
            drive(self._act_on_requests(batch, _DIRECT))
        return self._returned(batch, conclude(batch))

    def _returned(self, batch: BatchState, response: BatchResponse) -> BatchResponse:
        """Return a response, unless Lambda must take the invocation as failed."""
        if response["batchItemFailures"]:
            raise_if_ignored(batch, response, full_failure=self._settings.raise_on_full_failure)
        return response

    async def _respond(self, batch: BatchState, calling: Calling) -> BatchResponse:
        """Run a batch with its stages, build the response, and let the stages act on it."""
        batch.track()
        try:
            if batch.source is not None:
                await self._run(batch, calling)
            response = conclude(batch)
        except BaseException:
            for end in self._stages.end:
                with suppress(*INTERRUPTS):  # the exception that is raised already stands
                    await end(batch, None, calling)
            raise
        for end in self._stages.end:
            await end(batch, response, calling)
        return response

    async def _run(self, batch: BatchState, calling: Calling) -> None:
        """Plan a batch, let the stages prepare it, run its records, and let the stages finish it."""
        try:
            self._planner.survey(batch)
            for begin in self._stages.begin:
                await begin(batch, calling)
            try:
                await self._run_records(batch, calling)
            except BaseException:
                batch.is_cut_short = True
                raise
            finally:
                await self._finish(batch, calling)
        finally:
            if self._stages.close:
                await calling.call(batch.close)

    async def _run_records(self, batch: BatchState, calling: Calling) -> None:
        """Find out which records run when, and run them."""
        planner = self._planner
        planner.group(batch)
        if planner.concurrency_of(batch) == 1 and not calling.is_late and can_run_in_order(batch):
            run_in_order(batch, self._settings.deadline_margin)
            return
        reach = await calling.call(planner.give_up, batch) if batch.unknown_groups else len(batch.records)
        work = planner.work(batch, reach)
        if batch.awaits:
            from partialbatch._core.runners.tasks import in_rounds  # loads asyncio

            await calling.run(in_rounds, *work)
        else:
            run_late = partial(run_plain, late=calling.is_late)
            await calling.call(run_late, *work, on_cancel=partial(work[1].close, ENDING))

    async def _finish(self, batch: BatchState, calling: Calling) -> None:
        """Let all stages act on the statuses, also if one of them raises."""
        raised: BaseException | None = None
        for finish in self._stages.finish:
            try:
                await finish(batch, calling)
            except BaseException as error:
                batch.is_cut_short = True
                raised = error if raised is None else raised
        if raised is not None:
            raise raised
        if batch.errors and self._settings.retry_delay is None and self._acts_on_requests(batch):
            await self._act_on_requests(batch, calling)

    def _acts_on_requests(self, batch: BatchState) -> bool:
        """Tell whether a record function has raised `RetryAfter` or `Reject`, now or in an earlier batch."""
        if self._on_request is not None:
            return True
        return any(holds(error, (RetryAfter, Reject)) for error in batch.errors.values())

    async def _act_on_requests(self, batch: BatchState, calling: Calling) -> None:
        """Act on `RetryAfter` and `Reject`, which a record function may raise without any option."""
        if self._on_request is None:
            from partialbatch._core.stages.retry_delay import create  # few handlers need it

            self._on_request = create(self._settings)  # kept, for it makes a client
        await self._on_request.finish(batch, calling)


def _last_attempts(source: Any, records: Sequence[RawRecord]) -> frozenset[int]:
    """Return the records that their source takes away if they fail now, by index."""
    last_attempt = getattr(source, "last_attempt", None)
    if last_attempt is None:
        return frozenset()

    def is_last(raw: RawRecord) -> bool:
        try:
            return bool(last_attempt(raw))
        except Exception:  # a receive count that cannot be read is no last one
            return False

    return frozenset(index for index, raw in enumerate(records) if is_last(raw))


def _identifier(source: EventSource, raw: RawRecord) -> Identifier | None:
    try:
        identifier = source.identifier(raw)
        return identifier if type(identifier) is str else copied(identifier)
    except Exception:
        return None
