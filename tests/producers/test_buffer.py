"""Buffers: batches filled to the limit, and at most one record of a key in flight."""

from __future__ import annotations

from partialbatch.producers._buffer import Buffer, KeyedBuffer
from partialbatch.producers._entry import Entry, Stats


def entries(*keys, size=1):
    return [Entry(seq, key, {}, None, size, key) for seq, key in enumerate(keys)]


def numbers(batch):
    return [entry.seq for entry in batch]


def test_a_batch_is_filled_to_the_byte():
    """If more is ready than a call holds, a batch takes exactly as much as fits."""
    buffer = Buffer(10, 10)
    for entry in entries(None, None, None, size=5):
        buffer.add(entry)
    assert numbers(buffer.take_batch()[0]) == [0, 1]
    assert numbers(buffer.take_batch()[0]) == [2]


def test_records_without_a_key_have_no_group():
    """None is not a group."""
    buffer = KeyedBuffer(10, 100, Stats(), "serialize", blocks=True)
    for entry in entries(None, None, "a", "a"):
        buffer.add(entry)
    batch, suspect = buffer.take_batch()
    assert numbers(batch) == [0, 1, 2]
    assert not suspect
    buffer.block(batch[:2])
    buffer.release(batch[:1])
    buffer.requeue(batch[1:2])
    buffer.release(batch[2:])
    assert numbers(buffer.take_batch()[0]) == [1, 3]
    assert buffer.held == 2


def test_a_blocked_group_takes_nothing_until_it_is_unblocked():
    """After a rejection, waiting and later records are handed back, in order."""
    buffer = KeyedBuffer(10, 100, Stats(), "serialize", blocks=True)
    one, two, three, four = entries("a", "a", "a", "a")
    buffer.add(one)
    buffer.add(two)
    batch, _ = buffer.take_batch()
    buffer.block(batch)
    buffer.release(batch)
    assert buffer.add(three) is False
    assert buffer.returned == [two, three]
    assert [entry.unprocessed().reason for entry in buffer.returned] == ["unsent", "unsent"]
    assert (buffer.held, buffer.has_batch()) == (0, False)
    buffer.unblock()
    buffer.add(four)
    assert numbers(buffer.take_batch()[0]) == [3]


def test_clear_leaves_records_in_flight():
    """clear() returns waiting records, also those behind one in flight, in the order of the puts."""
    buffer = KeyedBuffer(1, 100, Stats(), "serialize")
    for entry in entries("a", "b", "a", "b", "a"):
        buffer.add(entry)
    batch, _ = buffer.take_batch()
    assert numbers(buffer.clear()) == [1, 2, 3, 4]
    assert buffer.held == 1
    buffer.requeue(batch)
    assert numbers(buffer.take_batch()[0]) == [0]
    buffer.release(batch)
    assert (buffer.held, buffer.has_batch()) == (0, False)


def test_a_replacement_counts_with_its_own_bytes():
    """The newer operation takes the place of the older one, and its own size counts."""
    stats = Stats()
    buffer = KeyedBuffer(10, 100, stats, "last")
    old, other, new = [*entries("a", "b"), Entry(2, "new", {}, None, 50, "a")]
    buffer.add(old)
    buffer.add(other)
    buffer.add(new)
    assert (buffer.bytes, buffer.held, stats.superseded) == (51, 2, 1)
    assert [entry.record for entry in buffer.take_batch()[0]] == ["new", "b"]


def test_only_the_last_waiting_operation_is_kept():
    """Only one operation waits behind one in flight."""
    stats = Stats()
    buffer = KeyedBuffer(10, 100, stats, "last")
    one, two, three = entries("a", "a", "a")
    buffer.add(one)
    batch, _ = buffer.take_batch()
    buffer.add(two)
    buffer.add(three)
    assert (buffer.held, stats.superseded) == (2, 1)
    buffer.release(batch)
    assert numbers(buffer.take_batch()[0]) == [2]
