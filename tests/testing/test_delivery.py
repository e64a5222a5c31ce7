"""The texts and the assertions of a delivery."""

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
    """A record may succeed once the earlier records of its group are finished."""
    handler = ours({"a": POISON}, max_receive_count=2)
    delivery = SimulatedQueue(list("ab"), fifo=True, max_receive_count=2).run(handler)
    delivery.assert_in_order()
    delivery.assert_nothing_lost()
    delivery.assert_dead_lettered([name(0)])
    assert delivery.records[1].invocations == (0, 1)


def test_order_is_broken_when_a_later_record_succeeds_first():
    """A success before an earlier record of the group runs again breaks the order, even if that one is poison."""
    for failures in ({"a": (1, "error")}, {"a": POISON}):
        handler = ours(failures, error_policy="continue")
        delivery = SimulatedQueue(list("ab"), fifo=True, max_receive_count=3).run(handler)
        with pytest.raises(AssertionError) as caught:
            delivery.assert_in_order()
        assert f"{name(0)} (group group)" in str(caught.value)
        assert f"{name(1)} (group group)" in str(caught.value)


def test_records_of_other_groups_may_succeed_first():
    """Only records of the same group keep an order."""
    handler = ours({"a": (2, "error")}, error_policy="skip_group")
    delivery = SimulatedQueue(list("axby"), fifo=True, groups=list("ghgh")).run(handler)
    delivery.assert_in_order()
    text = "2 of 4 records succeeded before an earlier record of their group was finished"
    with pytest.raises(AssertionError, match=text):
        delivery.assert_in_order(by=lambda raw: "all")


def test_standard_queue_has_only_the_order_that_by_gives():
    """Without groups no record is out of order, unless `by` gives an order."""
    delivery = SimulatedQueue(list("ab")).run(ours({"a": (1, "error")}))
    delivery.assert_in_order()
    with pytest.raises(AssertionError):
        delivery.assert_in_order(by=lambda raw: None)


def test_duplicates_do_not_break_the_order():
    """A record that succeeds again later doesn't break the order of the records in between."""
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


def test_record_in_the_handlers_dead_letter_is_finished():
    """A record that the handler's dead letter accepted is finished, even if its stream delivers it again."""
    handler = ours({"x": (1, "base"), "a": POISON}, permanent=Exception, dead_letter=discard)
    delivery = SimulatedStream(list("xab"), partition_keys=list("xgg")).run(handler)
    assert [run.status for run in delivery.records[1].runs] == ["dead_lettered"] * 2
    assert [run.status for run in delivery.records[2].runs] == ["succeeded"] * 2
    delivery.assert_in_order()


def test_assert_dead_lettered_names_missing_and_unexpected_records():
    """A missing and an unexpected dead letter both fail, and the message shows their history."""
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


def test_kafka_identifiers_are_shown_as_partition_and_offset():
    """Identifiers of Kafka are dicts, and are shown as `partition@offset`."""
    topic = SimulatedTopic({"t-0": list("ab")}, maximum_retry_attempts=1, on_failure_destination=True)
    delivery = topic.run(ours({"a": POISON}, error_policy="stop"))
    with pytest.raises(AssertionError, match=r"t-0@1 \(group t-0\): given up without having run: LOST"):
        delivery.assert_nothing_lost()
    for identifiers in ([{"partition": "t-0", "offset": 0}], {"partition": "t-0", "offset": 0}):
        delivery.assert_dead_lettered(identifiers)


def test_failed_assertion_shows_five_records_and_counts_the_rest():
    """A failed assertion shows five records and counts the rest."""
    delivery = SimulatedQueue(list("abcdefg"), report_batch_item_failures=False).run(
        lambda event, context: None, succeeded=lambda raw: False
    )
    with pytest.raises(AssertionError) as caught:
        delivery.assert_nothing_lost()
    assert str(caught.value).count("LOST") == 5
    assert "and 2 more records" in str(caught.value)


def test_long_history_shows_its_first_five_runs_and_the_last():
    """Of many different runs, the first five and the last are shown."""
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


def test_equal_runs_in_a_failed_assertion_are_folded():
    """A failed assertion shows equal runs once."""

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
    """Invocations and records that only repeat the one before share a line."""

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
    """If equal runs of a record aren't consecutive, their number is shown."""
    delivery = SimulatedQueue(["a", "b"], batch_size=1, max_receive_count=4).run(lambda event, context: 1 / 0)
    assert [record.invocations for record in delivery.records] == [(0, 2, 4, 6), (1, 3, 5, 7)]
    assert "invocation 0 to 6: 4 times failed" in delivery.explain()
    assert "invocation 1 to 7: 4 times failed" in delivery.explain()


