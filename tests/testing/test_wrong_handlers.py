"""Mistakes in hand-written handlers, and the kit's messages about them."""

from __future__ import annotations

import contextlib

import pytest

from partialbatch.testing import SimulatedQueue


class Shop:
    """Takes orders; `bad` ones fail, each as often as it says."""

    def __init__(self, **bad):
        self.bad, self.done = bad, []

    def take(self, raw):
        body = raw["body"]
        if self.bad.get(body, 0) > 0:
            self.bad[body] -= 1
            raise ValueError("no stock")
        self.done.append(raw["messageId"])

    def succeeded(self, raw):
        return raw["messageId"] in self.done


FOREVER = 10**9


def name(number):
    return f"00000000-0000-4000-8000-{number:012d}"


def test_bare_identifiers_fail_the_whole_batch():
    """Bare identifiers fail the whole batch: good orders run again, and are dead-lettered."""
    shop = Shop(b=FOREVER)

    def handler(event, context):
        failed = []
        for raw in event["Records"]:
            try:
                shop.take(raw)
            except ValueError:
                failed.append(raw["messageId"])
        return {"batchItemFailures": failed}

    delivery = SimulatedQueue(["a", "b", "c"], max_receive_count=3).run(handler, succeeded=shop.succeeded)
    assert delivery.duplicated_work == 4
    with pytest.raises(AssertionError) as caught:
        delivery.assert_dead_lettered([name(1)])
    message = str(caught.value)
    assert "2 of 3 records differ from the expected dead letters:" in message
    assert f"batchItemFailures[0] is '{name(1)}' instead of {{\"itemIdentifier\": ...}}" in message
    assert "all 3 messages become visible again, including those that succeeded" in message


def reporting(shop, outer, inner):
    def handler(event, context):
        failed = []
        for raw in event["Records"]:
            try:
                shop.take(raw)
            except ValueError:
                failed.append({inner: raw["messageId"]})
        return {outer: failed}

    return handler


def test_misspelt_outer_key_deletes_failed_messages():
    """A response without `batchItemFailures` is success: the failed order is gone."""
    shop = Shop(b=FOREVER)
    handler = reporting(shop, "batchItemFailure", "itemIdentifier")
    delivery = SimulatedQueue(["a", "b", "c"], max_receive_count=3).run(handler, succeeded=shop.succeeded)
    with pytest.raises(AssertionError) as caught:
        delivery.assert_nothing_lost()
    message = str(caught.value)
    assert f"{name(1)}: done: LOST, it is gone although it never succeeded" in message
    assert "no key 'batchItemFailures', so it reports no failure; its keys are batchItemFailure" in message
    assert "all 3 messages are deleted from the queue" in message


def test_misspelt_inner_key_fails_the_whole_batch():
    """An entry without `itemIdentifier` fails the batch: good orders are dead-lettered with the bad one."""
    shop = Shop(b=FOREVER)
    handler = reporting(shop, "batchItemFailures", "itemidentifier")
    delivery = SimulatedQueue(["a", "b", "c"], max_receive_count=3).run(handler, succeeded=shop.succeeded)
    with pytest.raises(AssertionError) as caught:
        delivery.assert_dead_lettered([name(1)])
    message = str(caught.value)
    assert "batchItemFailures[0] has no key 'itemIdentifier'; its keys are itemidentifier" in message
    assert "all 3 messages become visible again, including those that succeeded" in message


@pytest.mark.parametrize("response", [[], {"batchItemFailures": []}])
def test_swallowed_errors_delete_failed_messages(response):
    """A handler that swallows every error and reports nothing loses the failed messages."""
    shop = Shop(b=1)

    def handler(event, context):
        for raw in event["Records"]:
            with contextlib.suppress(ValueError):
                shop.take(raw)
        return response

    delivery = SimulatedQueue(["a", "b", "c"]).run(handler, succeeded=shop.succeeded)
    with pytest.raises(AssertionError) as caught:
        delivery.assert_nothing_lost()
    message = str(caught.value)
    assert message.startswith("1 of 3 records lost:")
    assert f"{name(1)}: done: LOST" in message
    assert "all 3 messages are deleted from the queue" in message


def test_reported_index_fails_the_whole_batch():
    """A reported index isn't a message id, so the whole batch fails."""
    shop = Shop(b=1)

    def handler(event, context):
        failed = []
        for index, raw in enumerate(event["Records"]):
            try:
                shop.take(raw)
            except ValueError:
                failed.append({"itemIdentifier": str(index)})
        return {"batchItemFailures": failed}

    delivery = SimulatedQueue(["a", "b", "c"]).run(handler, succeeded=shop.succeeded)
    first = delivery.invocations[0]
    assert first.verdict == "failure"
    assert "the reported '1' isn't a record of this event: all 3 messages become visible again" in first.reason
    assert delivery.duplicated_work == 2
    assert first.reason in delivery.explain()


def test_raising_half_way_dead_letters_messages_that_never_ran():
    """An error half way repeats the messages before it, and dead-letters those that never ran."""
    shop = Shop(b=FOREVER)

    def handler(event, context):
        for raw in event["Records"]:
            shop.take(raw)

    delivery = SimulatedQueue(["a", "b", "c"], max_receive_count=3).run(handler, succeeded=shop.succeeded)
    with pytest.raises(AssertionError) as caught:
        delivery.assert_nothing_lost()
    message = str(caught.value)
    assert f"{name(2)}: in the dead-letter queue: LOST, it ended in the dead-letter queue" in message
    assert "no run of it is known" in message
    assert "the invocation failed with ValueError: no stock: all 3 messages become visible again" in message
    assert delivery.duplicated_work == 2


def test_running_on_past_a_fifo_failure_breaks_the_order():
    """On a FIFO queue, messages that run after a failure of their group break the order."""
    shop = Shop(b=1)
    handler = reporting(shop, "batchItemFailures", "itemIdentifier")
    delivery = SimulatedQueue(["a", "b", "c"], fifo=True).run(handler, succeeded=shop.succeeded)
    delivery.assert_nothing_lost()
    with pytest.raises(AssertionError) as caught:
        delivery.assert_in_order()
    message = str(caught.value)
    assert "1 of 3 records succeeded before an earlier record of their group was finished" in message
    assert f"{name(1)} (group group)" in message
    assert f"{name(2)} (group group)" in message
    assert "they become visible again, the other 2 are deleted from the queue" in message
