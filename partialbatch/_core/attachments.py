"""What the options beyond the record function add to an invocation: before, during and after its run.

Loaded only where one of them is set, or a record function raised `RetryAfter` or `Reject`.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from partialbatch._core import logs
from partialbatch._core.copies import copied
from partialbatch._core.hook_calls import Listeners
from partialbatch._core.results import FAILED, SKIPPED, SUCCEEDED
from partialbatch._core.stages.bulk import Bulk
from partialbatch._core.stages.dead_letters import as_sink, discard
from partialbatch._core.stages.sessions import Deliveries
from partialbatch._core.stages.visibility import Visibility, plan_timeouts, random_wait
from partialbatch._core.unrun import check_value
from partialbatch._inspection import holds, is_a, kind_of
from partialbatch.errors import INTERRUPTS, RecordSkipped, Reject, RetryAfter
from partialbatch.retries._readers import reader, stream
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from partialbatch._backoff import Backoff
    from partialbatch._core.invocation import Invocation
    from partialbatch._core.options import Settings
    from partialbatch._core.runners.calling import Beside, Here
    from partialbatch._core.runners.run import Run
    from partialbatch.types import BatchResponse, Sink, SinkSession

__all__ = ["Attachments"]

RESERVE = 0.5
"""Seconds kept for the response itself, when all has been sent."""


class Attachments:
    """The sink, dead letter, retry delay, ledger and hooks of a handler.

    Attributes:
        bulk: The sink that takes all that succeeded at once, if it is one of those.
        keeps_results: Whether the value and duration of each record are needed.
    """

    def __init__(self, settings: Settings) -> None:
        """Make what needs no event; initialisation has burst CPU, so boto3's client is made now."""
        self._settings = settings
        is_sink = hasattr(settings.sink, "open")
        self.bulk = Bulk(settings.sink) if settings.sink is not None and not is_sink else None
        self._sink = settings.sink if is_sink else None
        self._dead_letter = None if settings.dead_letter is None else as_sink(settings.dead_letter)
        self._listeners = Listeners(settings.hooks) if settings.hooks else None
        self._visibility = Visibility()
        if settings.retry_delay is not None:
            self._visibility.warm_up()
        self.keeps_results = self.bulk is not None or self._listeners is not None
        # `discard` keeps nothing of a record.
        self._needs_records = settings.retry_delay is not None or not (
            settings.dead_letter is None or settings.dead_letter is discard
        )
        self._reader = ""

    def name(self, function: Any) -> None:
        """Take a name for the ledger, unless there is one: two handlers that share it share no entry."""
        if self._settings.resume is not None and not self._reader:
            self._reader = reader(function, self._settings.resume, self)

    def refuse_running_loop(self) -> None:
        """Check that an async bulk step can be called at the end, before any record runs in vain.

        Raises:
            RuntimeError: It is one, and a loop runs here.
        """
        if self.bulk is not None and self.bulk.awaits:
            from partialbatch._core.runners.event_loop import refuse_running_loop  # loads asyncio

            refuse_running_loop("an async sink")

    def resume(self, invocation: Invocation) -> None:
        """Take off what had succeeded behind the checkpoint that this delivery starts at."""
        run, ledger = invocation.run, self._settings.resume
        if ledger is None or invocation.window is not None:
            return
        first = run.identifiers[0]
        run.entry = f"{stream(run.records[0])}|{self._reader}"
        try:
            done = _names(ledger.done_behind(run.entry, first)) if isinstance(first, str) else ()
        except INTERRUPTS:
            raise
        except BaseException as error:  # a ledger of the user's own may raise: the batch runs as without it
            logs.ledger_unavailable("read", error)
            return
        if done:
            # The checkpoint itself was reported, whatever an entry says.
            run.resumed = frozenset(i for i, name in enumerate(run.identifiers) if name in done and name != first)
            for index in run.resumed:
                run.states[index] = SUCCEEDED

    def attach(self, invocation: Invocation, context: Any) -> None:
        """Have sessions opened when they are needed, and tell the hooks that the batch begins."""
        run = invocation.run
        run.collects = self._settings.sink is not None
        if self._needs_records:
            run.delivered = [_as_delivered(raw) for raw in run.records]
        if self._sink is not None or self._dead_letter is not None:
            run.deliveries = self._deliveries(invocation, seconds_left(context, self._settings.deadline_margin))
        self._listen(invocation, context)

    async def bulk_step(self, invocation: Invocation, place: Here | Beside) -> None:
        """Hand what succeeded to the bulk sink; what it returns as failed fails, and its group behind it."""
        run, bulk = invocation.run, cast("Bulk", self.bulk)
        succeeded = {
            index: invocation.record_result(index)
            for index, state in enumerate(run.states)
            if state == SUCCEEDED and index not in run.resumed
        }
        failures = await bulk.failures(succeeded, place)
        if failures:
            await place.call(_take_back, run, succeeded, failures, run.policy is not ErrorPolicy.CONTINUE)
        if self._listeners is not None:
            for index in succeeded:
                if run.states[index] == SUCCEEDED:
                    self._listeners.tell("on_record_end", invocation.record_result(index))

    def after_run(self, invocation: Invocation, context: Any) -> None:
        """Delay the retries of what failed; tell of what was asked for in vain."""
        run, source = invocation.run, invocation.source
        if self._dead_letter is None and any(holds(error, Reject) for error in run.errors.values()):
            logs.once("reject", "a record function raised Reject and there is no dead_letter: the record fails")
        asked = any(holds(error, RetryAfter) for error in run.errors.values())
        if not hasattr(source, "receive_count"):
            if asked:
                logs.once(
                    "retry_after",
                    "a record function raised RetryAfter, and fails like any other: "
                    f"records of {run.source} have no visibility timeout",
                )
        elif asked or self._settings.retry_delay is not None:
            try:
                self._delay(invocation, context)
            except Exception as error:  # the response must not depend on it
                logs.visibility_unchanged({kind_of(error): len(invocation.reported())})

    def remember(self, invocation: Invocation) -> None:
        """Keep what is done behind the checkpoint: the lowest number reported, which is the first in event order.

        Args:
            invocation: An invocation that reports a record.
        """
        run, ledger = invocation.run, self._settings.resume
        if ledger is None or invocation.window is not None:
            return
        reported = invocation.reported()
        names = [name if isinstance(name, str) else "" for name in run.identifiers]
        checkpoint = names[reported[0]]
        # A number that stands twice in a batch is done when both are.
        unsettled = {"", *(names[index] for index in reported)}
        done = [name for name in names[reported[0] + 1 :] if name not in unsettled]
        if checkpoint and done:
            write: Callable[..., Any] = ledger.remember
            try:
                check_value(write(run.entry, checkpoint, done), "the ledger's remember()", "make it a plain function")
            except INTERRUPTS:
                raise
            except BaseException as error:  # the response must not depend on it
                logs.ledger_unavailable("written", error)

    def ended(self, invocation: Invocation, response: BatchResponse) -> None:
        """Tell the hooks that the batch has ended."""
        # A batch without records begins with nothing to tell of.
        if self._listeners is not None and (invocation.told or invocation.source is None):
            invocation.told = False
            self._listeners.tell("on_batch_end", invocation.result(response))

    def refused(self, invocation: Invocation) -> None:
        """Tell the hooks that the batch has ended without a response: an empty identifier gives back all of it."""
        with suppress(*INTERRUPTS):  # what is raised already stands
            self.ended(invocation, {"batchItemFailures": [{"itemIdentifier": ""}]})

    def _deliveries(self, invocation: Invocation, left: Callable[[], float] | None) -> Deliveries:
        run, arn = invocation.run, getattr(invocation.source, "arn", None) or None

        def opens(sink: Sink | None) -> Callable[[], SinkSession] | None:
            return None if sink is None else lambda: sink.open(ordered=run.is_ordered, seconds_left=left)

        return Deliveries(run, opens(self._sink), opens(self._dead_letter), self._settings.permanent, arn)

    def _listen(self, invocation: Invocation, context: Any) -> None:
        run, listeners = invocation.run, self._listeners
        if listeners is None:
            return
        views = [invocation.view(index) for index in range(len(run.records))]

        def ended(index: int) -> None:
            # With a bulk step to come, a success is none yet.
            if self.bulk is None or run.states[index] != SUCCEEDED:
                listeners.tell("on_record_end", invocation.record_result(index))

        invocation.told = True
        listeners.tell("on_batch_start", views, context)
        run.around = lambda index: listeners.around(views[index])
        run.on_end = ended

    def _delay(self, invocation: Invocation, context: Any) -> None:
        """Ask SQS when the messages that are reported shall come back."""
        run, source = invocation.run, cast("Any", invocation.source)
        backoff = self._settings.retry_delay
        held = _taken_back(run)
        skipped = [index for index, state in enumerate(run.states) if state == SKIPPED or index in held]

        def group(index: int) -> Any:
            # The option's group, where there is one; else the message group.
            mine = run.lane(index)
            return mine if mine is not None else source.group(run.delivered[index])

        def wait(index: int) -> float:
            try:
                count = int(source.receive_count(run.delivered[index]))
            except Exception:
                count = 1  # what cannot be read comes back soon
            return random_wait(cast("Backoff", backoff), count)

        timeouts = plan_timeouts(
            {i: error for i, error in run.errors.items() if run.states[i] == FAILED and i not in held},
            # Where nothing ran, nothing is known to be better soon.
            skipped if len(skipped) < len(run.states) else (),
            wait=wait if backoff is not None else None,
            group=group,
        )
        self._visibility.change(timeouts, run.delivered, seconds_left(context, self._settings.deadline_margin))


