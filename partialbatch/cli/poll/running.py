"""Runs the pollers until a signal, an error, or the end of the source."""

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
"""Environment variable with the id of the process that started this one because of ``--reload``."""

_TICK = 0.05
_LOOK = 0.5


class RecordsGivenUp(click.ClickException):
    """Records were given up: prints one line on standard error and ends with 1."""


class StopSignal:
    """Becomes true on SIGINT or SIGTERM, or if the parent process has ended. A second signal ends this process.

    Attributes:
        at_once: Called on a second signal, just before the process ends.
    """

    def __init__(self, parent: int | None = None) -> None:
        self.at_once: Callable[[], None] = lambda: None
        self._signalled = False
        self._parent = parent

    def __bool__(self) -> bool:
        return self._signalled or (self._parent is not None and os.getppid() != self._parent)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals while the context is open."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._signalled:
            self.at_once()
            if os.isatty(2):  # a live display hides the cursor, and can't show it again now
                os.write(2, b"\x1b[?25h\n")
            os.write(2, b"Stopped at once: the records of the current batches will be delivered again.\n")
            os._exit(1)
        # A plain flag, because the interrupted main thread may hold any lock.
        self._signalled = True


def run(source: Source, tasks: PeriodicTasks, display: Display, stop: StopSignal, *, until_empty: bool) -> None:
    """Poll until `stop` is true, then finish the current batches.

    Raises:
        CommandError: An error ended the run.
        RecordsGivenUp: Records were given up, and `until_empty` is set.
    """
    # Output of handlers is not output of the command.
    with redirect_stdout(sys.stderr), display.during():
        source.add_tasks(tasks, display)
        tasks.start()
        _watch(source, tasks, stop, until_empty=until_empty)
        tasks.stop()
        _finish(tasks, display)
        display.show_event("stopped")
    if tasks.error is not None:
        raise CommandError(f"{describe_error(tasks.error)}; nothing is lost: unfinished records are delivered again")
    if until_empty and display.counts.given_up:
        raise RecordsGivenUp(f"records were given up: {display.counts.given_up:,}")


def _watch(source: Source, tasks: PeriodicTasks, stop: StopSignal, *, until_empty: bool) -> None:
    """Wait for a reason to stop."""
    look = monotonic()
    while not (tasks.stopping or stop):
        sleep(_TICK)
        if until_empty and monotonic() >= look:
            look = monotonic() + _LOOK
            if _drained(source):
                return


def _finish(tasks: PeriodicTasks, display: Display) -> None:
    """Wait for the current batches."""
    patience = monotonic() + _LOOK
    while tasks.running:
        sleep(_TICK)
        if monotonic() >= patience:
            display.show_event("stopping", what="after the current batch; a second signal stops at once")
            patience = inf


def _drained(source: Source) -> bool:
    try:
        return source.drained()
    except Exception:  # if the service is unavailable, the pollers notice it and wait
        return False
