"""Lines in CloudWatch's embedded metric format, checked against the format's own schema."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from time import time

import pytest
from batches import dynamodb, kinesis, sqs
from jsonschema import Draft202012Validator

from partialbatch import FullBatchFailure, Reject, batch_handler
from partialbatch.errors import ConfigurationError, EventError
from partialbatch.hooks import EmfMetrics
from partialbatch.retries import ResumeLedger, discard

RATES = ["Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes"]
RATES += ["Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Count"]
UNITS = ["Seconds", "Microseconds", "Milliseconds", "Percent", "None", *RATES, *(f"{unit}/Second" for unit in RATES)]

# The document structure of
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "properties": {
        "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "array",
                "minItems": 1,
                "maxItems": 30,
                "uniqueItems": True,
                "items": {"type": "string", "minLength": 1, "maxLength": 250},
            },
        },
        "Metrics": {
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["Name"],
                "properties": {"Name": {"type": "string", "minLength": 1, "maxLength": 1024}, "Unit": {"enum": UNITS}},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": DIRECTIVE},
            },
            "additionalProperties": False,
        }
    },
}


def checked(line):
    """Validate a line: the schema, and that each metric and dimension has its target in the root."""
    document = json.loads(line)
    Draft202012Validator(SCHEMA).validate(document)
    assert len(line.encode()) < 1_000_000
    targets = set()
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            assert isinstance(document[metric["Name"]], int | float)
            targets.add(metric["Name"])
        for dimensions in directive["Dimensions"]:
            assert all(isinstance(document[name], str) and document[name] for name in dimensions)
            targets.update(dimensions)
    assert targets == document.keys() - {"_aws"}
    assert abs(document["_aws"]["Timestamp"] / 1000 - time()) < 60
    return document


def metrics(lines, **options):
    return EmfMetrics(write=lambda line: lines.append(checked(line)), **options)


def test_each_batch_writes_one_line_to_standard_output(capsys):
    """One line on standard output holds all metrics of the batch."""

    @batch_handler(hooks=[EmfMetrics()])
    def handler(record):
        if record.body == "1":
            raise ValueError

    handler(sqs(3))
    [line] = capsys.readouterr().out.splitlines()
    found = checked(line)
    assert found["Source"] == "sqs"
    assert {name: found[name] for name in ("BatchSize", "Failed", "Skipped", "DeadLettered", "Resumed")} == {
        "BatchSize": 3,
        "Failed": 1,
        "Skipped": 0,
        "DeadLettered": 0,
        "Resumed": 0,
    }
    [directive] = found["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "partialbatch"
    assert directive["Dimensions"] == [["Source"]]
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "BatchSize": "Count",
        "Failed": "Count",
        "Skipped": "Count",
        "DeadLettered": "Count",
        "Resumed": "Count",
        "Duration": "Milliseconds",
        "OldestRecordAge": "Seconds",
    }


def test_each_status_of_a_record_is_counted():
    """Dead-lettered, resumed, failed and skipped records have a metric each."""
    lines, resume = [], ResumeLedger.in_memory()

    @batch_handler(hooks=[metrics(lines)], resume=resume, dead_letter=discard)
    def handler(record):
        if record.text == "1":
            raise Reject
        if record.text in "03":
            raise ValueError

    for _ in range(2):
        handler(kinesis("abcacc"))
    counts = [tuple(line[name] for name in ("Failed", "Skipped", "DeadLettered", "Resumed")) for line in lines]
    # The fourth record waits behind the first; the second is a dead letter, and then done.
    assert counts == [(1, 1, 1, 0), (1, 1, 0, 4)]


@pytest.mark.parametrize(
    ("event", "source"), [(sqs(2), "sqs"), (kinesis("ab"), "kinesis"), (dynamodb("ab"), "dynamodb")]
)
def test_oldest_record_age_comes_from_the_sources_own_time(event, source):
    """The age of the oldest record at the start of the batch is in seconds, by the source's own time."""
    now = time()
    for index, raw in enumerate(event["Records"]):
        if source == "sqs":
            raw["attributes"]["SentTimestamp"] = str(int((now - 400 + 100 * index) * 1000))
        elif source == "kinesis":
            raw["kinesis"]["approximateArrivalTimestamp"] = now - 400 + 100 * index
        else:
            raw["dynamodb"]["ApproximateCreationDateTime"] = now - 400 + 100 * index
    lines = []
    batch_handler(lambda record: None, hooks=[metrics(lines)])(event)
    assert lines[0]["Source"] == source
    assert lines[0]["OldestRecordAge"] == pytest.approx(400, abs=30)


