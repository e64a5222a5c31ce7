"""Progress of the demo: bars on a terminal, lines in a pipe, or nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from partialbatch.cli.demo.tracking import SourceTracker

__all__ = ["NoProgress", "ProgressBars", "ProgressLines"]

_BAR_WIDTH = 60
"""Columns a terminal must have for bars to fit."""


class NoProgress:
    """Shows no progress, for ``--json``."""

    def during(self, _ledgers: Sequence[SourceTracker]) -> AbstractContextManager[object]:
        """Show progress while the context is open."""
        return nullcontext()

    def refresh(self) -> None:
        """Update the display."""

    def show_line(self, source: str, line: str) -> None:
        """Show a line about an event. Called from several threads."""


class ProgressLines(NoProgress):
    """Prints one line per invocation."""

    def show_line(self, source: str, line: str) -> None:
        """Print a line."""
        print(f"{source:<16}{line}\n", end="", flush=True)  # a single write, so that lines of several threads don't mix


class ProgressBars(NoProgress):
    """Draws one bar per source on a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(*_columns(console.width), console=console, transient=True)
        self._bars: list[tuple[Any, SourceTracker]] = []

    def during(self, trackers: Sequence[SourceTracker]) -> AbstractContextManager[object]:
        """Draw the bars."""
        self._bars = [
            (self._progress.add_task(tracker.source, total=len(tracker.plan), invocations=0), tracker)
            for tracker in trackers
        ]
        return self._progress

    def refresh(self) -> None:
        """Move the bars."""
        for task, tracker in self._bars:
            self._progress.update(task, completed=len(tracker.handled), invocations=tracker.invocations)


def _columns(width: int) -> list[ProgressColumn]:
    name, count = TextColumn("  {task.description:<15}"), MofNCompleteColumn()
    if width < _BAR_WIDTH:
        return [name, count, TextColumn("handled")]
    bar = BarColumn(bar_width=22, complete_style="green", finished_style="green")
    return [name, bar, count, TextColumn("handled  {task.fields[invocations]:>3} invocations")]
