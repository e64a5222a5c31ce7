"""A simulated queue, delivered as Lambda does."""

from __future__ import annotations

import pytest

from partialbatch import batch_handler
from partialbatch.errors import ConfigurationError
from partialbatch.testing import FailurePlan, LambdaContext, SimulatedQueue, sqs_event
from partialbatch.testing._failure_plans import FOREVER


def name(number):
    return f"00000000-0000-4000-8000-{number:012d}"


def failing(*bodies):
    """Make a hand-written handler that reports some bodies."""

    def handler(event, context):
        events.append([raw["body"] for raw in event["Records"]])
        bad = [raw["messageId"] for raw in event["Records"] if raw["body"] in bodies]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}

    handler.events = events = []
    return handler


def fates(delivery):
    return [record.fate for record in delivery.records]


def test_messages_are_delivered_once_in_full_batches():
    """Each message is delivered once, in batches that are full except for the last."""
    handler = failing()
    delivery = SimulatedQueue(list("abcde"), batch_size=2).run(handler)
    assert handler.events == [["a", "b"], ["c", "d"], ["e"]]
    assert fates(delivery) == ["deleted"] * 5
    assert [record.invocations for record in delivery.records] == [(0,), (0,), (1,), (1,), (2,)]
    assert delivery.records_delivered == 5
    assert delivery.duplicated_work == 0
    assert delivery.seconds == 0
    assert delivery.source == "sqs"


def test_an_empty_queue_needs_no_invocation():
    """An empty queue has an empty delivery."""
    delivery = SimulatedQueue([]).run(failing())
    assert (delivery.records, delivery.invocations) == ((), ())
    delivery.assert_nothing_lost()
    delivery.assert_in_order()


def test_failed_message_becomes_visible_again_after_its_timeout():
    """A reported message becomes visible again after the visibility timeout, and its receives are counted."""
    seen = []

    def handler(event, context):
        (raw,) = event["Records"]
        seen.append(raw["attributes"]["ApproximateReceiveCount"])
        return {"batchItemFailures": [{"itemIdentifier": raw["messageId"]}] if len(seen) < 3 else []}

    delivery = SimulatedQueue(["a"], visibility_timeout=45).run(handler)
    assert seen == ["1", "2", "3"]
    assert [entry.at for entry in delivery.invocations] == [0, 45, 90]
    assert delivery.seconds == 90
    assert [run.status for run in delivery.records[0].runs] == ["failed", "failed", "succeeded"]


def test_standard_queue_delivers_other_messages_meanwhile():
    """In a standard queue, no message waits for another one in flight."""
    handler = failing("a")
    delivery = SimulatedQueue(list("abc"), batch_size=1, max_receive_count=2).run(handler)
    assert handler.events == [["a"], ["b"], ["c"], ["a"]]
    assert fates(delivery) == ["dead_lettered", "deleted", "deleted"]


def test_message_is_dead_lettered_after_max_receive_count():
    """After `max_receive_count` receives, the message moves to the dead-letter queue."""
    for limit in (1, 3):
        delivery = SimulatedQueue(["a"], max_receive_count=limit).run(failing("a"))
        assert len(delivery.invocations) == limit
        delivery.assert_dead_lettered([name(0)])
        delivery.assert_nothing_lost()


@pytest.mark.parametrize(("received", "seen"), [(2, [2, 3]), (3, [3]), (5, [5])])
def test_earlier_receives_count_towards_the_limit(received, seen):
    """A raw record is delivered once, and dead-lettered if its next receive would exceed the limit."""
    counts = []

    @batch_handler(max_receive_count=3)
    def handler(record):
        counts.append(record.receive_count)
        raise ValueError

    delivery = SimulatedQueue(sqs_event(["a"], receive_counts=received), max_receive_count=3).run(handler)
    assert counts == seen
    delivery.assert_dead_lettered([name(0)])


def test_fifo_group_waits_for_its_failed_message():
    """Later messages of a group aren't delivered before the failed one becomes visible again."""
    handler = failing("a")
    delivery = SimulatedQueue(list("abxc"), fifo=True, groups=list("gghg"), batch_size=1, max_receive_count=2).run(
        handler
    )
    assert handler.events == [["a"], ["x"], ["a"], ["b"], ["c"]]
    assert [entry.at for entry in delivery.invocations] == [0, 0, 30, 60, 60]
    delivery.assert_in_order()


def test_a_fifo_batch_mixes_groups():
    """A batch holds messages of several groups, each group in order."""
    handler = failing()
    SimulatedQueue(list("axbyc"), fifo=True, groups=list("ghghg"), batch_size=4).run(handler)
    assert handler.events == [["a", "b", "c", "x"], ["y"]]


def test_raw_records_keep_their_identity():
    """Raw records and events are delivered as they are, and their receive counts continue."""
    event = sqs_event(["a", "b"], receive_counts=[3, 1], start=7)
    for given in (event, event["Records"], iter(event["Records"])):
        delivery = SimulatedQueue(given).run(failing())
        assert [record.identifier for record in delivery.records] == [name(7), name(8)]
        assert delivery.invocations[0].event == event


