"""Hand-written handlers, so that the poller is tested without the decorator."""

from __future__ import annotations

from base64 import b64decode
from collections import Counter

import pytest
from services import services  # noqa: F401 - a fixture


def identify(record):
    """Return a raw record's identifier and its body."""
    if "kinesis" in record:
        return record["kinesis"]["sequenceNumber"], b64decode(record["kinesis"]["data"]).decode()
    if "dynamodb" in record:
        return record["dynamodb"]["SequenceNumber"], record["dynamodb"]["Keys"]["id"]["S"]
    return record["messageId"], record["body"]


class Scripted:
    """A handler that fails each body as often as the plan says, and answers correctly.

    It continues after a failure, or stops at it and reports the records that it didn't start.
    """

    def __init__(self, plan=None, *, stop=False):
        self.plan = Counter(plan or {})
        self.stop = stop
        self.batches = []
        self.handled = []
        self.events = []

    def __call__(self, event, context):
        self.events.append(event)
        self.batches.append([identify(record)[1] for record in event["Records"]])
        failures = []
        for record in event["Records"]:
            identifier, body = identify(record)
            if (self.stop and failures) or self._fails(body):
                failures.append({"itemIdentifier": identifier})
            else:
                self.handled.append(body)
        return {"batchItemFailures": failures}

    def _fails(self, body):
        self.plan[body] -= 1
        return self.plan[body] >= 0


class Notes:
    """An observer that keeps each call."""

    def __init__(self):
        self.invocations = []
        self.given_up = []
        self.waits = []

    def invoked(self, invocation):
        self.invocations.append(invocation)

    def gave_up(self, given_up):
        self.given_up.append(given_up)

    def waiting(self, error, seconds):
        self.waits.append((error, seconds))


@pytest.fixture(scope="session")
def scripted():
    return Scripted


@pytest.fixture
def notes():
    return Notes()


def raises(event, context):
    raise RuntimeError("the database is away")


def exits(event, context):
    raise SystemExit(3)


class _Recorder:
    def __init__(self, response):
        self.response = response

    def __call__(self, event, context):
        return self.response


FULL_FAILURES = {
    "raises": raises,
    "exits": exits,
    "cannot be serialised": _Recorder({"batchItemFailures": {1, 2}}),
    "empty identifier": _Recorder({"batchItemFailures": [{"itemIdentifier": ""}]}),
    "null identifier": _Recorder({"batchItemFailures": [{"itemIdentifier": None}]}),
    "wrong inner key": _Recorder({"batchItemFailures": [{"messageId": "x"}]}),
}
"""Handlers after which the whole batch is delivered again, from any source."""

FULL_SUCCESSES = {
    "None": _Recorder(None),
    "empty response": _Recorder({}),
    "empty list": _Recorder({"batchItemFailures": []}),
    "null list": _Recorder({"batchItemFailures": None}),
    "misspelt outer key": _Recorder({"batchitemfailures": [{"itemIdentifier": "x"}]}),
}
"""Handlers after which no record is delivered again, whatever they meant."""


@pytest.fixture(params=FULL_FAILURES.values(), ids=FULL_FAILURES)
def failing(request):
    return request.param


@pytest.fixture(params=FULL_SUCCESSES.values(), ids=FULL_SUCCESSES)
def succeeding(request):
    return request.param
