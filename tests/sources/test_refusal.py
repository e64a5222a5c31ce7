"""The errors for events that no source takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import SQSRecord, batch_handler
from partialbatch.errors import EventError
from partialbatch.sources._refusal import unrecognized

QUEUE = "put an SQS queue in between, and have the queue invoke the function"
FOREIGN = [
    ({"Records": [{"eventSource": "aws:s3", "s3": "secret"}]}, "aws:s3", QUEUE),
    ({"Records": [{"EventSource": "aws:sns", "Sns": "secret"}]}, "aws:sns", QUEUE),
    ({"Records": [{"EventSource": "aws:sns", "Sns": "secret"}]}, "aws:sns", "envelope='sns'"),
    ({"Records": [{"eventSource": "aws:ses", "ses": "secret"}]}, "aws:ses", "let SES publish to an SNS topic"),
    ({"eventSource": "aws:mq", "messages": ["secret"]}, "aws:mq", "partial_response = False"),
    ({"eventSource": "aws:docdb", "events": ["secret"]}, "aws:docdb", "partial_response = False"),
    ({"detail-type": "Order", "source": "shop", "detail": "secret"}, "EventBridge", "envelope='eventbridge'"),
    ({"Records": [{"eventSource": "my:own", "x": "secret"}]}, "my:own", "give source= an EventSource for it"),
    ([{"eventSource": "my:own", "x": "secret"}], "my:own", "give source= an EventSource for it"),
]


@pytest.mark.parametrize(("event", "sender", "advice"), FOREIGN)
def test_an_event_of_another_source_is_named_with_advice(event, sender, advice):
    """The error names the sender, says what is the matter with it, and what to do."""
    text = str(unrecognized(event))
    assert text.startswith(
        f"this event comes from {sender}, which doesn't send batches that take a partial failure response; "
    )
    assert advice in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "given_record",
    [
        {"messageId": "m", "body": "secret", "eventSource": "aws:sqs"},
        {"kinesis": {"data": "secret"}, "eventSource": "aws:kinesis"},
        {"topic": "t", "value": "secret", "eventSource": "aws:kafka"},
        SQSRecord({"messageId": "m", "body": "secret"}),
    ],
)
def test_one_record_given_to_the_handler_leads_to_its_function(given_record):
    """A raw record or a view is told to go to `handler.function`."""
    text = str(unrecognized(given_record))
    assert text.startswith("this is one record ")
    assert "call `handler.function(...)`" in text
    assert "secret" not in text


@pytest.mark.parametrize("payload", ["secret", b"secret", 5, None, object(), {"item": "secret"}, [{"item": "secret"}]])
def test_a_payload_given_to_the_handler_leads_to_its_function(payload):
    """What looks like a payload is told to go to `handler.function`, and what a batch looks like."""
    text = str(unrecognized(payload))
    assert text.startswith("this isn't a batch that partialbatch knows: ")
    assert "to run the record function on one record or payload, call `handler.function(...)`" in text
    assert "give source= an EventSource" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "event",
    [
        {"records": {}, "eventSource": "aws:sqs"},
        {"records": [], "eventSource": "aws:kafka"},
        {"Records": [{"eventSource": "aws:kafka", "value": "secret"}]},
    ],
)
def test_a_known_source_in_a_wrong_layout_is_told_the_layout(event):
    """An event that names a known source, and has its records elsewhere, learns where they belong."""
    text = str(unrecognized(event))
    assert "isn't a batch as it sends them" in text
    assert "lists by topic-partition under 'records' (Kafka)" in text
    assert "secret" not in text


def test_records_that_are_no_list_are_not_called_a_batch():
    """An event whose 'Records' is no list is not told that a batch has 'Records', and no more."""
    assert "a batch has a list under 'Records'" in str(unrecognized({"Records": None}))


def test_the_handler_raises_the_advice():
    """The advice is the error of the handler itself."""

    @batch_handler
    def handler(record): ...

    with pytest.raises(EventError, match=r"call `handler\.function\(\.\.\.\)`"):
        handler({"messageId": "m", "body": "b", "eventSource": "aws:sqs"})
    with pytest.raises(EventError, match="aws:s3"):
        handler.process({"Records": [{"eventSource": "aws:s3"}]})


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["Records", "records", "eventSource", "EventSource", "detail-type", "x"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_anything_gets_a_short_error(event):
    """Whatever is given, there is an error text, and it is short."""
    assert len(str(unrecognized(event))) < 1_500


@pytest.mark.parametrize("name", ["x" * 61, "a b", "", "a\nb"])
def test_a_sender_that_reads_like_content_is_not_repeated(name):
    """Only what looks like the name of an event source is shown."""
    assert "comes from" not in str(unrecognized({"Records": [{"eventSource": name}]}))
