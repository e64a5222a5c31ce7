"""Invariants that hold for every service, every script of failures and every number of workers."""

from __future__ import annotations

import json
import math
from collections import Counter
from random import Random

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, NoCredentialsError
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import CASES, Clock, Scripted, client_error

from partialbatch import Backoff
from partialbatch.errors import ClosedError, DeliveryError
from partialbatch.producers import SQSProducer

WORKERS = st.sampled_from([0, 0, 1, 3])


def scripts(letters: str, whole=("ok", "throttle", "timeout", "broken")):
    one = st.one_of(st.sampled_from(whole), st.text(letters, min_size=1, max_size=7))
    return st.lists(one, max_size=12)


def options(client, workers=0, **more):
    clock = client.clock
    timing = {} if clock is None else {"clock": clock, "sleep": clock.sleep}
    if workers and clock is not None:
        timing = {"sleep": lambda seconds: None}
    return (
        {"client": client, "random": Random(7).random, "workers": workers, "backoff": Backoff(0.1, 2.0, 5)}
        | timing
        | more
    )


def records(count, pad=0):
    return [{"n": n, "pad": "x" * (pad * n % 50)} for n in range(count)]


@pytest.mark.parametrize("case", CASES, ids=repr)
@given(data=st.data())
def test_every_record_is_accepted_or_handed_back_once(case, data):
    """Every record is accepted or returned, exactly once, in calls within the limits, and none is sent again."""
    client = Scripted(data.draw(scripts(case.letters)), data.draw(st.sets(st.integers(0, 60), max_size=3)), Clock())
    workers = data.draw(WORKERS)
    entries = data.draw(st.integers(1, min(case.entries, 12)))
    most = data.draw(st.sampled_from([None, 150, 400]))
    given_records = records(data.draw(st.integers(0, 60)), pad=3)
    before = json.dumps(given_records)
    producer = case.make(**options(client, workers, max_entries=entries, max_bytes=most))
    back = []
    with producer:
        for record in given_records:
            case.put(producer, record)
            if data.draw(st.booleans()) and record["n"] % 13 == 0:
                back += producer.flush()
        back += producer.flush()
        calls = len(client.calls)
        assert producer.flush() == []
        assert len(client.calls) == calls
    assert json.dumps(given_records) == before
    assert all(entry.record is given_records[entry.record["n"]] for entry in back)
    returned = [entry.record["n"] for entry in back]
    assert not [n for n, times in Counter(client.accepted).items() if times > 1]
    assert sorted(client.accepted + returned) == list(range(len(given_records)))
    assert Counter(entry.record["n"] for entry in back if entry.reason == "rejected") == Counter(
        client.rejected
        + [n for n in client.poison if n in returned and n not in client.rejected and _poisoned(back, n)]
    )
    for call in client.calls:
        assert 0 < len(call) <= entries
        assert sum(map(case.size, call)) <= (most or math.inf)
        ids = [entry["Id"] for entry in call if "Id" in entry]
        assert len(set(ids)) == len(ids)
    assert producer.stats.records == len(client.accepted)
    assert producer.stats.calls == len(client.calls)
    assert producer.stats.unprocessed == len(back)
    assert producer.stats.retries == len(client.sent) - len(set(client.sent))


def _poisoned(back, n):
    return next(entry for entry in back if entry.record["n"] == n).reason == "rejected"


