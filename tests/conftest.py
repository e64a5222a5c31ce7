"""What all tests share: hypothesis profiles."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# A shared machine is slow at times: the deadline would fail tests that are right.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("default", max_examples=60, derandomize=True, **_COMMON)
settings.register_profile("nightly", max_examples=2_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts in the background so, and processes of the tests would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
