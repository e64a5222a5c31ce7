"""The command `partialbatch simulate`."""

from __future__ import annotations

import builtins
import json
import logging

import pytest
from click.testing import CliRunner

from partialbatch.cli.simulate import simulate


def run(*arguments):
    return CliRunner().invoke(simulate, list(arguments))


def test_the_table_has_a_line_per_policy():
    """The table names load and figures of each policy, and the exit code is 0 where nothing is lost."""
    ended = run("--source", "fifo", "--records", "200", "--failure-rate", "0.05", "--poison", "1")
    assert ended.exit_code == 0, ended.output
    lines = ended.output.splitlines()
    assert lines[0] == "fifo: 200 records in batches of 10, 5.00% of the attempts fail, 1 poison (virtual time)"
    assert [line.split()[0] for line in lines[2:]] == ["policy", "continue", "stop", "skip_group"]
    assert "50 of 50 groups" in lines[4]
    titles = "policy invocations delivered duplicated drained-in in-order dead-lettered lost"
    assert lines[2].replace("drained in", "drained-in").replace("in order", "in-order").split() == titles.split()


def test_a_narrow_terminal_has_a_line_per_figure(on_terminal):
    """If the table is wider than the terminal no line is broken; otherwise it is as in a pipe."""
    arguments = ["simulate", "--records", "50", "--policy", "continue,stop"]
    code, shown = on_terminal(*arguments, columns=40)
    lines = shown.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 40
    assert lines[:2] == ["sqs: 50 records in batches of 10, 1.00%", "of the attempts fail, 0 poison (virtual"]
    assert [line for line in lines if line in ("continue", "stop")] == ["continue", "stop"]
    assert lines[-2].split() == ["lost", "0"]
    piped = run(*arguments[1:]).stdout
    assert "policy " in piped
    widest = max(map(len, piped.splitlines()[2:]))
    assert 80 < widest < 90
    for columns in (widest, 100):
        assert on_terminal(*arguments, columns=columns) == (0, piped)


@pytest.mark.parametrize("columns", [80, 83])
def test_no_terminal_breaks_a_line_of_the_table(on_terminal, columns):
    """A terminal that is a few columns too narrow for the table has one line per figure, too."""
    _, shown = on_terminal("simulate", "--records", "50", "--policy", "continue", columns=columns)
    assert max(map(len, shown.splitlines())) <= columns
    assert "continue" in shown.splitlines()


def test_a_loss_ends_with_1():
    """A policy that loses records shows in the figures and in the exit code."""
    ended = run("--source", "kinesis", "--records", "200", "--poison", "1", "--policy", "stop", "--retries", "2")
    assert ended.exit_code == 1
    assert ended.output.splitlines()[-1].split()[0] == "stop"
    assert int(ended.output.split()[-1]) > 0


def test_json_holds_load_and_figures():
    """The JSON has the settings and one object a policy."""
    ended = run("--records", "50", "--policy", "continue, stop", "--json", "--max-receive-count", "0")
    told = json.loads(ended.output)
    assert told["load"]["batch_size"] == 10
    assert told["load"]["max_receive_count"] is None
    assert [entry["policy"] for entry in told["policies"]] == ["continue", "stop"]
    assert told["policies"][0]["groups"] == 0


def test_remaining_records_are_named():
    """Records that were still there at the end are named below the table."""
    ended = run("--records", "1", "--poison", "1", "--max-receive-count", "0", "--policy", "continue")
    assert "no order" in ended.output
    assert ended.output.splitlines()[-1] == "continue: 1 records were left"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "hope"], "policy='hope'"),
        (["--failure-rate", "1"], "failure_rate=1.0"),
        (["--batch-size", "10001"], "batch_size=10001"),
        (["--source", "fifo", "--batch-size", "11"], "from 1 to 10"),
        (["--source", "sns"], "'sns' is not one of"),
        (["--retries", "-2", "--source", "kinesis"], "-2 is not in the range -1<=x<=10000"),
        (["--max-receive-count", "-1"], "-1 is not in the range 0<=x<=1000"),
        (["--max-receive-count", "1001"], "1001 is not in the range 0<=x<=1000"),
        (["--retries", "3"], "--retries is for kinesis, dynamodb, kafka, not for sqs"),
        (["--bisect", "--source", "kafka"], "--bisect is for kinesis, dynamodb, not for kafka"),
        (["--shards", "2", "--source", "fifo"], "--shards is for kinesis, dynamodb, not for fifo"),
        (["--max-receive-count", "3", "--source", "kinesis"], "--max-receive-count is for sqs, fifo, not for kinesis"),
    ],
)
def test_an_impossible_option_ends_with_2(arguments, words):
    """An impossible option is reported without a traceback."""
    ended = run(*arguments)
    assert ended.exit_code == 2
    assert words in ended.output
    assert "Traceback" not in ended.output


@pytest.mark.parametrize("arguments", [["--policy", "hope"], ["--failure-rate", "1"], ["--batch-size", "10001"]])
def test_an_impossible_value_ends_with_2_and_one_line(arguments):
    """A value with correct syntax that isn't possible gives one line."""
    ended = run(*arguments)
    assert ended.stderr.startswith("Error: ")
    assert ended.stderr.count("\n") == 1


def test_the_chart_is_drawn_as_svg(tmp_path):
    """The figures are drawn as SVG, with title and policies in it."""
    path = tmp_path / "out.svg"
    ended = run("--records", "50", "--plot", str(path))
    assert ended.exit_code == 0, ended.output
    drawn = path.read_text()
    assert drawn.startswith("<?xml")
    assert "<!-- duplicated work (runs) -->" in drawn
    assert "<!-- skip_group -->" in drawn


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("out.doc", ".doc isn't a known format; use "),
        ("out", "a name without ending isn't a known format; use "),
        ("missing/out.svg", "there is no folder"),
        ("folder.svg", "is a directory"),
    ],
)
def test_an_impossible_chart_is_refused_before_the_run(tmp_path, monkeypatch, name, why):
    """A wrong ending or folder is one line and ends with 2; the load is not even made."""
    monkeypatch.setattr("partialbatch.cli.simulate.compare", None)
    (tmp_path / "folder.svg").mkdir()
    ended = run("--records", "10", "--plot", str(tmp_path / name))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Error: --plot")
    assert why in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_an_unwritable_chart_ends_with_2(tmp_path):
    """A disk that is full by then ends with 2 and one line, after the table."""
    (tmp_path / "out.svg").symlink_to("/dev/full")
    ended = run("--records", "10", "--plot", str(tmp_path / "out.svg"))
    assert ended.exit_code == 2
    assert ended.stdout.startswith("sqs: 10 records")
    assert ended.stderr.startswith("Error: --plot")
    assert "No space left" in ended.stderr


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    """Without matplotlib, the message names the install command."""
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    ended = run("--records", "10", "--plot", str(tmp_path / "out.svg"))
    assert ended.exit_code == 2
    assert "pip install 'partialbatch[plot]'" in ended.output


def test_planned_failures_are_not_logged(caplog):
    """The load's failures stay out of the log, and the log is as before afterwards."""
    caplog.set_level(logging.DEBUG, logger="partialbatch")
    run("--records", "100", "--failure-rate", "0.5")
    assert not caplog.records
    assert logging.getLogger("partialbatch").level == logging.DEBUG
