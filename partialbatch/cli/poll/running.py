"""A run: from the first batch to the end, which is a signal's, an error's, or the source's."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, redirect_stdout
from math import inf
from time import monotonic, sleep
from typing import TYPE_CHECKING

import click

from partialbatch.cli.command_error import CommandError
from partialbatch.cli.poll.clients import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from partialbatch.cli.poll.display import Display
    from partialbatch.cli.poll.periodic import PeriodicTasks
    from partialbatch.cli.poll.polled_sources import Source

__all__ = ["PARENT", "RecordsGivenUp", "StopSignal", "run"]

PARENT = "PARTIALBATCH_POLL_PARENT"
"""The environment variable that tells a run the process that watches over it."""

_TICK = 0.05
_LOOK = 0.5


class RecordsGivenUp(click.ClickException):
    """Records were given up: one line on standard error, exit code 1."""


class StopSignal:
    """Becomes true at SIGINT or SIGTERM, or when the process above is gone; a second signal ends at once.

    Attributes:
        at_once: Called at a second signal, just before the process ends.
    """

    def __init__(self, parent: int | None = None) -> None:
        self.at_once: Callable[[], None] = lambda: None
        self._signalled = False
        self._parent = parent

    def __bool__(self) -> bool:
        return self._signalled or (self._parent is not None and os.getppid() != self._parent)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals while the context is open."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._signalled:
            self.at_once()
            if os.isatty(2):  # a live view hides the cursor, and gets no chance to show it again
                os.write(2, b"\x1b[?25h\n")
            os.write(2, b"Stopped at once: what was in hand will be delivered again.\n")
            os._exit(1)
        # A flag and no lock: the main thread may hold any lock while it is interrupted.
        self._signalled = True


def run(source: Source, tasks: PeriodicTasks, display: Display, stop: StopSignal, *, until_empty: bool) -> None:
    """Poll until told to stop; finish the batches in hand.

    Raises:
        Unusable: An error ended the run.
        GaveUp: With `until_empty`, records were given up.
    """
    # What handlers print is not the command's output.
    with redirect_stdout(sys.stderr), display.during():
        source.add_tasks(tasks, display)
        tasks.start()
        _watch(source, tasks, stop, until_empty=until_empty)
        tasks.stop()
        _finish(tasks, display)
        display.show_event("stopped")
    if tasks.error is not None:
        raise CommandError(f"{describe_error(tasks.error)}; nothing is lost: what was not settled is delivered again")
    if until_empty and display.counts.given_up:
        raise RecordsGivenUp(f"records were given up: {display.counts.given_up:,}")


def _watch(source: Source, tasks: PeriodicTasks, stop: StopSignal, *, until_empty: bool) -> None:
    """Return when the engine is to stop."""
    look = monotonic()
    while not (tasks.stopping or stop):
        sleep(_TICK)
        if until_empty and monotonic() >= look:
            look = monotonic() + _LOOK
            if _drained(source):
                return


def _finish(tasks: PeriodicTasks, display: Display) -> None:
    """Wait for the batches in hand."""
    patience = monotonic() + _LOOK
    while tasks.running:
        sleep(_TICK)
        if monotonic() >= patience:
            display.show_event("stopping", what="when the batch in hand is finished; a second signal stops at once")
            patience = inf


def _drained(source: Source) -> bool:
    try:
        return source.drained()
    except Exception:  # the service is away: the pollers find out, and their patience counts
        return False
