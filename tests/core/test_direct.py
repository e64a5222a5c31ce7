"""The direct path: on any batch it does the same as the general one."""

from __future__ import annotations

import logging
from contextlib import suppress
from types import SimpleNamespace

import pytest
from batches import Clock, Plain, dynamodb, kafka, kinesis, sqs
from hypothesis import given, settings
from hypothesis import strategies as st

from partialbatch import FullBatchFailure, RawRecord, Reject, RetryAfter, batch_handler
from partialbatch._core import direct, logs, pipeline
from partialbatch._core.planning import Planner
from partialbatch.errors import EventError
from partialbatch.types import Unprocessed

more = settings(max_examples=5 * settings().max_examples)  # few of them end early, or have no time left


class Odd(BaseException):
    """Neither an Exception nor an interrupt."""


class Unprintable(Exception):
    def __str__(self):
        raise Odd


class Own(Plain):
    """A source whose records may lack an identifier, a view, or a payload."""

    def identifier(self, raw):
        return raw["messageId"]

    def view(self, raw):
        if raw["body"] == "no view":
            raise KeyError
        return raw


async def coroutine():
    return 1


def generator():
    yield


OUTCOMES = {
    "none": lambda: None,
    "value": lambda: 5,
    "list": lambda: [1, [2]],
    "object": object,
    "coroutine": coroutine,
    "generator": generator,
    "generators": lambda: [generator()],
    "lazy": lambda: map(str, [1]),
    "error": lambda: (_ for _ in ()).throw(ValueError("broken")),
    "permanent": lambda: (_ for _ in ()).throw(Reject("for good")),
    "later": lambda: (_ for _ in ()).throw(RetryAfter(3)),
    "odd": lambda: (_ for _ in ()).throw(Odd()),
    "unprintable": lambda: (_ for _ in ()).throw(Unprintable()),
    "group": lambda: (_ for _ in ()).throw(BaseExceptionGroup("g", [Odd(), ValueError()])),
    "interrupt": lambda: (_ for _ in ()).throw(SystemExit(3)),
}
HARMS = {
    "none": lambda raw: None,
    "no identifier": lambda raw: [raw.pop(name, None) for name in ("messageId", "kinesis", "dynamodb", "offset")],
    "no body": lambda raw: raw.update(body="no view"),
    "odd attributes": lambda raw: raw.update(attributes=7),
    "no ARN": lambda raw: raw.pop("eventSourceARN", None),
    "other ARN": lambda raw: raw.update(eventSourceARN="arn:aws:sqs:eu-west-1:123456789012:other"),
    "other source": lambda raw: raw.update(eventSource="aws:other"),
}
HARMLESS = 4
SOURCES = {
    "sqs": lambda keys: sqs(len(keys)),
    "fifo": lambda keys: sqs(len(keys), groups=keys),
    "kinesis": kinesis,
    "window": lambda keys: kinesis(
        keys, window={"start": "a", "end": "b"}, state={"n": 1}, isFinalInvokeForWindow=True
    ),
    "dynamodb": dynamodb,
    "kafka": lambda keys: kafka([ord(key) for key in keys]),
    "own": lambda keys: sqs(len(keys)),
}


@st.composite
def batches(draw):
    keys = draw(st.lists(st.sampled_from("abc"), max_size=6))
    count = len(keys)
    # Few batches have records from elsewhere, which are refused whole.
    harms = st.sampled_from(list(HARMS)[: None if draw(st.integers(0, 4)) == 0 else HARMLESS])
    return {
        "source": draw(st.sampled_from(sorted(SOURCES))),
        "keys": keys,
        "outcomes": draw(st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=count, max_size=count)),
        "harms": draw(st.lists(harms, min_size=count, max_size=count)),
        "is_first": draw(st.booleans()),
        "takes": draw(st.sampled_from(["view", "raw", "dict", "context"])),
        "policy": draw(st.sampled_from(["derive", "continue", "stop"])),
        "seconds": draw(st.none() | st.integers(0, 6)),
        "full": draw(st.booleans()),
        "level": draw(st.sampled_from([logging.INFO, logging.WARNING, logging.CRITICAL])),
    }


def event_of(batch):
    event = SOURCES[batch["source"]](batch["keys"])
    records = event["records"] if batch["source"] == "kafka" else {"all": event["Records"]}
    raws = [raw for part in records.values() for raw in part]
    for raw, harm in zip(raws, batch["harms"], strict=True):
        HARMS[harm](raw)
    return event


