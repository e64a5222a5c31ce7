"""The group of commands."""

from __future__ import annotations

import importlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import partialbatch
from partialbatch.cli import commands, main


def python(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_version_prints_name_and_version():
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


def test_an_unknown_command_is_a_usage_error():
    """An unknown command is a usage error, without a traceback."""
    done = CliRunner().invoke(main, ["nonsense"])
    assert done.exit_code == 2
    assert "No such command 'nonsense'" in done.output


@pytest.mark.parametrize(
    ("arguments", "extras"),
    [
        ([], "cli"),
        (["poll", "app:handler"], "cli"),
        (["poll", "app:handler", "--reload"], "cli,watch"),
        (["simulate", "--plot=out.svg"], "cli,plot"),
        (["check", "template.yaml"], "cli,lint"),
        (["demo"], "local,pydantic"),
    ],
    ids=" ".join,
)
def test_without_click_one_line_names_the_install_command(arguments, extras):
    """Without click there is one line, whose install command brings all that the command line needs."""
    done = python("import sys; sys.modules['click'] = None; from partialbatch.cli import main; main()", *arguments)
    assert done.returncode == 2
    needed = f"pip install 'partialbatch[{extras}]'"
    assert done.stderr == f"partialbatch: the command line needs more than the core: {needed}\n"


@pytest.mark.parametrize(
    ("missing", "arguments", "extras"),
    [
        ("rich", ["demo"], "local,pydantic"),
        ("moto", ["demo"], "local,pydantic"),
        ("pydantic", ["demo"], "local,pydantic"),
        ("boto3", ["poll", "app:handler", "--queue", "http://127.0.0.1:9/0/q", "--reload"], "cli,watch"),
        ("watchfiles", ["poll", "app:handler", "--queue", "http://127.0.0.1:9/0/q", "--reload"], "cli,watch"),
        ("cfnlint", ["check", "template.yaml"], "cli,lint"),
        ("rich", ["invoke", "app:handler", "event.json"], "cli"),
    ],
)
def test_a_missing_extra_is_named_with_the_install_command(missing, arguments, extras, tmp_path):
    """A command whose extra is missing ends with 2 and one line: the module, and one command that brings all."""
    (tmp_path / "event.json").write_text("{}")
    (tmp_path / "template.yaml").write_text("Resources: {}")
    code = f"import sys; sys.modules[{missing!r}] = None; from partialbatch.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: `partialbatch {arguments[0]}` needs {missing}")
    assert done.stderr.endswith(f": pip install 'partialbatch[{extras}]'\n")
    assert done.stderr.count("\n") == 1


def test_a_bug_of_ours_in_a_command_is_no_missing_extra(monkeypatch):
    """The same holds for a module of this package that a command imports while it runs."""

    @click.command()
    def broken():
        importlib.import_module("partialbatch.cli.nothing")

    monkeypatch.setattr(commands._Command, "load", lambda _self, _name: broken)
    done = CliRunner().invoke(main, ["event"])
    assert isinstance(done.exception, ModuleNotFoundError)


def test_python_runs_the_package():
    """``python -m partialbatch`` is the command line, under that name."""
    command = [sys.executable, "-m", "partialbatch", "event", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: python -m partialbatch event ")


def test_a_bug_of_ours_is_no_missing_extra(monkeypatch):
    """A module of this package that can't be imported is reported as it is, not as a missing extra."""
    monkeypatch.setitem(commands._COMMANDS, "broken", commands._Command("partialbatch.cli.nothing:here", "Broken."))
    with pytest.raises(ModuleNotFoundError, match=r"partialbatch\.cli\.nothing"):
        main.get_command(click.Context(main), "broken")
