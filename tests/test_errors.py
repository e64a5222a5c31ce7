"""The exception tree and its texts."""

from __future__ import annotations

import copy
import pickle
import threading
import traceback
from types import SimpleNamespace

import pytest
from batches import sqs
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import batch_handler, errors
from partialbatch._core.results import BatchResult, RecordResult
from partialbatch._inspection import shape
from partialbatch.errors import (
    ClosedError,
    ConfigurationError,
    DeliveryError,
    EventError,
    FullBatchFailure,
    PartialBatchError,
    PayloadError,
    RecordError,
    RecordSkipped,
    Reject,
    RetryAfter,
)
from partialbatch.sources._refusal import unrecognized
from partialbatch.types import Unprocessed


class _Unprintable:
    def __repr__(self):
        raise RuntimeError("no repr")


def test_each_error_has_its_place_in_the_documented_tree():
    """Each error stands where the documented tree has it."""
    for kind in (ConfigurationError, EventError, PayloadError, RecordSkipped, FullBatchFailure, DeliveryError):
        assert issubclass(kind, PartialBatchError)
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(EventError, ValueError)
    assert not issubclass(PayloadError, ValueError)
    assert not issubclass(RetryAfter, PartialBatchError)
    assert not issubclass(Reject, PartialBatchError)
    assert set(errors.__all__) == {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
    }


@given(st.text(), st.integers(1, 50))
def test_clip_never_exceeds_its_limit(text, limit):
    """A clipped text is the text, or as long as its limit and marked."""
    clipped = errors.clip(text, limit)
    if len(text) <= limit:
        assert clipped == text
    else:
        assert len(clipped) == limit
        assert clipped == text[: limit - 1] + "…"


def test_text_as_long_as_the_limit_is_not_cut():
    """A text as long as the limit is not cut."""
    assert errors.clip("abc", 3) == "abc"
    assert errors.clip("abcd", 3) == "ab…"


def test_safe_repr_of_what_has_none():
    """A value whose repr raises is named by its type."""
    assert errors.safe_repr(_Unprintable()) == "<_Unprintable whose repr raises>"
    assert errors.safe_repr("a" * 500).endswith("…")
    assert len(errors.safe_repr("a" * 500)) == 120


def test_listing_shows_ten_names_and_counts_the_rest():
    """Ten names are shown, the rest is counted, and each name is cut."""
    assert errors.listing(map(str, range(10))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert errors.listing(map(str, range(12))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
    assert errors.listing([{"offset": 1}, _Unprintable()]) == "{'offset': 1}, <_Unprintable whose repr raises>"
    assert len(errors.listing(["x" * 1000] * 10)) == 10 * 120 + 9 * 2


def test_names_are_counted_the_most_frequent_first():
    """Names are counted, the most frequent first."""
    assert errors.counted(["B", "A", "A"]) == "2 A, 1 B"
    assert errors.counted([]) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, True),
        (-1.5, True),
        (1.7e308, True),
        (True, False),
        (float("nan"), False),
        (float("inf"), False),
        (10**400, False),
        ("1", False),
        (None, False),
    ],
)
def test_number_is_what_a_float_can_hold(value, expected):
    """Only what a float can hold is a number; booleans are none."""
    assert errors.is_number(value) is expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (None, "a value of type NoneType"),
        ("secret", "a value of type str"),
        ([], "a value of type list"),
        ({}, "a dict with the keys (none)"),
        ({"detail": "secret", "id": 1}, "a dict with the keys detail, id"),
        ([{"id": "secret"}], "a list whose first entry is a dict with the keys id"),
        ([["secret"]], "a list whose first entry is a value of type list"),
        ({5: "secret"}, "a dict with the keys 5"),
    ],
)
def test_shape_names_keys_never_values(event, expected):
    """An event is described by its type and keys."""
    assert shape(event) == expected
    assert "secret" not in str(unrecognized(event))
    assert expected in str(unrecognized(event))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigurationError.bad_value("fifo", 3, "True or False"), "fifo=3 is not possible: it takes True or False"),
        (
            EventError.window_state(2_000_000, 1_048_576),
            "the tumbling window's state has 2000000 bytes as JSON, and Lambda takes at most 1048576: keep less in it",
        ),
        (PayloadError.field("body", "str", None), "the record's field 'body' is missing or null; expected str"),
        (PayloadError.field("body", "str", 5), "the record's field 'body' is of type int; expected str"),
        (
            PayloadError.absent("Order"),
            (
                "the record has no payload (DynamoDB: a REMOVE or a stream without new images; Kafka: a tombstone): "
                "annotate the parameter `Order | None`, or keep such records out with filter criteria"
            ),
        ),
        (PayloadError.kind("an object", []), "the payload is JSON of type list; expected an object"),
        (PayloadError.json(ValueError("secret")), "the payload isn't valid JSON (ValueError)"),
        (RecordError.too_large("body", 9, 8), "body: has 9 bytes, and at most 8 are possible"),
        (ClosedError("SQSProducer"), "SQSProducer is closed: make a new one, or put before leaving the `with` block"),
        (
            DeliveryError([Unprocessed("a", code="Slow"), Unprocessed("b")]),
            "2 records were not accepted (1 Slow, 1 unsent); they are in .unprocessed, as they were given",
        ),
    ],
)
def test_text_says_what_is_wrong_and_what_to_do(error, text):
    """Each message names what is wrong and says what to do about it."""
    assert str(error) == text