@given(script=scripts(".tiru", ("ok", "throttle", "broken")), seed=st.integers(0, 9))
def test_waits_stay_below_the_level(script, seed):
    """Each wait lies in [0, min(cap, base * 2**level)], and a round without throttling is followed by none.

    The level rises after a round in which fewer than half were accepted, and falls after a clean one only.
    """
    client = Scripted(script, clock=Clock())
    base, cap = 0.1, 1.0
    waits = []  # (calls made before it, seconds)
    client.clock.sleep = lambda seconds: waits.append((len(client.calls), seconds))
    producer = SQSProducer("q", **options(client, backoff=Backoff(base, cap, 50), random=Random(seed).random))
    for record in records(40):
        producer.put(record)
    assert {entry.record["n"] for entry in producer.flush()} <= set(client.rejected)
    level, allowed = 0, {}
    rounds = zip(client.throttled_rounds, client.accepted_rounds, client.calls, strict=True)
    for number, (throttled, accepted, call) in enumerate(rounds, start=1):
        allowed[number] = min(cap, base * 2**level) if throttled else 0
        if throttled:
            level += 2 * accepted < len(call)
        elif accepted == len(call):
            level = max(0, level - 1)
    assert all(0 < seconds <= allowed[made] for made, seconds in waits if allowed[made] or not producer.stats.paced)
    assert producer.stats.waits + producer.stats.paced == len(waits)
    assert producer.stats.waited <= sum(seconds for _, seconds in waits) + 1e-9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("letter", ["t", "i"])
def test_a_steady_fifth_of_failures_costs_short_waits(letter, seed):
    """If a service accepts most of each call, no wait is longer than `base`, and there are few waits for the rate."""
    random = Random(seed)
    script = ["".join(letter if random.random() < 0.2 else "." for _ in range(10)) for _ in range(2_000)]
    client = Scripted(script, clock=Clock())
    producer = SQSProducer("q", client=client, clock=client.clock, sleep=client.clock.sleep, random=random.random)
    started = client.clock.now
    for record in records(10_000):
        producer.put(record)
    assert producer.flush() == []
    assert client.clock.now - started < 90


@pytest.mark.parametrize("decision", ["timeout", "broken", "iiii.", "uuuu."])
def test_only_throttling_starts_a_rate_limit(decision):
    """Timeouts, 5xx and unmentioned records are followed by a wait, but not by a rate limit."""
    client = Scripted([decision] * 30, clock=Clock(), latency=0.4)
    options_ = options(client, backoff=Backoff(0.1, 2.0, 100))
    producer = SQSProducer("q", **options_)
    for record in records(100):
        producer.put(record)
    assert producer.flush() == []
    assert producer.stats.waits
    assert (producer.stats.paced, producer.stats.rate) == (0, None)


def test_rejections_leave_the_wait_level():
    """Neither a rejection nor bisection changes the wait after the next throttling."""
    client = Scripted(["throttle", "throttle", "r" * 10, "throttle"], clock=Clock())
    producer = SQSProducer("q", **options(client, random=lambda: 1.0, backoff=Backoff(1.0, 60.0)))
    for record in records(20):
        producer.put(record)
    assert len(producer.flush()) == 10
    assert client.clock.sleeps[:3] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("whole", ["throttle", "timeout", "broken", "t", "i"])
@given(seconds=st.one_of(st.none(), st.floats(0, 30)), count=st.integers(1, 40))
@settings(max_examples=20)
def test_a_service_that_always_fails_is_given_up(whole, seconds, count):
    """The calls end within the bound, and the time within the deadline and one call."""
    client = Scripted([whole] * 1_000, clock=Clock(), latency=0.3)
    producer = SQSProducer("q", **options(client, max_pending=50, backoff=Backoff(0.5, 4, 6)))
    for record in records(count):
        producer.put(record)
    made, started = len(client.calls), client.clock.now
    back = producer.flush(seconds)
    assert len(back) == count
    assert len(client.calls) - made <= 6
    if seconds is not None:
        assert client.clock.now <= started + seconds + 0.3
    kind = "throttled" if whole in {"throttle", "t"} else "transient"
    assert {entry.reason for entry in back} <= {kind, "deadline"}
    assert all(entry.ambiguous == (whole in {"timeout", "broken"}) for entry in back if entry.attempts)


@pytest.mark.parametrize("case", [case for case in CASES if case.name != "cloudwatch"], ids=repr)
@given(data=st.data())
@settings(max_examples=20)
def test_invalid_records_cost_logarithmically_many_calls(case, data):
    """p invalid among n records take at most 2p * ceil(log2 n) + 1 calls, and all others are accepted."""
    size = min(case.entries, 64)
    count = data.draw(st.integers(1, size))
    poison = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=4))
    client = Scripted(poison=poison)
    producer = case.make(**options(client, max_entries=size))
    for record in records(count):
        case.put(producer, record)
    back = producer.flush()
    assert {entry.record["n"] for entry in back} == poison
    assert {entry.reason for entry in back} == {"rejected"}
    assert {entry.code for entry in back} == {"ValidationException"}
    assert sorted(client.accepted) == sorted(set(range(count)) - poison)
    assert len(client.calls) <= 2 * len(poison) * math.ceil(math.log2(count)) + 1


