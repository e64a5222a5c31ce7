"""Tests of the displays of a run."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from partialbatch.cli.poll.display import Display, JsonLines, LiveDisplay, PlainLines
from partialbatch.testing import kinesis_event
from partialbatch.testing._verdict import Outcome, judge
from partialbatch.worker import GivenUp, Invocation


def records(number):
    return kinesis_event([{"n": n} for n in range(number)])["Records"]


def invocation(number, failed=()):
    raw = records(number)
    failures = [{"itemIdentifier": raw[n]["kinesis"]["sequenceNumber"]} for n in failed]
    outcome = Outcome.returned({"batchItemFailures": failures})
    return Invocation(raw, outcome, judge({"Records": raw}, outcome, report_batch_item_failures=True), 0.25)


def given_up(number):
    return GivenUp("arn", "shardId-000000000000", records(number), 3)


def test_every_delivery_is_counted():
    """Delivered records are handled or returned, and come again as new deliveries."""
    display = Display()
    display.invoked(invocation(3, [1]))
    display.invoked(invocation(2))
    display.gave_up(given_up(2))
    counts = display.counts
    assert (counts.invocations, counts.delivered, counts.handled, counts.returned) == (2, 5, 3, 2)
    assert counts.text() == "2 invocations, 3 records handled, 2 returned, 2 given up"


def test_every_line_is_a_json_object_with_a_time():
    """Every line is one JSON object with its time; the last has the figures."""
    file = io.StringIO()
    display = JsonLines(file)
    display.invoked(invocation(1))
    display.gave_up(given_up(1))
    display.waiting(ValueError("away"), 0.5)
    display.show_event("stopped")
    told = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [line["event"] for line in told] == ["invocation", "gave_up", "waiting", "stopped"]
    assert all("T" in line["time"] for line in told)
    assert (told[0]["verdict"], told[0]["seconds"], told[0]["returned"]) == ("success", 0.25, [])
    assert told[1]["KinesisBatchInfo"]["batchSize"] == 1
    assert (told[2]["error"], told[2]["seconds"]) == ("ValueError: away", 0.5)
    assert (told[3]["invocations"], told[3]["given_up"]) == (1, 1)


def test_control_characters_are_escaped():
    """Control characters in records are escaped, in lines and in the live display."""
    file, console = io.StringIO(), Console(file=io.StringIO(), force_terminal=True, width=80)
    for display in (PlainLines(file), live := LiveDisplay(console, "app")):
        display.waiting(ValueError("\x1b[2Jaway\x9b"), 1)
    assert file.getvalue().endswith("waiting 1 s: ValueError: \\x1b[2Jaway\\x9b\n")
    with console.capture() as capture:
        console.print(live._draw())
    assert "\\x1b[2Jaway\\x9b" in capture.get()


def test_each_line_names_its_event():
    """Each line describes its event in words."""
    file = io.StringIO()
    display = PlainLines(file)
    display.invoked(invocation(3, [1]))
    display.gave_up(given_up(2))
    display.waiting(ValueError("away"), 0.5)
    display.show_event("polling", source="a queue")
    lines = [line[10:] for line in file.getvalue().splitlines()]
    assert lines[0].startswith("partial 3 records in 0.250 s; 1 of 3 records are reported")
    assert lines[0].count(": returned ") == 1
    assert lines[1].startswith("gave up 2 records, ")
    assert lines[1].endswith(" of shardId-000000000000: RetryAttemptsExhausted")
    assert lines[2:] == ["waiting 0.5 s: ValueError: away", "polling a queue"]


@pytest.mark.parametrize("width", [60, 100])
def test_the_live_display_has_counts_and_last_events(width):
    """The live view has the figures, the last lines, and one line for a service that stays away."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, height=30, color_system=None)
    display = LiveDisplay(console, "app:handler  orders")
    with display.during():
        for number in range(9):
            display.invoked(invocation(number + 1))
        display.gave_up(given_up(2))
        display.waiting(ValueError("away"), 0.5)
        display.waiting(ValueError("away"), 1.0)
    end = file.getvalue().rpartition("app:handler  orders")[2]
    lines = [line.rstrip() for line in end.splitlines()]
    assert "per second" in lines[2]
    assert lines[3].split()[:5] == ["9", "45", "45", "0", "2"]
    assert [line.strip()[10:17] for line in lines[5:13]] == ["success"] * 6 + ["gave up", "waiting"]
    assert "waiting 1 s: ValueError: away" in lines[12]
    assert max(map(len, lines)) <= width


def test_counts_take_two_rows_on_a_narrow_terminal():
    """If the counts don't fit side by side, they take two rows with complete titles."""
    console = Console(file=io.StringIO(), force_terminal=True, width=40, color_system=None)
    display = LiveDisplay(console, "app:handler  orders")
    display.invoked(invocation(3, [1]))
    display.gave_up(given_up(2))
    with console.capture() as capture:
        console.print(display._draw())
    lines = capture.get().splitlines()
    assert [line.split() for line in lines[2:6]] == [
        ["invocations", "delivered", "handled"],
        ["1", "3", "1"],
        ["returned", "given", "up", "per", "second"],
        ["2", "2", "3.0"],
    ]
    assert max(map(len, lines)) <= 40
