"""The state of a batch."""

from __future__ import annotations

from batches import sqs

from partialbatch import batch_handler
from partialbatch.retries import discard


def prepared(event):
    """Return the state of a batch before its first record."""
    handler = batch_handler(lambda record: None, dead_letter=discard)
    pipeline, function, plan, _ = handler._target()
    return pipeline.prepare(function, plan, event, None)


def test_records_are_copied_as_delivered_once_however_many_stages_ask():
    """The first stage that asks decides: the user's code may have changed the records by the second."""
    event = sqs(2)
    batch = prepared(event)
    assert batch.delivered is batch.records
    batch.keep_delivered()
    copies = batch.delivered
    event["Records"][0]["body"] = "changed"
    batch.keep_delivered()
    assert batch.delivered is copies
    assert copies[0]["body"] == "0"


def test_a_record_that_cannot_be_copied_is_kept_as_the_error():
    """A source of the user's own may deliver anything; its dead letter is refused then."""

    class Stubborn(dict):
        def __deepcopy__(self, memo):
            raise RuntimeError("no copy")

    event = {"Records": [Stubborn(raw) for raw in sqs(1)["Records"]]}
    batch = prepared(event)
    batch.keep_delivered()
    (kept,) = batch.delivered
    assert str(kept) == "no copy"