def test_a_throttled_half_is_not_mixed_with_fresh_records():
    """After throttling, the search for an invalid record continues with the same half."""
    client = Scripted(["ok", "throttle"], poison={3}, clock=Clock())
    producer = SQSProducer("q", **options(client))
    for record in records(15):
        producer.put(record)
    assert [entry.record["n"] for entry in producer.flush()] == [3]
    numbers = [[json.loads(entry["MessageBody"])["n"] for entry in call] for call in client.calls]
    assert numbers[:3] == [list(range(10)), list(range(5)), list(range(5))]


def test_the_other_half_of_a_refused_call_comes_back_as_throttled():
    """If the search for an invalid record is given up, the records that nobody has found invalid aren't rejected."""
    client = Scripted(["ok", "throttle", "throttle"], poison={3}, clock=Clock())
    producer = SQSProducer("q", **options(client, backoff=Backoff(0.1, 2.0, 2)))
    for record in records(4):
        producer.put(record)
    back = producer.flush()
    assert [(entry.record["n"], entry.reason, entry.attempts) for entry in back] == [
        (0, "throttled", 3),
        (1, "throttled", 3),
        (2, "throttled", 1),
        (3, "throttled", 1),
    ]


@pytest.mark.parametrize("case", [case for case in CASES if case.name != "cloudwatch"], ids=repr)
@given(data=st.data())
def test_calls_are_as_full_as_they_can_be(case, data):
    """Two calls of fresh records in a row could not have been one."""
    client = Scripted()
    most = data.draw(st.sampled_from([None, 150, 300]))
    entries = data.draw(st.integers(2, 10))
    producer = case.make(**options(client, max_entries=entries, max_bytes=most))
    for record in records(data.draw(st.integers(0, 40)), pad=7):
        case.put(producer, record)
    assert producer.flush() == []
    for first, second in zip(client.calls, client.calls[1:], strict=False):
        both = first + second
        assert len(both) > entries or sum(map(case.size, both)) > (most or math.inf)


@pytest.mark.parametrize("case", CASES, ids=repr)
@given(data=st.data())
@settings(max_examples=20)
def test_calls_are_filled_to_the_byte(case, data):
    """Records that fill the limit exactly go in one call; with a limit of one byte less, the last of them waits."""
    count = data.draw(st.integers(2, min(case.entries, 10)))
    client = Scripted()
    _put_all(case, case.make(**options(client)), count)
    most = sum(map(case.size, client.calls[0]))
    for limit, sizes in ((most, [count]), (most - 1, [count - 1, 1])):
        client = Scripted()
        _put_all(case, case.make(**options(client, max_bytes=limit)), count)
        assert [len(call) for call in client.calls] == sizes


def _put_all(case, producer, count):
    for record in records(count, pad=3):
        case.put(producer, record)
    assert producer.flush() == []


def test_retries_are_filled_up_with_fresh_records():
    """Retried records go first, in a full call."""
    client = Scripted([".t"], clock=Clock())
    producer = SQSProducer("q", **options(client))
    for record in records(15):
        producer.put(record)
    assert producer.flush() == []
    numbers = [[json.loads(entry["MessageBody"])["n"] for entry in call] for call in client.calls]
    assert numbers == [list(range(10)), [1, 3, 5, 7, 9, 10, 11, 12, 13, 14]]
    assert producer.stats.retries == 5


@pytest.mark.parametrize("case", CASES, ids=repr)
@given(data=st.data())
@settings(max_examples=25)
def test_no_more_records_are_held_than_max_pending(case, data):
    """The records that are queued and in flight never exceed max_pending."""
    client = Scripted(data.draw(scripts(case.letters)), clock=Clock())
    pending = data.draw(st.integers(3, 8))
    producer = case.make(**options(client, data.draw(WORKERS), max_entries=3, max_pending=pending))
    for record in records(30):
        case.put(producer, record)
        assert producer._sender._buffer.held <= pending
    producer.flush()


