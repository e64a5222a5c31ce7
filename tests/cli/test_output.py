"""Tests of the commands' use of the standard streams."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from partialbatch.cli import commands, main
from partialbatch.cli.output import writing
from partialbatch.testing import sqs_event

COMMAND = [sys.executable, "-c", "from partialbatch.cli import main; main(prog_name='partialbatch')"]
HAS_A_CHILD = """
import subprocess
from partialbatch import batch_handler

print("imported")

@batch_handler
def handler(record):
    subprocess.run(["echo", "of a child process"])
"""

HANDLER = """
from partialbatch import batch_handler

@batch_handler
def handler(record):
    pass
"""


def run(*arguments, **options):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, **options)


def test_output_of_a_child_process_goes_to_standard_error(module, tmp_path):
    """--json prints JSON and nothing else, also where a handler runs a program that prints."""
    (tmp_path / "event.json").write_text(json.dumps(sqs_event(["a"])))
    done = run("invoke", f"{module(HAS_A_CHILD)}:handler", "event.json", "--json")
    assert json.loads(done.stdout)["invocations"][0]["verdict"] == "success"
    assert done.stderr == "imported\nof a child process\n"


def test_output_of_a_pollers_child_process_is_not_in_the_json(module, services):
    """Each line of ``poll --json`` is JSON: output of imports and child programs is not among them."""
    url, _ = services.queue()
    services.send(url, ["a"])
    target = f"{module(HAS_A_CHILD)}:handler"
    environment = os.environ | {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    done = run("poll", target, "--queue", url, "--until-empty", "--wait", "0", "--json", env=environment)
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["polling", "invocation", "stopped"]
    assert {"imported", "of a child process"} <= set(done.stderr.splitlines())


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "é \\ud800"), ("ascii", "\\xe9 \\ud800")])
def test_text_that_the_output_cannot_hold_is_escaped(module, tmp_path, encoding, shown):
    """A lone surrogate in an event, or an output without accents, doesn't cause a traceback."""
    (tmp_path / "event.json").write_text(json.dumps(sqs_event(["a"], fifo=True, groups=["é \ud800"])))
    name = module("def handler(event, context): return None")
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = run("invoke", f"{name}:handler", "event.json", "--report", "out.html", env=environment)
    assert done.returncode == 0
    assert shown in done.stdout
    assert "é \\ud800" in (tmp_path / "out.html").read_text("utf-8")


def test_closed_standard_streams_keep_the_exit_code(module, tmp_path):
    """A parent that has closed the standard streams still gets the exit code."""
    (tmp_path / "event.json").write_text(json.dumps(sqs_event(["a"])))
    name = module("def handler(event, context): return print('handled')")
    command = f'"$0" -c "$1" invoke {name}:handler event.json 0<&- 1>&- 2>&-'
    assert subprocess.run(["sh", "-c", command, *COMMAND[::2]], check=False).returncode == 0


FULL = "Error: the output can't be written: No space left on device\n"


@pytest.mark.parametrize(
    "arguments",
    [["event", "sqs"], ["event", "--help"], ["--version"], ["simulate", "--records", "10"], ["demo", "--json"]],
    ids=" ".join,
)
def test_a_full_disk_ends_with_2_and_one_line(arguments):
    """If the output can't be written, there is one line, no traceback, and exit code 2."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, FULL)


def test_a_full_disk_after_an_invocation_ends_with_2(module, tmp_path):
    """If the results of a handler can't be written, an error line says so."""
    (tmp_path / "event.json").write_text(json.dumps(sqs_event(["a"])))
    name = module("def handler(event, context): return None")
    with Path("/dev/full").open("w") as full:
        command = [*COMMAND, "invoke", f"{name}:handler", "event.json", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(FULL)
    assert "Traceback" not in done.stderr


def test_a_full_disk_ends_a_poller_with_2(module, services):
    """A poller that can't write its output ends with one line."""
    url, _ = services.queue()
    services.send(url, ["a"])
    environment = os.environ | {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    target = f"{module(HANDLER)}:handler"
    with Path("/dev/full").open("w") as full:
        command = [*COMMAND, "poll", target, "--queue", url, "--until-empty", "--wait", "0"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (2, FULL)


def test_a_closed_pipe_ends_silently():
    """A closed pipe ends the command silently."""
    for arguments in (["event", "sqs"], ["demo", "--json"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*COMMAND, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
        os.close(writer)
        assert (done.returncode, done.stderr) == (1, "")


def test_a_pipe_closed_before_the_last_line_ends_silently():
    """A pipe that is closed before the last line ends the command silently, too."""
    with pytest.raises(SystemExit) as ended, redirect_stdout(StringIO()), writing():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert ended.value.code == 1


def test_other_errors_are_passed_on(monkeypatch):
    """An error that isn't about the output is passed on to the caller."""

    def load(self, name):
        raise ConnectionResetError("of a bug")

    monkeypatch.setattr(commands._Command, "load", load)
    with pytest.raises(ConnectionResetError, match="of a bug"):
        main(["event", "sqs"])


def test_a_stream_in_memory_is_left_as_it_is():
    """A program that calls the command with an output of its own finds the result there."""
    with redirect_stdout(StringIO()) as shown:
        main(["event", "sqs"], standalone_mode=False)
    assert len(json.loads(shown.getvalue())["Records"]) == 3
