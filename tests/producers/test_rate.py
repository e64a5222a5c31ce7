"""The adaptive rate limit, against a service with a fixed rate and on a simulated clock."""

from __future__ import annotations

from random import Random

import pytest
from scripted import Clock

from partialbatch import Backoff
from partialbatch.producers import DynamoDBProducer, KinesisProducer
from partialbatch.producers._rate import RateLimiter


class Limited:
    """A stream that accepts `rate` records a second, and a burst of one second."""

    def __init__(self, clock, rate, latency=0.02):
        self.clock = clock
        self.rate = rate
        self.latency = latency
        self.tokens = rate
        self.at = clock.now
        self.offered = self.accepted = 0

    def take(self, count):
        self.clock.now += self.latency
        self.tokens = min(self.rate, self.tokens + self.rate * (self.clock.now - self.at))
        self.at = self.clock.now
        taken = min(count, int(self.tokens))
        self.tokens -= taken
        self.offered += count
        self.accepted += taken
        return taken

    def put_records(self, StreamName, Records):
        taken = self.take(len(Records))
        lost = {"ErrorCode": "ProvisionedThroughputExceededException"}
        return {"Records": [{}] * taken + [lost] * (len(Records) - taken)}

    def batch_write_item(self, RequestItems):
        ((table, requests),) = RequestItems.items()
        taken = self.take(4 * len(requests)) // 4
        return {"UnprocessedItems": {table: requests[taken:]} if taken < len(requests) else {}}


def timing(clock):
    return {"clock": clock, "sleep": clock.sleep, "random": Random(1).random}


def test_a_throttled_producer_slows_to_the_rate_of_the_service():
    """Most records are accepted at the first attempt, near the rate that the service accepts."""
    clock = Clock()
    stream = Limited(clock, 1_000)
    producer = KinesisProducer("s", client=stream, **timing(clock))
    started, rates = clock.now, []
    for number in range(60_000):
        producer.put(b"x", partition_key="k")
        if number % 1_000 == 0:
            rates.append(producer.stats.rate)
    assert producer.flush() == []
    elapsed = clock.now - started
    assert stream.accepted == 60_000
    assert stream.accepted / elapsed > 0.8 * stream.rate
    assert (stream.offered - stream.accepted) / stream.offered < 0.2
    assert producer.stats.paced > 50
    settled = [rate for rate in rates[20:] if rate is not None]
    assert settled
    assert all(500 < rate < 2_100 for rate in settled)


def test_the_limit_ends_once_the_service_accepts_more():
    """Calls without failures raise the rate until there is no limit any more."""
    clock = Clock()
    stream = Limited(clock, 500)
    producer = KinesisProducer("s", client=stream, max_entries=100, **timing(clock))
    for _ in range(10_000):
        producer.put(b"x", partition_key="k")
    assert producer.stats.rate is not None
    stream.rate = stream.tokens = 1e9
    for _ in range(20_000):
        producer.put(b"x", partition_key="k")
    assert producer.stats.rate is None
    paced = producer.stats.paced
    for _ in range(5_000):
        producer.put(b"x", partition_key="k")
    assert producer.flush() == []
    assert producer.stats.paced == paced


def test_the_rate_of_dynamodb_is_in_capacity_units():
    """An item of four KiB counts as four units."""
    clock = Clock()
    table = Limited(clock, 400)
    producer = DynamoDBProducer("t", keys="n", client=table, **timing(clock))
    for number in range(4_000):
        producer.put({"n": number, "x": "a" * 3_500})
    assert producer.flush() == []
    assert producer.stats.rate is None or 150 < producer.stats.rate < 900
    assert producer.stats.paced


def test_without_throttling_there_is_no_limit():
    """A producer never waits for a service that accepts every record."""
    clock = Clock()
    producer = KinesisProducer("s", client=Limited(clock, 1e9), **timing(clock))
    for _ in range(5_000):
        producer.put(b"x", partition_key="k")
    assert producer.flush() == []
    assert clock.sleeps == []


def test_a_wait_for_the_rate_never_passes_the_deadline():
    """The rate limit spares the service, but never costs a record its last attempt."""
    clock = Clock()
    stream = Limited(clock, 100)
    producer = KinesisProducer("s", client=stream, max_entries=50, **timing(clock))
    for _ in range(1_000):
        producer.put(b"x", partition_key="k")
    assert producer.stats.paced
    started = clock.now
    producer.put(b"x", partition_key="k")
    producer.flush(0.05)
    assert clock.now - started <= 0.05 + stream.latency


def test_the_rate_never_falls_below_one_full_call_in_the_longest_wait():
    """A service that accepts next to nothing still gets a call after `cap` seconds."""
    limiter = RateLimiter(0.0, floor=5.0)
    for second in range(1, 20):
        limiter.observe(float(second), 0.1, throttled=True)
    assert limiter.rate == 5.0
    limiter.observe(19.1, 0, throttled=True)
    assert limiter.rate == 5.0


def test_a_quick_second_throttling_cuts_the_rate_a_little():
    """Half a second is too short to measure a rate, so the rate falls by a tenth."""
    limiter = RateLimiter(0.0, floor=1.0)
    limiter.observe(1.0, 100, throttled=True)
    assert limiter.rate == 100
    assert limiter.seconds_to_wait(0.25) == pytest.approx(0.75)
    limiter.observe(1.1, 0, throttled=True)
    assert limiter.rate == 90
    limiter.observe(2.0, 0, throttled=True)
    assert limiter.rate == 81


def test_idle_time_does_not_lower_the_rate():
    """An hour without a call isn't part of the time over which the rate is measured."""
    limiter = RateLimiter(0.0, floor=0.5)
    limiter.observe(1.0, 100, throttled=False)
    limiter.observe(3_601.0, 100, throttled=True)
    assert limiter.rate == pytest.approx(200 / 1.0)


def test_a_call_that_failed_for_another_reason_leaves_the_rate():
    """The rate neither falls nor grows if most records were accepted, or failed without throttling."""
    limiter = RateLimiter(0.0, floor=1.0)
    limiter.observe(1.0, 100, throttled=True)
    limiter.observe(9.0, 50, throttled=False, recovers=False)
    assert limiter.rate == 100
    limiter.observe(10.0, 50, throttled=False)
    assert limiter.rate > 100


def test_the_lowest_rate_follows_the_longest_wait():
    """A service that accepts one record a second gets a call at least once in `cap` seconds."""
    clock = Clock()
    stream = Limited(clock, 1)
    producer = KinesisProducer("s", client=stream, max_entries=10, backoff=Backoff(0.1, 2.0, 1_000), **timing(clock))
    for _ in range(40):
        producer.put(b"x", partition_key="k")
    assert producer.flush() == []
    assert 5.0 <= producer.stats.rate < 10.0
    assert max(clock.sleeps) <= 2.0 + 0.02


def test_a_sleep_that_ends_early_is_not_repeated():
    """There is one wait for each call, even if sleeping doesn't move the clock."""
    clock = Clock()
    stream = Limited(clock, 100, latency=0.6)
    pauses = []
    producer = KinesisProducer(
        "s", client=stream, max_entries=200, clock=clock, sleep=pauses.append, random=lambda: 0.0
    )
    for _ in range(600):
        producer.put(b"x", partition_key="k")
    stream.rate = stream.tokens = 1e9
    for _ in range(2_000):
        producer.put(b"x", partition_key="k")
    assert producer.flush() == []
    assert producer.stats.paced == len(pauses) > 0
