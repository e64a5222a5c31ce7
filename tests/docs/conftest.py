"""The site, built once for all tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
