"""From event to result: what stands behind `BatchHandler`, whatever it wraps."""

from __future__ import annotations

from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.copies import copied
from partialbatch._core.function.binding import Window, bind
from partialbatch._core.invocation import Invocation
from partialbatch._core.options import check_source
from partialbatch._core.planning import STOP, Planner
from partialbatch._core.results import SKIPPED
from partialbatch._core.runners import run_plain
from partialbatch._core.runners.calling import Beside, Here
from partialbatch._core.runners.schedule import ENDING
from partialbatch._core.runners.sequential import drive, in_order
from partialbatch._core.unrun import check_value, is_awaitable
from partialbatch._inspection import holds
from partialbatch.errors import Reject, RetryAfter
from partialbatch.sources import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch._core.attachments import Attachments
    from partialbatch._core.function.signature import Plan
    from partialbatch._core.options import Settings
    from partialbatch._core.results import BatchResult
    from partialbatch.types import BatchResponse, EventSource, Identifier, RawRecord

__all__ = ["Consumer"]


class Consumer:
    """Runs record functions over batches by one set of settings; keeps nothing of a call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._particular = settings.particular  # asked of the settings, it would take 1 µs a batch
        # What a source of the user's own gives may be a part of the record.
        self._identifier = None if isinstance(settings.source, str) else partial(_identifier, settings.source)
        self._catalogue = Catalogue(settings, logs.once)
        self._attachments = _attachments(settings) if settings.has_attachments else None
        self._keeps_results = self._attachments is not None and self._attachments.keeps_results
        self._late: Attachments | None = None
        self._planner = Planner(settings)

    def load_for(self, plan: Plan, function: Any) -> None:
        """Load what a record function will need: initialisation has burst CPU, and is what SnapStart covers."""
        if self._attachments is not None:
            self._attachments.name(function)
        if plan.awaits or plan.relays:
            from partialbatch._core.runners import event_loop, tasks  # noqa: F401 - loads asyncio
        elif self._planner.concurrency > 1:
            import concurrent.futures.thread  # noqa: F401 - handlers of one worker need none

    def handle(self, function: Callable[..., Any], plan: Plan, event: Any, context: Any) -> BatchResponse:
        """Run a batch and return the Lambda result.

        Raises:
            EventError: The event, or the response to it, cannot be trusted.
            FullBatchFailure: No record succeeded, or the source ignores the response and one did not.
        """
        return self.answer(self.prepare(function, plan, event, context), context)

    def answer(self, invocation: Invocation, context: Any) -> BatchResponse:
        """Run a batch that was prepared, and return the Lambda result.

        Raises:
            EventError: The response to it cannot be trusted.
            FullBatchFailure: No record succeeded, or the source ignores the response and one did not.
        """
        self._execute(invocation, context)
        response = drive(self._conclude(invocation, Here())) if self._attachments else invocation.conclude()
        if response["batchItemFailures"]:
            invocation.refuse(response, full_failure=self._settings.raise_on_full_failure)
        if invocation.window is not None:
            _wait_for(self._end_window(invocation, response))
        return response

    def process(self, function: Callable[..., Any], plan: Plan, event: Any, context: Any) -> BatchResult[Any]:
        """Run a batch and return a result for each record.

        Raises:
            EventError: The event, or the response to it, cannot be trusted.
        """
        invocation = self.prepare(function, plan, event, context, keep=True)
        self._execute(invocation, context)
        response = drive(self._conclude(invocation, Here()))
        _wait_for(self._end_window(invocation, response))
        return invocation.result(response)

    async def aprocess(self, function: Callable[..., Any], plan: Plan, event: Any, context: Any) -> BatchResult[Any]:
        """Do what `process` does, for a caller that is in an event loop."""
        invocation = self.prepare(function, plan, event, context, keep=True)
        place = Beside()
        if invocation.source is not None:
            await self._flow(invocation, context, place)
        response = await self._conclude(invocation, place)
        ended = self._end_window(invocation, response)
        if is_awaitable(ended):
            _check_ended(await ended)
        return invocation.result(response)

    def prepare(
        self, function: Callable[..., Any], plan: Plan, event: Any, context: Any, *, keep: bool = False
    ) -> Invocation:
        """Take the event apart and bind the record function to it.

        The testing kit watches what becomes of the records here, whatever `answer` raises.

        Raises:
            EventError: The event cannot be trusted.
        """
        source, records = self._catalogue.open(event)
        window = Window(event) if isinstance(event, dict) and "window" in event else None
        if source is None:
            return Invocation(plan, None, (), (), function, window, False)
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
        if plan.awaits and self._settings.record_timeout is not None:
            from partialbatch._core.runners.tasks import with_timeout  # loads asyncio

            invoke = with_timeout(invoke, self._settings.record_timeout)
        elif plan.relays:
            from partialbatch._core.runners.event_loop import completed  # loads asyncio

            invoke = completed(invoke)
        invocation = Invocation(plan, source, records, identifiers, invoke, window, keep or self._keeps_results)
        if self._settings.max_receive_count is not None:
            invocation.run.last_attempts = _last_attempts(source, records)
        if window is not None and plan.takes_state:
            invocation.run.on_success = window.advance
        return invocation

    def _execute(self, invocation: Invocation, context: Any) -> None:
        """Run the records, in the caller's thread or with its help."""
        if invocation.source is None:
            return
        policy = self._planner.policy(invocation)
        if invocation.keeps or not self._planner.is_plain(invocation, policy):
            if self._attachments is not None:
                self._attachments.refuse_running_loop()
            drive(self._flow(invocation, context, Here()))
            return
        deadline = self._planner.deadline(context) if context is not None else None
        in_order(invocation, deadline, stops=policy is STOP)
        if invocation.noted is not None and invocation.noted.errors:
            self._after_run(invocation, context)

    async def _flow(self, invocation: Invocation, context: Any, place: Here | Beside) -> None:
        """Run the records, and what waits for all of them."""
        run, attachments = invocation.run, self._attachments
        try:
            self._planner.survey(invocation)
            if attachments is not None:
                await place.call(attachments.resume, invocation)  # what is done already need not run
                attachments.attach(invocation, context)
            await self._run_records(invocation, context, place)
            if attachments is not None and attachments.bulk is not None and run.interrupt is None:
                await attachments.bulk_step(invocation, place)
        except BaseException:
            if attachments is not None:
                attachments.refused(invocation)
            raise
        finally:
            if run.deliveries is not None:
                await place.call(run.close)
            run.close()
        if run.errors or (attachments is not None and SKIPPED in run.states):
            await place.call(self._after_run, invocation, context)

    async def _run_records(self, invocation: Invocation, context: Any, place: Here | Beside) -> None:
        """Plan which records run when, and run them."""
        run, planner = invocation.run, self._planner
        planner.group(invocation)
        reach = await place.call(planner.give_up, invocation) if run.unknown else len(run.records)
        work = planner.work(invocation, context, reach)
        if run.awaits:
            from partialbatch._core.runners.tasks import in_rounds  # loads asyncio

            await place.run(in_rounds, *work)
        else:
            run_late = partial(run_plain, late=place.is_late)
            await place.call(run_late, *work, on_cancel=partial(work[1].close, ENDING))

    def _after_run(self, invocation: Invocation, context: Any) -> None:
        """Delay retries, where an option or an error asks for it."""
        attachments = self._attachments or self._late
        errors = invocation.run.errors.values()
        if attachments is None and any(holds(error, (RetryAfter, Reject)) for error in errors):
            # Kept, for it makes a client; apart, for it must not change which runner is taken.
            attachments = self._late = _attachments(self._settings)
        if attachments is not None and invocation.run.interrupt is None:
            attachments.after_run(invocation, context)

    async def _conclude(self, invocation: Invocation, place: Here | Beside) -> BatchResponse:
        try:
            response = invocation.conclude()
        except BaseException:
            if self._attachments is not None:
                self._attachments.refused(invocation)
            raise
        if self._attachments is not None:
            if response["batchItemFailures"]:
                await place.call(self._attachments.remember, invocation)
            self._attachments.ended(invocation, response)
        return response

    def _end_window(self, invocation: Invocation, response: BatchResponse) -> Any:
        """Hand the final state to ``window_end``, once no record of the window is left.

        Returns:
            What it returned: an awaitable if it is an async function.
        """
        window, window_end = invocation.window, self._settings.window_end
        if window is None or window_end is None or not window.final or response["batchItemFailures"]:
            return None
        ended = window_end(window.lend())
        if not is_awaitable(ended):
            _check_ended(ended)
        return ended


def _attachments(settings: Settings) -> Attachments:
    from partialbatch._core.attachments import Attachments  # most handlers need none of it

    return Attachments(settings)


def _wait_for(value: Any) -> None:
    """Await what an async ``window_end`` returned."""
    if is_awaitable(value):
        from partialbatch._core.runners.event_loop import run_in_loop  # loads asyncio

        async def wait() -> None:
            _check_ended(await value)

        try:
            run_in_loop(wait)
        finally:
            if isinstance(value, CoroutineType):
                value.close()  # where a loop runs it was not begun, and Python would warn of that too


def _check_ended(value: Any) -> None:
    """Refuse what shows that ``window_end`` has not run: the window's last records come back."""
    check_value(value, "window_end")


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
