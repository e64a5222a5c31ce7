"""Standard output, which is for a command's own words."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

__all__ = ["make_safe", "output_aside", "visible"]

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != ord("\n")}


def visible(text: str) -> str:
    """Escape control characters: an error can hold what a stranger sent, and a terminal obeys it."""
    return text.translate(_CONTROLS)


def make_safe() -> None:
    """Let standard output take any text, and be there.

    A lone surrogate in a message group, or a locale that knows no accents, is no reason to stop half-way.
    A parent that closed the streams leaves None in their places.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def output_aside() -> Iterator[TextIO]:
    """Send to standard error what handlers print, their child processes too; give the true standard output."""
    own = sys.stdout
    with redirect_stdout(sys.stderr):
        try:
            number, other = own.fileno(), sys.stderr.fileno()
        except OSError:  # streams in memory: no child process writes to them
            yield own
            return
        own.flush()
        with open(os.dup(number), "w", encoding=own.encoding, errors=own.errors) as kept:  # noqa: PTH123 - a descriptor
            os.dup2(other, number)
            try:
                yield kept
            finally:
                os.dup2(kept.fileno(), number)