def test_absent_is_short_for_long_annotations():
    """A long annotation is cut."""
    assert len(str(PayloadError.absent("X" * 5000))) < 500


def _failure(count, error, identifier="m-{}", skipped=0):
    failed = [RecordResult(object(), "failed", error=error) for _ in range(count)]
    left = [RecordResult(object(), "skipped", error=RecordSkipped("why")) for _ in range(skipped)]
    response = {"batchItemFailures": [{"itemIdentifier": identifier.format(n)} for n in range(count + skipped)]}
    return FullBatchFailure(BatchResult((*failed, *left), response), "sqs")


def test_full_batch_failure_counts_records_and_shows_ten_identifiers():
    """The text counts records, types, and shows ten identifiers."""
    failure = _failure(12, KeyError("k"), skipped=2)
    assert str(failure) == (
        "12 of 14 sqs records failed and 2 were not started; errors: 12 KeyError; "
        "records: m-0, m-1, m-2, m-3, m-4, m-5, m-6, m-7, m-8, m-9 and 4 more"
    )
    assert [type(error) for error in failure.errors] == [KeyError] * 12
    assert failure.response is failure.result.response


def test_full_batch_failure_without_a_failed_record():
    """A source that ignores the response may raise for skipped records alone."""
    assert "errors: none" in str(_failure(0, None, skipped=1))


@given(st.integers(0, 200), st.text(max_size=3000), st.text(max_size=3000))
def test_full_batch_failure_is_short(count, body, identifier):
    """Text, repr and formatted traceback stay under 16 KB whatever the records and errors hold."""
    long_name = type("N" * 3000, (Exception,), {})
    identifier = identifier.replace("{", "").replace("}", "")
    try:
        raise _failure(count, long_name(body * 100), identifier=(identifier * 10) + "{}")
    except FullBatchFailure as error:
        failure = error
    lines = "".join(traceback.format_exception(failure))
    for text in (str(failure), repr(failure), lines):
        assert len(text.encode(errors="replace")) < 16_384


class Unpicklable(Exception):
    """Cannot be pickled: it holds a lock."""

    def __init__(self):
        super().__init__("held")
        self.lock = threading.Lock()


