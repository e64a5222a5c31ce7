"""A lock on a file that is replaced while it is locked; it ends with its process, however that ends."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from tempfile import mkstemp
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["InUseError", "LockedFile"]


class InUseError(Exception):
    """Another process, or another part of this one, holds the file."""


class LockedFile:
    """A file that one process has for itself. Each version is written beside it, and then takes its place.

    The lock is the operating system's, on the open file: nothing is left to be cleared away after a crash. It goes
    over to the next version before that takes the place of the one before.

    Args:
        path: The file; it need not be there.

    Raises:
        InUseError: Somebody else has it.
        OSError: It cannot be opened, or the system has no such locks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        while path.exists() and self._descriptor is None:
            self._descriptor = _opened(path)
        _all.add(self)

    def read(self) -> bytes | None:
        """Return what is in the file, None if there is none."""
        return None if self._descriptor is None else self._path.read_bytes()

    def write(self, data: bytes) -> None:
        """Put a new version in the file's place.

        Raises:
            InUseError: Somebody else has put another file there.
            OSError: It cannot be written; the file is as it was.
        """
        descriptor, name = mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            _lock(descriptor)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)  # else a crash of the machine can leave an empty file under the name
            self._replace(name)
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(name)
            raise
        self.close()
        self._descriptor = descriptor

    def close(self) -> None:
        """Give the file up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _replace(self, name: str) -> None:
        if self._descriptor is None:
            self._make(name)
            return
        with suppress(FileNotFoundError):
            if not _is(self._descriptor, self._path):
                raise InUseError
        os.replace(name, self._path)

    def _make(self, name: str) -> None:
        """Put the first version in its place, unless another process was quicker."""
        try:
            os.link(name, self._path)
        except FileExistsError:
            raise InUseError from None
        except OSError:  # a file system without links
            os.replace(name, self._path)
        else:
            os.unlink(name)


def _opened(path: Path) -> int | None:
    """Open and lock a file; None if it was replaced in between."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        _lock(descriptor)
        with suppress(FileNotFoundError):
            if _is(descriptor, path):
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is(descriptor: int, path: Path) -> bool:
    return os.path.samestat(os.fstat(descriptor), path.stat())


def _lock(descriptor: int) -> None:
    try:
        import fcntl  # not on every system
    except ModuleNotFoundError:
        raise OSError("this system has no file locks (fcntl): without a lock two pollers could share it") from None
    _watch_forks()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUseError from None


_all: WeakSet[LockedFile] = WeakSet()


@cache
def _watch_forks() -> None:
    os.register_at_fork(after_in_child=_leave_to_parent)


def _leave_to_parent() -> None:
    """Close the files in a child that a handler has forked: it may outlive the poller."""
    for file in _all:
        file.close()