class Run:
    """One call of a handler, and everything that can be seen of it."""

    method = "__call__"

    def __init__(self, batch):
        self.batch = batch
        self.calls = []
        self.lines = []
        self.outcomes = ["none"]
        # A second goes by with each record.
        self.clock = (
            None if batch["seconds"] is None else Clock(batch["seconds"] + 0.25, lambda: float(len(self.calls)))
        )

    def work(self, shown):
        self.calls.append(shown)
        return OUTCOMES[self.outcomes[len(self.calls) - 1]]()

    def handler(self):
        def view(record):
            return self.work(repr(record))

        def raw(record: RawRecord):
            return self.work(record)

        def payload(record: dict):
            return self.work(record)

        def context(record, context):
            return self.work((repr(record), context is self.clock))

        takes = {"view": view, "raw": raw, "dict": payload, "context": context}
        return batch_handler(
            takes[self.batch["takes"]],
            error_policy=self.batch["policy"],
            raise_on_full_failure=self.batch["full"],
            source=Own() if self.batch["source"] == "own" else "auto",
            **self.options(),
        )

    def options(self):
        return {}

    def emit(self, record):
        extra = {name: value for name, value in vars(record).items() if name.startswith(("record_", "batch_"))}
        extra.pop("batch_duration", None)
        error = record.exc_info and record.exc_info[0].__name__  # an unprintable one is shown by a class made for it
        self.lines.append((record.levelno, record.msg, record.args[:2] if record.args else (), error, extra))
        return False

    def outcome(self):
        handler, event = self.handler(), event_of(self.batch)
        if not self.batch["is_first"]:
            # The handler knows the source by now, and prepares less.
            with suppress(FullBatchFailure):  # some bodies are no JSON objects
                handler(SOURCES[self.batch["source"]]("a"), None)
            self.calls.clear()
        self.outcomes = self.batch["outcomes"]
        logs.logger.addFilter(self.emit)
        logs.logger.setLevel(self.batch["level"])
        logs._told.clear()
        try:
            ending = getattr(handler, self.method)(event, self.clock)
            if self.method == "process":
                ending = (ending.response, statuses(SimpleNamespace(result=ending)))
        except BaseException as error:
            ending = (type(error), str(error), getattr(error, "response", None), statuses(error))
        finally:
            logs.logger.removeFilter(self.emit)
            logs.logger.setLevel(logging.NOTSET)
        return ending, self.calls, self.lines


class Staged(Run):
    """A call of a handler with stages, which note in `calls` what they are told."""

    def options(self):
        stages = {
            "hooks": {"hooks": [self]},
            "sink": {"sink": self},
            "bulk sink": {"sink": lambda results: self.calls.append(len(results)) or results[1:2]},
            "dead letter": {"dead_letter": lambda record, error: self.calls.append(repr(error))},
            "resume": {"resume": self},
        }
        return {name: value for stage in self.batch["stages"] for name, value in stages[stage].items()}

    def noted(self, *what):
        self.told.append(what)

    def outcome(self):
        self.told, self.items = [], []
        return *super().outcome(), self.told

    def on_batch_start(self, records, context):
        self.noted("start", len(records), context is self.clock)

    def on_record_end(self, result):
        self.noted("record", repr(result), type(result.value), result.duration is None)

    def on_batch_end(self, result):
        self.noted("end", repr(result), list(map(repr, result.results)), result.response)

    def open(self, *, ordered, seconds_left):
        self.noted("open", ordered, seconds_left is None)
        return self

    def put(self, item, *, group):
        self.noted("put", type(item), group)
        self.items.append(item)

    def flush(self):
        self.noted("flush")
        refused, self.items = self.items[::3], []
        return list(map(Unprocessed, refused))

    def done_behind(self, _entry, _first):
        return {"1", "3", "shardId-000000000000:2"}

    def remember(self, _entry, checkpoint, done):
        self.noted("remember", checkpoint, done)


def statuses(error):
    """Return what a full failure tells of each record."""
    results = error.result.results if hasattr(error, "result") else ()
    return [(each.status, type(each.error), each.status == "skipped" and str(each.error)) for each in results]


@given(batches())
@more
def test_both_paths_make_the_same_calls_responses_errors_and_log_lines(batch):
    """Whatever a batch holds, and whatever the record function does, nobody can tell which path has run it."""
    taken = []
    run_directly = pipeline.run_directly

    def noted(*arguments, **keywords):
        taken.append(1)
        return run_directly(*arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "run_directly", noted)
        fast = Run(batch).outcome()
        was_direct = list(taken)
        patch.setattr(Planner, "can_run_directly", lambda *_: False)
        general = Run(batch).outcome()
    assert taken == was_direct
    assert fast == general


SINKS = st.sampled_from([(), ("sink",), ("bulk sink",)])


