"""The command line: ``partialbatch COMMAND``, or ``python -m partialbatch COMMAND``.

Each command is a module here, or a folder with the click command in ``command.py``. Nothing outside this
package imports it. A default installation has no click; `main` then prints the command that installs it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]

if find_spec("click") is None:

    def main() -> None:
        """Print the command that installs the missing packages, and end with 2."""
        from partialbatch.cli.extras import install  # only needed here

        needed = install(sys.argv[1:])
        sys.stderr.write(f"partialbatch: the command line needs more than the core: {needed}\n")
        sys.exit(2)
else:
    from partialbatch.cli.commands import main
