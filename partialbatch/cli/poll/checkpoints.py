"""Checkpoints in a file, from which a restarted poller continues."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from partialbatch.cli.command_error import CommandError
from partialbatch.cli.poll.locking import InUseError, LockedFile
from partialbatch.errors import clip, safe_repr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SHARD_END", "Checkpoints"]

SHARD_END = "SHARD_END"
"""The checkpoint of a closed shard whose records are all done."""

_KEYS = ("stream", "since", "shards")
_LONGEST = 128
"""The largest number of digits of a sequence number."""
_LATEST = 253_402_300_800
"""The year 10,000 in epoch seconds, an upper limit for times in a file."""


class Checkpoints(MutableMapping[str, str]):
    """The sequence number of the last record that is done, by shard.

    With a file, a change is on disk before the call returns. The file is always complete, because each version
    is written to a temporary file that then replaces it. This object locks the file until it is closed or its
    process ends.

    Args:
        path: The file; None keeps the checkpoints in memory.
        stream: The stream's identity, which differs from that of an earlier stream of the same name.
        since: Time in epoch seconds; older records are left out. None leaves none out. A time in the file takes
            precedence, so that a restart reads the records that arrived in between.

    Raises:
        CommandError: The file belongs to another stream, is in use by another poller, has the wrong format, or
            can't be read or written. Changes can raise it, too.
    """

    def __init__(self, path: Path | None, stream: str, since: float | None = None) -> None:
        self.since = since
        self._path = path
        self._file: LockedFile | None = None
        self._stream = stream
        self._shards: dict[str, str] = {}
        self._lock = Lock()
        if path is not None:
            try:
                self._open(path)
            except BaseException:
                self.close()
                raise

    def __getitem__(self, shard: str) -> str:
        return self._shards[shard]

    def __setitem__(self, shard: str, number: str) -> None:
        with self._lock:
            self._write({**self._shards, shard: number})

    def __delitem__(self, shard: str) -> None:
        with self._lock:
            self._write({other: number for other, number in self._shards.items() if other != shard})

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._shards))

    def __len__(self) -> int:
        return len(self._shards)

    def close(self) -> None:
        """Unlock the file."""
        if self._file is not None:
            self._file.close()

    def _open(self, path: Path) -> None:
        try:
            self._file = LockedFile(path.resolve())
            data = self._file.read()
        except (OSError, InUseError) as error:
            raise self._access_error(error) from None
        if data is not None:
            self._load(data)
        self._write(self._shards)  # to find out now whether it can be written, and to save `since`

    def _load(self, data: bytes) -> None:
        try:
            document: Any = json.loads(data, object_pairs_hook=_refuse_duplicates)
        except (ValueError, RecursionError) as error:
            duplicate = f": {error}" if isinstance(error, _DuplicateNameError) else ""
            raise self._problem(f"it isn't a file of checkpoints{duplicate}") from None
        if wrong := _problem_with(document):
            raise self._problem(f"it isn't a file of checkpoints: {wrong}")
        stream = document["stream"]
        if stream != self._stream:
            raise self._problem(f"it belongs to {clip(stream, 300)}, not to {self._stream}; name another file")
        self.since, self._shards = document["since"], document["shards"]

    def _write(self, shards: dict[str, str]) -> None:
        if self._file is not None:
            document = {"stream": self._stream, "since": self.since, "shards": shards}
            try:
                self._file.write(json.dumps(document, indent=1).encode())
            except (OSError, InUseError) as error:
                raise self._access_error(error) from None
        self._shards = shards

    def _access_error(self, error: OSError | InUseError) -> CommandError:
        if isinstance(error, InUseError):
            return self._problem("another poller is using it; stop that poller, or name another file")
        return self._problem(error.strerror or str(error))

    def _problem(self, text: str) -> CommandError:
        return CommandError(f"--checkpoints {self._path}: {text}")


class _DuplicateNameError(ValueError):
    """An object has the same name twice."""


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:  # it isn't clear which of the two is right
            raise _DuplicateNameError(f"the name {safe_repr(name)} occurs twice")
        made[name] = value
    return made


def _problem_with(document: Any) -> str:
    """Describe the first problem of a document; empty if there is none."""
    if not isinstance(document, dict) or set(document) != set(_KEYS):
        return f"it must be an object with {', '.join(_KEYS)}"
    if not isinstance(document["stream"], str):
        return "stream must be text"
    since = document["since"]
    if since is not None and not _is_time(since):
        return "since must be null or a time in epoch seconds"
    if not isinstance(document["shards"], dict):
        return "shards must be an object"
    wrong = (shard for shard, number in document["shards"].items() if not _is_checkpoint(number))
    first = next(wrong, None)
    return "" if first is None else f"shards[{safe_repr(first)}] must be a sequence number in quotes, or {SHARD_END!r}"


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < _LATEST


def _is_checkpoint(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    return value == SHARD_END or (value.isascii() and value.isdigit() and len(value) <= _LONGEST)
