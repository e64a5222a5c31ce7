"""A model of a FIFO queue and its handler, driven through random courses of events."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from partialbatch import FullBatchFailure, batch_handler
from partialbatch.testing import LambdaContext, sqs_event
from partialbatch.testing._verdict import Outcome, judge

LIMIT = 3
GROUPS = "abc"
POISON = 9


@dataclass
class Message:
    number: int
    group: str
    receives: int = 0
    place: str = "queue"
    runs: int = 0
    failures: int = 0

    @property
    def raw(self):
        event = sqs_event(
            [str(self.number)], fifo=True, groups=self.group, receive_counts=self.receives, start=self.number
        )
        return event["Records"][0]


class QueueAndHandler(RuleBasedStateMachine):
    """A queue to which messages are sent and from which batches of any groups are received; some messages fail."""

    @initialize(policy=st.sampled_from(("derive", "stop", "skip_group")), concurrency=st.sampled_from((1, 2)))
    def start(self, policy, concurrency):
        self.messages, self.done = [], []
        self.handler = batch_handler(
            self.work, error_policy=policy, max_concurrency=concurrency, max_receive_count=LIMIT
        )
        logging.disable(logging.CRITICAL)

    def teardown(self):
        logging.disable(logging.NOTSET)

    def work(self, body: str):
        number = int(body)
        message = self.messages[number]
        message.runs += 1
        if message.runs <= message.failures:
            raise ValueError("not yet")
        self.done.append(number)

    @rule(sent=st.lists(st.tuples(st.sampled_from(GROUPS), st.sampled_from((0, 1, 2, POISON))), min_size=1, max_size=4))
    def send(self, sent):
        for group, failures in sent:
            self.messages.append(Message(len(self.messages), group, failures=failures))

    def receive(self, order, size):
        """Take messages group by group; one received too often goes to the dead-letter queue instead."""
        batch = []
        for group in order:
            for message in [one for one in self.messages if one.group == group and one.place == "queue"]:
                if len(batch) == size:
                    return batch
                message.receives += 1
                if message.receives > LIMIT:
                    message.place = "dead_lettered"
                else:
                    batch.append(message)
        return batch

    @rule(order=st.permutations(GROUPS), size=st.integers(1, 6))
    def deliver(self, order, size):
        batch = self.receive(order, size)
        if not batch:
            return
        event = {"Records": [message.raw for message in batch]}
        try:
            outcome = Outcome.returned(self.handler(event, LambdaContext()))
        except FullBatchFailure as error:
            outcome = Outcome.raised(error)
        returned = {batch[position].number for position in judge(event, outcome).returned}
        for message in batch:
            if message.number not in returned:
                message.place = "deleted"

    @rule()
    def drain(self):
        """A bounded number of deliveries empties the queue: all but poison gets through."""
        for _ in range((LIMIT + 1) * (len(self.messages) + 1)):
            self.deliver(GROUPS, 6)
        for message in self.messages:
            assert message.place == "deleted" or (message.place == "dead_lettered" and message.failures)

    @invariant()
    def nothing_is_deleted_that_did_not_succeed(self):
        for message in self.messages:
            assert (message.place == "deleted") == (message.number in self.done)

    @invariant()
    def nothing_succeeds_twice(self):
        assert len(self.done) == len(set(self.done))

    @invariant()
    def groups_stay_in_order(self):
        for group in GROUPS:
            own = [number for number in self.done if self.messages[number].group == group]
            assert own == sorted(own)

    @invariant()
    def nothing_is_dead_lettered_unrun(self):
        for message in self.messages:
            assert message.place != "dead_lettered" or message.runs


TestQueueAndHandler = QueueAndHandler.TestCase
TestQueueAndHandler.settings = settings(stateful_step_count=30)
