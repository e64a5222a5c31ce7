"""Hooks with your own event source, whose views needn't have the attributes of the built-in ones."""

from __future__ import annotations

import json

from batches import Plain, sqs
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from partialbatch import batch_handler
from partialbatch.hooks import EmfMetrics, OpenTelemetryHook
from partialbatch.hooks._naming import identifier_of, source_of


def fails(record):
    raise ValueError(record["body"])


def test_a_plain_view_has_metrics(caplog):
    """The line is written, with the source `custom`."""
    lines = []
    batch_handler(fails, source=Plain(), hooks=[EmfMetrics(write=lines.append)]).process(sqs(2))
    assert json.loads(lines[0])["Source"] == "custom"
    assert json.loads(lines[0])["Failed"] == 2
    assert "a hook raised" not in caplog.text


def test_a_plain_view_has_spans(caplog):
    """Batch and record have a span, whatever the view lacks."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    batch_handler(fails, source=Plain(), hooks=[OpenTelemetryHook(provider)]).process(sqs(1))
    names = [span.name for span in exporter.get_finished_spans()]
    assert names == ["process custom", "process custom batch"]
    assert "a hook raised" not in caplog.text


def test_records_without_source_or_identifier_get_names():
    """A view without source or identifier gets a name too, and so does a value that isn't a view."""
    seen = []
    batch_handler(seen.append)(sqs(1))
    assert (source_of(seen[0]), identifier_of(seen[0])) == ("sqs", "m0")
    for record in (None, {}, object()):
        assert (source_of(record), identifier_of(record)) == ("custom", "none")
