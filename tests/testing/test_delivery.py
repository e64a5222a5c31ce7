"""What a delivery tells, and what its assertions say."""

from __future__ import annotations

import pytest

from partialbatch import batch_handler
from partialbatch.errors import ConfigurationError
from partialbatch.retries import discard
from partialbatch.testing import FailurePlan, SimulatedQueue, SimulatedStream, SimulatedTopic
from partialbatch.testing._failure_plans import FOREVER


def name(number):
    return f"00000000-0000-4000-8000-{number:012d}"


def ours(failures, **options):
    plan = FailurePlan(failures)
    return batch_handler(lambda record: plan.attempt(record.text), **options)


POISON = (FOREVER, "error")


def test_order_is_kept_when_poison_was_given_up_first():
    """A record may succeed once an earlier one of its group will not come again."""
    handler = ours({"a": POISON}, max_receive_count=2)
    delivery = SimulatedQueue(list("ab"), fifo=True, max_receive_count=2).run(handler)
    delivery.assert_in_order()
    delivery.assert_nothing_lost()
    delivery.assert_dead_lettered([name(0)])
    assert delivery.records[1].invocations == (0, 1)


def test_order_is_broken_when_a_later_record_succeeds_first():
    """An earlier record that runs again after a later one succeeded was overtaken, poison or not."""
    for failures in ({"a": (1, "error")}, {"a": POISON}):
        handler = ours(failures, error_policy="continue")
        delivery = SimulatedQueue(list("ab"), fifo=True, max_receive_count=3).run(handler)
        with pytest.raises(AssertionError) as caught:
            delivery.assert_in_order()
        assert f"{name(0)} (group group)" in str(caught.value)
        assert f"{name(1)} (group group)" in str(caught.value)


def test_order_is_by_group():
    """Records of other groups may overtake."""
    handler = ours({"a": (2, "error")}, error_policy="skip_group")
    delivery = SimulatedQueue(list("axby"), fifo=True, groups=list("ghgh")).run(handler)
    delivery.assert_in_order()
    text = "2 of 4 records succeeded before an earlier record of their group was finished"
    with pytest.raises(AssertionError, match=text):
        delivery.assert_in_order(by=lambda raw: "all")


def test_a_standard_queue_has_no_order_but_one_of_ones_own():
    """Without groups nothing is out of order; `by` gives an order."""
    delivery = SimulatedQueue(list("ab")).run(ours({"a": (1, "error")}))
    delivery.assert_in_order()
    with pytest.raises(AssertionError):
        delivery.assert_in_order(by=lambda raw: None)


def test_duplicates_do_not_break_the_order():
    """A record that succeeds again later was not overtaken by those in between."""
    delivery = SimulatedStream(list("abc"), partition_keys="k").run(ours({"c": (1, "error")}, error_policy="stop"))
    delivery.assert_in_order()
    calls = []

    def handler(event, context):
        calls.append(event)
        if len(calls) == 1:
            raise ValueError("late")

    delivery = SimulatedStream(list("abc"), partition_keys="k").run(handler, succeeded=lambda raw: True)
    assert delivery.duplicated_work == 3
    delivery.assert_in_order()


def test_a_dead_letter_of_the_handlers_own_lets_others_pass():
    """What the handler's dead letter took is through, also where its stream brings it again."""
    handler = ours({"x": (1, "base"), "a": POISON}, permanent=Exception, dead_letter=discard)
    delivery = SimulatedStream(list("xab"), partition_keys=list("xgg")).run(handler)
    assert [run.status for run in delivery.records[1].runs] == ["dead_lettered"] * 2
    assert [run.status for run in delivery.records[2].runs] == ["succeeded"] * 2
    delivery.assert_in_order()


