"""The state that hooks keep for batches, also for nested ones."""

from __future__ import annotations

from partialbatch.hooks._batch_stack import BatchStack


def test_state_is_that_of_the_innermost_batch():
    """Each batch has its own state, and the state of the outer batch is current again after the inner one."""
    batches = BatchStack("test")
    batches.begin(3)
    batches.keep("outer")
    batches.begin(2)
    assert batches.current is None
    batches.keep("inner")
    assert batches.current == "inner"
    assert batches.end(0) is None
    assert batches.end(2) == "inner"
    assert batches.current == "outer"
    assert batches.end(3) == "outer"


def test_state_kept_outside_of_a_batch_is_dropped():
    """State without a batch is dropped, and an end without a start ends nothing."""
    batches = BatchStack("test")
    batches.keep("nowhere")
    assert batches.current is None
    assert batches.end(1) is None
