"""The command ``partialbatch invoke``."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from partialbatch._core import logs
from partialbatch.cli.command_error import CommandError
from partialbatch.cli.invoke.recording import CallRecorder
from partialbatch.cli.invoke.rendering import JudgedCall, show, to_json
from partialbatch.cli.invoke.saved_events import open_batch
from partialbatch.cli.loading import load_handler
from partialbatch.cli.option_types import FilePath, Seconds
from partialbatch.cli.output import output_aside
from partialbatch.cli.user_tracebacks import log_handler
from partialbatch.errors import listing
from partialbatch.testing._context import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO

    from partialbatch.cli.invoke.saved_events import SavedBatch
    from partialbatch.cli.loading import LoadedHandler

__all__ = ["invoke"]

_SHORTEST = 0.001  # a LambdaContext counts milliseconds
_LONGEST = 900


@click.command()
@click.argument("target", metavar="MODULE:HANDLER")
@click.argument(
    "events",
    nargs=-1,
    required=True,
    metavar="EVENT.json...",
    type=FilePath(exists=True, dir_okay=False, readable=True, allow_dash=True),
)
@click.option(
    "--timeout",
    type=Seconds(_SHORTEST, _LONGEST),
    default=_LONGEST,
    show_default=True,
    help="The function's timeout in seconds. A handler that runs longer is stopped, as on Lambda.",
)
@click.option(
    "--context", metavar="JSON|FILE", help='Attributes of the context, for example \'{"function_name": "orders"}\'.'
)
@click.option("--without-report", is_flag=True, help="Judge as if the mapping did not have ReportBatchItemFailures.")
@click.option(
    "--report", type=FilePath(dir_okay=False, path_type=Path), help="Write an HTML report about the run to this file."
)
@click.option("--verbose", "-v", is_flag=True, help="Show all logs, on standard error.")
@click.option("--json", "as_json", is_flag=True, help="Print only JSON.")
def invoke(
    *,
    target: str,
    events: tuple[str, ...],
    timeout: float,
    context: str | None,
    without_report: bool,
    report: Path | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """Run a handler on saved events, and show what Lambda would do with its responses.

    MODULE:HANDLER is a handler of @batch_handler, or a plain function (event, context);
    the module may be a file: src/app.py:handler. EVENT.json is a file, and - stands for
    standard input. The handler's own output goes to standard error.

    Ends with 1 if a record or an invocation failed, and with 2 if the handler or an event
    can't be used.
    """
    texts = _read(events)
    extras = _context(context)
    if report is not None and not report.resolve().parent.is_dir():
        raise CommandError(f"--report: there is no folder {report.parent}; create it first")
    with output_aside() as stdout, _logs(verbose=verbose):
        results = _Results(stdout, report, as_json=as_json)
        loaded = load_handler(target)
        if loaded.note:
            click.echo(f"Note: {loaded.note}.", err=True)
        batches = [open_batch(name, text, loaded, report=not without_report) for name, text in texts]
        _run(loaded, batches, timeout, extras, results)
        code = results.conclude(loaded.name)
    sys.exit(code)


def _read(names: Sequence[str]) -> list[tuple[str, str]]:
    """Read the files before any handler runs."""
    if names.count("-") > 1:
        raise click.UsageError("standard input (-) can be read only once; name it once")
    texts = []
    for name in names:
        try:
            data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            texts.append(("standard input" if name == "-" else name, data.decode("utf-8-sig")))
        except OSError as error:
            raise CommandError(f"{name} can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CommandError(f"{name} isn't JSON: it isn't UTF-8 text") from None
    return texts


def _context(given: str | None) -> dict[str, Any]:
    """Read the attributes of the context from JSON, or from a file with JSON."""
    if given is None:
        return {}
    try:
        attributes = json.loads(given if given.lstrip().startswith("{") else Path(given).read_text("utf-8"))
    except OSError as error:
        raise _bad_context(f"{given} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _bad_context("it isn't JSON") from None
    if not isinstance(attributes, dict):
        raise _bad_context("it isn't a JSON object")
    known = sorted(name for name in vars(LambdaContext()) if name not in ("clock", "timeout") and name[0] != "_")
    for name in attributes:
        if name not in known:
            hint = "; set the remaining time with --timeout" if "time" in name else ""
            raise _bad_context(f"the context has no {name!r}{hint}; it has {listing(known)}")
    return attributes


def _bad_context(why: str) -> CommandError:
    return CommandError(f"--context: {why}")


@contextmanager
def _logs(*, verbose: bool) -> Iterator[None]:
    """Drop our log lines that only repeat the table, unless the command is verbose."""
    if verbose:
        logging.basicConfig(level=logging.INFO, handlers=[log_handler(sys.stderr)])
        yield
        return
    logs.logger.addFilter(_only_in_logs)
    before, logging.lastResort = logging.lastResort, log_handler(sys.stderr, logging.WARNING, "%(message)s")
    try:
        yield
    finally:
        logging.lastResort = before
        logs.logger.removeFilter(_only_in_logs)


_SHOWN_IN_TABLE = (logs.record_failed, logs.batch_ended, logs.records_left_over, logs.empty_batch)


def _only_in_logs(record: logging.LogRecord) -> bool:
    """Tell whether a log line says more than the table: that a hook raised, for example."""
    return record.funcName not in {function.__name__ for function in _SHOWN_IN_TABLE}


@dataclass(slots=True)
class _Results:
    """Results to print at the end: of all invocations, or of those up to a timeout."""

    stdout: TextIO
    report: Path | None
    as_json: bool
    done: list[JudgedCall] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    folder: Path = field(default_factory=Path.cwd)  # saved, because a handler may change the working directory

    def conclude(self, handler: str) -> int:
        """Print and write the results; return the exit code."""
        if self.as_json:
            document = {"handler": handler, "invocations": list(map(to_json, self.done)), "not_run": self.not_run}
            print(json.dumps(document, indent=2), file=self.stdout)
        else:
            console = Console(file=self.stdout)
            for call in self.done:
                show(console, call)
        self.stdout.flush()
        if self.not_run:
            click.echo(f"Error: not run because of the timeout: {listing(self.not_run)}", err=True)
        if self.report is not None and not self._write(self.report, handler):
            return 2
        return 0 if all(call.fine for call in self.done) else 1

    def _write(self, path: Path, handler: str) -> bool:
        from partialbatch.cli.invoke.html_report import render  # loads jinja2

        try:
            # JSON can contain lone surrogates, UTF-8 can't.
            (self.folder / path).write_text(render(handler, self.done), "utf-8", "backslashreplace")
        except OSError as error:
            click.echo(f"Error: --report {path}: {error.strerror}", err=True)
            return False
        click.echo(f"Report: {path}", err=True)
        return True


def _run(
    loaded: LoadedHandler, batches: Sequence[SavedBatch], timeout: float, extras: dict[str, Any], results: _Results
) -> None:
    for number, batch in enumerate(batches):
        recorder = CallRecorder(loaded, batch, timeout, extras)

        def end_run(recorder: CallRecorder = recorder, rest: int = number + 1) -> None:
            results.done.append(JudgedCall.of(recorder.batch, recorder.timed_out()))
            results.not_run = [left.name for left in batches[rest:]]
            results.conclude(loaded.name)

        with _ended_after(timeout, end_run):
            recorded = recorder.call()
        results.done.append(JudgedCall.of(batch, recorded))


@contextmanager
def _ended_after(seconds: float, end_run: Callable[[], None]) -> Iterator[None]:
    """End the process, as Lambda does, if the context is still open after some seconds.

    A thread can't be stopped from outside, so a handler that hangs would hang this command. The handler
    runs in the main thread, as on Lambda, so that Ctrl-C and a debugger work.
    """
    settled = threading.Lock()

    def ring() -> None:
        with settled:
            try:
                end_run()
            finally:
                sys.stderr.flush()
                os._exit(1)

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        settled.acquire()  # if the timer has fired, wait until it ends the process
