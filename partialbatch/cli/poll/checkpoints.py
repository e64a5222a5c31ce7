"""Checkpoints in a file: what a poller that starts anew need not repeat."""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import TYPE_CHECKING, Any

from partialbatch.cli.loading import Unusable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SHARD_END", "Checkpoints"]

SHARD_END = "SHARD_END"
"""The checkpoint of a shard that is closed, and all of which is done."""


class Checkpoints(MutableMapping[str, str]):
    """The last sequence number that is done, by shard.

    With a file, a change is on the disk before the call returns, and the file is always a
    whole one: each version is written beside it and then takes its place.

    Args:
        path: The file; None keeps the checkpoints in memory.
        stream: Names the stream, also apart from an earlier one of the same name.
        since: Epoch seconds before which records are left out; None: none are. What the
            file says wins, so that a restart does not leave out what came in between.

    Raises:
        Unusable: The file is another stream's, is no such file, or cannot be read or written.
    """

    def __init__(self, path: Path | None, stream: str, since: float | None = None) -> None:
        self.since = since
        self._path = path.resolve() if path else None
        self._stream = stream
        self._shards: dict[str, str] = {}
        self._lock = Lock()
        if self._path is not None:
            try:
                self._open(self._path)
            except OSError as error:
                raise Unusable(f"--checkpoints {path}: {error.strerror}") from None

    def __getitem__(self, shard: str) -> str:
        return self._shards[shard]

    def __setitem__(self, shard: str, number: str) -> None:
        with self._lock:
            self._shards[shard] = number
            self._write()

    def __delitem__(self, shard: str) -> None:
        with self._lock:
            del self._shards[shard]
            self._write()

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._shards))

    def __len__(self) -> int:
        return len(self._shards)

    def _open(self, path: Path) -> None:
        if path.exists():
            self._load(path)
        self._write()  # finds out now whether it can be, and keeps `since`

    def _load(self, path: Path) -> None:
        try:
            document: Any = json.loads(path.read_text("utf-8"))
            stream, since, shards = document["stream"], document["since"], dict(document["shards"])
        except (ValueError, KeyError, TypeError):
            raise Unusable(f"--checkpoints {path}: it is no file of checkpoints") from None
        if stream != self._stream:
            raise Unusable(f"--checkpoints {path}: it is of {stream}, not of {self._stream}; name another file")
        self.since, self._shards = since, shards

    def _write(self) -> None:
        if self._path is None:
            return
        document = {"stream": self._stream, "since": self.since, "shards": self._shards}
        with NamedTemporaryFile(
            "w", encoding="utf-8", dir=self._path.parent, prefix=f".{self._path.name}.", delete=False
        ) as file:
            try:
                json.dump(document, file, indent=1)
                file.flush()
                os.fsync(file.fileno())  # else a crash of the machine can leave an empty file under the name
                Path(file.name).replace(self._path)
            except BaseException:
                with suppress(OSError):
                    Path(file.name).unlink()
                raise