@given(script=scripts(".tiru", ("ok", "throttle")), seed=st.integers(0, 5))
def test_the_same_seed_clock_and_script_make_the_same_calls(script, seed):
    """A run depends only on its inputs."""
    runs = []
    for _ in range(2):
        client = Scripted(script, clock=Clock())
        producer = SQSProducer("q.fifo", **options(client, random=Random(seed).random))
        for record in records(25):
            producer.put(record, message_group_id=str(record["n"] % 4))
        producer.flush()
        runs.append((client.calls, client.clock.sleeps))
    assert runs[0] == runs[1]


@given(data=st.data(), workers=WORKERS, hold=st.booleans())
def test_fifo_keeps_the_order_of_each_group(data, workers, hold):
    """The accepted messages of a group are in the order of the puts, and deduplication ids stay the same."""
    client = Scripted(data.draw(scripts(".tiru")), data.draw(st.sets(st.integers(0, 40), max_size=2)), Clock())
    producer = SQSProducer(
        "q.fifo", on_rejected_group="hold" if hold else "send", **options(client, workers, max_entries=4)
    )
    groups = data.draw(st.integers(1, 5))
    given_records = records(40)
    for record in given_records:
        producer.put(record, message_group_id=str(record["n"] % groups))
    back = producer.flush()
    returned = [entry.record["n"] for entry in back]
    assert sorted(client.accepted + returned) == list(range(40))
    tokens: dict[int, set[str]] = {}
    for call in client.calls:
        assert len({entry["MessageGroupId"] for entry in call}) == len(call)
        for entry in call:
            tokens.setdefault(json.loads(entry["MessageBody"])["n"], set()).add(entry["MessageDeduplicationId"])
    assert all(len(seen) == 1 for seen in tokens.values())
    assert len(set.union(*tokens.values())) == len(tokens)
    for group in range(groups):
        mine = [n for n in client.accepted if n % groups == group]
        assert mine == sorted(mine)
        rejected = [
            entry.record["n"] for entry in back if entry.reason == "rejected" and entry.record["n"] % groups == group
        ]
        if hold and rejected:
            assert not [n for n in mine if n > min(rejected)]


@given(data=st.data(), workers=WORKERS)
def test_an_interrupted_body_keeps_its_records_in_unsent(data, workers):
    """If the body raised, nothing more is sent, and all other records are in `unsent`."""
    client = Scripted(data.draw(scripts(".tiru")), clock=Clock())
    given_records = records(data.draw(st.integers(0, 35)))
    producer = SQSProducer("q", **options(client, workers))
    with pytest.raises(ZeroDivisionError), producer:  # noqa: PT012 - the block is what is tested
        for record in given_records:
            producer.put(record)
        raise ZeroDivisionError
    calls = len(client.calls)
    assert sorted(client.accepted + [entry.record["n"] for entry in producer.unsent]) == list(range(len(given_records)))
    assert {entry.reason for entry in producer.unsent} <= {"unsent"}
    with pytest.raises(ClosedError, match="SQSProducer is closed"):
        producer.put("late")
    with pytest.raises(ClosedError):
        producer.flush()
    assert len(client.calls) == calls


def test_a_second_close_does_nothing():
    """A close() in the body, followed by the end of the body, raises nothing."""
    client = Scripted()
    with SQSProducer("q", **options(client)) as producer:
        producer.put({"n": 0})
        producer.close()
    assert client.accepted == [0]
    with pytest.raises(ClosedError):
        producer.put({"n": 1})


def test_unsent_stays_when_the_producer_is_closed_again():
    """A close() after an interrupted body raises, and leaves `unsent` as it is."""
    producer = SQSProducer("q", **options(Scripted()))
    record = {"n": 0}
    with pytest.raises(ZeroDivisionError), producer:  # noqa: PT012 - the block is what is tested
        producer.put(record)
        raise ZeroDivisionError
    with pytest.raises(ClosedError):
        producer.close()
    assert [entry.record for entry in producer.unsent] == [record]


