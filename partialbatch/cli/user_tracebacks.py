"""Tracebacks reduced to the user's own code."""

from __future__ import annotations

import logging
import os
import sysconfig
import traceback
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["format_error", "log_handler", "own_frame", "place_of"]

_LIBRARIES = ("partialbatch", "wrapt", "click", "boto3", "botocore")
_FORM = "%(levelname)s %(name)s %(message)s"
_OWN, _INSTALLED, _PYTHON = range(3)


def format_error(error: BaseException) -> str:
    """Return the traceback of an error, its causes and its members, without the frames of libraries."""
    formatted = traceback.TracebackException.from_exception(error)
    for part in _parts(formatted):
        own = [frame for frame in part.stack if not _is_library(frame.filename)]
        part.stack = traceback.StackSummary.from_list(own)
    return "".join(formatted.format())


def place_of(error: BaseException) -> str:
    """Return ``file:line`` of the last line of the user's code in a traceback; empty if it has none.

    If the error itself has no such line, the errors that caused it are searched.
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        if frame := own_frame(link):
            return f"{_short(frame.filename)}:{frame.lineno}"
        link = link.__cause__ or link.__context__
    return ""


def own_frame(error: BaseException) -> traceback.FrameSummary | None:
    """Return the last frame in the user's code, else the last one in an installed package."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_library(frame.filename)]
    for distance in (_OWN, _INSTALLED):
        if found := [frame for frame in frames if _distance(frame.filename) == distance]:
            return found[-1]
    return None


def log_handler(stream: Any, level: int = logging.NOTSET, form: str = _FORM) -> logging.Handler:
    """Return a handler that writes log lines to a stream and leaves libraries out of tracebacks."""
    handler = logging.StreamHandler(stream)
    handler.setLevel(level)
    handler.setFormatter(_Formatter(form))
    return handler


class _Formatter(logging.Formatter):
    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        return format_error(ei[1]).rstrip("\n") if ei[1] is not None else ""


def _parts(error: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    """Yield an error and every other error that its traceback shows."""
    pending = [error]
    while pending:
        part = pending.pop()
        yield part
        pending += [other for other in (part.__cause__, part.__context__, *(part.exceptions or ())) if other]


@cache
def _is_library(filename: str) -> bool:
    return filename.startswith(_folders(_LIBRARIES))


@cache
def _distance(filename: str) -> int:
    """Tell whether a file is the user's own, of an installed package, or of Python itself."""
    if filename.startswith(
        _paths("purelib", "platlib")
    ):  # outside of a venv, this is inside the standard library's folder
        return _INSTALLED
    return _PYTHON if filename.startswith(("<frozen ", *_paths("stdlib", "platstdlib"))) else _OWN


def _paths(*names: str) -> tuple[str, ...]:
    return tuple(f"{sysconfig.get_path(name)}{os.sep}" for name in names)


@cache
def _folders(packages: tuple[str, ...]) -> tuple[str, ...]:
    specs = filter(None, map(find_spec, packages))
    return tuple(f"{folder}{os.sep}" for spec in specs for folder in spec.submodule_search_locations or ())


def _short(filename: str) -> str:
    """Return a file's path, relative to the working directory if the file is inside it."""
    file = Path(filename)
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else filename