def test_dead_letters_must_match_exactly():
    """A missing and an unexpected dead letter both fail, with the story of each."""
    delivery = SimulatedQueue(list("abc"), max_receive_count=2).run(ours({"a": POISON}))
    delivery.assert_dead_lettered([name(0)])
    delivery.assert_dead_lettered(name(0))
    with pytest.raises(AssertionError, match="1 of 3 records differ from the expected dead letters") as caught:
        delivery.assert_dead_lettered([])
    assert f"{name(0)}: in the dead-letter queue" in str(caught.value)
    assert "invocation 1: failed; Lambda: failure" in str(caught.value)
    with pytest.raises(AssertionError) as caught:
        delivery.assert_dead_lettered([name(0), name(1)])
    assert f"{name(1)}: done" in str(caught.value)
    with pytest.raises(AssertionError, match="this delivery has no record with the identifier 'x'"):
        delivery.assert_dead_lettered(["x"])


def test_kafka_records_go_by_partition_and_offset():
    """Identifiers of Kafka are objects, and are told in short."""
    topic = SimulatedTopic({"t-0": list("ab")}, maximum_retry_attempts=1, on_failure_destination=True)
    delivery = topic.run(ours({"a": POISON}, error_policy="stop"))
    with pytest.raises(AssertionError, match=r"t-0@1 \(group t-0\): given up without having run: LOST"):
        delivery.assert_nothing_lost()
    for identifiers in ([{"partition": "t-0", "offset": 0}], {"partition": "t-0", "offset": 0}):
        delivery.assert_dead_lettered(identifiers)


def test_a_message_shows_five_stories():
    """A failed assertion tells of five records and counts the rest."""
    delivery = SimulatedQueue(list("abcdefg"), report_batch_item_failures=False).run(
        lambda event, context: None, succeeded=lambda raw: False
    )
    with pytest.raises(AssertionError) as caught:
        delivery.assert_nothing_lost()
    assert str(caught.value).count("LOST") == 5
    assert "and 2 more records" in str(caught.value)


def test_a_long_story_is_abridged():
    """Of many different deliveries the first five and the last are told."""
    calls = []

    def handler(event, context):
        calls.append(event)
        raise ValueError(len(calls))

    delivery = SimulatedQueue(["a"], max_receive_count=9).run(handler)
    with pytest.raises(AssertionError) as caught:
        delivery.assert_dead_lettered([])
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert [line.partition(":")[0] for line in lines if line.startswith("invocation")] == [
        *(f"invocation {number}" for number in range(5)),
        "invocation 8",
    ]
    assert lines[-3] == "… 3 more invocations …"
    told = iter([True, False] * 4 + [None])
    turns = SimulatedQueue(["a"], max_receive_count=9).run(handler, succeeded=lambda raw: next(told))
    assert "; invocation 0: succeeded, 1: failed, 2: succeeded, 3: failed, 4: succeeded, 8: not run (9 deliveries)" in (
        turns.explain()
    )


def test_equal_lines_of_a_story_are_folded():
    """An assertion tells of deliveries that ended alike once."""

    def malformed(event, context):
        return {"batchItemFailures": 1}

    for limit, more in ((2, ["invocation 1: the same"]), (9, ["8 more, up to invocation 8: the same"])):
        delivery = SimulatedQueue(["a"], max_receive_count=limit).run(malformed)
        with pytest.raises(AssertionError) as caught:
            delivery.assert_dead_lettered([])
        lines = [line.strip() for line in str(caught.value).splitlines()]
        assert lines[2].startswith("invocation 0: failed; Lambda: failure: 'batchItemFailures' isn't a list: it is 1")
        assert lines[3:-1] == more


def test_explain_folds_equal_lines():
    """Invocations and records that only repeat the one before take one line together."""

    def handler(event, context):
        return {"batchItemFailures": [{"itemIdentifier": raw["messageId"]} for raw in event["Records"]]}

    text = SimulatedQueue(list("abcd"), max_receive_count=98).run(handler).explain()
    reported = "4 records: partial: 4 of 4 messages are reported: they become visible again"
    assert text.splitlines()[3:] == [
        f"invocation 0 at 0 s, {reported}",
        "invocations 1 to 97 from 30 s to 2910 s: the same",
        "",
        f"{name(0)}: in the dead-letter queue; invocation 0 to 97: failed",
        f"3 more records, up to {name(3)}: the same",
        "0 records were delivered once and are done",
    ]
    text = SimulatedQueue(list("ab"), max_receive_count=2).run(handler).explain()
    assert "invocation 1 at 30 s: the same" in text
    assert f"; invocation 0: failed, 1: failed\n{name(1)}: the same" in text