def test_failures_with_hidden_successes_between_are_not_folded():
    """Failures with successes between them don't appear as one range of invocations."""

    def handler(event, context):
        if int(event["Records"][0]["body"]) % 2:
            raise ValueError("odd")

    bodies = [str(number) for number in range(60)]
    lines = SimulatedQueue(bodies, batch_size=1, max_invocations=60).run(handler).explain().splitlines()
    told = [line.partition(" at")[0] for line in lines if "ValueError: odd" in line]
    assert told == [f"invocation {number}" for number in range(1, 60, 2)]
    assert lines[lines.index("") + 31] == "and 30 invocations with full success"


def test_explain_says_whether_results_are_inferred():
    """The text says whether results were inferred, or observed or given."""
    queue = SimulatedQueue(["a"])
    inferred = queue.run(lambda event, context: None)
    assert inferred.inferred
    assert "inferred from the responses; pass succeeded=" in inferred.explain()
    for handler, told in ((lambda event, context: None, lambda raw: True), (ours({}), None)):
        delivery = queue.run(handler, succeeded=told)
        assert not delivery.inferred
        assert "were observed, or given" in delivery.explain()


def test_succeeded_is_not_called_for_a_partialbatch_handler():
    """If the handler was made by partialbatch, `succeeded` isn't called."""
    delivery = SimulatedQueue(["a"]).run(ours({}), succeeded=lambda raw: 1 / 0)
    assert delivery.records[0].successes == 1


def test_fifo_records_behind_the_first_reported_one_count_as_unrun():
    """With a hand-written FIFO handler, the messages behind the first reported one count as unrun."""

    def handler(event, context):
        return {"batchItemFailures": [{"itemIdentifier": raw["messageId"]} for raw in event["Records"]]}

    delivery = SimulatedQueue(list("ab"), fifo=True, max_receive_count=1).run(handler)
    assert [record.runs[0].status for record in delivery.records] == ["failed", "unknown"]
    with pytest.raises(AssertionError, match="1 of 2 records lost"):
        delivery.assert_nothing_lost()
    standard = SimulatedQueue(list("ab"), max_receive_count=1).run(handler)
    assert [record.runs[0].status for record in standard.records] == ["failed", "failed"]


def test_stream_records_behind_the_only_reported_one_count_as_unrun():
    """Records behind the only reported record of a stream count as not run, unless `succeeded` says otherwise."""

    def handler(event, context):
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][1]["kinesis"]["sequenceNumber"]}]}

    stream = SimulatedStream(list("abc"), maximum_retry_attempts=0)
    delivery = stream.run(handler)
    assert [record.runs[0].status for record in delivery.records] == ["succeeded", "failed", "skipped"]
    assert [record.fate for record in delivery.records] == ["deleted", "expired", "discarded_unrun"]
    told = stream.run(handler, succeeded=lambda raw: raw["kinesis"]["partitionKey"] != "key-1")
    assert [record.fate for record in told.records] == ["deleted", "expired", "deleted"]


def test_explain_shows_totals_invocations_and_notable_records():
    """The text shows the totals, each invocation and each notable record, and never a body."""
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


def test_explain_shortens_long_lists():
    """Of many invocations the successful ones are counted, and long lists are cut."""
    delivery = SimulatedQueue([str(number) for number in range(60)], batch_size=1, max_receive_count=2).run(
        ours({"7": POISON, **{str(number): (1, "error") for number in range(10, 60)}})
    )
    text = delivery.explain()
    assert "and 59 invocations with full success" in text
    assert "… and 12 more lines" in text
    assert "… and 11 more lines" in text


def test_record_that_was_never_delivered_is_not_lost():
    """A record that was never delivered remains, and isn't lost."""
    delivery = SimulatedQueue(list("ab"), batch_size=1, max_invocations=1).run(ours({}))
    assert delivery.fates == {"deleted": 1, "remaining": 1}
    assert "still to be delivered; never delivered" in delivery.explain()
    delivery.assert_nothing_lost()
    with pytest.raises(AssertionError, match="never delivered"):
        delivery.assert_dead_lettered([name(1)])


def test_none_from_succeeded_means_not_run():
    """A record for which `succeeded` returns None has neither succeeded nor failed, whatever the response says."""

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


def test_stream_record_that_never_ran_is_discarded_unrun():
    """A record that `succeeded` never reports as run is discarded unrun; a record that ran once has expired."""
    told = {"key-0": False, "key-1": None}
    delivery = SimulatedStream(list("ab"), maximum_retry_attempts=0).run(
        lambda event, context: 1 / 0, succeeded=lambda raw: told[raw["kinesis"]["partitionKey"]]
    )
    assert [record.fate for record in delivery.records] == ["expired", "discarded_unrun"]


def test_order_is_not_broken_by_records_that_were_not_run():
    """A record for which `succeeded` returns None doesn't break the order."""
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
def test_other_values_from_succeeded_are_refused(answer, kind):
    """Any other value is refused, because a coroutine or a text would count as a success."""
    with pytest.raises(ConfigurationError, match=f"succeeded= returned a {kind}: it must return True, False, or None"):
        SimulatedQueue(["a"]).run(lambda event, context: None, succeeded=lambda raw: answer)
