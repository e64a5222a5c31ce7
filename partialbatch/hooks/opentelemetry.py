"""A span for each batch and each record, linked to the trace that sent the record.

https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from partialbatch.hooks._batch_stack import BatchStack
from partialbatch.hooks._naming import identifier_of, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from partialbatch._core.results import BatchResult

__all__ = ["OpenTelemetryHook"]


SYSTEMS = {"sqs": "aws_sqs", "kinesis": "aws_kinesis", "dynamodb": "aws_dynamodb"}
"""OpenTelemetry's names of the sources, if they differ from ours. It doesn't define any for streams yet."""


class OpenTelemetryHook:
    """A hook that opens a span for each batch and, below it, one for each record.

    Args:
        tracer_provider: An OpenTelemetry tracer provider. By default, the global one.

    Raises:
        ImportError: ``opentelemetry-api`` isn't installed.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        >>> from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        >>> from partialbatch import batch_handler
        >>> from partialbatch.hooks import OpenTelemetryHook
        >>> from partialbatch.testing import sqs_event
        >>> provider, exporter = TracerProvider(), InMemorySpanExporter()
        >>> provider.add_span_processor(SimpleSpanProcessor(exporter))
        >>> @batch_handler(hooks=[OpenTelemetryHook(provider)])
        ... def handler(record):
        ...     return record.body
        >>> response = handler(sqs_event(["tea"]))
        >>> [span.name for span in exporter.get_finished_spans()]
        ['process sqs', 'process sqs batch']
    """

    def __init__(self, tracer_provider: Any = None) -> None:
        # Imported here: only this hook needs it, and it loads with your module.
        from opentelemetry import propagate, trace
        from opentelemetry.context import Context

        self._empty = Context
        self._trace = trace
        self._propagate = propagate
        self._tracer = trace.get_tracer("partialbatch", tracer_provider=tracer_provider)
        self._batches: BatchStack[Any] = BatchStack("partialbatch_span")

    def on_batch_start(self, records: Sequence[Any], context: Any) -> None:
        """Open the batch's span."""
        self._batches.begin(len(records))
        source = source_of(records[0]) if records else "empty"
        span = self._tracer.start_span(
            f"process {source} batch",
            kind=self._trace.SpanKind.CONSUMER,
            attributes={**_attributes(source), "messaging.batch.message_count": len(records)},
        )
        self._batches.keep(span)

    @contextmanager
    def around_record(self, record: Any) -> Iterator[None]:
        """Open the record's span, and record an error on it."""
        batch, source = self._batches.current, source_of(record)
        # The rest of the context, such as baggage, is kept.
        parent = self._trace.set_span_in_context(batch) if batch is not None else None
        with self._tracer.start_as_current_span(
            f"process {source}",
            context=parent,
            kind=self._trace.SpanKind.CONSUMER,
            links=self._links(record),
            attributes={**_attributes(source), "messaging.message.id": identifier_of(record)},
        ):
            yield

    def on_batch_end(self, result: BatchResult[Any]) -> None:
        """Close the batch's span."""
        span = self._batches.end(len(result.results))
        if span is None:
            return
        for name in ("failed", "skipped", "dead_lettered"):
            span.set_attribute(f"partialbatch.{name}", len(getattr(result, name)))
        span.set_attribute("partialbatch.resumed", sum(entry.resumed for entry in result.results))
        if result.full_failure or _is_refused(result):
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()

    def _links(self, record: Any) -> list[Any]:
        """Return a link to the trace that a message's attributes name: ``traceparent``, or X-Ray's header."""
        carrier = _headers(record)
        # An empty context, because the current span belongs to the batch, and didn't send the record.
        extracted = self._propagate.extract(carrier, context=self._empty())
        context = self._trace.get_current_span(extracted).get_span_context()
        if not context.is_valid and "AWSTraceHeader" in carrier:
            context = self._xray(carrier["AWSTraceHeader"])
        return [self._trace.Link(context)] if context.is_valid else []

    def _xray(self, header: str) -> Any:
        """Parse ``Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1``.

        https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
        """
        parts = dict(part.split("=", 1) for part in header.split(";") if "=" in part)
        try:
            return self._trace.SpanContext(
                trace_id=int("".join(parts["Root"].split("-")[1:]), 16),
                span_id=int(parts["Parent"], 16),
                is_remote=True,
                trace_flags=self._trace.TraceFlags(int(parts.get("Sampled", "0") == "1")),
            )
        except (KeyError, ValueError):
            return self._trace.INVALID_SPAN_CONTEXT


def _is_refused(result: BatchResult[Any]) -> bool:
    """Tell whether no response was possible, so that the whole batch is delivered again."""
    return any(item["itemIdentifier"] == "" for item in result.response["batchItemFailures"])


def _attributes(source: str) -> dict[str, Any]:
    return {"messaging.system": SYSTEMS.get(source, source), "messaging.operation.type": "process"}


def _headers(record: Any) -> dict[str, str]:
    """Return the attributes of an SQS message that may name its sender's trace. Other records have none."""
    raw = getattr(record, "raw", None)
    if not isinstance(raw, dict):
        return {}  # a view of your own event source
    headers: dict[str, str] = {}
    for name, value in (raw.get("messageAttributes") or {}).items():
        text = value.get("stringValue")
        if isinstance(text, str):
            headers[name.lower()] = text
    system = (raw.get("attributes") or {}).get("AWSTraceHeader")
    return headers | ({"AWSTraceHeader": system} if system else {})
