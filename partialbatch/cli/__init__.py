"""The command line: ``partialbatch COMMAND``, or ``python -m partialbatch COMMAND``.

Only the core is installed by default. Without click there is one line that says what
to install.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

try:
    import click as _click  # noqa: F401 - asked for by name, so that no other missing module hides behind it
except ModuleNotFoundError:

    def main() -> None:
        """Say what is missing."""
        from partialbatch.cli.extras import install  # needed here alone

        needed = install(sys.argv[1:])
        sys.stderr.write(f"partialbatch: the command line needs more than the core: {needed}\n")
        sys.exit(2)
else:
    from partialbatch.cli.commands import main
