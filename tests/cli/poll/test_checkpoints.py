"""Checkpoints in a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch.cli.loading import Unusable
from partialbatch.cli.poll.checkpoints import Checkpoints

CHANGES = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 10**56).map(str)), max_size=12)


@given(changes=CHANGES, in_file=st.booleans())
def test_file_holds_every_change(changes, in_file):
    """After each change the file, read by a successor, holds what was set last, and no other file is left."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "at.json") if in_file else None
        checkpoints, model = Checkpoints(path, "s"), {}
        for shard, number in changes:
            if number is not None:
                checkpoints[shard] = model[shard] = number
            elif shard in model:
                del checkpoints[shard], model[shard]
            assert dict(checkpoints) == model
            assert len(checkpoints) == len(model)
            if path:
                assert dict(Checkpoints(path, "s")) == model
                assert list(Path(folder).iterdir()) == [path]


def test_since_of_the_file_wins(tmp_path):
    """The start of the first run stays, so that a restart leaves out nothing in between."""
    path = tmp_path / "at.json"
    assert Checkpoints(path, "s", 5.0).since == 5.0
    assert Checkpoints(path, "s", 9.0).since == 5.0
    assert Checkpoints(path, "s").since == 5.0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stream": "s", "since": null, "shards": 5}', "\udcff"])
def test_no_such_file(tmp_path, text):
    """A file that is something else is refused, and left as it is."""
    path = tmp_path / "at.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(Unusable, match="it is no file of checkpoints"):
        Checkpoints(path, "s")
    assert path.read_text(errors="surrogateescape") == text


def test_another_stream(tmp_path):
    """The checkpoints of another stream are refused."""
    path = tmp_path / "at.json"
    Checkpoints(path, "first")
    with pytest.raises(Unusable, match="it is of first, not of second"):
        Checkpoints(path, "second")


def test_folder_that_is_not_there(tmp_path):
    """A file that cannot be written is found out at once."""
    with pytest.raises(Unusable, match="No such file or directory"):
        Checkpoints(tmp_path / "none" / "at.json", "s")


def test_failed_write_leaves_the_file(tmp_path, monkeypatch):
    """When a write fails half-way the file stays as it was, nothing is left beside it, and the caller knows."""
    path = tmp_path / "at.json"
    checkpoints = Checkpoints(path, "s")
    checkpoints["a"] = "1"

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints["a"] = "2"
    assert json.loads(path.read_text())["shards"] == {"a": "1"}
    assert list(tmp_path.iterdir()) == [path]


def test_link_stays_a_link(tmp_path):
    """Where the name is a link, the file behind it is written."""
    (tmp_path / "real.json").write_text('{"stream": "s", "since": null, "shards": {}}')
    (tmp_path / "link.json").symlink_to("real.json")
    Checkpoints(tmp_path / "link.json", "s")["a"] = "1"
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["shards"] == {"a": "1"}
