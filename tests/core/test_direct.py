"""The direct path: on any batch it does the same as the general one."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from batches import Clock, Plain, dynamodb, kafka, kinesis, sqs
from hypothesis import given, settings
from hypothesis import strategies as st

from partialbatch import RawRecord, Reject, RetryAfter, batch_handler
from partialbatch._core import logs, pipeline
from partialbatch._core.planning import Planner
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
}
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
    return {
        "source": draw(st.sampled_from(sorted(SOURCES))),
        "keys": keys,
        "outcomes": draw(st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=count, max_size=count)),
        "harms": draw(st.lists(st.sampled_from(sorted(HARMS)), min_size=count, max_size=count)),
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
        # A second goes by with each record.
        self.clock = (
            None if batch["seconds"] is None else Clock(batch["seconds"] + 0.25, lambda: float(len(self.calls)))
        )

    def work(self, shown):
        self.calls.append(shown)
        return OUTCOMES[self.batch["outcomes"][len(self.calls) - 1]]()

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
        direct = Run(batch).outcome()
        was_direct = list(taken)
        patch.setattr(Planner, "can_run_directly", lambda *_: False)
        general = Run(batch).outcome()
    assert taken == was_direct
    assert direct == general


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
