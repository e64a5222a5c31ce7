"""How a record's story ends when it is given up."""

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
def test_what_is_given_up_meets_the_fate_of_its_runs(statuses, fate):
    """Whatever succeeded, or was taken by the handler's own dead letter, is done with; the rest ran or did not."""
    tracked = TrackedRecord("{}", "id", None, runs=[Run(number, 0, status) for number, status in enumerate(statuses)])
    tracked.give_up()
    assert tracked.fate == fate
    story = tracked.history()
    assert story.settled == (fate == "deleted")
    assert story.ran == bool({"succeeded", "failed", "dead_lettered"} & set(statuses))