def test_explain_counts_runs_with_other_invocations_between():
    """Where a record's equal runs are not in a row, their number is told."""
    delivery = SimulatedQueue(["a", "b"], batch_size=1, max_receive_count=4).run(lambda event, context: 1 / 0)
    assert [record.invocations for record in delivery.records] == [(0, 2, 4, 6), (1, 3, 5, 7)]
    assert "invocation 0 to 6: 4 times failed" in delivery.explain()
    assert "invocation 1 to 7: 4 times failed" in delivery.explain()


def test_successes_that_are_not_shown_are_not_folded_into_failures():
    """Failures with successes between them are not told as one row of invocations."""

    def handler(event, context):
        if int(event["Records"][0]["body"]) % 2:
            raise ValueError("odd")

    bodies = [str(number) for number in range(60)]
    lines = SimulatedQueue(bodies, batch_size=1, max_invocations=60).run(handler).explain().splitlines()
    told = [line.partition(" at")[0] for line in lines if "ValueError: odd" in line]
    assert told == [f"invocation {number}" for number in range(1, 60, 2)]
    assert lines[lines.index("") + 31] == "and 30 invocations with full success"


def test_whether_it_was_seen_or_inferred_is_told():
    """An inferred success is marked so; one that was told or seen is not."""
    queue = SimulatedQueue(["a"])
    inferred = queue.run(lambda event, context: None)
    assert inferred.inferred
    assert "inferred from the responses; pass succeeded=" in inferred.explain()
    for handler, told in ((lambda event, context: None, lambda raw: True), (ours({}), None)):
        delivery = queue.run(handler, succeeded=told)
        assert not delivery.inferred
        assert "were observed, or given" in delivery.explain()


def test_our_own_eyes_are_better_than_what_is_told():
    """For a handler of ours `succeeded` is not asked."""
    delivery = SimulatedQueue(["a"]).run(ours({}), succeeded=lambda raw: 1 / 0)
    assert delivery.records[0].successes == 1


def test_what_was_not_run_can_be_told():
    """A hand-written FIFO handler that stops: the messages behind the first reported one count as unrun."""

    def handler(event, context):
        return {"batchItemFailures": [{"itemIdentifier": raw["messageId"]} for raw in event["Records"]]}

    delivery = SimulatedQueue(list("ab"), fifo=True, max_receive_count=1).run(handler)
    assert [record.runs[0].status for record in delivery.records] == ["failed", "unknown"]
    with pytest.raises(AssertionError, match="1 of 2 records lost"):
        delivery.assert_nothing_lost()
    standard = SimulatedQueue(list("ab"), max_receive_count=1).run(handler)
    assert [record.runs[0].status for record in standard.records] == ["failed", "failed"]


def test_a_stream_handler_that_returns_at_the_first_failure():
    """What lies behind the only reported record of a stream counts as not run, unless told otherwise."""

    def handler(event, context):
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][1]["kinesis"]["sequenceNumber"]}]}

    stream = SimulatedStream(list("abc"), maximum_retry_attempts=0)
    delivery = stream.run(handler)
    assert [record.runs[0].status for record in delivery.records] == ["succeeded", "failed", "skipped"]
    assert [record.fate for record in delivery.records] == ["deleted", "expired", "discarded_unrun"]
    told = stream.run(handler, succeeded=lambda raw: raw["kinesis"]["partitionKey"] != "key-1")
    assert [record.fate for record in told.records] == ["deleted", "expired", "deleted"]


def test_explain_tells_the_whole_story():
    """The totals, each invocation and each record that met with anything are told, and no body."""
    delivery = SimulatedQueue(["secret-a", "secret-b", "secret-c"], max_receive_count=2).run(
        ours({"secret-a": POISON, "secret-b": (1, "error")})
    )
    text = delivery.explain()
    assert "3 records (1 dead-lettered, 2 deleted); 2 invocations, 5 records delivered, 0 duplicated, 60 s" in text
    assert "invocation 0 at 0 s, 3 records: partial: 2 of 3 messages are reported" in text
    assert f"{name(0)}: in the dead-letter queue; invocation 0: failed, 1: failed" in text
    assert f"{name(1)}: done; invocation 0: failed, 1: succeeded" in text
    assert "1 records were delivered once and are done" in text
    assert "secret" not in text + repr(delivery) + repr(delivery.records) + repr(delivery.invocations)
    assert repr(delivery).startswith("Delivery(sqs: 3 records")


