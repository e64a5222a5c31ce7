"""Implements ``--reload``: polls in a child process, and restarts it when a file changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from watchfiles import PythonFilter, watch

from partialbatch.cli.command_error import CommandError
from partialbatch.cli.poll.running import PARENT

if TYPE_CHECKING:
    from partialbatch.cli.poll.running import StopSignal

__all__ = ["folder_of", "supervise"]

_LOOK = 200  # milliseconds


def folder_of(target: str) -> Path:
    """Return the folder to watch: the folder of the handler's file, or the working directory.

    Raises:
        CommandError: There is no such folder.
    """
    place = target.rpartition(":")[0]
    folder = Path(place).resolve().parent if place.endswith(".py") else Path.cwd()
    if not folder.is_dir():
        raise CommandError(f"there is no file {place}: its folder {folder} doesn't exist")
    return folder


def supervise(folder: Path, stop: StopSignal) -> int:
    """Run this command line in a child process, restart it after each change, and return its exit code.

    If the child ends with an error, wait for the next change, which may repair it.
    """
    child = _start(stop)
    announced = False
    with stop.listening():
        looks = watch(folder, watch_filter=PythonFilter(), rust_timeout=_LOOK, yield_on_timeout=True)
        while not stop and child.poll() != 0:
            if changes := next(looks):
                names = ", ".join(sorted({Path(path).name for _, path in changes}))
                click.echo(f"Reload: {names} changed.", err=True)
                _end(child)
                child, announced = _start(stop), False
            elif child.poll() is not None and not announced:
                click.echo(f"Waiting for a change in {folder}.", err=True)
                announced = True
        return _end(child)


def _start(stop: StopSignal) -> subprocess.Popen[bytes]:
    code = "from partialbatch.cli import main; main(prog_name='partialbatch')"
    # In its own session, the child doesn't get Ctrl-C from the terminal; it is passed on once.
    child = subprocess.Popen(
        [sys.executable, "-c", code, *sys.argv[1:]],
        env=os.environ | {PARENT: str(os.getpid())},
        start_new_session=True,
    )
    stop.at_once = child.kill  # its handler may hang
    return child


def _end(child: subprocess.Popen[bytes]) -> int:
    """Stop the child after its current batch and return its exit code."""
    if child.poll() is None:
        child.terminate()
    return child.wait()
