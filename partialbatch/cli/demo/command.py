"""The command ``partialbatch demo``."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

import click
from rich.console import Console

from partialbatch.cli.demo.local_server import local_services
from partialbatch.cli.demo.local_sources import DemoSettings, LocalSource, make_sources
from partialbatch.cli.demo.progress import NoProgress, ProgressBars, ProgressLines
from partialbatch.cli.demo.summary import print_summary, summary_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["demo"]

_WORK_SECONDS = 0.04
_REFRESH = 0.1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print only the result, as JSON.")
@click.option(
    "--without-report",
    is_flag=True,
    help="Leave ReportBatchItemFailures out of the event source mappings, to see how records are lost.",
)
def demo(*, as_json: bool, without_report: bool) -> None:
    """Handle records of local queues and streams, and count the lost ones.

    Starts moto's server on a loopback port, fills a queue, a FIFO queue, a Kinesis
    stream and a DynamoDB table, and runs handlers over them as Lambda would. Some
    records fail once, some always. You need no AWS account, and nothing leaves this
    machine.

    Ends with 1 if any record was lost.
    """
    console = Console(width=None if sys.stdout.isatty() else 80)
    progress = _progress(console, as_json=as_json)
    started = monotonic()
    with local_services() as client, _without_logs():
        if not as_json:
            console.print("Filling two queues and two streams on a local server (moto) ...\n")
        work_seconds = _WORK_SECONDS if isinstance(progress, ProgressBars) else 0
        sources = make_sources(
            client, DemoSettings(work_seconds=work_seconds, report=not without_report, show_line=progress.show_line)
        )
        trackers = [source.tracker for source in sources]
        _run(sources, progress)
        summaries = [source.tracker.summarize(source.dead_letters()) for source in sources]
    if as_json:
        print(summary_json(summaries, trackers, monotonic() - started))
    else:
        print_summary(console, summaries, trackers, report=not without_report)
    sys.exit(1 if any(summary.lost for summary in summaries) else 0)


def _progress(console: Console, *, as_json: bool) -> NoProgress:
    if as_json:
        return NoProgress()
    return ProgressBars(console) if console.is_terminal else ProgressLines()


def _run(sources: Sequence[LocalSource], progress: NoProgress) -> None:
    """Poll all sources at once. An error or Ctrl-C ends all of them."""
    stop = Event()
    with ThreadPoolExecutor(len(sources)) as pool:
        try:
            # Before the progress is shown: a pool doesn't wait for a thread whose start Ctrl-C interrupts.
            running = [pool.submit(source.run, stop) for source in sources]
            with progress.during([source.tracker for source in sources]):
                while running:
                    finished, waiting = wait(running, timeout=_REFRESH)
                    running = list(waiting)
                    progress.refresh()
                    for future in finished:
                        future.result()
        finally:
            stop.set()


@contextmanager
def _without_logs() -> Iterator[None]:
    """Silence our warnings about failed records, because the demo makes records fail on purpose."""
    logger = logging.getLogger("partialbatch")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False