def test_explain_counts_what_is_too_much_to_tell():
    """Of many invocations the successful ones are counted, and long lists are cut."""
    delivery = SimulatedQueue([str(number) for number in range(60)], batch_size=1, max_receive_count=2).run(
        ours({"7": POISON, **{str(number): (1, "error") for number in range(10, 60)}})
    )
    text = delivery.explain()
    assert "and 59 invocations with full success" in text
    assert "… and 12 more lines" in text
    assert "… and 11 more lines" in text


def test_a_record_that_was_never_delivered():
    """What no invocation saw is told so, and what remains is no loss."""
    delivery = SimulatedQueue(list("ab"), batch_size=1, max_invocations=1).run(ours({}))
    assert delivery.fates == {"deleted": 1, "remaining": 1}
    assert "still to be delivered; never delivered" in delivery.explain()
    delivery.assert_nothing_lost()
    with pytest.raises(AssertionError, match="never delivered"):
        delivery.assert_dead_lettered([name(1)])


def test_none_from_succeeded_means_not_run():
    """A record of which `succeeded` says None has neither succeeded nor failed, whatever the response says of it."""

    def handler(event, context):
        return {"batchItemFailures": [{"itemIdentifier": raw["messageId"]} for raw in event["Records"]]}

    told = {name(0): False, name(1): None}
    queue = SimulatedQueue(list("ab"), max_receive_count=1)
    delivery = queue.run(handler, succeeded=lambda raw: told[raw["messageId"]])
    assert [record.runs[0].status for record in delivery.records] == ["failed", "skipped"]
    assert [record.ran for record in delivery.records] == [True, False]
    assert delivery.lost == [delivery.records[1]]
    deleted = queue.run(lambda event, context: None, succeeded=lambda raw: None)
    assert deleted.duplicated_work == 0
    with pytest.raises(AssertionError, match=r"invocation 0: not run; Lambda: success"):
        deleted.assert_nothing_lost()


def test_a_stream_record_that_was_told_as_not_run_is_discarded_unrun():
    """What no invocation ran, as `succeeded` tells, was given up unrun; what ran once has expired."""
    told = {"key-0": False, "key-1": None}
    delivery = SimulatedStream(list("ab"), maximum_retry_attempts=0).run(
        lambda event, context: 1 / 0, succeeded=lambda raw: told[raw["kinesis"]["partitionKey"]]
    )
    assert [record.fate for record in delivery.records] == ["expired", "discarded_unrun"]


def test_order_is_not_broken_by_records_that_were_not_run():
    """A record that `succeeded` tells as not run has not overtaken anything."""
    calls = []

    def handler(event, context):
        calls.append(event)
        reported = event["Records"] if len(calls) == 1 else []
        return {"batchItemFailures": [{"itemIdentifier": raw["messageId"]} for raw in reported]}

    def succeeded(raw):
        return len(calls) > 1 or (None if raw["body"] == "b" else False)

    delivery = SimulatedQueue(list("ab"), fifo=True).run(handler, succeeded=succeeded)
    assert [[run.status for run in record.runs] for record in delivery.records] == [
        ["failed", "succeeded"],
        ["skipped", "succeeded"],
    ]
    delivery.assert_in_order()


@pytest.mark.parametrize(("answer", "kind"), [(1, "int"), ("no", "str"), ([], "list")])
def test_succeeded_says_yes_no_or_nothing(answer, kind):
    """Any other answer is refused: a coroutine or a text would count as a success."""
    with pytest.raises(ConfigurationError, match=f"succeeded= returned a {kind}: it must return True, False, or None"):
        SimulatedQueue(["a"]).run(lambda event, context: None, succeeded=lambda raw: answer)
