"""A simulated stream, delivered as Lambda does."""

from __future__ import annotations

import base64
import itertools

import pytest

from partialbatch import batch_handler
from partialbatch.errors import ConfigurationError
from partialbatch.testing import FailurePlan, LambdaContext, SimulatedStream, dynamodb_event, kinesis_event
from partialbatch.testing._failure_plans import FOREVER


def data(raw):
    return base64.b64decode(raw["kinesis"]["data"]).decode()


def failing(*texts, report=True):
    """Make a hand-written handler that reports some records, or raises for them."""

    def handler(event, context):
        events.append("".join(map(data, event["Records"])))
        bad = [raw["kinesis"]["sequenceNumber"] for raw in event["Records"] if data(raw) in texts]
        if bad and not report:
            raise ValueError("bad")
        return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}

    handler.events = events = []
    return handler


def ours(poison, **options):
    plan = FailurePlan(dict.fromkeys(poison, (FOREVER, "error")))
    return batch_handler(lambda record: plan.attempt(record.text), **options)


def fates(delivery):
    return [record.fate for record in delivery.records]


def test_a_shard_is_read_in_batches():
    """The records of a shard are delivered in order, in batches of the batch size."""
    handler = failing()
    delivery = SimulatedStream(["a", "b", "c", "d", "e"], batch_size=2).run(handler)
    assert handler.events == ["ab", "cd", "e"]
    assert fates(delivery) == ["deleted"] * 5
    assert delivery.source == "kinesis"


def test_records_from_the_checkpoint_on_are_delivered_again():
    """A reported record is delivered again with all records behind it, including those that succeeded."""
    plan = FailurePlan({"b": (1, "error")})
    handler = batch_handler(lambda record: plan.attempt(record.text))
    delivery = SimulatedStream(list("abcd")).run(handler)
    assert [[run.status for run in record.runs] for record in delivery.records] == [
        ["succeeded"],
        ["failed", "succeeded"],
        ["succeeded", "succeeded"],
        ["succeeded", "succeeded"],
    ]
    assert delivery.duplicated_work == 2
    assert delivery.seconds == 1


def test_exhausted_retries_give_up_the_rest_of_the_batch():
    """After the last retry, all records from the checkpoint on are given up, and those that never ran are lost."""
    delivery = SimulatedStream(list("abcd"), maximum_retry_attempts=2).run(ours("b", error_policy="stop"))
    assert fates(delivery) == ["deleted", "expired", "discarded_unrun", "discarded_unrun"]
    assert len(delivery.invocations) == 3
    with pytest.raises(AssertionError, match="2 of 4 records lost"):
        delivery.assert_nothing_lost()


def test_records_that_succeeded_are_not_lost_by_giving_up():
    """Under `continue`, only the poison counts as expired; the records behind it have succeeded."""
    delivery = SimulatedStream(list("abcd"), maximum_retry_attempts=2).run(ours("b"))
    assert fates(delivery) == ["deleted", "expired", "deleted", "deleted"]
    delivery.assert_nothing_lost()
    assert delivery.duplicated_work == 4


def test_zero_retries_deliver_a_batch_once():
    """With 0 retries, a batch is delivered once."""
    delivery = SimulatedStream(list("ab"), maximum_retry_attempts=0, batch_size=1).run(failing("a"))
    assert fates(delivery) == ["expired", "deleted"]
    assert len(delivery.invocations) == 2


def test_given_up_records_that_ran_go_to_the_destination():
    """With an on-failure destination, a record that ran is dead-lettered; one that never ran is lost."""
    stream = SimulatedStream(list("ab"), maximum_retry_attempts=0, on_failure_destination=True)
    delivery = stream.run(ours("a", error_policy="stop"))
    assert fates(delivery) == ["dead_lettered", "discarded_unrun"]
    delivery.assert_dead_lettered([delivery.records[0].identifier])


@pytest.mark.parametrize("unlimited", [None, -1])
def test_without_a_limit_a_poison_record_holds_its_shard(unlimited):
    """Without a limit, retries go on until the record leaves the stream, together with those behind it."""
    stream = SimulatedStream(list("abc"), maximum_retry_attempts=unlimited, retention=60)
    delivery = stream.run(ours("b", error_policy="stop"))
    assert fates(delivery) == ["deleted", "expired", "discarded_unrun"]
    assert [entry.at for entry in delivery.invocations] == [0, 1, 3, 7, 15, 31]


def test_maximum_record_age_ends_retries():
    """`maximum_record_age` gives up records before the stream's retention does."""
    for age, last in ((60, 31), (-1, 31), (None, 31)):
        delivery = SimulatedStream(["a"], maximum_record_age=age, retention=61).run(failing("a"))
        assert delivery.invocations[-1].at == last
        assert fates(delivery) == ["expired"]