def test_each_delivery_has_a_receipt_handle_of_its_own():
    """Each receive has a new receipt handle; a raw record keeps its handle for the first delivery."""
    handles = []

    def handler(event, context):
        handles.append(event["Records"][0]["receiptHandle"])
        raise ValueError("no")

    raw = sqs_event(["a"])["Records"][0]
    for given in (["a"], [raw], [{**raw, "receiptHandle": "own"}]):
        SimulatedQueue(given, max_receive_count=3).run(handler)
    first, second, own = handles[:3], handles[3:6], handles[6:]
    assert first == second
    assert len(set(first)) == 3
    assert own == ["own", *first[1:]]
    assert first == [sqs_event(["a"], receive_counts=count)["Records"][0]["receiptHandle"] for count in (1, 2, 3)]


def test_message_expires_after_the_retention():
    """A message that outlives the retention has expired."""
    for retention in (90, 119):
        delivery = SimulatedQueue(["a"], retention=retention).run(failing("a"))
        assert fates(delivery) == ["expired"]
        assert [entry.at for entry in delivery.invocations] == [0, 30, 60, 90]


def test_max_invocations_ends_an_endless_run():
    """The largest number of invocations ends a run early; by default, it is 1,000 and 10 for each message."""
    delivery = SimulatedQueue(["a", "b"], max_invocations=7).run(failing("a"))
    assert len(delivery.invocations) == 7
    assert fates(delivery) == ["remaining", "deleted"]
    assert SimulatedQueue(["a"]).max_invocations == 1010
    every = SimulatedQueue(["a"] * 20, batch_size=1).run(failing("a"))
    assert len(every.invocations) == 1200
    assert set(fates(every)) == {"remaining"}
    delivery.assert_nothing_lost()


def test_without_the_setting_reported_failures_are_deleted():
    """Without ReportBatchItemFailures the response is ignored, and failed messages are lost."""
    delivery = SimulatedQueue(["a", "b"], report_batch_item_failures=False).run(failing("a"))
    assert fates(delivery) == ["deleted", "deleted"]
    with pytest.raises(AssertionError, match="no ReportBatchItemFailures"):
        delivery.assert_nothing_lost()


def test_a_plain_return_is_success_without_the_setting():
    """A handler without a partial response succeeds by returning."""
    delivery = SimulatedQueue(["a", "b"], report_batch_item_failures=False).run(lambda event, context: "ok")
    delivery.assert_nothing_lost()
    assert [record.successes for record in delivery.records] == [1, 1]


def test_timeout_fails_the_whole_batch():
    """An invocation that exceeds its timeout on the simulated clock has failed, whatever it returned."""
    context = LambdaContext(timeout=3)

    def handler(event, own):
        assert own.get_remaining_time_in_millis() == 3000
        context.clock.advance(3 if len(starts) < 2 else 2.9)
        starts.append(context.clock())

    starts = []
    delivery = SimulatedQueue(["a"], visibility_timeout=10).run(handler, context)
    assert [entry.verdict for entry in delivery.invocations] == ["failure", "failure", "success"]
    assert "Task timed out after 3.00 seconds" in delivery.invocations[0].reason
    assert [entry.at for entry in delivery.invocations] == [0, 10, 20]
    assert delivery.seconds == pytest.approx(22.9)


def test_context_of_another_kind_is_passed_on():
    """A context of another kind reaches the handler as it is, and causes no timeout."""
    own = object()
    seen = []
    SimulatedQueue(["a"]).run(lambda event, context: seen.append(context), own)
    assert seen == [own]


def test_handlers_may_change_their_event():
    """A handler that changes its event changes neither the verdict nor the recorded event."""

    def handler(event, context):
        event["Records"][0].clear()
        event["Records"].clear()

    delivery = SimulatedQueue(["a", "b"]).run(handler)
    assert fates(delivery) == ["deleted", "deleted"]
    assert len(delivery.invocations[0].event["Records"]) == 2


def test_a_batch_stays_below_six_megabytes():
    """A batch is closed before its event is larger than Lambda takes."""
    delivery = SimulatedQueue(["x" * 1_000_000] * 10).run(lambda event, context: None)
    assert [entry.delivered for entry in delivery.invocations] == [6, 4]


def test_coroutines_are_not_awaited():
    """An async handler fails each time, as in Lambda, and causes no warning."""

    async def handler(event, context):
        return None

    delivery = SimulatedQueue(["a"], max_receive_count=1).run(handler)
    assert "Runtime.MarshalError" in delivery.invocations[0].reason
    delivery.assert_dead_lettered([name(0)])


def test_results_of_a_partialbatch_handler_are_observed():
    """The result of each record is observed, not inferred: failed, skipped or succeeded."""
    plan = FailurePlan({"b": (1, "error")})
    handler = batch_handler(lambda record: plan.attempt(record.text))
    delivery = SimulatedQueue(list("abc"), fifo=True).run(handler)
    assert not delivery.inferred
    assert [[run.status for run in record.runs] for record in delivery.records] == [
        ["succeeded"],
        ["failed", "succeeded"],
        ["skipped", "succeeded"],
    ]
    delivery.assert_in_order()


