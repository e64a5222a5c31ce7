"""The handlers of the examples, run on the event files beside them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from partialbatch import FullBatchFailure

MESSAGE = "059f36b4-87a3-44ab-83d2-66197574000"
SEQUENCE = "4959033827149025660855969253836157109592157598913658889"

FAILING = {
    "sqs": [f"{MESSAGE}2"],
    "sqs_fifo": [f"{MESSAGE}1", f"{MESSAGE}3"],
    "kinesis": [f"{SEQUENCE}9"],
    "dynamodb": ["111000000000000000000014"],
    "kafka": [{"partition": "clicks-0", "offset": 15}],
    "pipes": ["shardId-000000000006:49590338271490256608559692538361571095921575989136588900"],
}

# Tested in `test_end_to_end.py`.
END_TO_END = {"orders_to_dynamodb", "click_counter", "fifo_ledger", "dynamodb_to_eventbridge"}


def test_every_example_is_tested():
    """Each folder of the examples is among those whose handlers run in a test."""
    folders = {path.parent.name for path in (Path(__file__).parents[2] / "examples").glob("*/handler.py")}
    assert folders == {*FAILING, "kinesis_window", "amazon_mq", *END_TO_END}


@pytest.mark.parametrize("folder", [*FAILING, "amazon_mq"])
def test_good_records_are_all_handled(load, folder):
    """A batch without a bad record is reported as handled."""
    assert load(folder).run() == {"batchItemFailures": []}


@pytest.mark.parametrize("folder", FAILING)
def test_bad_records_are_reported(load, folder):
    """The record that fails, and what order forbids to run after it, is all that comes back."""
    response = load(folder).run("event_failing")
    assert [failure["itemIdentifier"] for failure in response["batchItemFailures"]] == FAILING[folder]


VALUES = {
    "sqs": [Decimal("25.00"), Decimal("9.90"), Decimal("120.50")],
    "dynamodb": [("new", "placed"), ("placed", "shipped"), ("shipped", "removed")],
    "kinesis": [2, 2, 2],
}


@pytest.mark.parametrize("folder", VALUES)
def test_values_are_what_the_function_returns(load, folder):
    """`process` gives the value of each record, awaited where the function is async."""
    example = load(folder)
    assert [result.value for result in example.module.handler.process(example.event()).results] == VALUES[folder]


def test_the_class_keeps_its_state(load):
    """A method handler works on its own instance, also in a second invocation."""
    example = load("kafka")
    example.run()
    example.run()
    assert example.module.handler.__wrapped__.__self__.pages == {"/home": 4, "/cart": 2}


def test_windows_carry_their_state(load):
    """The response of a window holds the state that the record function returned last."""
    assert load("kinesis_window").run() == {"state": {"rome": 52, "oslo": 7}, "batchItemFailures": []}


def test_windows_stop_at_a_failure(load):
    """After a bad record the state stays as it was, and what follows comes back."""
    assert load("kinesis_window").run("event_failing") == {
        "state": {"rome": 50},
        "batchItemFailures": [
            {"itemIdentifier": f"{SEQUENCE}9"},
            {"itemIdentifier": "49590338271490256608559692538361571095921575989136588900"},
        ],
    }


def test_windows_end(load, capsys):
    """The last invocation of a window carries no record and publishes its state."""
    assert load("kinesis_window").run("event_final")["batchItemFailures"] == []
    assert "{'rome': 52, 'oslo': 7}" in capsys.readouterr().out


def test_a_source_without_partial_responses_raises(load):
    """Amazon MQ ignores the response, so one bad message of two fails the invocation."""
    example = load("amazon_mq")
    with pytest.raises(FullBatchFailure) as raised:
        example.run("event_failing")
    assert [result.status for result in raised.value.result.results] == ["succeeded", "failed"]
    assert raised.value.response["batchItemFailures"][0]["itemIdentifier"].endswith(":2")
