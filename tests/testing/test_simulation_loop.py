"""The fate of records that are given up."""

from __future__ import annotations

import pytest

from partialbatch.testing._history import Run
from partialbatch.testing._simulation_loop import TrackedRecord


@pytest.mark.parametrize(
    ("statuses", "fate"),
    [
        ([], "discarded_unrun"),
        (["skipped", "skipped"], "discarded_unrun"),
        (["skipped", "failed"], "expired"),
        (["unknown"], "expired"),
        (["succeeded", "failed"], "deleted"),
        (["resumed"], "deleted"),
        (["failed", "dead_lettered"], "deleted"),
    ],
)
def test_fate_of_a_given_up_record_follows_from_its_runs(statuses, fate):
    """A record that succeeded or that the handler's dead letter accepted counts as done; the others have run or not."""
    tracked = TrackedRecord("{}", "id", None, runs=[Run(number, 0, status) for number, status in enumerate(statuses)])
    tracked.give_up()
    assert tracked.fate == fate
    story = tracked.history()
    assert story.settled == (fate == "deleted")
    assert story.ran == bool({"succeeded", "failed", "dead_lettered"} & set(statuses))
