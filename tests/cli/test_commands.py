"""The group of commands."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import partialbatch
from partialbatch.cli import commands, main


def python(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_version():
    """--version gives the name and the version."""
    done = CliRunner().invoke(main, ["--version"])
    assert (done.exit_code, done.output) == (0, f"partialbatch, version {partialbatch.__version__}\n")


def test_help_lists_the_commands_without_importing_them():
    """--help names each command, and loads neither boto3 nor rich nor moto."""
    code = (
        "import sys; from partialbatch.cli import main; main(['--help'], standalone_mode=False)\n"
        "print([name for name in ('boto3', 'botocore', 'rich', 'moto', 'pydantic') if name in sys.modules])"
    )
    done = python(code)
    assert "  demo  " in done.stdout
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("name", sorted(commands._COMMANDS))
def test_each_command_can_be_loaded(name):
    """Each listed command exists and has help of its own."""
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0
    assert f"Usage: main {name}" in done.output


def test_unknown_command():
    """An unknown command is a usage error, without a traceback."""
    done = CliRunner().invoke(main, ["nonsense"])
    assert done.exit_code == 2
    assert "No such command 'nonsense'" in done.output


def test_without_click():
    """Without click there is one line that names the extra."""
    done = python("import sys; sys.modules['click'] = None; from partialbatch.cli import main; main()")
    assert done.returncode == 1
    assert done.stderr == ("partialbatch: the command line needs more than the core: pip install 'partialbatch[cli]'\n")


@pytest.mark.parametrize("missing", ["rich", "boto3", "moto", "pydantic"])
def test_without_what_a_command_needs(missing):
    """A command whose extra is missing names the module and the extra, in one line."""
    code = f"import sys; sys.modules[{missing!r}] = None; from partialbatch.cli import main; main(['demo'])"
    done = python(code)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: `partialbatch demo` needs {missing}")
    assert done.stderr.endswith(": pip install 'partialbatch[local,pydantic]'\n")
    assert done.stderr.count("\n") == 1


def test_a_bug_of_ours_is_no_missing_extra(monkeypatch):
    """A module of this package that does not import is told as it is, not as a missing extra."""
    monkeypatch.setitem(commands._COMMANDS, "broken", commands._Command("partialbatch.cli.nothing:here", "Broken."))
    with pytest.raises(ModuleNotFoundError, match=r"partialbatch\.cli\.nothing"):
        main.get_command(click.Context(main), "broken")
