"""Spans of batches and records, as the real SDK exports them."""

from __future__ import annotations

import asyncio

import pytest
from batches import kinesis, sqs
from opentelemetry import baggage, context, trace
from opentelemetry.context import get_current
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from partialbatch import batch_handler
from partialbatch.errors import EventError
from partialbatch.hooks import OpenTelemetryHook

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


class Spans:
    """A tracer provider of its own, and what it exports."""

    def __init__(self):
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.hook = OpenTelemetryHook(self.provider)

    def of(self, name):
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    @property
    def batch(self):
        [span] = [span for span in self._exporter.get_finished_spans() if span.name.endswith("batch")]
        return span


@pytest.fixture
def spans():
    return Spans()


def test_each_record_has_a_span_below_that_of_its_batch(spans):
    """Names, kinds and attributes follow the conventions for messaging."""
    batch_handler(lambda record: None, hooks=[spans.hook])(sqs(2))
    assert spans.batch.name == "process sqs batch"
    assert spans.batch.kind is trace.SpanKind.CONSUMER
    assert spans.batch.attributes == {
        "messaging.system": "aws_sqs",
        "messaging.operation.type": "process",
        "messaging.batch.message_count": 2,
        "partialbatch.failed": 0,
        "partialbatch.skipped": 0,
        "partialbatch.dead_lettered": 0,
        "partialbatch.resumed": 0,
    }
    records = spans.of("process sqs")
    assert [span.attributes["messaging.message.id"] for span in records] == ["m0", "m1"]
    for span in records:
        assert span.parent.span_id == spans.batch.context.span_id
        assert span.context.trace_id == spans.batch.context.trace_id
        assert span.attributes["messaging.system"] == "aws_sqs"
        assert span.kind is trace.SpanKind.CONSUMER
        assert spans.batch.start_time <= span.start_time <= span.end_time <= spans.batch.end_time


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("is_async", [False, True])
def test_the_span_is_current_while_the_record_runs(spans, workers, is_async):
    """Spans that the record function opens are children of its record's span, also in threads and tasks."""
    tracer = spans.provider.get_tracer("test")

    def work(record):
        tracer.start_span(f"inner {record.body}").end()

    async def work_async(record):
        await asyncio.sleep(0)
        work(record)

    function = work_async if is_async else work
    batch_handler(function, hooks=[spans.hook], max_concurrency=workers)(sqs(3))
    records = {span.attributes["messaging.message.id"]: span for span in spans.of("process sqs")}
    for number in range(3):
        [inner] = spans.of(f"inner {number}")
        assert inner.parent.span_id == records[f"m{number}"].context.span_id
        assert records[f"m{number}"].parent.span_id == spans.batch.context.span_id
    assert not trace.get_current_span().get_span_context().is_valid


def test_aprocess_has_the_same_spans(spans):
    """`aprocess` makes the same spans in the caller's event loop."""
    asyncio.run(batch_handler(lambda record: None, hooks=[spans.hook]).aprocess(sqs(2)))
    assert {span.parent.span_id for span in spans.of("process sqs")} == {spans.batch.context.span_id}


def test_an_error_is_on_the_records_span(spans):
    """The exception is recorded on its record's span only."""

    @batch_handler(hooks=[spans.hook])
    def handler(record):
        if record.body == "0":
            raise ValueError("no stock")

    handler(sqs(2))
    failed, fine = spans.of("process sqs")
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.events[0].attributes["exception.type"] == "ValueError"
    assert fine.status.status_code is StatusCode.UNSET
    assert spans.batch.status.status_code is StatusCode.UNSET
    assert spans.batch.attributes["partialbatch.failed"] == 1


def test_a_batch_that_failed_as_a_whole_is_an_error(spans):
    """If no record succeeded, the batch's span has the status error."""
    handler = batch_handler(lambda record: 1 / 0, hooks=[spans.hook])
    handler.process(sqs(2))
    assert spans.batch.status.status_code is StatusCode.ERROR
    assert spans.batch.attributes["partialbatch.failed"] == 2


def test_skipped_records_have_no_span(spans):
    """Records that didn't run have no span, and the batch's span counts them."""

    @batch_handler(hooks=[spans.hook], error_policy="stop")
    def handler(record):
        if record.text == "1":
            raise ValueError

    handler(kinesis("abcd"))
    assert len(spans.of("process kinesis")) == 2
    assert spans.batch.attributes["partialbatch.skipped"] == 2
    assert spans.batch.attributes["messaging.system"] == "aws_kinesis"


def test_current_span_is_the_parent_of_the_batch(spans):
    """A span that Lambda's instrumentation has opened is the parent, and baggage reaches the record function."""
    seen = []
    tracer = spans.provider.get_tracer("test")
    token = context.attach(baggage.set_baggage("tenant", "acme"))
    try:
        with tracer.start_as_current_span("invocation") as outer:
            handler = batch_handler(lambda record: seen.append(baggage.get_baggage("tenant")), hooks=[spans.hook])
            handler(sqs(1))
    finally:
        context.detach(token)
    assert spans.batch.parent.span_id == outer.get_span_context().span_id
    assert seen == ["acme"]


def linked(spans, *, attributes=None, **message_attributes):
    event = sqs(1)
    event["Records"][0]["messageAttributes"] = message_attributes
    event["Records"][0]["attributes"] |= attributes or {}
    batch_handler(lambda record: None, hooks=[spans.hook])(event)
    [span] = spans.of("process sqs")
    return [
        (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}", int(link.context.trace_flags))
        for link in span.links
    ]