def test_age_is_never_negative():
    """If clocks differ, the age is at least 0."""
    event, lines = kinesis("a"), []
    event["Records"][0]["kinesis"]["approximateArrivalTimestamp"] = time() + 100
    batch_handler(lambda record: None, hooks=[metrics(lines)])(event)
    assert lines[0]["OldestRecordAge"] == 0


def test_age_is_left_out_without_a_time():
    """If no record has a time, only the age is left out."""
    event, lines = kinesis("a"), []
    del event["Records"][0]["kinesis"]["approximateArrivalTimestamp"]
    batch_handler(lambda record: None, hooks=[metrics(lines)])(event)
    assert "OldestRecordAge" not in lines[0]
    assert lines[0]["BatchSize"] == 1


def test_a_source_without_times_has_no_age():
    """The views of your own source needn't have a time."""
    lines = []
    hook = metrics(lines)
    hook.on_batch_start([object()], None)
    hook.on_batch_end(batch_handler(lambda record: None).process(sqs(1)))
    assert "OldestRecordAge" not in lines[0]


def test_the_duration_is_that_of_the_batch(monkeypatch):
    """The duration is the time from the start of the batch to its end, in milliseconds."""
    from partialbatch.hooks import emf  # beside what is patched in it

    lines, now = [], [100.0]
    monkeypatch.setattr(emf, "perf_counter", lambda: now[0])

    @batch_handler(hooks=[metrics(lines)])
    def handler(record):
        now[0] += 0.25

    handler(sqs(2))
    assert lines[0]["Duration"] == 500


def test_an_end_without_a_start_takes_nothing_of_the_batch_before(monkeypatch):
    """An empty batch after another one has neither its age nor its duration."""
    from partialbatch.hooks import emf  # beside what is patched in it

    lines, now = [], [100.0]
    monkeypatch.setattr(emf, "perf_counter", lambda: now[0])
    handler = batch_handler(lambda record: None, hooks=[metrics(lines)])
    handler(sqs(1))
    now[0] += 50
    hook = metrics(lines)
    hook.on_batch_start(["r"], None)
    empty = batch_handler(lambda record: None).process({"Records": []})
    for _ in range(2):
        hook.on_batch_end(empty)
        now[0] += 10
    assert lines[-1]["Source"] == "empty"
    assert lines[-1]["Duration"] == 0
    assert "OldestRecordAge" not in lines[-1]


@pytest.mark.parametrize("workers", [1, 3])
def test_metrics_are_the_same_with_several_workers(workers):
    """The state from the start of the batch is there at its end, in threads too."""
    lines = []

    @batch_handler(hooks=[metrics(lines)], max_concurrency=workers)
    async def handler(record): ...

    handler(sqs(3))
    batch_handler(lambda record: None, hooks=[metrics(lines)], max_concurrency=workers)(sqs(3))
    assert ["OldestRecordAge" in line for line in lines] == [True, True]


def test_two_threads_with_one_hook_do_not_mix():
    """Batches in different threads have their own figures."""
    lines = []
    handler = batch_handler(lambda record: None, hooks=[metrics(lines)])
    events = [kinesis("a") for _ in range(8)]
    for index, event in enumerate(events):
        event["Records"][0]["kinesis"]["approximateArrivalTimestamp"] = time() - 1_000 * (index + 1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda event: copy_context().run(handler, event), events))
    ages = sorted(round(line["OldestRecordAge"] / 1_000) for line in lines)
    assert ages == list(range(1, 9))


