"""Powertools' decorators on the handler and on the record function, with the real package.

Decorators for handlers stand above ``batch_handler``, and decorators for plain functions below it.
"""

from __future__ import annotations

import inspect
import io
import json
from types import SimpleNamespace

import pytest
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.idempotency import (
    IdempotencyConfig,
    idempotent,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyItemAlreadyExistsError
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from batches import kinesis, sqs

from partialbatch import FullBatchFailure, batch_handler
from partialbatch.hooks import EmfMetrics


class Memory(BasePersistenceLayer):
    """Powertools' persistence in a dict."""

    def __init__(self):
        super().__init__()
        self.records = {}

    def _get_record(self, idempotency_key):
        return self.records[idempotency_key]

    def _put_record(self, data_record):
        if data_record.idempotency_key in self.records:
            raise IdempotencyItemAlreadyExistsError(old_data_record=self.records[data_record.idempotency_key])
        self.records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record):
        self.records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record):
        self.records.pop(data_record.idempotency_key, None)


@pytest.fixture
def context():
    return SimpleNamespace(
        function_name="orders",
        memory_limit_in_mb=128,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:orders",
        aws_request_id="request-1",
        get_remaining_time_in_millis=lambda: 30_000,
    )


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "orders")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")


def work(record):
    if record.body == "1":
        raise ValueError(record.body)
    return record.body


ONE_FAILED = {"batchItemFailures": [{"itemIdentifier": "m1"}]}


@pytest.mark.parametrize("workers", [1, 3])
def test_logger_on_the_handler_adds_request_fields_to_record_lines(service, context, workers):
    """``inject_lambda_context`` gives the lines of records the request's fields, also from threads."""
    stream = io.StringIO()
    logger = Logger(stream=stream, logger_handler=None, service=f"orders-{workers}")

    @logger.inject_lambda_context(log_event=False)
    @batch_handler(max_concurrency=workers)
    def handler(record):
        logger.info("read", extra={"body": record.body})
        return work(record)

    assert handler(sqs(3), context) == ONE_FAILED
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert sorted(line["body"] for line in lines) == ["0", "1", "2"]
    assert {line["function_request_id"] for line in lines} == {"request-1"}


def test_logger_keys_of_a_record_end_with_it(service, context):
    """A record function may append keys to its own lines, and remove them at its end."""
    stream = io.StringIO()
    logger = Logger(stream=stream, service="orders-keys")

    @batch_handler
    def handler(record):
        with logger.append_context_keys(message_id=record.message_id):
            logger.info("read")
            return work(record)

    assert handler(sqs(3), context) == ONE_FAILED
    logger.info("after")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("message_id") for line in lines] == ["m0", "m1", "m2", None]


def test_metrics_on_the_handler_flush_the_records_metrics(service, context, capsys):
    """``log_metrics`` flushes the metrics of records beside our own line, and both are complete."""
    metrics = Metrics(namespace="Shop")

    @metrics.log_metrics(capture_cold_start_metric=True)
    @batch_handler(hooks=[EmfMetrics("Shop")], max_concurrency=2)
    def handler(record):
        metrics.add_metric("Read", unit=MetricUnit.Count, value=1)
        return work(record)

    assert handler(sqs(3), context) == ONE_FAILED
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["Read"] for line in lines if "Read" in line] == [[1.0, 1.0, 1.0]]
    assert [line["Failed"] for line in lines if "Failed" in line] == [1]


def test_metrics_are_flushed_when_the_batch_fails(service, context, capsys):
    """`FullBatchFailure` passes through ``log_metrics``, which flushes all the same."""
    metrics = Metrics(namespace="Shop")

    @metrics.log_metrics
    @batch_handler
    def handler(record):
        metrics.add_metric("Read", unit=MetricUnit.Count, value=1)
        raise ValueError

    with pytest.raises(FullBatchFailure):
        handler(sqs(2), context)
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["Read"] == [1.0, 1.0]


