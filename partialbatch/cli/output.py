"""Standard output, which is for a command's own words."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, redirect_stdout, suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

__all__ = ["make_safe", "output_aside", "visible", "writing"]

_GONE = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

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
def writing() -> Iterator[None]:
    """End the process with one line, and 2, where the output takes no more: on a full disk, say."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # else the interpreter does it, after the last line that can tell of a failure
    except OSError as error:
        if error.errno not in _GONE:
            raise
        _let_go()
        if error.errno == errno.EPIPE:  # the reader has what it wanted
            sys.exit(1)
        sys.stderr.write(f"Error: the output cannot be written: {error.strerror}\n")
        sys.exit(2)


def _let_go() -> None:
    """Let what is still buffered go nowhere: the interpreter tries again when it ends, and complains."""
    with suppress(OSError), open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a descriptor
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


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
