"""What hooks note of batches, nested ones too."""

from __future__ import annotations

from partialbatch.hooks._batches import Batches


def test_notes_are_those_of_the_innermost_batch():
    """Each batch has notes of its own, and those of the one around it are back when it has ended."""
    batches = Batches("test")
    batches.begin(3)
    batches.note("outer")
    batches.begin(2)
    assert batches.current is None
    batches.note("inner")
    assert batches.current == "inner"
    assert batches.end(0) is None
    assert batches.end(2) == "inner"
    assert batches.current == "outer"
    assert batches.end(3) == "outer"


def test_outside_of_a_batch_nothing_is_noted():
    """A note without a batch is dropped, and an end without one ends nothing."""
    batches = Batches("test")
    batches.note("nowhere")
    assert batches.current is None
    assert batches.end(1) is None
