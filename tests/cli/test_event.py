"""``partialbatch event``."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import Record, batch_handler
from partialbatch.cli import main

SOURCES = ("sqs", "kinesis", "dynamodb", "kafka")


def run(*arguments, stdin=None):
    return CliRunner().invoke(main, ["event", *arguments], input=stdin)


def made(*arguments, stdin=None):
    done = run(*arguments, stdin=stdin)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def views(event):
    """Return the record views that a handler gets, by way of a handler."""
    seen = []
    batch_handler(seen.append, model=Record)(event)
    return seen


@given(st.sampled_from(SOURCES), st.integers(1, 12), st.none() | st.integers(1, 5), st.booleans())
def test_a_handler_takes_every_event(source, count, groups, pipes):
    """Whatever source, number and groups: a handler gets as many records, in no more groups than were asked for."""
    arguments = [
        source,
        "-n",
        str(count),
        *(["--groups", str(groups)] if groups else []),
        *(["--pipes"] if pipes else []),
    ]
    event = made(*arguments)
    records = views(event)
    assert len(records) == count
    assert isinstance(event, list) == pipes
    if groups and source != "sqs":
        assert len({record.group for record in records}) == min(groups, count)


def test_three_records_by_default_and_none_on_demand():
    """Without -n there are three records; -n 0 gives an event without any."""
    assert len(made("sqs")["Records"]) == 3
    assert made("sqs", "-n", "0") == {"Records": []}


def test_fifo_messages_are_dealt_out_to_the_groups():
    """Messages of a FIFO queue share the groups in turn."""
    records = views(made("sqs", "-n", "10", "--fifo", "--groups", "3"))
    assert [record.group_id for record in records] == [f"group-{number % 3}" for number in range(10)]
    assert {record.event_source_arn.rpartition(":")[2] for record in records} == {"orders.fifo"}


def test_a_standard_queue_has_groups_only_on_request():
    """A standard queue has message groups only where they are asked for."""
    assert {record.group_id for record in views(made("sqs"))} == {None}
    assert {record.group_id for record in views(made("sqs", "--groups", "1"))} == {"group-0"}


def test_receive_count_and_name_are_options():
    """The receive count and the queue's name can be chosen."""
    (record,) = views(made("sqs", "-n", "1", "--receive-count", "4", "--name", "payments"))
    assert record.receive_count == 4
    assert record.event_source_arn.endswith(":payments")


def test_items_of_a_table_change():
    """With groups, a table's items are inserted once and modified from then on."""
    records = views(made("dynamodb", "-n", "4", "--groups", "2"))
    assert [record.event_name for record in records] == ["INSERT", "INSERT", "MODIFY", "MODIFY"]
    assert records[2].old_image == records[0].new_image


@pytest.mark.parametrize("source", ["kinesis", "dynamodb"])
def test_the_event_of_a_tumbling_window_has_a_state(source):
    """The event of a tumbling window carries a state."""
    event = made(source, "--window")
    assert event["state"] == {}
    assert event["isFinalInvokeForWindow"] is False


def test_a_self_managed_cluster_has_no_arn():
    """A cluster of one's own has no ARN."""
    event = made("kafka", "--self-managed", "--groups", "2")
    assert event["eventSource"] == "SelfManagedKafka"
    assert sorted(event["records"]) == ["orders-0", "orders-1"]


@pytest.mark.parametrize("source", ["sqs", "kinesis", "kafka"])
def test_each_line_of_a_file_is_a_payload(source):
    """Each line is a payload as it stands; blank lines are none."""
    records = views(made(source, "--payloads", "-", stdin='{"a": 1}\n\nplain text\n'))
    assert [record.text for record in records] == ['{"a": 1}', "plain text"]


def test_a_payload_ends_where_its_line_ends():
    """Characters that only Unicode takes for the end of a line are part of the payload."""
    texts = ['{"a": "b\u2028c\x85d\x0be"}', "f"]
    assert [record.text for record in views(made("sqs", "--payloads", "-", stdin="\r\n".join(texts)))] == texts


def test_each_line_of_a_file_is_an_item():
    """A table's payloads are items; the same id twice is one item that changes."""
    records = views(made("dynamodb", "--payloads", "-", stdin='{"id": 1, "a": 1}\n{"id": 1, "a": 2}\n'))
    assert [record.event_name for record in records] == ["INSERT", "MODIFY"]


def test_records_takes_the_first_lines():
    """-n takes the first lines."""
    assert len(made("sqs", "--payloads", "-", "-n", "1", stdin="a\nb\n")["Records"]) == 1


def test_json_prints_one_line():
    """--json prints one line, which is the same event."""
    done = run("sqs", "--json")
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout) == made("sqs")


def test_the_event_is_coloured_on_a_terminal(on_terminal):
    """On a terminal the JSON is coloured, and not broken where the window ends."""
    code, shown = on_terminal("event", "sqs", "-n", "1", columns=40)
    assert code == 0
    assert json.loads(shown) == made("sqs", "-n", "1")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["kinesis", "--fifo"], "--fifo is for sqs, not for kinesis"),
        (["kafka", "--receive-count", "2"], "--receive-count is for sqs, not for kafka"),
        (["sqs", "--window"], "--window is for kinesis and dynamodb, not for sqs"),
        (["sqs", "--self-managed"], "--self-managed is for kafka, not for sqs"),
        (["kinesis", "--window", "--pipes"], "EventBridge Pipes has no tumbling windows"),
        (["sqs", "--fifo", "-n", "11"], "11 records are too many: a batch from a FIFO queue holds at most 10"),
        (["sqs", "-n", "10001"], "10,001 records are too many: a batch from sqs holds at most 10,000"),
        (["sqs", "--name", "a.fifo", "-n", "11"], "a whole number from 0 to 10"),
        (["sqs", "--groups", "0"], "0 is not in the range"),
        (["sqs", "--pipes", "-n", "0"], "--pipes needs at least one record: EventBridge Pipes sends no empty batches"),
        (["sqs", "-n", "2", "--payloads", "-"], "--records 2 is too many: --payloads has 1 lines"),
        (["dynamodb", "--payloads", "-"], "--payloads: line 1 isn't a table item; write a JSON object with an 'id'"),
        (["nonsense"], "'nonsense' is not one of"),
        (["sqs", "--payloads", "nowhere.txt"], "No such file"),
    ],
)
def test_options_of_other_sources_are_refused(arguments, why):
    """An option that the source does not have, or a number beyond Lambda's, is a usage error."""
    done = run(*arguments, stdin="text\n")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert why in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["sqs", "--fifo", "-n", "11"],
        ["sqs", "--name", ""],
        ["sqs", "-n", "2", "--payloads", "-"],
        ["sqs", "--payloads", "nowhere.txt"],
    ],
)
def test_an_impossible_value_ends_with_2_and_one_line(arguments):
    """A value with correct syntax that isn't possible gives one line."""
    done = run(*arguments, stdin="text\n")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"no": "id"}', "no attribute 'id'"),
        (b"[1]", "line 1 isn't a table item"),
        (b"\xff", "the file isn't UTF-8 text"),
    ],
)
def test_a_malformed_item_is_named_by_its_line(line, why):
    """A line that isn't an item of the table is named by its number or its missing attribute."""
    done = run("dynamodb", "--payloads", "-", stdin=line)
    assert done.exit_code == 2
    assert why in done.stderr
