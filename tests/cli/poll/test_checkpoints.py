"""Checkpoints in a file."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch.cli.command_error import CommandError
from partialbatch.cli.poll import locking
from partialbatch.cli.poll.checkpoints import Checkpoints

CHANGES = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 10**56).map(str)), max_size=12)


@given(changes=CHANGES, in_file=st.booleans())
def test_file_holds_every_change(changes, in_file):
    """After each change the file, read by a successor, has the last value, and no other file is left."""
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
                checkpoints.close()
                checkpoints = Checkpoints(path, "s")
                assert dict(checkpoints) == model
                assert list(Path(folder).iterdir()) == [path]
        checkpoints.close()


def test_since_of_the_file_wins(tmp_path):
    """The start of the first run stays, so that a restart leaves out nothing in between."""
    path = tmp_path / "at.json"
    for since in (5.0, 9.0, None):
        with closing(Checkpoints(path, "s", since)) as checkpoints:
            assert checkpoints.since == 5.0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stream": "s", "since": null, "shards": 5}', "\udcff"])
def test_a_file_of_another_kind_is_refused(tmp_path, text):
    """A file that is something else is refused, and left as it is."""
    path = tmp_path / "at.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(CommandError, match="it isn't a file of checkpoints"):
        Checkpoints(path, "s")
    assert path.read_text(errors="surrogateescape") == text


GOOD = {"stream": "s", "since": None, "shards": {"a": "1", "b": "SHARD_END"}}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({**GOOD, "stream": 5}, "stream must be text"),
        ({**GOOD, "since": "5"}, "since must be null or a time in epoch seconds"),
        ({**GOOD, "since": True}, "since must be null or a time"),
        ({**GOOD, "since": float("nan")}, "since must be null or a time"),
        ({**GOOD, "since": -1}, "since must be null or a time"),
        ({**GOOD, "since": 10**400}, "since must be null or a time"),
        ({**GOOD, "shards": []}, "shards must be an object"),
        ({**GOOD, "shards": {"a": "1", "b": 2}}, "shards['b'] must be a sequence number in quotes, or 'SHARD_END'"),
        ({**GOOD, "shards": {"a": None}}, "shards['a'] must be a sequence number"),
        ({**GOOD, "shards": {"a": ""}}, "shards['a'] must be a sequence number"),
        ({**GOOD, "shards": {"a": "1 "}}, "shards['a'] must be a sequence number"),
        ({**GOOD, "shards": {"a": "1" * 129}}, "shards['a'] must be a sequence number"),
        ({**GOOD, "shard": {}}, "it must be an object with stream, since, shards"),
        ({"stream": "s", "shards": {}}, "it must be an object with stream, since, shards"),
        ('{"stream": "s", "since": null, "shards": {"a": "1", "a": "2"}}', "the name 'a' occurs twice"),
        ("[" * 100_000, ""),
    ],
)
def test_a_file_edited_by_hand_is_validated_whole(tmp_path, document, why):
    """Each value that a poller would stumble over later is refused at the start, and the file is left as it is."""
    path = tmp_path / "at.json"
    text = document if isinstance(document, str) else json.dumps(document)
    path.write_text(text)
    with pytest.raises(CommandError) as caught:
        Checkpoints(path, "s")
    assert caught.value.format_message().startswith(f"--checkpoints {path}: it isn't a file of checkpoints")
    assert why in caught.value.format_message()
    assert path.read_text() == text


@given(
    since=st.none() | st.integers(0, 10**11) | st.floats(0, 1e11),
    shards=st.dictionaries(st.text(), st.just("SHARD_END") | st.integers(0, 10**56).map(str)),
)
def test_every_written_file_can_be_read_again(since, shards):
    """Any file that a poller writes can be read again."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "at.json")
        path.write_text(json.dumps({"stream": "s", "since": since, "shards": shards}))
        with closing(Checkpoints(path, "s")) as checkpoints:
            assert (checkpoints.since, dict(checkpoints)) == (since, shards)


def test_a_second_poller_is_refused_until_the_first_closes(tmp_path):
    """The second poller is refused until the first closes the file, even after writes, and then can open it."""
    path = tmp_path / "at.json"
    first = Checkpoints(path, "s")
    for number in "123":
        with pytest.raises(CommandError) as refused:
            Checkpoints(path, "s")
        problem = "another poller is using it; stop that poller, or name another file"
        assert refused.value.message == f"--checkpoints {path}: {problem}"
        first["a"] = number
    first.close()
    with closing(Checkpoints(path, "s")) as second:
        assert dict(second) == {"a": "3"}


def test_a_poller_stops_if_its_file_was_replaced(tmp_path):
    """A poller whose file was replaced stops instead of overwriting another's checkpoints."""
    path = tmp_path / "at.json"
    first = Checkpoints(path, "s")
    path.rename(tmp_path / "moved.json")
    with closing(Checkpoints(path, "s")) as second:
        second["a"] = "9"
        with pytest.raises(CommandError, match="another poller is using it; stop that poller, or name another file"):
            first["a"] = "1"
    first.close()
    assert json.loads(path.read_text())["shards"] == {"a": "9"}


