"""What all tests share: hypothesis profiles, the data of AWS's services, Chromium, and when a skip is an error."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

with suppress(ImportError):  # the core's tests run without it
    import botocore.session

    # Reading the services' data is most of what a client costs. Sessions of a test are new ones; what they read is not.
    botocore.session.create_loader = cache(botocore.session.create_loader)

# A shared machine is slow at times: the deadline would fail tests that are right.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("default", max_examples=20, derandomize=True, **_COMMON)
settings.register_profile("coverage", max_examples=60, derandomize=True, **_COMMON)
settings.register_profile("nightly", max_examples=2_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts in the background so, and processes of the tests would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    """Leave out the tests marked ``nightly``, which take long, unless all are asked for."""
    if os.environ.get("HYPOTHESIS_PROFILE") == "nightly":
        return
    left_out = [item for item in items if item.get_closest_marker("nightly")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Fail a run with skipped tests where none may be: in continuous integration."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("SKIPPED_TESTS") == "fail" and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="module")  # while it is open, a loop runs in this thread
def browser():
    """Debian's Chromium; its headless shell starts, and draws, in half the time."""
    from playwright.sync_api import sync_playwright  # the core's tests run without it

    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if not found:
        pytest.skip("Chromium is missing: as root, apt-get install chromium")
    flags = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
    more = ("disable-component-update", "disable-sync")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=[f"--{flag}" for flag in (*flags, *more)])
        yield chromium
        chromium.close()
