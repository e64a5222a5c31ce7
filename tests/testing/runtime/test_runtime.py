"""The real runtime client in its own process: its answers are those that the kit predicts."""

from __future__ import annotations

import importlib.util
import json
import logging
import pathlib

import pytest

from partialbatch.testing import dynamodb_event, kafka_event, kinesis_event, sqs_event
from partialbatch.testing._verdict import Outcome, judge

GOOD, BAD = {"id": "good"}, {"id": "bad", "fail": True}
ITEMS = [GOOD, BAD, {"id": "other"}, BAD]


def functions():
    """Load the module of the handlers into this process."""
    spec = importlib.util.spec_from_file_location("functions", pathlib.Path(__file__).with_name("functions.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_process(handler, event):
    """Return the outcome of a handler in this process."""
    try:
        return Outcome.returned(getattr(functions(), handler)(event, None))
    except Exception as error:
        return Outcome.raised(error)


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level(logging.CRITICAL, logger="partialbatch")


EVENTS = {
    "sqs": sqs_event(ITEMS),
    "fifo": sqs_event(ITEMS, fifo=True),
    "kinesis": kinesis_event(ITEMS),
    "dynamodb": dynamodb_event(ITEMS),
    "kafka": kafka_event({"orders-0": ITEMS[:2], "orders-1": ITEMS[2:]}),
}


@pytest.mark.parametrize("handler", ["orders", "lenient", "side_by_side", "coroutines"])
def test_runtime_sends_the_response_that_the_handler_returned(runtime, handler):
    """For each source the bytes that Lambda gets mean what the handler returned, call after call."""
    side = runtime(handler)
    for name, event in EVENTS.items():
        here, there = in_process(handler, event), side.invoke(event)
        assert there.error is None
        assert json.loads(there.text) == json.loads(here.text), name
        verdict = judge(event, there)
        assert verdict == judge(event, here)
        assert verdict.kind == "partial"


def test_full_failure_arrives_as_an_error_of_its_type(runtime):
    """A raised `FullBatchFailure` arrives as an error of that type, and the process goes on."""
    side = runtime("orders")
    event = sqs_event([BAD, BAD])
    there = side.invoke(event)
    assert there.error == in_process("orders", event).error
    assert there.error.startswith("FullBatchFailure: ")
    assert judge(event, there).kind == "failure"
    assert judge(sqs_event([GOOD]), side.invoke(sqs_event([GOOD]))).kind == "success"


@pytest.mark.parametrize("value", ["set", "object"])
def test_an_unserialisable_value_is_a_marshal_error(runtime, value):
    """A value without a JSON form is an error of the runtime, and the kit's own message begins the same."""
    event = sqs_event([value])
    there, here = runtime("echo").invoke(event), in_process("echo", event)
    assert there.error.startswith("Runtime.MarshalError: Unable to marshal response: ")
    assert here.error.startswith("Runtime.MarshalError: Unable to marshal response: ")
    assert judge(event, there).kind == judge(event, here).kind == "failure"


@pytest.mark.parametrize("value", ["decimals", "bytes", "nothing", "tuple", "words"])
def test_kit_serializes_values_as_the_runtime_does(runtime, value):
    """The kit writes the same JSON for a value as the runtime."""
    event = sqs_event([value])
    there, here = runtime("echo").invoke(event), in_process("echo", event)
    assert json.loads(there.text) == json.loads(here.text)
    assert judge(event, there) == judge(event, here)


def test_nan_in_a_response_fails_the_invocation(runtime):
    """The runtime writes NaN, which Lambda's JSON parser refuses, so the invocation fails."""
    event = sqs_event(["nan"])
    there = runtime("echo").invoke(event)
    assert judge(event, there) == judge(event, in_process("echo", event))
    assert judge(event, there).kind == "failure"


def test_a_record_that_exits_fails_the_invocation(runtime):
    """`sys.exit` ends the process without an answer, and the next invocation gets a new process."""
    side = runtime("orders")
    event = sqs_event([GOOD, {"exit": True}])
    there = side.invoke(event)
    assert "Runtime.ExitError" in there.error
    with pytest.raises(SystemExit):
        functions().orders(event, None)
    assert Outcome.raised(SystemExit()).error.startswith("Runtime.ExitError")
    assert judge(event, there).kind == "failure"
    assert side.invoke(sqs_event([GOOD])).error is None


def test_a_record_that_hangs_runs_into_the_timeout(runtime):
    """Without a deadline margin, the invocation times out and the whole batch is delivered again."""
    event = sqs_event([GOOD, {"sleep": 30}, GOOD])
    there = runtime("stopping").invoke(event, timeout=1)
    verdict = judge(event, there)
    assert "Task timed out after 1.00 seconds" in verdict.reason
    assert verdict.returned == (0, 1, 2)


def test_handler_answers_before_the_deadline_of_the_real_context(runtime):
    """With a margin, the handler answers in time and reports the records that it didn't start."""
    event = sqs_event([{"sleep": 0.7}, {"sleep": 0.7}, {"sleep": 0.7}, {"sleep": 0.7}])
    there = runtime("careful").invoke(event, timeout=3)
    assert there.error is None
    verdict = judge(event, there)
    assert verdict.kind == "partial"
    assert verdict.returned
    assert verdict.returned[-1] == 3
    assert 0 not in verdict.returned
