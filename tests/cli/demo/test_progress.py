"""Tests of the progress that the demo shows while it runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from partialbatch.cli.demo.progress import ProgressBars
from partialbatch.cli.demo.tracking import SourceTracker


@pytest.mark.parametrize(("columns", "also"), [(40, ()), (60, ("━", "invocations")), (80, ("━", "12 invocations"))])
def test_the_live_view_shows_what_is_handled(columns, also):
    """However narrow the terminal, source and number of handled records are there."""
    console = Console(file=io.StringIO(), width=columns, force_terminal=True, color_system=None)
    plan = {str(number): 0 for number in range(200)}
    tracker = SourceTracker("DynamoDB stream", plan, work_seconds=0, show_line=lambda source, line: None)
    tracker.handled.update(map(str, range(117)))
    tracker.invocations = 12
    live = ProgressBars(console)
    live.during([tracker])
    live.refresh()
    with console.capture() as capture:
        console.print(live._progress.get_renderable())
    (line,) = capture.get().splitlines()
    assert line.startswith("  DynamoDB stream ")
    assert "117/200 handled" in line
    assert all(word in line for word in also)
    assert "…" not in line
