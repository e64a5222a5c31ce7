"""A file that one process locks and replaces. The lock ends with the process, even if it is killed."""

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
    """Another process, or another part of this one, has locked the file."""


class LockedFile:
    """A locked file. Each version is written to a temporary file, which then replaces the last version.

    The operating system locks the open file, so that a crash leaves no lock behind. A new version is locked
    before it replaces the last one.

    Args:
        path: The file. It need not exist.

    Raises:
        InUseError: Another poller has locked it.
        OSError: It can't be opened, or the system has no such locks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        while path.exists() and self._descriptor is None:
            self._descriptor = _opened(path)
        _all.add(self)

    def read(self) -> bytes | None:
        """Return the content; None if there is no file."""
        return None if self._descriptor is None else self._path.read_bytes()

    def write(self, data: bytes) -> None:
        """Replace the file with a new version.

        Raises:
            InUseError: Another process has replaced the file.
            OSError: It can't be written. The file is unchanged.
        """
        descriptor, name = mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            _lock(descriptor)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)  # else a crash of the machine could leave an empty file
            self._replace(name)
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(name)
            raise
        self.close()
        self._descriptor = descriptor

    def close(self) -> None:
        """Unlock and close the file."""
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
        """Create the first version, unless another process was faster."""
        try:
            os.link(name, self._path)
        except FileExistsError:
            raise InUseError from None
        except OSError:  # a file system without links
            os.replace(name, self._path)
        else:
            os.unlink(name)


def _opened(path: Path) -> int | None:
    """Open and lock a file. Return None if it was replaced in between."""
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
        import fcntl  # missing on some systems
    except ModuleNotFoundError:
        raise OSError(
            "this system has no file locks (fcntl), so another poller could use the file at the same time"
        ) from None
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
    """Close the files in a child process that a handler forks, because it may run longer than the poller."""
    for file in _all:
        file.close()