class Orders:
    def __init__(self):
        self.plan = FailurePlan({"b": (FOREVER, "error")})

    @batch_handler
    def handle(self, record):
        self.plan.attempt(record.text)


def test_results_of_a_bound_handler_are_observed():
    """A method made by partialbatch is observed too, also if it raises a full failure."""
    delivery = SimulatedQueue(["a", "b"], max_receive_count=2).run(Orders().handle)
    assert not delivery.inferred
    assert "FullBatchFailure" in delivery.invocations[1].reason
    assert [run.status for run in delivery.records[1].runs] == ["failed", "failed"]
    assert type(delivery.invocations[1].error).__name__ == "FullBatchFailure"


def test_an_exit_ends_the_invocation_only():
    """A `SystemExit` fails the invocation, and the simulation goes on."""
    plan = FailurePlan({"a": (1, "exit")})
    handler = batch_handler(lambda record: plan.attempt(record.text))
    delivery = SimulatedQueue(["a", "b"]).run(handler)
    assert "Runtime.ExitError" in delivery.invocations[0].reason
    delivery.assert_nothing_lost()
    assert plan.done == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 10_001}, "from 1 to 10,000"),
        ({"batch_size": 11, "fifo": True}, "from 1 to 10"),
        ({"batch_size": 1.5}, "batch_size=1.5"),
        ({"visibility_timeout": 43_201}, "visibility_timeout=43201"),
        ({"max_receive_count": 0}, "max_receive_count=0"),
        ({"max_receive_count": True}, "max_receive_count=True"),
        ({"retention": 59}, "retention=59"),
        ({"max_invocations": 0}, "max_invocations=0"),
        ({"groups": ["x"]}, "groups has 1 entries for 2 records"),
    ],
)
def test_settings_beyond_the_limits_are_refused(options, words):
    """The message about an impossible setting names the option, its value and the allowed values."""
    with pytest.raises(ConfigurationError) as caught:
        SimulatedQueue(["a", "b"], **options)
    assert words in str(caught.value)


def test_raw_records_must_fit_the_queue():
    """Records of a standard queue don't fit a FIFO queue, and already have their groups."""
    with pytest.raises(ConfigurationError, match="fifo=True"):
        SimulatedQueue(sqs_event(["a"]), fifo=True)
    with pytest.raises(ConfigurationError, match="groups is for bodies"):
        SimulatedQueue(sqs_event(["a"]), groups="x")
    assert SimulatedQueue(sqs_event(["a"], fifo=True)).fifo


def test_a_handler_must_be_callable():
    """A handler that can't be called is refused before anything is delivered."""
    with pytest.raises(ConfigurationError, match=r"handler='lambda\.handler'"):
        SimulatedQueue(["a"]).run("lambda.handler")


def test_a_queue_can_be_run_again():
    """A run doesn't change the queue."""
    queue = SimulatedQueue(["a", "b"], max_receive_count=2)
    first, second = (queue.run(failing("a")) for _ in range(2))
    assert fates(first) == fates(second) == ["dead_lettered", "deleted"]


def test_poison_without_a_redrive_policy_is_received_a_hundred_times():
    """Without a redrive policy, poison stays on the queue after 100 receives, and all other messages are deleted."""
    plan = FailurePlan({"poison": (FOREVER, "error")})
    handler = batch_handler(lambda record: plan.attempt(record.text))
    delivery = SimulatedQueue(["poison", "a", "b"]).run(handler)
    assert delivery.fates == {"remaining": 1, "deleted": 2}
    assert plan.attempts["poison"] == len(delivery.invocations) == 100
    assert delivery.seconds == 99 * 30
    assert f"{name(0)}: still to be delivered, after 100 deliveries; invocation" in delivery.explain()
    delivery.assert_nothing_lost()


def test_poison_without_a_redrive_policy_holds_up_its_group():
    """A message group stays behind its poison, and the messages of other groups are deleted."""
    plan = FailurePlan({"poison": (FOREVER, "error")})
    handler = batch_handler(lambda record: plan.attempt(record.text))
    queue = SimulatedQueue(["poison", "a", "b"], fifo=True, groups=["g", "g", "h"], batch_size=1)
    delivery = queue.run(handler)
    assert [record.fate for record in delivery.records] == ["remaining", "remaining", "deleted"]
    assert [len(record.runs) for record in delivery.records] == [100, 0, 1]
    delivery.assert_in_order()


def test_receives_before_the_simulation_do_not_count_as_its_own():
    """A raw message that was received 500 times before gets 100 more receives."""
    queue = SimulatedQueue(sqs_event(["poison"], receive_counts=500))
    delivery = queue.run(lambda event, context: 1 / 0)
    assert len(delivery.invocations) == 100
    assert delivery.invocations[-1].event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "599"
