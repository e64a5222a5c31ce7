"""``partialbatch demo``."""

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

from partialbatch.cli.demo.server import local_services
from partialbatch.cli.demo.sources import Settings, Source, make_sources
from partialbatch.cli.demo.view import Live, Plain, Quiet, as_json, closing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["demo"]

_PACE = 0.04
_REFRESH = 0.1


@click.command()
@click.option("--json", "machine", is_flag=True, help="Print the result as JSON and nothing else.")
@click.option(
    "--without-report",
    is_flag=True,
    help="Leave ReportBatchItemFailures out of the event source mappings, and see what that loses.",
)
def demo(*, machine: bool, without_report: bool) -> None:
    """Handle records of local queues and streams, and count what was lost.

    Starts moto's server on a loopback port, fills a queue, a FIFO queue, a Kinesis
    stream and a DynamoDB table, and runs handlers over them as Lambda would. Some
    records fail once, some always. The exit status is 1 if any record was lost.
    Nothing leaves this machine, and no AWS account is needed.
    """
    console = Console(width=None if sys.stdout.isatty() else 80)
    view = _view(console, machine=machine)
    started = monotonic()
    with local_services() as client, _without_logs():
        if not machine:
            console.print("Filling two queues and two streams on a local server (moto) ...\n")
        pace = _PACE if isinstance(view, Live) else 0
        sources = make_sources(client, Settings(pace=pace, report=not without_report, tell=view.tell))
        ledgers = [source.ledger for source in sources]
        _run(sources, view)
        tallies = [source.ledger.tally(source.dead_letters()) for source in sources]
    if machine:
        print(as_json(tallies, ledgers, monotonic() - started))
    else:
        closing(console, tallies, ledgers, report=not without_report)
    sys.exit(1 if any(tally.lost for tally in tallies) else 0)


def _view(console: Console, *, machine: bool) -> Quiet:
    if machine:
        return Quiet()
    return Live(console) if console.is_terminal else Plain()


def _run(sources: Sequence[Source], view: Quiet) -> None:
    """Poll all sources at once; an error, or Ctrl-C, ends all of them."""
    stop = Event()
    with ThreadPoolExecutor(len(sources)) as pool:
        try:
            # Before anything is shown: a pool does not wait for the thread whose start Ctrl-C cuts short.
            running = [pool.submit(source.run, stop) for source in sources]
            with view.during([source.ledger for source in sources]):
                while running:
                    finished, waiting = wait(running, timeout=_REFRESH)
                    running = list(waiting)
                    view.refresh()
                    for future in finished:
                        future.result()
        finally:
            stop.set()


@contextmanager
def _without_logs() -> Iterator[None]:
    """Keep our warnings on failed records, which here are on purpose, off the terminal."""
    logger = logging.getLogger("partialbatch")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False
