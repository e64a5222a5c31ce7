"""Fixtures for all commands: queues and streams on moto's server, handlers in modules, a terminal."""

from __future__ import annotations

import importlib
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from itertools import count

import pytest
from services import services  # noqa: F401 - a fixture


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes modules into the working directory, each under a name of its own, and forgets them afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    written = []

    def write(code, name=None):
        name = name or f"module_{next(_module_numbers)}"
        written.append(name)
        (tmp_path / f"{name}.py").write_text(code)
        importlib.invalidate_caches()
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


_module_numbers = count(1)


@pytest.fixture
def on_terminal():
    """Runs ``partialbatch`` on a terminal; returns the exit code and the output."""

    def run(*arguments, columns=80, colours=False):
        master, slave = pty.openpty()
        environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm-256color"}
        command = [sys.executable, "-c", "from partialbatch.cli import main; main(prog_name='partialbatch')"]
        process = subprocess.Popen([*command, *arguments], stdout=slave, stderr=slave, stdin=slave, env=environment)
        os.close(slave)
        shown = b""
        with suppress(OSError):  # Linux's word for the end of a terminal
            while chunk := os.read(master, 65_536):
                shown += chunk
        os.close(master)
        code = process.wait()
        text = shown.decode().replace("\r\n", "\n")
        return code, text if colours else re.sub(r"\x1b\[[0-9;]*m", "", text)

    return run
