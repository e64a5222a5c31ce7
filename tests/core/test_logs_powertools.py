"""The extra fields of log lines, through Powertools and structlog, the loggers that people use on Lambda."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils

from partialbatch import batch_handler


class _NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


@batch_handler
def handler(record):
    """Fail the second record, in a way that is hard to log."""
    if record.message_id == "m-1":
        raise _NoText


RECORD = {
    "body": "",
    "eventSource": "aws:sqs",
    "eventSourceARN": "arn:q",
    "attributes": {"ApproximateReceiveCount": "2"},
}
EVENT = {"Records": [{**RECORD, "messageId": f"m-{n}"} for n in range(2)]}

FAILED = {"record_source": "sqs", "record_identifier": "m-1", "record_receive_count": 2, "record_error": "_NoText"}
ENDED = {
    "batch_source": "sqs",
    "batch_size": 2,
    "batch_succeeded": 1,
    "batch_failed": 1,
    "batch_skipped": 0,
    "batch_dead_lettered": 0,
}


@pytest.fixture
def logger():
    """Give the logger back as it was."""
    ours = logging.getLogger("partialbatch")
    before = (ours.level, ours.handlers[:], ours.propagate)
    ours.setLevel(logging.INFO)
    yield ours
    ours.setLevel(before[0])
    ours.handlers[:], ours.propagate = before[1:]


def _check(text):
    lines = [json.loads(line) for line in text.splitlines()]
    failed, ended = lines
    assert FAILED.items() <= failed.items()
    assert ENDED.items() <= ended.items()
    assert isinstance(ended["batch_duration"], float)
    return failed


def test_powertools_logger_has_each_field_as_a_key(logger):
    """Powertools' Logger carries each field as a key of its JSON, and the traceback with it."""
    stream = io.StringIO()
    # A name of its own: Powertools gives loggers of one name one stream.
    powertools = Logger(service="log-fields", level="INFO", stream=stream)
    utils.copy_config_to_registered_loggers(source_logger=powertools, include={"partialbatch"})
    assert handler(EVENT, None) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    lines = [line for line in stream.getvalue().splitlines() if '"record_' in line or '"batch_' in line]
    failed = _check("\n".join(lines))
    assert failed["service"] == "log-fields"
    assert failed["exception_name"] == "_NoText"
    assert "raise _NoText" in failed["exception"]


def test_structlog_has_each_field_as_a_key(logger):
    """structlog's bridge for the standard library carries each field as a key, and the traceback with it."""
    stream = io.StringIO()
    bridge = logging.StreamHandler(stream)
    bridge.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.dict_tracebacks,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logger.addHandler(bridge)
    logger.propagate = False
    assert handler(EVENT, None) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    failed = _check(stream.getvalue())
    assert failed["event"] == "sqs record m-1 failed: _NoText (receive count 2)"
    assert failed["exception"][0]["exc_type"] == "_NoText"