def test_wait_between_retries_doubles_up_to_a_minute():
    """The wait between retries doubles up to 60 s."""
    delivery = SimulatedStream(["a"], max_invocations=9).run(failing("a"))
    starts = [entry.at for entry in delivery.invocations]
    assert [after - before for before, after in itertools.pairwise(starts)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_bisect_halves_a_failed_batch():
    """A failed batch is halved until the poison is alone, and halving uses up no retry."""
    handler = failing("c", report=False)
    delivery = SimulatedStream(list("abcd"), bisect=True, maximum_retry_attempts=1).run(handler)
    assert handler.events == ["abcd", "ab", "cd", "c", "c", "d"]
    assert fates(delivery) == ["deleted", "deleted", "expired", "deleted"]


def test_bisect_splits_at_the_reported_record():
    """After a partial response only the rest is retried; if that is the whole batch, it is halved."""
    handler = failing("c")
    delivery = SimulatedStream(list("abcde"), bisect=True, maximum_retry_attempts=1).run(handler)
    assert handler.events == ["abcde", "cde", "c", "c", "de"]
    assert fates(delivery) == ["deleted", "deleted", "expired", "deleted", "deleted"]


@pytest.mark.parametrize("policy", ["stop", "skip_group"])
def test_bisect_saves_records_behind_poison(policy):
    """With bisect, no record is given up unrun under any policy."""
    stream = SimulatedStream(list("abcdef"), partition_keys="k", bisect=True, maximum_retry_attempts=2)
    delivery = stream.run(ours("ad", error_policy=policy))
    delivery.assert_nothing_lost()
    assert fates(delivery) == ["expired", "deleted", "deleted", "expired", "deleted", "deleted"]


def test_shards_share_the_records_by_key():
    """A key is always in one shard, a batch comes from one shard, and a failing shard doesn't hold up the others."""
    keys = [f"key-{number % 7}" for number in range(40)]
    shards = {}

    def handler(event, context):
        named = {raw["eventID"].partition(":")[0] for raw in event["Records"]}
        assert len(named) == 1
        for raw in event["Records"]:
            shards.setdefault(raw["kinesis"]["partitionKey"], set()).update(named)

    SimulatedStream(range(40), partition_keys=keys, shards=4, batch_size=3).run(handler)
    assert {len(names) for names in shards.values()} == {1}
    assert len(set().union(*shards.values())) > 1


def test_parallel_batches_keep_the_order_of_each_key():
    """With a parallelization factor, the failure of a key holds up only its own part of the shard."""
    plan = FailurePlan({"0": (2, "error")})
    handler = batch_handler(lambda record: plan.attempt(record.text), error_policy="stop")
    keys = [f"key-{number % 8}" for number in range(24)]
    stream = SimulatedStream(range(24), partition_keys=keys, parallelization_factor=8, batch_size=2)
    delivery = stream.run(handler)
    delivery.assert_nothing_lost()
    delivery.assert_in_order()
    assert max(entry.at for entry in delivery.invocations if entry.verdict == "success") > 0
    assert sum(entry.verdict == "success" and entry.at == 0 for entry in delivery.invocations) > 2


def test_a_dynamodb_stream_takes_changes():
    """Changes are delivered by their sequence numbers, and the changes of one item stay together."""
    changes = [{"id": "a"}, {"id": "b"}, ({"id": "a"}, None)]
    delivery = SimulatedStream(changes, source="dynamodb", shards=3).run(lambda event, context: None)
    assert delivery.source == "dynamodb"
    assert [record.group for record in delivery.records] == [
        '{"id": {"S": "a"}}',
        '{"id": {"S": "b"}}',
        '{"id": {"S": "a"}}',
    ]
    assert delivery.records[0].invocations == delivery.records[2].invocations


@pytest.mark.parametrize("event", [kinesis_event(["a", "b"], start=5), dynamodb_event([{"id": 1}, {"id": 2}])])
def test_events_are_delivered_as_they_are(event):
    """Raw records keep their identity and their source."""
    for given in (event, event["Records"]):
        delivery = SimulatedStream(given).run(lambda event, context: None)
        assert delivery.invocations[0].event == event
        assert delivery.source in event["Records"][0]["eventSource"]


def test_an_empty_stream_needs_no_invocation():
    """An empty stream has an empty delivery."""
    assert SimulatedStream([], source="dynamodb").run(failing()).source == "dynamodb"


def test_a_timeout_fails_a_batch_of_a_stream():
    """An answer after the timeout doesn't count."""
    context = LambdaContext(timeout=1)
    plan = FailurePlan({"a": (1, "timeout")})
    plan.clock = context.clock
    handler = batch_handler(lambda record: plan.attempt(record.text), deadline_margin=None)
    delivery = SimulatedStream(list("ab")).run(handler, context)
    assert [entry.verdict for entry in delivery.invocations] == ["failure", "success"]
    delivery.assert_nothing_lost()


def test_batches_stay_below_six_megabytes():
    """A batch of a stream is closed before its event is larger than Lambda takes."""
    delivery = SimulatedStream(["x" * 750_000] * 8).run(lambda event, context: None)
    assert [entry.delivered for entry in delivery.invocations] == [6, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 10_001}, "from 1 to 10,000"),
        ({"shards": 0}, "shards=0"),
        ({"parallelization_factor": 11}, "from 1 to 10"),
        ({"maximum_retry_attempts": -2}, "maximum_retry_attempts=-2"),
        ({"maximum_retry_attempts": 10_001}, "from -1 to 10,000"),
        ({"maximum_record_age": 59}, "maximum_record_age=59"),
        ({"maximum_record_age": 604_801}, "maximum_record_age=604801"),
        ({"retention": 59}, "retention=59"),
        ({"source": "sqs"}, "source='sqs' is not possible: it takes 'kinesis' or 'dynamodb'"),
        ({"partition_keys": ["k"]}, "partition_keys has 1 entries for 2 records"),
    ],
)
def test_settings_beyond_the_limits_are_refused(options, words):
    """The message about an impossible setting names the option, its value and the allowed values."""
    with pytest.raises(ConfigurationError) as caught:
        SimulatedStream(["a", "b"], **options)
    assert words in str(caught.value)