class Unloadable(Exception):
    """Can be pickled, and not made again."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize("copied", [lambda failure: pickle.loads(pickle.dumps(failure)), copy.copy, copy.deepcopy])
def test_a_full_failure_can_be_pickled_and_copied_whatever_its_errors_are(copied):
    """Text, response and results arrive; an error or a view that cannot travel has a stand-in."""
    raised = {"0": ValueError("no"), "1": Unpicklable(), "2": Unloadable("a", "b")}

    @batch_handler
    def handler(record):
        raise raised[record.body]

    with pytest.raises(FullBatchFailure) as caught:
        handler(sqs(3))
    failure, made = caught.value, copied(caught.value)
    assert str(made) == str(failure)
    assert made.response == failure.response
    assert [repr(error) for error in made.errors] == [
        *("ValueError('no')", "PartialBatchError('Unpicklable: held')", "PartialBatchError('Unloadable: a b')"),
    ]
    assert [entry.record.message_id for entry in made.result.results] == ["m0", "m1", "m2"]
    assert made.errors == tuple(entry.error for entry in made.result.failed)


def test_a_failure_whose_results_all_can_travel_keeps_them():
    """Results that can be pickled are, as they are; a view or a value that cannot is left out."""
    fine = BatchResult((RecordResult("view", "succeeded", 5),), {"batchItemFailures": []})
    assert fine.portable() is fine
    odd = BatchResult((RecordResult(lambda: 0, "succeeded", threading.Lock(), None, 0.5),), {"batchItemFailures": []})
    (entry,) = odd.portable().results
    assert (entry.record, entry.status, entry.value, entry.error, entry.duration) == (
        None,
        "succeeded",
        None,
        None,
        0.5,
    )


def test_delivery_error_counts_the_services_codes():
    """The text counts the service's codes, or the reasons where it named none."""
    unprocessed = [
        Unprocessed({"a": "secret"}, code="Throttled", reason="throttled"),
        Unprocessed({"b": "secret"}, code="Throttled", reason="throttled"),
        Unprocessed({"c": "secret"}, reason="deadline"),
    ]
    error = DeliveryError(iter(unprocessed), "messages")
    assert str(error) == (
        "3 messages were not accepted (2 Throttled, 1 deadline); they are in .unprocessed, as they were given"
    )
    assert error.unprocessed == unprocessed


@pytest.mark.parametrize("seconds", [0, 0.5, 43_200])
def test_retry_after_takes_the_whole_range_of_sqs(seconds):
    """The whole range of SQS's visibility timeout is taken."""
    error = RetryAfter(seconds)
    assert error.seconds == seconds
    assert str(error) == f"retry after {seconds:g} s"


@pytest.mark.parametrize("seconds", [-1, 43_201, float("nan"), float("inf"), True, "5", None, 10**400])
def test_retry_after_refuses_the_rest(seconds):
    """What SQS could not wait for is refused where it was written."""
    with pytest.raises(ConfigurationError, match=r"RetryAfter\.seconds=.*from 0 to 43,200"):
        RetryAfter(seconds)


@pytest.mark.parametrize("error", [RetryAfter(3), Reject("bad order"), PayloadError("x")])
def test_errors_survive_copies_and_pickles(error):
    """A process pool sends exceptions by pickle."""
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def test_reason_of_a_reject_is_its_text():
    """The reason is the text."""
    assert Reject("bad").reason == str(Reject("bad")) == "bad"
    assert Reject().reason == ""


def test_full_batch_failure_reads_the_response():
    """The identifiers are those of the response: a record function may have changed its record."""
    response = {"batchItemFailures": [{"itemIdentifier": {"partition": "t-0", "offset": 1}}]}
    result = SimpleNamespace(failed=[], skipped=[], results=(), response=response)
    assert "records: {'partition': 't-0', 'offset': 1}" in str(FullBatchFailure(result, "kafka"))


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_error_without_text_is_told_by_its_type(text):
    """Where there is nothing to say there is no colon."""
    assert errors.described(ValueError(text)) == "ValueError"
    assert errors.described(ValueError(f"{text}no")) == f"ValueError: {text}no"