def test_a_deleted_file_is_written_again(tmp_path):
    """If you delete the file of a running poller, the next checkpoint writes it again."""
    path = tmp_path / "at.json"
    with closing(Checkpoints(path, "s")) as checkpoints:
        path.unlink()
        checkpoints["a"] = "1"
    assert json.loads(path.read_text())["shards"] == {"a": "1"}


def test_only_one_of_two_pollers_creates_the_file(tmp_path, monkeypatch):
    """Only one of two pollers creates a missing file; without links it is created, too."""
    path = tmp_path / "at.json"
    real = os.link

    def late(source, target):
        path.write_text("of another")
        real(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(CommandError, match="another poller is using it; stop that poller, or name another file"):
        Checkpoints(path, "s")
    assert [file.name for file in tmp_path.iterdir()] == ["at.json"]
    path.unlink()

    def without(_source, _target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", without)
    Checkpoints(path, "s").close()
    assert [file.name for file in tmp_path.iterdir()] == ["at.json"]


def test_the_lock_of_a_replaced_version_does_not_count(tmp_path, monkeypatch):
    """The lock of a replaced version doesn't count."""
    path = tmp_path / "at.json"
    Checkpoints(path, "s").close()
    other = tmp_path / "other.json"
    other.write_text(path.read_text())
    real = fcntl.flock

    def slow(descriptor, how):
        real(descriptor, how)
        if other.exists():
            other.replace(path)

    monkeypatch.setattr(fcntl, "flock", slow)
    with closing(Checkpoints(path, "s")) as checkpoints:
        checkpoints["a"] = "1"
        with pytest.raises(CommandError, match="another poller"):
            Checkpoints(path, "s")


def test_missing_file_locks_are_the_reason_given(tmp_path, monkeypatch):
    """If files can't be locked, the message gives that as the reason."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(CommandError, match=r"--checkpoints .*at\.json: this system has no file locks \(fcntl\)"):
        Checkpoints(tmp_path / "at.json", "s")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_named(tmp_path, monkeypatch):
    """The system's error is reported with the file's name."""

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "at.json"
    monkeypatch.setattr(locking, "mkstemp", refuse)
    with pytest.raises(CommandError, match=f"--checkpoints {path}: Permission denied"):
        Checkpoints(path, "s")


def test_a_forked_child_closes_the_file(tmp_path):
    """A child process closes the inherited file."""
    path = tmp_path / "at.json"
    inherited = Checkpoints(path, "s")
    locking._leave_to_parent()
    with closing(Checkpoints(path, "s")) as other:
        assert dict(other) == dict(inherited)


FORKS = """
import os, sys
from pathlib import Path
from partialbatch.cli.poll.checkpoints import Checkpoints
checkpoints = Checkpoints(Path(sys.argv[1]), "s")
if os.fork() == 0:
    print("held", flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.readline()
os._exit(0)
"""


def test_a_crash_leaves_no_lock(tmp_path):
    """The lock ends with its process, also where that has forked a child that lives on."""
    path = tmp_path / "at.json"
    command = [sys.executable, "-c", FORKS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(CommandError, match="another poller is using it; stop that poller, or name another file"):
            Checkpoints(path, "s")
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        Checkpoints(path, "s").close()


def test_checkpoints_of_another_stream_are_refused(tmp_path):
    """The checkpoints of another stream are refused."""
    path = tmp_path / "at.json"
    Checkpoints(path, "first").close()
    with pytest.raises(CommandError, match="it belongs to first, not to second; name another file"):
        Checkpoints(path, "second")


def test_a_missing_folder_is_found_at_once(tmp_path):
    """A file that cannot be written is found out at once."""
    with pytest.raises(CommandError, match="No such file or directory"):
        Checkpoints(tmp_path / "none" / "at.json", "s")


def test_failed_write_leaves_the_file(tmp_path, monkeypatch):
    """If a write fails half-way, the file is unchanged, no temporary file is left, and the caller gets the error."""
    path = tmp_path / "at.json"
    checkpoints = Checkpoints(path, "s")
    checkpoints["a"] = "1"

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match=f"--checkpoints {path}: No space left on device"):
        checkpoints["a"] = "2"
    assert dict(checkpoints) == {"a": "1"}
    checkpoints.close()
    assert json.loads(path.read_text())["shards"] == {"a": "1"}
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_behind_a_link_is_written(tmp_path):
    """If the name is a link, the file behind it is written."""
    (tmp_path / "real.json").write_text('{"stream": "s", "since": null, "shards": {}}')
    (tmp_path / "link.json").symlink_to("real.json")
    with closing(Checkpoints(tmp_path / "link.json", "s")) as checkpoints:
        checkpoints["a"] = "1"
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["shards"] == {"a": "1"}
