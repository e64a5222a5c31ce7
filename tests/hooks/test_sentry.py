"""Events in Sentry: each failure once, with the scope of its record."""

from __future__ import annotations

import pytest
import sentry_sdk
from batches import kinesis, sqs
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.transport import Transport

from partialbatch import Reject, batch_handler
from partialbatch.hooks import SentryHook
from partialbatch.retries import discard


class Captured(Transport):
    """Keeps events in place of sending them."""

    def __init__(self, options=None):
        super().__init__(options)
        self.events = []

    def capture_envelope(self, envelope):
        event = envelope.get_event()
        if event is not None:
            self.events.append(event)

    def tags(self):
        return [event.get("tags", {}) for event in self.events]

    def errors(self):
        return [event["exception"]["values"][-1]["type"] for event in self.events]


@pytest.fixture
def sentry():
    """Initialise the real SDK with a transport that keeps what it gets, and nothing that hides a second capture."""
    transport = Captured()
    with sentry_sdk.isolation_scope():
        sentry_sdk.init(dsn="http://key@127.0.0.1/1", transport=transport, disabled_integrations=[DedupeIntegration()])
        yield transport
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(None)


def test_each_failure_is_captured_with_its_record(sentry):
    """Each failed record makes one event, with its source and identifier as tags; successes make none."""

    @batch_handler(hooks=[SentryHook()])
    def handler(record):
        if record.body in "02":
            raise ValueError(record.body)

    handler(sqs(3))
    assert sentry.errors() == ["ValueError", "ValueError"]
    assert sentry.tags() == [
        {"partialbatch.source": "sqs", "partialbatch.identifier": "m0"},
        {"partialbatch.source": "sqs", "partialbatch.identifier": "m2"},
    ]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("is_async", [False, True])
def test_the_scope_is_the_records_own(sentry, workers, is_async):
    """Tags and breadcrumbs of a record appear on its event only, also in threads and tasks."""

    def work(record):
        sentry_sdk.set_tag("order", record.body)
        sentry_sdk.add_breadcrumb(message=f"read {record.body}")
        if record.body != "1":
            raise ValueError

    async def work_async(record):
        work(record)

    function = work_async if is_async else work
    batch_handler(function, hooks=[SentryHook()], max_concurrency=workers)(sqs(3))
    found = {event["tags"]["order"]: event for event in sentry.events}
    assert found.keys() == {"0", "2"}
    for number, event in found.items():
        crumbs = [
            crumb["message"] for crumb in event["breadcrumbs"]["values"] if crumb.get("message", "")[:4] == "read"
        ]
        assert crumbs == [f"read {number}"]
        assert event["tags"]["partialbatch.identifier"] == f"m{number}"


def test_events_after_the_batch_have_no_record_tags(sentry):
    """Events after the batch don't have a record's tags."""

    @batch_handler(hooks=[SentryHook()])
    def handler(record):
        sentry_sdk.set_tag("order", record.body)

    handler(sqs(1))
    sentry_sdk.capture_message("later")
    assert "order" not in sentry.events[0].get("tags", {})


def test_undecodable_payload_is_captured(sentry):
    """Decoding is part of the record, and the event holds no body."""

    @batch_handler(hooks=[SentryHook()])
    def handler(order: dict): ...

    event = sqs(2)
    event["Records"][0]["body"], event["Records"][1]["body"] = "{}", "secret{"
    handler(event)
    assert sentry.errors() == ["PayloadError"]
    assert "secret" not in str(sentry.events[0]["exception"]["values"][-1]["value"])


def test_a_dead_letter_is_captured_as_well(sentry):
    """A dead-lettered record isn't delivered again, so its error is captured."""

    @batch_handler(hooks=[SentryHook()], dead_letter=discard)
    def handler(record):
        raise Reject("unreadable")

    handler(sqs(1))
    assert sentry.errors() == ["Reject"]


def test_later_failure_of_a_record_is_captured_once(sentry):
    """An error of the sink fails the record later, and is captured with the record's tags."""

    def sink(succeeded):
        return [entry for entry in succeeded if entry.value == "1"]

    @batch_handler(hooks=[SentryHook()], sink=sink)
    def handler(record):
        if record.body == "0":
            raise ValueError
        return record.body

    assert len(handler(sqs(3))["batchItemFailures"]) == 2
    assert [tags["partialbatch.identifier"] for tags in sentry.tags()] == ["m0", "m1"]


def test_an_error_without_a_start_is_captured():
    """The hook works without a batch's start."""
    hook = SentryHook()
    [entry] = batch_handler(lambda record: 1 / 0).process(sqs(1)).failed
    with pytest.raises(ZeroDivisionError), hook.around_record(entry.record):
        raise entry.error
    hook.on_record_end(entry)


def test_a_record_without_an_identifier_has_a_scope_too(sentry):
    """The failure is captured; the batch fails because of the missing identifier."""
    event = kinesis("ab")
    del event["Records"][0]["kinesis"]["sequenceNumber"]

    @batch_handler(hooks=[SentryHook()])
    def handler(record):
        raise ValueError

    with pytest.raises(ValueError, match="no identifier"):
        handler(event)
    assert [tags["partialbatch.identifier"] for tags in sentry.tags()] == ["none", "1"]


def test_a_plain_view_has_a_scope_too(sentry):
    """The view of your own source needs neither a source nor an identifier."""
    with pytest.raises(ValueError, match="failed"), SentryHook().around_record({"body": "0"}):
        raise ValueError("failed")
    assert sentry.tags() == [{"partialbatch.source": "custom", "partialbatch.identifier": "none"}]


def test_hooks_import_sentry_only_when_made(monkeypatch):
    """Importing the hooks doesn't import the SDK; making the hook does."""
    monkeypatch.setitem(__import__("sys").modules, "sentry_sdk", None)
    with pytest.raises(ImportError, match="sentry_sdk"):
        SentryHook()


def test_a_batch_inside_another_one_hides_no_error_and_repeats_none(sentry):
    """Handlers that share the hook capture each error once, also if one runs in the other's bulk sink."""
    hook = SentryHook()

    @batch_handler(hooks=[hook], raise_on_full_failure=False)
    def inner(record):
        raise KeyError

    def sink(succeeded):
        inner(kinesis(["a"]))
        return ()

    def body(record):
        if record.body == "1":
            raise ValueError

    batch_handler(body, sink=sink, hooks=[hook])(sqs(2))
    assert sorted(sentry.errors()) == ["KeyError", "ValueError"]