@given(
    batches(),
    st.sets(st.sampled_from(["hooks", "dead letter", "resume"])),
    SINKS,
    st.sampled_from(["__call__", "process"]),
)
@more
def test_a_schedule_and_event_order_give_the_same(batch, stages, sinks, method):
    """With stages, a batch of one worker runs in event order; nobody can tell it from one with a schedule."""
    streams = ("kinesis", "dynamodb", "window")
    batch["stages"] = (*sorted(stages if batch["source"] in streams else stages - {"resume"}), *sinks)
    if "resume" in batch["stages"]:
        batch["policy"] = "derive"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Planner, "can_run_directly", lambda *_: False)
        patch.setattr(Staged, "method", method)
        in_order = Staged(batch).outcome()
        patch.setattr(pipeline, "can_run_in_order", lambda _: False)
        scheduled = Staged(batch).outcome()
    assert in_order == scheduled


def test_a_batch_with_a_stage_runs_in_order(monkeypatch):
    """The comparison above compares two ways."""
    taken = []
    monkeypatch.setattr(pipeline, "run_in_order", lambda *_, **__: taken.append(1))
    batch_handler(lambda record: None, sink=lambda results: None, raise_on_full_failure=False)(sqs(2))
    assert taken


def test_an_ordinary_batch_takes_the_direct_path(monkeypatch):
    """The comparison above compares two paths."""
    taken = []
    monkeypatch.setattr(pipeline, "run_directly", lambda *_, **__: taken.append(1))
    batch_handler(lambda record: None, raise_on_full_failure=False)(sqs(2))
    assert taken


@pytest.mark.parametrize("source", ["sqs", "fifo", "kinesis", "dynamodb"])
def test_a_second_batch_of_a_queue_or_stream_is_not_prepared_anew(source, monkeypatch):
    """The first batch shows the way for those that follow."""
    prepared = []
    prepare = pipeline.Pipeline.prepare
    monkeypatch.setattr(
        pipeline.Pipeline, "prepare", lambda *given, **named: prepared.append(1) or prepare(*given, **named)
    )
    seen = []
    handler = batch_handler(lambda record: seen.append(record.identifier))
    for _ in range(3):
        handler(SOURCES[source]("ab"), None)
    assert len(seen) == 6
    assert len(prepared) == 1


def test_a_record_that_is_removed_from_the_event_meanwhile_still_runs():
    """Also in a batch whose queue is known by then."""
    event, seen = sqs(1), []

    def work(record):
        seen.append(record.message_id)
        del event["Records"][1:]

    handler = batch_handler(work)
    handler(event, None)
    seen.clear()
    event = sqs(3)
    assert handler(event, None) == {"batchItemFailures": []}
    assert seen == ["m0", "m1", "m2"]


def test_a_handler_remembers_a_limited_number_of_queues():
    """An event made by hand may name any; memory must not grow with them."""
    handler = batch_handler(lambda record: None)
    for number in range(3 * direct.MOST_ROUTES):
        event = sqs(1)
        event["Records"][0]["eventSourceARN"] = f"arn:aws:sqs:eu-west-1:123456789012:queue-{number}"
        handler(event, None)
    assert len(handler._target()[-1]) <= direct.MOST_ROUTES


@pytest.mark.parametrize("source", ["sqs", "kinesis"])
def test_a_batch_of_several_sources_is_refused_also_after_a_good_one(source):
    """No record of it runs."""
    seen = []
    handler = batch_handler(seen.append)
    handler(SOURCES[source]("ab"), None)
    seen.clear()
    event = SOURCES[source]("ab")
    event["Records"][1]["eventSource"] = "aws:other"
    with pytest.raises(EventError, match="several sources"):
        handler(event, None)
    assert not seen


def test_a_window_of_a_known_stream_gets_its_state_back():
    """The response to a window holds its state, whatever the batches before were."""
    handler = batch_handler(lambda record: None)
    handler(kinesis("a"), None)
    event = kinesis("a", window={"start": "a", "end": "b"}, state={"n": 1})
    assert handler(event, None) == {"batchItemFailures": [], "state": {"n": 1}}


def test_records_without_an_arn_are_handled_each_time():
    """An event made by hand may name no queue."""
    seen = []
    handler = batch_handler(lambda record: seen.append(record.body))
    for _ in range(2):
        event = sqs(1)
        del event["Records"][0]["eventSourceARN"]
        assert handler(event, None) == {"batchItemFailures": []}
    assert seen == ["0", "0"]


def test_each_clean_batch_has_a_line_at_info(caplog):
    """The second batch of a queue is logged like the first one."""
    handler = batch_handler(lambda record: None)
    with caplog.at_level(logging.INFO, "partialbatch"):
        handler(sqs(2), None)
        handler(sqs(3), None)
    assert [(entry.batch_size, entry.batch_succeeded) for entry in caplog.records] == [(2, 2), (3, 3)]
