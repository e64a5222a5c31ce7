"""The options beyond the record function, together: in every way to call, and in none."""

from __future__ import annotations

import asyncio

import pytest
from batches import Clock, ids, kinesis, number, reported, sqs
from sinks import Refusing, ScriptedSink

from partialbatch import Backoff, Reject, batch_handler
from partialbatch._core import pipeline
from partialbatch.errors import ConfigurationError
from partialbatch.retries import ResumeLedger, discard

OPTIONS = {
    "sink": lambda: {"sink": ScriptedSink()},
    "bulk": lambda: {"sink": lambda succeeded: None},
    "dead_letter": lambda: {"dead_letter": discard},
    "hooks": lambda: {"hooks": [Silent()]},
    "resume": lambda: {"resume": ResumeLedger.in_memory()},
}


class Silent:
    def on_batch_end(self, result):
        pass


def make(kind, workers, **options):
    def body(record):
        if number(record) == 1:
            raise ValueError
        return number(record)

    async def awaits(record):
        await asyncio.sleep(0)
        return body(record)

    return batch_handler(awaits if kind == "async" else body, max_concurrency=workers, **options)


def answers(handler, event, context=None):
    """Return what the three ways to call a handler report."""
    yield reported(handler(event, context))
    yield reported(handler.process(event, context).response)
    yield reported(asyncio.run(handler.aprocess(event, context)).response)


@pytest.mark.parametrize(("kind", "workers"), [("plain", 1), ("plain", 3), ("async", 1), ("async", 3)])
@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_in_every_way_to_call(option, kind, workers):
    """An option changes nothing of what a failing record means, whatever runs the batch."""
    event = kinesis("abc")
    for deadline in (None, Clock(900)):
        handler = make(kind, workers, **OPTIONS[option]())
        assert list(answers(handler, event, deadline)) == [["1"]] * 3


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_with_all_options_each_record_ends_once(kind):
    """Each record ends once, and as it should: accepted, dead-lettered, refused."""
    sink, stored = ScriptedSink({2: 1}), []

    def body(record):
        if number(record) == 0:
            raise Reject
        return number(record)

    async def awaits(record):
        return body(record)

    handler = batch_handler(
        awaits if kind == "async" else body,
        sink=sink,
        dead_letter=stored.append,
        permanent=KeyError,
        hooks=[Silent()],
        resume=ResumeLedger.in_memory(),
        error_policy="stop",
        max_concurrency=2,
    )
    result = handler.process(kinesis("abcd"), Clock(900))
    assert [entry.status for entry in result.results] == ["dead_lettered", "succeeded", "failed", "succeeded"]
    assert len(stored) == 1
    again = handler.process({"Records": kinesis("abcd")["Records"][2:]}, Clock(900))
    assert [(entry.status, entry.resumed) for entry in again.results] == [("succeeded", False), ("succeeded", True)]
    assert sink.accepted.count(3) == 1


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("option", [None, *OPTIONS])
def test_a_plain_handler_without_options_takes_the_direct_path(option, kind, monkeypatch):
    """Without these options a plain batch takes the fast path; with any of them it does not."""
    taken = []
    run_directly = pipeline.run_directly

    def noted(*arguments, **keywords):
        taken.append("direct")
        run_directly(*arguments, **keywords)

    monkeypatch.setattr(pipeline, "run_directly", noted)
    handler = make(kind, 1, **(OPTIONS[option]() if option else {}))
    assert reported(handler(kinesis("ab"))) == ["1"]
    assert taken == (["direct"] if option is None and kind == "plain" else [])


def test_reject_without_a_dead_letter_fails_with_one_warning(caplog, monkeypatch):
    """There is nowhere to put the record: it comes back, and the process says so once."""
    monkeypatch.setattr("partialbatch._core.logs._told", set())

    def body(record):
        raise Reject("for good")

    for options in ({}, {"sink": ScriptedSink()}):
        handler = batch_handler(body, raise_on_full_failure=False, **options)
        assert reported(handler(sqs(2))) == ids([0, 1])
    told = [entry.getMessage() for entry in caplog.records if "Reject" in entry.getMessage()]
    assert [text for text in told if "no dead_letter" in text] == [
        "a record function raised Reject and there is no dead_letter: the record fails"
    ]


def test_a_call_in_a_running_loop_is_refused_as_ever():
    """`handler(...)` of an async function raises there, with options too, and no coroutine is left unawaited."""

    async def main():
        with pytest.raises(RuntimeError, match="aprocess"):
            make("async", 1, sink=ScriptedSink())(sqs(1))

    asyncio.run(main())


def test_full_failures_count_dead_letters_as_done():
    """A batch of dead letters and failures is a partial one: nothing is raised."""

    def body(record):
        raise Reject if number(record) else ValueError

    assert reported(batch_handler(body, dead_letter=discard)(sqs(2))) == ["m0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sink": object()}, "sink=.*a Sink"),
        ({"sink": 5}, "sink=5"),
        ({"sink": ScriptedSink}, "sink=.*a Sink"),
        ({"dead_letter": "arn:aws:sqs:eu-west-1:123456789012:dlq"}, "dead_letter='arn"),
        ({"permanent": ValueError}, "permanent needs dead_letter"),
        ({"permanent": ValueError(), "dead_letter": discard}, "permanent=.*exception type"),
        ({"permanent": [ValueError], "dead_letter": discard}, "permanent=.*tuple"),
        ({"permanent": KeyboardInterrupt, "dead_letter": discard}, "permanent="),
        ({"retry_delay": 5}, "retry_delay=5"),
        ({"retry_delay": Backoff(1, 2), "source": "kinesis"}, "retry_delay works with sqs"),
        ({"resume": ResumeLedger.in_memory(), "source": "sqs"}, "resume works with kinesis and dynamodb"),
        ({"resume": ResumeLedger.in_memory(), "error_policy": "continue"}, "resume does not go with"),
        ({"resume": "table"}, "resume='table'"),
    ],
)
def test_bad_input_is_refused_at_decoration(options, message):
    """Each names the option, the value and what is allowed."""
    with pytest.raises(ConfigurationError, match=message):
        batch_handler(number, **options)


def test_a_ledger_for_a_queue_is_refused_at_the_first_event():
    """Where the source is the event's to tell, an option that it lacks is refused before anything runs."""
    ran = []
    with pytest.raises(ConfigurationError, match="works with"):
        batch_handler(ran.append, resume=ResumeLedger.in_memory())(sqs(1))
    assert ran == []


def test_margins_are_wider_where_something_is_sent_late():
    """Two seconds stay free for a sink or a dead letter, half a second without."""
    for options, runs in (({}, 1), ({"sink": Refusing()}, 0), ({"dead_letter": discard}, 0), ({"hooks": ()}, 1)):
        ran = []
        batch_handler(lambda record, ran=ran: ran.append(1), **options)(sqs(1), Clock(1.5))
        assert len(ran) == runs