@given(at=st.integers(0, 4), during=st.sampled_from(["put", "flush"]), workers=st.sampled_from([0, 2]))
@settings(max_examples=20)
def test_an_interrupted_call_loses_no_record(at, during, workers):
    """KeyboardInterrupt and the like reach the caller, and the records are in `unsent`."""
    client = Scripted(clock=Clock())
    inner, client.made = client.send_message_batch, 0

    def send(**call):
        client.made += 1
        if client.made == at + 1:
            raise KeyboardInterrupt
        return inner(**call)

    client.send_message_batch = send
    producer = SQSProducer("q", **options(client, workers))
    put = []
    with pytest.raises(KeyboardInterrupt), producer:  # noqa: PT012 - the block is what is tested
        for record in records(45):
            put.append(record["n"])
            producer.put(record)
    unsent = producer.unsent
    assert sorted(client.accepted + [entry.record["n"] for entry in unsent]) == put
    interrupted = [entry for entry in unsent if entry.attempts]
    if not workers:  # another worker may have sent them meanwhile
        assert 0 < len(interrupted) <= 10
    assert all(entry.ambiguous for entry in interrupted)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_progress_reaches_the_caller_and_loses_no_record(workers):
    """An exception from `progress` reaches the caller, and the records are accounted for."""
    client = Scripted()

    def progress(stats):
        raise ZeroDivisionError

    producer = SQSProducer("q", **options(client, workers, progress=progress))
    with pytest.raises(ZeroDivisionError), producer:  # noqa: PT012 - the block is what is tested
        for record in records(25):
            producer.put(record)
    assert sorted(client.accepted + [entry.record["n"] for entry in producer.unsent]) == sorted(
        {*client.accepted, *(entry.record["n"] for entry in producer.unsent)}
    )
    assert len(client.accepted) + len(producer.unsent) >= 10


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fatal_error_stops_all_calls_until_the_next_flush(workers):
    """After a fatal error no further call is made before `flush`; after it, sending starts again."""
    client = Scripted(["fatal"])
    producer = SQSProducer("q", **options(client, workers))
    given_records = records(60)
    for record in given_records[:25]:
        producer.put(record)
    back = producer.flush()
    if not workers:
        assert len(client.calls) == 1
        assert len(back) == 25
    assert {entry.reason for entry in back} == {"fatal"}
    assert {entry.code for entry in back} == {"AccessDeniedException"}
    assert len(back) + len(client.accepted) == 25
    for record in given_records[25:]:
        producer.put(record)
    assert producer.flush() == []


def test_leaving_the_body_raises_for_records_that_no_flush_returned():
    """DeliveryError has the records in the order of the puts, and none that a flush has returned."""
    client = Scripted(["r.", "..r"])
    producer = SQSProducer("q", **options(client, max_entries=3))
    given_records = records(6)
    with pytest.raises(DeliveryError) as caught, producer:  # noqa: PT012 - the block is what is tested
        for record in given_records[:3]:
            producer.put(record)
        first = producer.flush()
        for record in given_records[3:]:
            producer.put(record)
    assert [entry.record for entry in first] == [given_records[0], given_records[2]]
    assert [entry.record for entry in caught.value.unprocessed] == [given_records[5]]
    assert caught.value.unprocessed[0].code == "InvalidMessageContents"


def test_seconds_left_are_asked_before_each_call_and_each_wait():
    """A time limit that is a callable ends the flush as soon as it returns 0."""
    client = Scripted(["t"] * 99, clock=Clock())
    left = iter([9.0, 9.0, 9.0, 9.0] + [0.0] * 9)
    producer = SQSProducer("q", **options(client, backoff=Backoff(0.1, 1.0, 50)))
    producer.put({"n": 0})
    back = producer.flush(lambda: next(left))
    assert [entry.reason for entry in back] == ["deadline"]
    assert back[0].code == "RequestThrottled"
    assert 1 <= back[0].attempts <= 2