def seconds_left(context: Any, margin: float | None) -> Callable[[], float] | None:
    """Return what gives the seconds left for sending; None where there is no deadline."""
    read = getattr(context, "get_remaining_time_in_millis", None)
    if margin is None or not callable(read) or not isinstance(read(), int | float):
        return None
    reserve = min(RESERVE, margin)
    return lambda: max(0.0, read() / 1000 - reserve)


def _names(done: Any) -> frozenset[Any]:
    """Return the identifiers that a ledger gave.

    Raises:
        TypeError: It gave no set or list. In text, each part of an identifier would be found.
    """
    check_value(done, "the ledger's done_behind()", "make it a plain function")
    if isinstance(done, AbstractSet | list | tuple):
        return frozenset(done)
    raise TypeError(f"the ledger's done_behind() returned a value of type {kind_of(done)}, no set of identifiers")


def _as_delivered(raw: Any) -> Any:
    """Return a copy of a record, or why there is none."""
    try:
        return copied(raw)
    except Exception as error:  # an EventSource of the user's own may deliver anything
        return error


def _taken_back(run: Run) -> set[int]:
    """Return what a bulk step failed for the sake of its group's order: it comes back as if it had not run."""
    return {i for i, error in run.errors.items() if is_a(error, RecordSkipped) and run.lane(i) is not None}


def _take_back(run: Run, succeeded: Iterable[int], failures: Mapping[int, BaseException], holds: bool) -> None:
    """Note what failed in the bulk step: as dead letters, where the error is permanent."""
    held: set[Any] = set()
    for index in succeeded:
        lane = run.lane(index)
        if index in failures:
            if run.give_up(index, failures[index]) and holds and lane is not None:
                held.add(lane)
        elif lane in held:
            # It was written after one of its group that was not: only both again end up in order.
            run.fail(index, RecordSkipped("a record of its group before it failed in the bulk sink"))