@pytest.mark.parametrize("name", ["traceparent", "Traceparent"])
def test_a_traceparent_attribute_is_linked(spans, name):
    """W3C's header in a message attribute leads to the span that sent the message."""
    attribute = {"dataType": "String", "stringValue": f"00-{TRACE}-{SPAN}-01"}
    assert linked(spans, **{name: attribute}) == [(TRACE, SPAN, 1)]


@pytest.mark.parametrize(("sampled", "flags"), [(";Sampled=1", 1), (";Sampled=0", 0), ("", 0), (";Lineage=1:2:3", 0)])
def test_xrays_header_is_linked(spans, sampled, flags):
    """The system attribute for X-Ray leads to a link too."""
    header = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN}{sampled}"
    assert linked(spans, attributes={"AWSTraceHeader": header}) == [(TRACE, SPAN, flags)]


def test_a_traceparent_goes_before_xrays_header(spans):
    """The sender's own instrumentation wrote `traceparent`, so it takes precedence."""
    attribute = {"dataType": "String", "stringValue": f"00-{TRACE}-{SPAN}-01"}
    header = f"Root=1-{'a' * 8}-{'b' * 24};Parent={'c' * 16}"
    assert linked(spans, attributes={"AWSTraceHeader": header}, traceparent=attribute) == [(TRACE, SPAN, 1)]


@pytest.mark.parametrize(
    "header", ["", "Root=1-x-y;Parent=z", "Root=1-00000000-000000000000000000000000;Parent=0", "?"]
)
def test_broken_header_makes_no_link(spans, header):
    """A header that can't be read is left out, and the span is there."""
    broken = {"dataType": "String", "stringValue": "00-zz"}
    assert linked(spans, attributes={"AWSTraceHeader": header}, traceparent=broken) == []


def test_current_span_makes_no_link(spans, monkeypatch):
    """Only a header makes a link, even if a propagator starts from the current span."""
    from opentelemetry import propagate  # beside what is patched in it

    class Current:
        """Starts from what is current, as some propagators do when they are given nothing."""

        def extract(self, carrier, context=None, getter=None):
            return get_current() if context is None else context

    monkeypatch.setattr(propagate, "get_global_textmap", Current)
    binary = {"dataType": "Binary", "binaryValue": "eA=="}
    with spans.provider.get_tracer("test").start_as_current_span("invocation"):
        assert linked(spans, blob=binary) == []


def test_stream_records_have_no_links(spans):
    """A Kinesis record has no attributes and no links."""
    batch_handler(lambda record: None, hooks=[spans.hook])(kinesis("a"))
    assert spans.of("process kinesis")[0].links == ()


def test_a_span_outside_of_a_batch_has_no_parent(spans):
    """Outside of a batch, a record's span has no parent, and an end without a start ends nothing."""
    result = batch_handler(lambda record: None, hooks=[spans.hook]).process(sqs(1))
    with spans.hook.around_record(result.results[0].record):
        pass
    spans.hook.on_batch_end(result)
    within, alone = spans.of("process sqs")
    assert within.parent.span_id == spans.batch.context.span_id
    assert alone.parent is None


def test_an_empty_batch_has_a_span_of_its_own(spans):
    """The span of an empty batch has the source `empty`."""
    spans.hook.on_batch_start([], None)
    spans.hook.on_batch_end(batch_handler(lambda record: None).process({"Records": []}))
    assert spans.batch.name == "process empty batch"


def test_the_global_provider_is_used_by_default():
    """Without a provider, the hook uses the global one, which does nothing unless it is set up."""
    hook = OpenTelemetryHook()
    assert batch_handler(lambda record: None, hooks=[hook])(sqs(1)) == {"batchItemFailures": []}


def test_hooks_import_opentelemetry_only_when_made(monkeypatch):
    """Importing the hooks doesn't import the API; making the hook does."""
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry", None)
    with pytest.raises(ImportError, match="opentelemetry"):
        OpenTelemetryHook()


def test_a_batch_inside_another_one_has_a_span_of_its_own(spans):
    """The span of the outer batch stays open, and is ended once."""
    inner = batch_handler(lambda record: None, hooks=[spans.hook])
    outer = batch_handler(lambda record: 1, sink=lambda succeeded: inner(kinesis(["a"])) and (), hooks=[spans.hook])
    outer(sqs(2))
    [ended] = spans.of("process sqs batch")
    [within] = spans.of("process kinesis batch")
    assert ended.attributes["messaging.batch.message_count"] == 2
    assert within.start_time > ended.start_time
    assert within.end_time < ended.end_time


def test_a_batch_whose_response_is_refused_has_a_span_with_an_error(spans):
    """If a record can't be reported, the whole batch is delivered again, and its span has the status error."""
    event = sqs(3)
    event["Records"][1]["messageId"] = ""

    @batch_handler(hooks=[spans.hook])
    def handler(record):
        if record.body == "1":
            raise ValueError

    with pytest.raises(EventError):
        handler(event)
    assert spans.batch.status.status_code is StatusCode.ERROR
    assert spans.batch.attributes["partialbatch.failed"] == 1


def test_a_span_that_cannot_be_opened_leaves_the_one_around_it_alone(spans, monkeypatch):
    """If the start of an inner batch fails, its end doesn't end the outer batch's span."""
    inner = batch_handler(lambda record: None, hooks=[spans.hook])

    def sink(succeeded):
        with monkeypatch.context() as patch:
            patch.setattr(spans.hook._tracer, "start_span", None)
            inner(sqs(2))
        assert not spans.of("process sqs batch")
        return ()

    batch_handler(lambda record: 1, sink=sink, hooks=[spans.hook])(sqs(2))
    assert spans.batch.attributes["messaging.batch.message_count"] == 2