def test_a_wait_is_not_lengthened_by_rounding():
    """(1e9 + 0.1) - 1e9 is more than 0.1; the wait isn't."""
    client = Scripted(["t"], clock=Clock(1e9))
    producer = SQSProducer("q", **options(client, random=lambda: 1.0))
    producer.put({"n": 0})
    assert producer.flush() == []
    assert client.clock.sleeps == [0.1]


@pytest.mark.parametrize(("script", "sent"), [(["r", "t", "t"], 5), (["t", "t", ".t", "t", "t"], 6)])
def test_only_calls_without_any_progress_are_stalls(script, sent):
    """A rejection is not a stall and ends no series of stalls; an accepted record ends it."""
    client = Scripted(script + ["t"] * 9, clock=Clock())
    producer = SQSProducer("q", **options(client, max_entries=2, backoff=Backoff(0.1, 1, 4)))
    for record in records(2 if script[0] == "t" else 3):
        producer.put(record)
    producer.flush()
    assert len(client.calls) == sent + (1 if script[0] == "t" else 0)


def test_a_held_group_continues_after_the_flush():
    """on_rejected_group='hold' holds a group back until the flush has returned its records."""
    client = Scripted(["r"])
    producer = SQSProducer("q.fifo", on_rejected_group="hold", **options(client))
    for record in records(2):
        producer.put(record, message_group_id="g")
    assert [entry.reason for entry in producer.flush()] == ["rejected", "unsent"]
    producer.put({"n": 2}, message_group_id="g")
    assert producer.flush() == []
    assert client.accepted == [2]


def test_a_group_is_held_behind_a_record_that_was_given_up():
    """With on_rejected_group='hold', no message overtakes one that is handed back because of throttling."""
    client = Scripted(["throttle"] * 3)
    producer = SQSProducer(
        "q.fifo",
        on_rejected_group="hold",
        **options(client, max_entries=1, max_pending=1, backoff=Backoff(0.1, 1, 3)),
    )
    for record in records(3):
        producer.put(record, message_group_id="g")
    assert [entry.reason for entry in producer.flush()] == ["throttled", "unsent", "unsent"]
    assert client.accepted == []


def test_a_time_limit_ends_with_its_flush():
    """Records that are put after flush(0) are sent as usual."""
    client = Scripted()
    producer = SQSProducer("q", **options(client))
    producer.put({"n": 0})
    assert [entry.reason for entry in producer.flush(0)] == ["deadline"]
    for number in range(1, 11):
        producer.put({"n": number})
    assert client.accepted == list(range(1, 11))


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        ({}, 5),
        (None, 5),
        ({"Failed": [{"Id": "99", "Code": "x"}]}, 5),
        ({"Failed": [{"Id": "0"}]}, 5),
        ({"Failed": [{"Id": "0", "SenderFault": True}]}, 1),
        ({"Successful": [{}], "Failed": [{}]}, 5),
        ({"Successful": [None]}, 5),
    ],
)
def test_malformed_responses_acknowledge_no_record(answer, attempts):
    """A response without the expected parts raises nothing and loses no record."""
    client = Scripted()
    client.send_message_batch = lambda **_: answer
    producer = SQSProducer("q", **options(client, sleep=lambda _: None))
    record = {"n": 0}
    producer.put(record)
    (entry,) = producer.flush()
    assert entry.record is record
    assert entry.attempts == attempts


def test_puts_continue_while_one_group_fills_the_buffer():
    """If one group fills the buffer, puts send its messages one by one, and continue."""
    client = Scripted()
    producer = SQSProducer("q.fifo", **options(client, max_entries=2, max_pending=4))
    for record in records(12):
        producer.put(record, message_group_id="only")
    assert producer.flush() == []
    assert client.accepted == list(range(12))
    assert all(len(call) == 1 for call in client.calls)


def test_batch_ordering_sends_a_group_together_one_call_at_a_time():
    """ordering='batch' fills calls with messages of one group, with workers as well."""
    client = Scripted()
    producer = SQSProducer("q.fifo", ordering="batch", **options(client, 3))
    for record in records(30):
        producer.put(record, message_group_id="only")
    assert producer.flush() == []
    assert client.accepted == list(range(30))
    assert [len(call) for call in client.calls] == [10, 10, 10]


