"""From event to result: what stands behind `BatchHandler`, whatever it wraps."""

from __future__ import annotations

import os
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from partialbatch.calls import Window, bind
from partialbatch.invocation import Invocation
from partialbatch.runners import run_plain
from partialbatch.runners.deadline import Deadline
from partialbatch.runners.run import INTERRUPTS, Run, is_awaitable
from partialbatch.runners.schedule import Schedule, successors
from partialbatch.runners.sequential import in_order
from partialbatch.sources import Catalogue
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from partialbatch.results import BatchResult
    from partialbatch.settings import Settings
    from partialbatch.signatures import Plan
    from partialbatch.types import BatchResponse, EventSource, Identifier, RawRecord

__all__ = ["Consumer"]

UNKNOWN_GROUP = "the group of a record before it is unknown"


class Consumer:
    """Runs record functions over batches by one set of settings; keeps nothing of a call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._catalogue = Catalogue(settings)
        self._concurrency = settings.max_concurrency if settings.max_concurrency > 0 else os.cpu_count() or 1
        self._one_by_one = self._concurrency == 1 and settings.group_by is None

    def load_for(self, plan: Plan) -> None:
        """Load what a record function will need: initialisation has burst CPU, and is what SnapStart covers."""
        if plan.awaits:
            from partialbatch.runners import loops, tasks  # noqa: F401, PLC0415 - loads asyncio
        elif self._concurrency > 1:
            import concurrent.futures.thread  # noqa: F401, PLC0415 - handlers of one worker need none

    def handle(self, function: Callable[..., Any], plan: Plan, event: Any, context: Any) -> BatchResponse:
        """Run a batch and return the Lambda result.

        Raises:
            EventError: The event, or the response to it, cannot be trusted.
            FullBatchFailure: No record succeeded, or the source ignores the response and one did not.
        """
        return self.answer(self.run(function, plan, event, context))

    def run(
        self,
        function: Callable[..., Any],
        plan: Plan,
        event: Any,
        context: Any,
        watch: Callable[[Run], None] | None = None,
    ) -> Invocation:
        """Run a batch without answering; between the two, the testing kit looks at what became of each record.

        Args:
            function: The record function.
            plan: How to call it.
            event: What Lambda delivered.
            context: Lambda's context object.
            watch: Given the run before its first record starts; it may wrap ``run.invoke``.

        Raises:
            EventError: The event cannot be trusted.
        """
        invocation = self._prepare(function, plan, event, context, keep=False)
        if watch is not None:
            watch(invocation.run)
        self._execute(invocation, plan, context)
        return invocation

    def answer(self, invocation: Invocation) -> BatchResponse:
        """Return the Lambda result of a batch that was run.

        Raises:
            EventError: The response to it cannot be trusted.
            FullBatchFailure: No record succeeded, or the source ignores the response and one did not.
        """
        response = invocation.conclude()
        invocation.refuse(response, full_failure=self._settings.raise_on_full_failure)
        if invocation.window is not None:
            _awaited(self._window_end(invocation, response))
        return response

    def process(self, function: Callable[..., Any], plan: Plan, event: Any, context: Any) -> BatchResult[Any]:
        """Run a batch and return a result for each record.

        Raises:
            EventError: The event, or the response to it, cannot be trusted.
        """
        invocation = self._prepare(function, plan, event, context, keep=True)
        self._execute(invocation, plan, context)
        response = invocation.conclude()
        _awaited(self._window_end(invocation, response))
        return invocation.result(response)

    async def aprocess(self, function: Callable[..., Any], plan: Plan, event: Any, context: Any) -> BatchResult[Any]:
        """Do what `process` does, for a caller that is in an event loop."""
        from partialbatch.runners import tasks  # noqa: PLC0415 - loads asyncio

        invocation = self._prepare(function, plan, event, context, keep=True)
        if invocation.source is not None:
            runner = tasks.side_by_side if plan.awaits else tasks.in_thread
            await runner(*self._work(invocation, context))
        response = invocation.conclude()
        ended = self._window_end(invocation, response)
        if is_awaitable(ended):
            await ended
        return invocation.result(response)

    def _prepare(self, function: Callable[..., Any], plan: Plan, event: Any, context: Any, *, keep: bool) -> Invocation:
        """Take the event apart and bind the record function to it."""
        source, records = self._catalogue.open(event)
        window = Window.of(event)
        if source is None:
            return Invocation(None, Run("empty", (), (), function, False, False), window)
        if not plan.universal:
            plan.check_source(source)
        # Before any code of the user's runs: it may change the raw records.
        identifiers = _identify(source, records)
        invoke = bind(function, plan, source, context, window)
        if self._settings.record_timeout is not None:
            from partialbatch.runners.tasks import with_timeout  # noqa: PLC0415 - loads asyncio

            invoke = with_timeout(invoke, self._settings.record_timeout)
        run = Run(source.name, records, identifiers, invoke, plan.awaits, keep)
        if self._settings.max_receive_count is not None:
            run.holds_back = _holds_back(source)
        if window is not None and plan.takes_state:
            run.on_success = window.advance
        return Invocation(source, run, window)

    def _execute(self, invocation: Invocation, plan: Plan, context: Any) -> None:
        """Run the records, in the caller's thread or with its help."""
        if invocation.source is None:
            return
        run, policy = invocation.run, self._policy(invocation)
        if self._is_plain(invocation, policy):
            in_order(run, self._deadline(context), stops=policy is ErrorPolicy.STOP)
        elif plan.awaits:
            from partialbatch.runners import loops, tasks  # noqa: PLC0415 - loads asyncio

            work = self._work(invocation, context)
            loops.run_in_loop(lambda: tasks.side_by_side(*work))
        else:
            run_plain(*self._work(invocation, context))

    def _is_plain(self, invocation: Invocation, policy: ErrorPolicy) -> bool:
        """Tell whether the batch can run in event order, with nothing but successes and failures to note."""
        run = invocation.run
        return (
            self._one_by_one
            and policy is not ErrorPolicy.SKIP_GROUP
            and not (run.awaits or run.on_success or run.values is not None)
        )

    def _work(self, invocation: Invocation, context: Any) -> tuple[Run, Schedule, Deadline | None, int]:
        """Plan which records may run when."""
        run, policy = invocation.run, self._policy(invocation)
        workers = 1 if invocation.window is not None else self._concurrency
        runnable: Sequence[int] = range(len(run.records))
        following = [-1] * len(run.records)
        if workers > 1 or policy is ErrorPolicy.SKIP_GROUP or self._settings.group_by is not None:
            runnable, groups = self._groups(invocation, policy)
            following = successors(groups)
        deadline = self._deadline(context)
        return run, Schedule(runnable, following, policy, deadline), deadline, workers

    def _groups(self, invocation: Invocation, policy: ErrorPolicy) -> tuple[list[int], list[Hashable]]:
        """Ask for each record's group; a record whose group is unknown fails, and runs nowhere."""
        run = invocation.run
        group_of = self._grouping(invocation.source)
        runnable: list[int] = []
        groups: list[Hashable] = []
        for index, raw in enumerate(run.records):
            group: Hashable = None
            try:
                group = group_of(raw)
                hash(group)
            except BaseException as error:  # noqa: BLE001, RUF100 - fails its record alone, as in `step`
                held_back = run.fail(index, error)
                if isinstance(error, INTERRUPTS):
                    raise
                # What follows may be of the same group.
                if held_back and policy is not ErrorPolicy.CONTINUE:
                    run.left_over = UNKNOWN_GROUP
                    break
                group = None
            else:
                runnable.append(index)
            groups.append(group)
        return runnable, groups

    def _grouping(self, source: Any) -> Callable[[RawRecord], Hashable]:
        group_by = self._settings.group_by
        if group_by is None:
            return source.group  # type: ignore[no-any-return]  # an EventSource here
        view = source.view
        # In a tuple, for None is a group like any other here.
        return lambda raw: (group_by(view(raw)),)

    def _policy(self, invocation: Invocation) -> ErrorPolicy:
        if invocation.window is not None:
            return ErrorPolicy.STOP
        policy = self._settings.error_policy
        if policy is ErrorPolicy.DERIVE and invocation.source is not None:
            return invocation.source.policy(invocation.run.records)
        return policy

    def _deadline(self, context: Any) -> Deadline | None:
        return Deadline.of(context, self._settings.deadline_margin)

    def _window_end(self, invocation: Invocation, response: BatchResponse) -> Any:
        """Hand the final state to ``window_end``, once no record of the window is left.

        Returns:
            What it returned: an awaitable if it is an async function.
        """
        window, window_end = invocation.window, self._settings.window_end
        if window is None or window_end is None or not window.final or response["batchItemFailures"]:
            return None
        return window_end(window.state)


def _holds_back(source: Any) -> Callable[[RawRecord], bool] | None:
    """Return what tells whether a failed record holds others back: not at its last attempt."""
    last_attempt = getattr(source, "last_attempt", None)
    if last_attempt is None:
        return None

    def holds_back(raw: RawRecord) -> bool:
        try:
            return not last_attempt(raw)
        except Exception:  # a receive count that cannot be read is no last one
            return True

    return holds_back


def _awaited(value: Any) -> None:
    """Await what an async ``window_end`` returned."""
    if is_awaitable(value):
        from partialbatch.runners import loops  # noqa: PLC0415 - loads asyncio

        async def wait() -> None:
            await value

        try:
            loops.run_in_loop(wait)
        finally:
            if isinstance(value, CoroutineType):
                value.close()  # where a loop runs it was not begun, and Python would warn of that too


def _identify(source: EventSource, records: Sequence[RawRecord]) -> list[Identifier | None]:
    """Return each record's identifier; None where it has none, which matters only if it must be reported."""
    try:
        return list(map(source.identifier, records))
    except Exception:
        return [_identifier(source, raw) for raw in records]


def _identifier(source: EventSource, raw: RawRecord) -> Identifier | None:
    try:
        return source.identifier(raw)
    except Exception:
        return None
