"""The scripts that `make` and continuous integration run: they say what they do, and how to get what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tools(tmp_path):
    """A PATH of its own: bash and a few tools that the scripts use, and what a test adds."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "env", "mktemp", "rm", "tail", "grep", "cat", "sleep"):
        (folder / name).symlink_to(shutil.which(name))

    def add(name, code):
        file = folder / name
        file.write_text(f"#!/usr/bin/env bash\n{code}\n")
        file.chmod(0o755)

    add.path = str(folder)
    return add


def run(script, *arguments, path, **environment):
    return subprocess.run(
        [ROOT / ".ci" / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": path} | environment,
        timeout=60,
    )


def test_chromium_is_announced_before_it_is_installed(tools):
    """Where apt-get may install Chromium, a line says so before the first thing that apt-get says."""
    tools("id", "echo 0")
    tools("apt-get", 'echo "apt-get $*"')
    done = run("packages", path=tools.path)
    first, *more = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert first.startswith("Installing Debian's Chromium with apt-get")
    assert more == ["apt-get update -qq", "apt-get install -y -qq --no-install-recommends chromium-headless-shell"]


@pytest.mark.parametrize("user", [0, 1000])
def test_a_machine_that_may_not_install_chromium_is_told_how_to_get_it(tools, user):
    """Without root, or without apt-get, one line says what is skipped and how to run it; the tests go on."""
    tools("id", f"echo {user}")
    if user:
        tools("apt-get", "exit 100")
    done = run("packages", path=tools.path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "the tests of the web pages will be skipped" in done.stderr
    assert "'apt-get install chromium' as root" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["chromium", "chromium-headless-shell"])
def test_a_chromium_that_is_there_is_enough(tools, name):
    """Nothing is said, and nothing installed, where Chromium or its headless shell is on the path."""
    tools(name, "exit 1")
    done = run("packages", path=tools.path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_pip_shows_how_far_it_is(tools, tmp_path):
    """While pip works, lines tell the seconds and the last thing that pip said, without its warnings."""
    (tmp_path / "venv").symlink_to(tmp_path)
    tools("python", "exit 0")
    # Goes on once it was shown to be collecting.
    tools("pip", f"echo Collecting tea; echo WARNING: hot; until [[ -e {tmp_path}/shown ]]; do sleep 0.01; done")
    process = subprocess.Popen(
        [ROOT / ".ci" / "install", tmp_path / "venv", "the tea"],
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": tools.path, "EVERY": "0"},
    )
    shown = [process.stdout.readline()]
    while "Collecting tea" not in shown[-1]:
        shown.append(process.stdout.readline())
        assert shown[-1], shown
    (tmp_path / "shown").touch()
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert shown[0] == f"Installing the tea, into {tmp_path / 'venv'}\n"
    assert "WARNING" not in "".join(shown) + rest
    assert rest.splitlines()[-1].startswith("  done in ")


def test_what_pip_said_is_shown_when_it_fails(tools, tmp_path):
    """A pip that fails fails the command, and all that it said is there to read."""
    (tmp_path / "venv").symlink_to(tmp_path)
    tools("pip", "echo No matching distribution; exit 1")
    done = run("install", tmp_path / "venv", "the tea", path=tools.path)
    assert done.returncode == 1
    assert "No matching distribution\n" in done.stderr
    assert "pip could not install the tea" in done.stderr


@pytest.mark.parametrize(("skipped", "code"), [("count", 0), ("fail", 1)])
def test_skipped_pages_fail_continuous_integration_alone(tools, skipped, code):
    """Without Chromium a test of a page is skipped, with the reason; where no test may be, the run fails."""
    test = "tests/cli/invoke/test_html_report.py::test_an_event_without_records_has_no_table"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:cov", test],
        cwd=ROOT,
        env=os.environ | {"PATH": tools.path, "SKIPPED_TESTS": skipped, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "1 skipped" in done.stdout
    assert "Chromium is missing" in done.stdout