@pytest.mark.parametrize(
    ("code", "status", "reason", "ambiguous"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", 400, "fatal", False),
        ("QueueDoesNotExist", 400, "fatal", False),
        ("KMSDisabledException", 400, "fatal", False),
        ("SomethingNew", 429, "throttled", False),
        ("SomethingNew", 400, "rejected", False),
        ("SomethingNew", 503, "transient", True),
        ("com.amazonaws.sqs#RequestThrottled", 400, "throttled", False),
        ("BatchRequestTooLong", 413, "rejected", False),
    ],
)
def test_an_error_code_is_recognized_with_any_prefix(code, status, reason, ambiguous):
    """Errors of whole calls are classified by code, or else by status."""
    client = Scripted()

    def fail(**_):
        raise client_error(code, status)

    client.send_message_batch = fail
    producer = SQSProducer("q", **options(client, sleep=lambda _: None))
    producer.put({"n": 0})
    (entry,) = producer.flush()
    assert (entry.reason, entry.code, entry.ambiguous) == (reason, code, ambiguous)


@pytest.mark.parametrize(
    ("error", "reason", "ambiguous"),
    [
        (NoCredentialsError(), "fatal", False),
        (EndpointConnectionError(endpoint_url="x"), "transient", False),
        (ConnectionClosedError(endpoint_url="x"), "transient", True),
        (OSError("gone"), "transient", True),
    ],
)
def test_errors_without_a_response_are_recognized_by_class_name(error, reason, ambiguous):
    """Missing credentials are fatal, and a request that was never sent isn't ambiguous."""
    client = Scripted()

    def fail(**_):
        raise error

    client.send_message_batch = fail
    producer = SQSProducer("q", **options(client, sleep=lambda _: None))
    producer.put({"n": 0})
    (entry,) = producer.flush()
    assert (entry.reason, entry.code, entry.ambiguous) == (reason, type(error).__name__, ambiguous)


class Unspeakable(Exception):
    def __str__(self):
        raise ZeroDivisionError


def odd(response):
    error = Exception("odd")
    error.response = response
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unspeakable(), "transient"),
        (odd({"Error": {"Code": 5}}), "rejected"),
        (odd({"Error": {"Code": "New"}, "ResponseMetadata": None}), "rejected"),
        (odd({"Error": {"Code": "New"}, "ResponseMetadata": {"HTTPStatusCode": None}}), "rejected"),
    ],
)
def test_an_unusual_client_error_loses_no_record(error, reason):
    """An error that botocore wouldn't raise is one more failed call, and the producer can be closed."""
    client = Scripted()

    def fail(**_):
        raise error

    client.send_message_batch = fail
    with SQSProducer("q", **options(client, sleep=lambda _: None)) as producer:
        producer.put({"n": 0})
        (entry,) = producer.flush()
    assert (entry.record, entry.reason) == ({"n": 0}, reason)


def test_a_record_that_was_never_sent_is_not_ambiguous():
    """Records that are given up behind an ambiguous one were not sent, so they aren't ambiguous."""
    client = Scripted(["timeout"] * 9)
    producer = SQSProducer("q.fifo", **options(client, sleep=lambda _: None))
    for record in records(3):
        producer.put(record, message_group_id="g")
    back = producer.flush()
    assert [(entry.attempts, entry.reason, entry.ambiguous) for entry in back] == [
        (5, "transient", True),
        (0, "transient", False),
        (0, "transient", False),
    ]


def test_a_record_that_may_have_been_written_stays_ambiguous():
    """A record stays ambiguous after a timeout, although a later attempt was throttled or rejected."""
    client = Scripted(["timeout", "t", "r"])
    producer = SQSProducer("q", **options(client, sleep=lambda _: None))
    producer.put({"n": 0})
    (entry,) = producer.flush()
    assert (entry.reason, entry.ambiguous, entry.attempts) == ("rejected", True, 3)
