"""What all tests share: hypothesis profiles."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A shared machine is slow at times: the deadline would fail tests that are right.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("default", max_examples=60, derandomize=True, **_COMMON)
settings.register_profile("nightly", max_examples=2_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
