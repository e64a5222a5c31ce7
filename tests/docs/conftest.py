"""The site, built once for all tests, and Chromium to look at it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The result of building the site as ``make docs`` does, and where it is."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", str(DOCS), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, out


@pytest.fixture(scope="session")
def site(built):
    return built[1]


@pytest.fixture(scope="module")  # while it is open, a loop runs in this thread
def browser():
    """Debian's Chromium; its absence is a failure, for the pages must have been looked at."""
    found = shutil.which("chromium")
    assert found, "the site is checked in Chromium: apt-get install chromium"
    flags = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
    more = ("disable-component-update", "disable-sync")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=[f"--{flag}" for flag in (*flags, *more)])
        yield chromium
        chromium.close()
