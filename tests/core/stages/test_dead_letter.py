"""Dead letters: what they hold, and that every producer takes them, and items too."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from batches import Plain, kafka, kinesis, reported, sqs

from partialbatch import Reject, batch_handler
from partialbatch._backoff import Backoff
from partialbatch._core.stages.dead_letter import letter
from partialbatch.errors import ConfigurationError
from partialbatch.producers import (
    SQSProducer,
)
from partialbatch.retries import discard

ONCE = Backoff(0.001, 0.001, max_stalls=1)


def test_a_letter_is_plain_json():
    """Whatever the source: the raw record, the error's type and text, identifier, ARN, receive count, time."""
    for event in (sqs(1), sqs(1, groups="a"), kinesis("a"), kafka([0])):
        letters = []
        batch_handler(_rejects, dead_letter=letters.append)(event)
        (found,) = letters
        assert json.loads(json.dumps(found)) == found
        assert sorted(found) == ["error", "identifier", "receive_count", "record", "source_arn", "time"]
        assert found["source_arn"].startswith("arn:")  # Kafka's stands in the event, and in no record


def _rejects(record):
    raise Reject("for good")


def test_a_letter_of_an_odd_record_and_error():
    """A record that is no dict, and an error without a text or with a long one, make a letter all the same."""

    class Silent(Exception):
        def __str__(self):
            raise RuntimeError

    made = letter("text", Silent(), None)
    assert made["error"] == {"type": "Silent", "text": "<Silent whose str raises>"}
    assert made["record"] == "text"
    assert (made["source_arn"], made["receive_count"], made["identifier"]) == (None, None, None)
    assert len(letter({}, ValueError("x" * 5000), None)["error"]["text"]) <= 1024
    assert letter({"eventSourceArn": "arn"}, ValueError(), None)["source_arn"] == "arn"


def test_an_awaitable_nobody_awaits_is_a_refusal():
    """A callable that returns a coroutine has done nothing: its records come back."""

    async def send(letter):
        raise AssertionError

    class Awaitable:
        def __await__(self):
            yield

    for returns in (send, lambda _: Awaitable()):
        handler = batch_handler(_rejects, dead_letter=lambda item, f=returns: f(item), raise_on_full_failure=False)
        assert reported(handler(sqs(1))) == ["m0"]


def test_a_generator_nobody_iterates_is_a_refusal():
    """A callable that returns a generator has done nothing: its records come back."""

    def send(letter):
        raise AssertionError
        yield

    async def send_async(letter):
        raise AssertionError
        yield

    for returns in (send, send_async):
        handler = batch_handler(_rejects, dead_letter=lambda item, f=returns: f(item), raise_on_full_failure=False)
        assert reported(handler(sqs(1))) == ["m0"]


@pytest.mark.parametrize("value", [42, "queue", SQSProducer, object(), Path("letters.json"), open])
def test_what_is_no_dead_letter(value):
    """An object without `open`, a class in place of an object, and what opens otherwise are refused at decoration."""
    if value is open:
        assert batch_handler(_rejects, dead_letter=value)  # a plain callable, as far as one can tell
        return
    with pytest.raises(ConfigurationError, match=r"dead_letter=.*a Sink \(an object with `open"):
        batch_handler(_rejects, dead_letter=value)


def test_async_functions_are_no_dead_letter():
    """Nobody would await one."""

    async def send(letter):
        pass

    class Sends:
        async def __call__(self, letter):
            pass

    for value in (send, Sends()):
        with pytest.raises(ConfigurationError, match=r"dead_letter=.*nobody would await"):
            batch_handler(_rejects, dead_letter=value)


def test_generator_functions_are_no_dead_letter():
    """Nobody would iterate over what one returns, and each letter would be lost."""

    def send(letter):
        yield letter

    class Sends:
        def __call__(self, letter):
            yield letter

    for value in (send, Sends()):
        with pytest.raises(ConfigurationError, match=r"dead_letter=.*or iterate over a generator"):
            batch_handler(_rejects, dead_letter=value)


def test_permanent_needs_a_dead_letter():
    """Without one a record that no retry cures would have nowhere to go."""
    with pytest.raises(ConfigurationError, match=r"permanent needs dead_letter.*discard"):
        batch_handler(_rejects, permanent=ValueError)
    assert batch_handler(_rejects, permanent=ValueError, dead_letter=discard)


@pytest.mark.parametrize("kind", ["plain", "threads", "async"])
def test_a_letter_holds_the_record_as_delivered(kind):
    """Whatever the function, a hook or the dead letter before it does to the record."""
    letters, expected = [], kafka([0, 0, 1])

    class Spoils:
        def on_batch_start(self, records, context):
            for record in records:
                record.raw["headers"].append("hook")

    def spoils(record):
        record.raw.pop("value")
        record.raw["headers"].append("spoiled")
        raise Reject

    async def aspoils(record):
        spoils(record)

    def keeps(letter):
        letters.append(json.loads(json.dumps(letter)))
        letter["identifier"].clear()
        letter["record"].clear()

    handler = batch_handler(
        aspoils if kind == "async" else spoils,
        dead_letter=keeps,
        hooks=[Spoils()],
        max_concurrency=2 if kind == "threads" else 1,
    )
    result = handler.process(kafka([0, 0, 1]))
    assert len(result.dead_lettered) == 3
    found = sorted((letter["record"] for letter in letters), key=lambda raw: raw["offset"])
    assert found == [raw for batch in expected["records"].values() for raw in batch]
    assert [letter["identifier"]["offset"] for letter in sorted(letters, key=str)] == [0, 1, 2]


def test_a_dead_letter_that_is_changed_before_it_is_refused_changes_no_identifier():
    """The record is reported by the identifier that it was delivered with."""

    def refuse(letter):
        letter["identifier"]["offset"] = 999
        letter["record"].clear()
        raise OSError

    handler = batch_handler(_rejects, dead_letter=refuse, raise_on_full_failure=False)
    assert reported(handler(kafka([0]))) == reported(batch_handler(_rejects, raise_on_full_failure=False)(kafka([0])))


def test_a_record_that_cannot_be_copied_is_no_dead_letter(caplog):
    """What would be put aside might not be what was delivered: the record fails."""

    class Locked(Plain):
        def records(self, event):
            return [{**raw, "lock": threading.Lock()} for raw in event["Records"]]

    letters = []
    handler = batch_handler(_rejects, source=Locked(), dead_letter=letters.append, raise_on_full_failure=False)
    assert reported(handler(sqs(1))) == ["m0"]
    assert letters == []
    assert "the dead letter of own record m0 was not accepted" in caplog.text
    handler = batch_handler(_rejects, source=Locked(), dead_letter=discard)
    assert reported(handler(sqs(1))) == []  # which keeps nothing of a record
