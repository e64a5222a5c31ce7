"""The machine and the versions that figures were measured with."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from typing import Any

PACKAGES = ("partialbatch", "aws-lambda-powertools", "awslambdaric", "pydantic", "boto3", "wrapt")


def metadata() -> dict[str, Any]:
    """Return what pyperf knows of this machine and this Python."""
    import pyperf  # installed by `make bench`, and needed by nothing else

    return pyperf.Run([1.0], collect_metadata=True).get_metadata()


def describe() -> str:
    """Return when and on what machine this process measures, in a sentence or two."""
    known = metadata()
    cpu = known.get("cpu_model_name", platform.machine())
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = os.getloadavg()[0]
    return (
        f"Measured on {time.strftime('%Y-%m-%d')} with Python {platform.python_version()} on {platform.system()}, "
        f"{cpu}, {known.get('cpu_count', os.cpu_count())} CPUs, load average {load:.1f} at the start. "
        f"Packages: {packages}."
    )
