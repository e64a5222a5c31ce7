"""``--reload``: the run is a process of its own, which is replaced when a file changes."""

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
    """Return the folder to watch: the file's, or the working directory.

    Raises:
        Unusable: There is no such folder.
    """
    place = target.rpartition(":")[0]
    folder = Path(place).resolve().parent if place.endswith(".py") else Path.cwd()
    if not folder.is_dir():
        raise CommandError(f"there is no folder {folder}, with a file {place}")
    return folder


def supervise(folder: Path, stop: StopSignal) -> int:
    """Run this command line in a process of its own, and anew after each change; return the exit code.

    A run that ends by itself with an error waits for the next change: it may be the cure.
    """
    child = _start(stop)
    told = False
    with stop.listening():
        looks = watch(folder, watch_filter=PythonFilter(), rust_timeout=_LOOK, yield_on_timeout=True)
        while not stop and child.poll() != 0:
            if changes := next(looks):
                names = ", ".join(sorted({Path(path).name for _, path in changes}))
                click.echo(f"Reload: {names} changed.", err=True)
                _end(child)
                child, told = _start(stop), False
            elif child.poll() is not None and not told:
                click.echo(f"Waiting for a change in {folder}.", err=True)
                told = True
        return _end(child)


def _start(stop: StopSignal) -> subprocess.Popen[bytes]:
    code = "from partialbatch.cli import main; main(prog_name='partialbatch')"
    # A session of its own: Ctrl-C comes here alone, and is handed on once.
    child = subprocess.Popen(
        [sys.executable, "-c", code, *sys.argv[1:]],
        env=os.environ | {PARENT: str(os.getpid())},
        start_new_session=True,
    )
    stop.at_once = child.kill  # its handler may hang
    return child


def _end(child: subprocess.Popen[bytes]) -> int:
    """Have a run finish its batch."""
    if child.poll() is None:
        child.terminate()
    return child.wait()