@pytest.mark.parametrize("is_async", [False, True])
def test_tracer_works_on_the_handler_and_on_the_record_function(service, context, is_async):
    """``capture_lambda_handler`` sees a plain function, and ``capture_method`` the record function as it is."""
    tracer = Tracer(service="orders", auto_patch=False)

    async def work_async(record):
        return work(record)

    function = work_async if is_async else work
    handler = tracer.capture_lambda_handler(batch_handler(tracer.capture_method(function)))
    assert handler(sqs(3), context) == ONE_FAILED
    assert not inspect.iscoroutinefunction(handler)


def test_logger_metrics_and_tracer_work_on_one_handler(service, context, capsys):
    """The usual stack works as on any Lambda handler."""
    logger, metrics, tracer = Logger(service="stack"), Metrics(namespace="Shop"), Tracer(auto_patch=False)

    @logger.inject_lambda_context
    @tracer.capture_lambda_handler
    @metrics.log_metrics(raise_on_empty_metrics=False)
    @batch_handler
    def handler(record):
        metrics.add_metric("Read", unit=MetricUnit.Count, value=1)
        return work(record)

    assert handler(sqs(3), context) == ONE_FAILED


def test_idempotency_on_the_handler_repeats_the_stored_response(service, context):
    """``idempotent`` stores the response of an event, and returns it for the same event."""
    ran = []
    config = IdempotencyConfig(event_key_jmespath="Records[].messageId")

    @idempotent(persistence_store=Memory(), config=config)
    @batch_handler
    def handler(record):
        ran.append(record.body)
        return work(record)

    assert handler(sqs(3), context) == ONE_FAILED
    assert handler(sqs(3), context) == ONE_FAILED
    assert ran == ["0", "1", "2"]


def test_idempotency_keeps_nothing_of_a_batch_that_failed(service, context):
    """A raised `FullBatchFailure` leaves no entry, so the next delivery runs."""
    store, ran = Memory(), []

    @idempotent(persistence_store=store)
    @batch_handler
    def handler(record):
        ran.append(record.body)
        raise ValueError

    for _ in range(2):
        with pytest.raises(FullBatchFailure):
            handler(sqs(2), context)
    assert ran == ["0", "1"] * 2
    assert store.records == {}


@pytest.mark.parametrize("workers", [1, 3])
def test_idempotency_of_a_function_called_for_each_record(service, context, workers):
    """Work that must be done once for each record is in a function of its own, called with the record by keyword."""
    store, ran = Memory(), []
    config = IdempotencyConfig(event_key_jmespath="messageId")

    @idempotent_function(data_keyword_argument="message", persistence_store=store, config=config)
    def once(*, message):
        ran.append(message["body"])
        if message["body"] == "1" and ran.count("1") == 1:
            raise ValueError
        return message["body"]

    @batch_handler(max_concurrency=workers)
    def handler(record, context):
        config.register_lambda_context(context)
        return once(message=record.raw)

    assert handler(sqs(3), context) == ONE_FAILED
    assert handler(sqs(3), context) == {"batchItemFailures": []}
    assert sorted(ran) == ["0", "1", "1", "2"]


def test_idempotency_on_the_handler_of_a_stream_keeps_its_failure(service, context):
    """A stream delivers the same batch again and gets the stored failure, so use idempotency for each record."""
    ran = []

    @idempotent(persistence_store=Memory())
    @batch_handler(raise_on_full_failure=False)
    def handler(record):
        ran.append(record.text)
        raise ValueError

    assert handler(kinesis("a"), context) == handler(kinesis("a"), context) != {"batchItemFailures": []}
    assert ran == ["0"]


def test_idempotent_function_as_the_record_function_fails_each_record(service, context):
    """It takes its data by keyword only, and records are passed by position: each record fails with its error."""

    @batch_handler
    @idempotent_function(data_keyword_argument="record", persistence_store=Memory())
    def handler(record):
        raise AssertionError

    [failed] = handler.process(sqs(1), context).failed
    assert "keyword argument" in str(failed.error)
