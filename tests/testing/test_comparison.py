"""Comparing policies under one load."""

from __future__ import annotations

import pytest

from partialbatch.errors import ConfigurationError
from partialbatch.testing._comparison import POLICIES, SOURCES, Load, compare, usual_groups
from partialbatch.testing._failure_plans import FOREVER


def figures(load):
    return {entry.policy: entry for entry in compare(load)}


@pytest.mark.parametrize("source", SOURCES)
def test_load_without_failures_is_delivered_once_under_every_policy(source):
    """A load without failures costs each record one delivery, whatever the policy."""
    for entry in compare(Load(source=source, records=100, failure_rate=0)):
        assert (entry.delivered, entry.invocations, entry.duplicated, entry.lost) == (100, 10, 0, 0)
        assert entry.seconds == pytest.approx(1.0)
        assert entry.in_order == entry.groups == (0 if source == "sqs" else 20)


def test_fifo_loses_its_order_only_under_continue():
    """A FIFO queue loses its order under `continue`, and keeps it under `stop` and `skip_group`."""
    found = figures(Load(source="fifo", records=500, failure_rate=0.05, poison=1))
    assert found["continue"].in_order < found["continue"].groups
    assert found["stop"].in_order == found["skip_group"].in_order == 20
    assert {entry.dead_lettered for entry in found.values()} == {1}
    assert {entry.lost for entry in found.values()} == {0}


def test_skip_group_delivers_fewer_fifo_messages_again_than_stop():
    """With the usual number of groups, `skip_group` repeats fewer records than `stop`, and keeps the order too."""
    found = figures(Load(source="fifo", groups=usual_groups("fifo", 1_000)))
    assert found["skip_group"].delivered < found["stop"].delivered
    assert found["skip_group"].in_order == found["stop"].in_order == 250
    assert found["continue"].in_order < 250


@pytest.mark.parametrize(("source", "records", "groups"), [("sqs", 1, 20), ("kafka", 9_999, 20), ("fifo", 3, 1)])
def test_usual_number_of_groups_depends_on_records_only_for_fifo(source, records, groups):
    """The usual number of groups follows the number of records only for a FIFO queue, and is never 0."""
    assert usual_groups(source, records) == groups


def test_streams_keep_order_at_the_price_of_losses_or_duplicates():
    """On a stream, `continue` repeats records, and `stop` without bisect loses the records behind poison."""
    load = {"source": "kinesis", "records": 500, "batch_size": 50, "poison": 1, "maximum_retry_attempts": 3}
    found = figures(Load(**load))
    assert found["continue"].duplicated > 0
    assert found["continue"].lost == 0
    assert found["stop"].duplicated == 0
    assert found["stop"].lost > 0
    assert {entry.lost for entry in figures(Load(**load, bisect=True)).values()} == {0}


def test_the_same_seed_gives_the_same_figures():
    """The settings and the seed decide the figures of a load."""
    load = Load(records=200, failure_rate=0.1)
    assert compare(load) == compare(load)
    assert load.plan().failures != Load(records=200, failure_rate=0.1, seed=1).plan().failures


def test_plan_has_the_requested_number_of_poison_records():
    """A plan holds the requested poison, and transient failures by their rate."""
    plan = Load(records=2_000, failure_rate=0.1, poison=7).plan()
    assert sum(times == FOREVER for times, _ in plan.failures.values()) == 7
    assert 100 < len(plan.failures) < 320
    assert Load(records=10, failure_rate=0).plan().failures == {}


def test_remaining_records_are_counted():
    """Without a redrive policy, poison is still on the queue at the end and is counted."""
    (entry,) = compare(Load(records=1, failure_rate=0, poison=1, max_receive_count=None), ["continue"])
    assert (entry.remaining, entry.dead_lettered, entry.invocations) == (1, 0, 100)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"source": "sns"}, "source='sns'"),
        ({"records": 0}, "records=0"),
        ({"groups": 0}, "groups=0"),
        ({"poison": 1_001}, "from 0 to 1,000"),
        ({"failure_rate": 1}, "failure_rate=1 is not possible: it takes a probability from 0 to below 1; see poison"),
        ({"failure_rate": -0.1}, "failure_rate=-0.1"),
        ({"failure_rate": float("nan")}, "failure_rate=nan"),
        ({"record_seconds": -1}, "record_seconds=-1"),
    ],
)
def test_impossible_loads_are_refused(settings, words):
    """The message about an impossible load names the option, its value and the allowed values."""
    with pytest.raises(ConfigurationError) as caught:
        Load(**settings)
    assert words in str(caught.value)


def test_an_unknown_policy_is_refused():
    """`compare` accepts the policies of the handler, except `derive`, which stands for one of them."""
    with pytest.raises(ConfigurationError, match="policy='derive'"):
        compare(Load(records=1), ["derive"])
    assert POLICIES == ("continue", "stop", "skip_group")
