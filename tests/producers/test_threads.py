"""Producers used from several threads, and with workers."""

from __future__ import annotations

import threading
import time

import pytest
from scripted import Scripted

from partialbatch import Backoff
from partialbatch.errors import ClosedError
from partialbatch.producers import SQSProducer


class Gated(Scripted):
    """A service whose calls wait until they are let through."""

    def __init__(self, script=()):
        super().__init__(script)
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def send_message_batch(self, **call):
        self.begun.release()
        assert self.gate.acquire(timeout=10)
        return super().send_message_batch(**call)


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    return thread


def until_one_waits(sender):
    """Return once a thread waits for the call of another one."""
    ends = time.monotonic() + 20
    while not sender._waiting:
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_flush_waits_for_the_call_of_another_thread():
    """A flush also waits for another thread's call, and retries its failed records."""
    client = Gated(["t"])
    producer = SQSProducer("q", client=client, max_entries=1, sleep=lambda _: None)
    other = in_thread(producer.put, {"n": 0})
    assert client.begun.acquire(timeout=10)
    back = []
    flushing = in_thread(lambda: back.append(producer.flush()))
    until_one_waits(producer._sender)
    assert back == []
    for _ in range(3):
        client.gate.release()
    flushing.join(10)
    other.join(10)
    assert back == [[]]
    assert client.accepted == [0]


def test_put_waits_for_room_that_another_thread_makes():
    """If all records are in flight in another thread, a put waits, and then continues."""
    client = Gated()
    producer = SQSProducer("q", client=client, max_entries=1, max_pending=1)
    first = in_thread(producer.put, {"n": 0})
    assert client.begun.acquire(timeout=10)
    second = in_thread(producer.put, {"n": 1})
    until_one_waits(producer._sender)
    assert len(client.calls) == 0
    client.gate.release()
    client.gate.release()
    first.join(10)
    second.join(10)
    assert producer.flush() == []
    assert client.accepted == [0, 1]


def test_a_flush_with_a_time_limit_waits_for_calls_in_flight_only():
    """At the deadline, queued records come back, and calls in flight are waited for."""
    client = Gated()
    producer = SQSProducer("q", client=client, max_entries=1, max_pending=4, workers=1)
    for number in range(3):
        producer.put({"n": number})
    assert client.begun.acquire(timeout=10)
    threading.Timer(0.2, client.gate.release).start()
    back = producer.flush(0.05)
    assert client.accepted == [0]
    assert sorted(entry.record["n"] for entry in back) == [1, 2]
    assert {entry.reason for entry in back} == {"deadline"}


def test_workers_send_in_parallel():
    """Three workers have three calls in flight, and no more records are held than max_pending."""
    client = Gated()
    producer = SQSProducer("q", client=client, max_entries=1, max_pending=6, workers=3)
    for number in range(5):
        producer.put({"n": number})
    for _ in range(3):
        assert client.begun.acquire(timeout=10)
    assert not client.begun.acquire(timeout=0.05)
    for _ in range(5):
        client.gate.release()
    assert producer.flush() == []
    assert sorted(client.accepted) == list(range(5))


def test_batch_ordering_makes_one_call_at_a_time():
    """The messages of a group may be in two calls, so the second call waits for the first."""
    client = Gated()
    producer = SQSProducer("q.fifo", ordering="batch", client=client, max_entries=1, workers=3)
    for number in range(3):
        producer.put({"n": number}, message_group_id="only")
    assert client.begun.acquire(timeout=10)
    assert not client.begun.acquire(timeout=0.1)
    for _ in range(3):
        client.gate.release()
    assert producer.flush() == []
    assert client.accepted == [0, 1, 2]


def test_workers_end_with_the_flush():
    """No thread is left, even if one was waiting for its next attempt."""
    client = Scripted(["throttle"] * 50)
    producer = SQSProducer("q", client=client, workers=2, random=lambda: 1.0, backoff=Backoff(30, 60, 99))
    for number in range(10):
        producer.put({"n": number})
    while producer.stats.waits < 2:  # both sleep for 30 s
        time.sleep(0.001)
    back = producer.flush(0.1)
    assert len(back) == 10
    ends = time.monotonic() + 5
    while any(thread.name == "partialbatch" for thread in threading.enumerate()):
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_leaving_an_interrupted_body_waits_for_calls_in_flight():
    """Records in flight may be accepted, the others are unsent, and a waiting put raises ClosedError."""
    client = Gated()
    producer = SQSProducer("q", client=client, max_entries=1, max_pending=2, workers=1)
    errors = []

    def late():
        try:
            producer.put({"n": 2})
        except ClosedError as error:
            errors.append(error)

    with pytest.raises(ZeroDivisionError), producer:  # noqa: PT012 - the block is what is tested
        producer.put({"n": 0})
        producer.put({"n": 1})
        assert client.begun.acquire(timeout=10)
        waiting = in_thread(late)
        until_one_waits(producer._sender)
        threading.Timer(0.1, client.gate.release).start()
        raise ZeroDivisionError
    waiting.join(10)
    assert client.accepted == [0]
    assert [entry.record["n"] for entry in producer.unsent] == [1]
    assert len(errors) == 1


def test_a_waiting_worker_sends_nothing_after_the_close():
    """Closing ends the waits, and the records of a waiting worker aren't sent."""
    client = Scripted(["throttle"])
    session = SQSProducer("q", client=client, workers=1, random=lambda: 1.0, backoff=Backoff(30, 60, 99)).open()
    for number in range(10):
        session.put({"n": number})
    while session.stats.waits < 1:
        time.sleep(0.001)
    session.close()
    ends = time.monotonic() + 5
    while any(thread.name == "partialbatch" for thread in threading.enumerate()):
        assert time.monotonic() < ends
        time.sleep(0.005)
    assert len(client.calls) == 1


def test_a_flush_ends_when_another_thread_closes():
    """The call in flight is settled, nothing more is sent, and the flush raises ClosedError."""
    client = Gated()
    session = SQSProducer("q", client=client, max_entries=1, workers=1).open()
    errors = []

    def flush():
        try:
            session.flush()
        except ClosedError as error:
            errors.append(error)

    session.put({"n": 0})
    session.put({"n": 1})
    assert client.begun.acquire(timeout=10)
    flushing = in_thread(flush)
    until_one_waits(session._sender)
    closing = in_thread(session.close)
    while not session._sender._closed:
        time.sleep(0.001)
    client.gate.release()
    flushing.join(10)
    closing.join(10)
    assert not flushing.is_alive()
    assert len(errors) == 1
    assert client.accepted == [0]


def test_the_default_sleep_is_real():
    """Without sleep=, the producer really waits."""
    client = Scripted(["t"])
    producer = SQSProducer("q", client=client, random=lambda: 1.0, backoff=Backoff(0.05, 0.05, 9))
    producer.put({"n": 0})
    started = time.monotonic()
    assert producer.flush() == []
    assert time.monotonic() - started >= 0.05
