"""What waits to be sent: calls filled to the limit, and lanes with at most one record of a key on its way."""

from __future__ import annotations

from partialbatch.producers._buffer import Buffer, KeyedBuffer
from partialbatch.producers._entry import Entry, Stats


def entries(*keys, size=1):
    return [Entry(seq, key, {}, None, size, key) for seq, key in enumerate(keys)]


def numbers(batch):
    return [entry.seq for entry in batch]


def test_a_call_is_filled_to_the_byte():
    """Of more than a call holds, as after a throttled one, as much is taken as fits exactly."""
    buffer = Buffer(10, 10)
    for entry in entries(None, None, None, size=5):
        buffer.add(entry)
    assert numbers(buffer.take_batch()[0]) == [0, 1]
    assert numbers(buffer.take_batch()[0]) == [2]


def test_records_without_a_key_stand_alone():
    """None is no group."""
    lanes = KeyedBuffer(10, 100, Stats(), "serialize", blocks=True)
    for entry in entries(None, None, "a", "a"):
        lanes.add(entry)
    batch, suspect = lanes.take_batch()
    assert numbers(batch) == [0, 1, 2]
    assert not suspect
    lanes.block(batch[:2])
    lanes.release(batch[:1])
    lanes.requeue(batch[1:2])
    lanes.release(batch[2:])
    assert numbers(lanes.take_batch()[0]) == [1, 3]
    assert lanes.held == 2


def test_a_held_group_takes_nothing_until_it_is_forgotten():
    """After a rejection what waits and what comes later is given back, in order."""
    lanes = KeyedBuffer(10, 100, Stats(), "serialize", blocks=True)
    one, two, three, four = entries("a", "a", "a", "a")
    lanes.add(one)
    lanes.add(two)
    batch, _ = lanes.take_batch()
    lanes.block(batch)
    lanes.release(batch)
    assert lanes.add(three) is False
    assert lanes.returned == [two, three]
    assert [entry.unprocessed().reason for entry in lanes.returned] == ["unsent", "unsent"]
    assert (lanes.held, lanes.has_batch()) == (0, False)
    lanes.unblock()
    lanes.add(four)
    assert numbers(lanes.take_batch()[0]) == [3]


def test_giving_up_leaves_what_is_in_flight():
    """clear returns what waits, also behind a record in flight, in the order of the puts."""
    lanes = KeyedBuffer(1, 100, Stats(), "serialize")
    for entry in entries("a", "b", "a", "b", "a"):
        lanes.add(entry)
    batch, _ = lanes.take_batch()
    assert numbers(lanes.clear()) == [1, 2, 3, 4]
    assert lanes.held == 1
    lanes.requeue(batch)
    assert numbers(lanes.take_batch()[0]) == [0]
    lanes.release(batch)
    assert (lanes.held, lanes.has_batch()) == (0, False)


def test_a_replacement_counts_with_its_own_bytes():
    """The newer operation stands where the older one stood, and its size is what counts."""
    stats = Stats()
    lanes = KeyedBuffer(10, 100, stats, "last")
    old, other, new = [*entries("a", "b"), Entry(2, "new", {}, None, 50, "a")]
    lanes.add(old)
    lanes.add(other)
    lanes.add(new)
    assert (lanes.bytes, lanes.held, stats.superseded) == (51, 2, 1)
    assert [entry.record for entry in lanes.take_batch()[0]] == ["new", "b"]


def test_only_the_last_of_those_that_wait_is_kept():
    """Behind an operation in flight there is room for one."""
    stats = Stats()
    lanes = KeyedBuffer(10, 100, stats, "last")
    one, two, three = entries("a", "a", "a")
    lanes.add(one)
    batch, _ = lanes.take_batch()
    lanes.add(two)
    lanes.add(three)
    assert (lanes.held, stats.superseded) == (2, 1)
    lanes.release(batch)
    assert numbers(lanes.take_batch()[0]) == [2]