def test_further_dimensions_stand_beside_the_source():
    """Your own dimensions are written beside the source."""
    lines = []
    hook = metrics(lines, namespace="Shop/Orders", dimensions={"FunctionName": "orders", "Stage": "prod"})
    batch_handler(lambda record: None, hooks=[hook])(sqs(1))
    [directive] = lines[0]["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Shop/Orders"
    assert directive["Dimensions"] == [["Source", "FunctionName", "Stage"]]
    assert lines[0]["FunctionName"] == "orders"


def test_twenty_nine_dimensions_are_the_most():
    """CloudWatch accepts thirty dimensions, one of which is the source."""
    lines = []
    many = {f"D{number}": "v" for number in range(29)}
    batch_handler(lambda record: None, hooks=[metrics(lines, dimensions=many)])(sqs(1))
    assert len(lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == 30
    with pytest.raises(ConfigurationError, match="it takes at most 29 dimensions"):
        EmfMetrics(dimensions=many | {"one": "more"})


@pytest.mark.parametrize("namespace", ["", " ", "a" * 256, "a\nb", "Größe", "a|b"])
def test_namespace_that_cloudwatch_refuses_is_an_error(namespace):
    """CloudWatch would drop the metric silently, so the module doesn't load."""
    with pytest.raises(ConfigurationError, match="it takes 1 to 255 letters, digits, spaces or any of"):
        EmfMetrics(namespace)


@pytest.mark.parametrize(
    "dimensions",
    [
        {"Source": "x"},
        {"Failed": "x"},
        {"_aws": "x"},
        {"": "x"},
        {":a": "x"},
        {"a" * 251: "x"},
        {"a": ""},
        {"a": " "},
        {"a": "x" * 1025},
        {"a": "ü"},
        {"a": "x\n"},
        {"a": 5},
        {5: "a"},
    ],
)
def test_dimension_that_cloudwatch_refuses_is_an_error(dimensions):
    """CloudWatch wouldn't accept these dimensions, or they would hide a metric."""
    with pytest.raises(ConfigurationError, match=r"EmfMetrics\.dimensions"):
        EmfMetrics(dimensions=dimensions)


def test_longest_allowed_names_are_accepted():
    """The longest names that CloudWatch accepts are accepted."""
    lines = []
    hook = metrics(lines, namespace="a" * 255, dimensions={"a" * 250: "x" * 1024})
    batch_handler(lambda record: None, hooks=[hook])(sqs(1))
    assert len(lines) == 1


def test_a_writer_that_raises_is_logged(caplog):
    """An error of `write` is logged, and the response stays the same."""
    caplog.set_level(logging.WARNING)

    def write(line):
        raise OSError

    assert batch_handler(lambda record: None, hooks=[EmfMetrics(write=write)])(sqs(1)) == {"batchItemFailures": []}
    assert "a hook raised in on_batch_end" in caplog.text


def nested(place, hook, inside):
    """Return a handler in which another one runs that shares its hook: in a record function, or in a bulk sink."""
    inner = batch_handler(inside, hooks=[hook])
    if place == "record":
        return batch_handler(lambda record: inner(sqs(2)), hooks=[hook])
    if place == "bulk sink":
        return batch_handler(lambda record: 1, sink=lambda succeeded: inner(sqs(2)) and (), hooks=[hook])
    if place == "threads":
        return batch_handler(lambda record: inner(sqs(2)), hooks=[hook], max_concurrency=2)

    async def waiting(record):
        await inner.aprocess(sqs(2))

    return batch_handler(waiting, hooks=[hook])


@pytest.mark.parametrize("place", ["record", "bulk sink", "threads", "tasks"])
def test_nested_handlers_that_share_a_hook_have_figures_of_their_own(place, monkeypatch):
    """The outer batch keeps its start and the age of its records."""
    from partialbatch.hooks import emf  # beside what is patched in it

    lines, now = [], [100.0]
    monkeypatch.setattr(emf, "perf_counter", lambda: now[0])

    def inside(record):
        now[0] += 1

    handler = nested(place, metrics(lines), inside)
    for _ in range(2):
        lines.clear()
        handler(sqs(1))
        inner, outer = lines
        assert (inner["BatchSize"], inner["Duration"]) == (2, 2000)
        assert (outer["BatchSize"], outer["Duration"]) == (1, 2000)
        assert "OldestRecordAge" in inner
        assert "OldestRecordAge" in outer


def test_an_empty_batch_inside_another_one_takes_nothing_of_it(monkeypatch):
    """A batch that never began ends no other batch."""
    from partialbatch.hooks import emf  # beside what is patched in it

    lines, now = [], [100.0]
    monkeypatch.setattr(emf, "perf_counter", lambda: now[0])
    hook = metrics(lines)
    empty = batch_handler(lambda record: None, hooks=[hook])

    def sink(succeeded):
        now[0] += 1
        empty({"Records": []})
        return ()

    batch_handler(lambda record: 1, sink=sink, hooks=[hook])(sqs(1))
    assert [(line["Source"], line["Duration"]) for line in lines] == [("empty", 0), ("sqs", 1000)]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("raise_on_full_failure", [False, True])
def test_a_batch_whose_response_is_refused_has_its_line_too(workers, is_async, raise_on_full_failure):
    """Batches that fail as a whole are counted too."""
    lines = []

    def plain(record):
        raise ValueError

    async def waiting(record):
        raise ValueError

    handler = batch_handler(
        waiting if is_async else plain,
        hooks=[metrics(lines)],
        max_concurrency=workers,
        raise_on_full_failure=raise_on_full_failure,
    )
    event = sqs(3)
    event["Records"][1]["messageId"] = ""
    with pytest.raises(EventError, match="no identifier"):
        handler(event)
    with pytest.raises(EventError, match="no identifier"):
        handler.process(event)
    with suppress(FullBatchFailure):
        handler(sqs(3))
    assert [(line["BatchSize"], line["Failed"]) for line in lines] == [(3, 3)] * 3
