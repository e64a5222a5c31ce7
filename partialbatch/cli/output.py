"""Standard output, which only a command itself may write to."""

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
    """Escape control characters. An error may contain text from an attacker, which a terminal would obey."""
    return text.translate(_CONTROLS)


def make_safe() -> None:
    """Make sure that the standard streams exist and that standard output takes any text.

    A lone surrogate in a message group, or a locale without accents, must not stop a command half-way.
    If the parent process closed the streams, Python sets them to None.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - stays open to the end
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def writing() -> Iterator[None]:
    """End the process with one line and exit code 2 if the output can't be written, on a full disk for example."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # else the interpreter flushes at exit, too late to report a failure
    except OSError as error:
        if error.errno not in _GONE:
            raise
        _discard_buffer()
        if error.errno == errno.EPIPE:  # the reader has read enough
            sys.exit(1)
        sys.stderr.write(f"Error: the output can't be written: {error.strerror}\n")
        sys.exit(2)


def _discard_buffer() -> None:
    """Send buffered output to nowhere, because the interpreter would try to write it again at exit."""
    with suppress(OSError), open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def output_aside() -> Iterator[TextIO]:
    """Redirect the output of handlers and their child processes to standard error; yield the real standard output."""
    own = sys.stdout
    with redirect_stdout(sys.stderr):
        try:
            number, other = own.fileno(), sys.stderr.fileno()
        except OSError:  # streams in memory, which child processes can't write to
            yield own
            return
        own.flush()
        with open(os.dup(number), "w", encoding=own.encoding, errors=own.errors) as kept:
            os.dup2(other, number)
            try:
                yield kept
            finally:
                os.dup2(kept.fileno(), number)
