"""The command line: ``partialbatch COMMAND``.

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
        sys.exit("partialbatch: the command line needs more than the core: pip install 'partialbatch[cli]'")
else:
    from partialbatch.cli.commands import main
