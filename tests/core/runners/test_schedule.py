"""The schedule: which record may start next."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch._core.reasons import DEADLINE, ENDING, STOPPED
from partialbatch._core.runners.deadline import Deadline
from partialbatch._core.runners.schedule import Schedule, successors
from partialbatch.types import ErrorPolicy

POLICIES = [ErrorPolicy.CONTINUE, ErrorPolicy.STOP, ErrorPolicy.SKIP_GROUP]


def simulate(schedule, durations, failing, workers):
    """Run a schedule in virtual time; return when each record started and ended, and what ended last."""
    now, running, spans = 0.0, [], {}
    while True:
        while len(running) < workers and (index := schedule.take()) >= 0:
            heappush(running, (now + durations[index], index))
            spans[index] = (now, now + durations[index])
        if not running:
            return spans
        now, index = heappop(running)
        schedule.ended(index, passes=index not in failing)


@st.composite
def batches(draw):
    groups = draw(st.lists(st.sampled_from("abcd") | st.none(), max_size=14))
    count = len(groups)
    durations = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    failing = draw(st.sets(st.integers(0, max(0, count - 1)), max_size=4))
    return groups, durations, failing, draw(st.integers(1, 5)), draw(st.sampled_from(POLICIES))


def check_groups(groups, spans):
    """Check that the records of a group start one after another, in event order, with none left out."""
    for group in set(groups) - {None}:
        members = [index for index, name in enumerate(groups) if name == group]
        ran = [index for index in members if index in spans]
        assert ran == members[: len(ran)]
        for earlier, later in pairwise(ran):
            assert spans[earlier][1] <= spans[later][0]


@given(batches())
def test_any_batch_keeps_groups_in_order_and_no_more_than_n_running(batch):
    """Whatever runs and fails: a group stays in order, at most n run, and a policy holds back what it says."""
    groups, durations, failing, workers, policy = batch
    spans = simulate(Schedule(range(len(groups)), successors(groups), policy), durations, failing, workers)
    check_groups(groups, spans)
    for start, _ in spans.values():
        assert sum(begun <= start < end for begun, end in spans.values()) <= workers
    failed = {index: spans[index][1] for index in failing if index in spans}
    for index in range(len(groups)):
        before = [other for other in failed if other < index and groups[other] == groups[index] is not None]
        if policy is ErrorPolicy.CONTINUE:
            assert index in spans
        elif policy is ErrorPolicy.SKIP_GROUP:
            assert (index in spans) is not bool(before)
        elif index in spans:
            assert spans[index][0] <= min(failed.values(), default=spans[index][0])
        else:
            assert failed


@given(batches())
def test_a_worker_never_waits_while_a_record_may_start(batch):
    """The makespan is that of greedy list scheduling: no rounds, no barriers."""
    groups, durations, _, workers, _ = batch
    spans = simulate(Schedule(range(len(groups)), successors(groups), ErrorPolicy.CONTINUE), durations, set(), workers)
    for index, (start, _) in spans.items():
        before = [other for other in range(index) if groups[other] == groups[index] is not None]
        ready = max((spans[other][1] for other in before), default=0)
        for moment in range(int(ready), int(start)):
            assert sum(begun <= moment < end for begun, end in spans.values()) == workers


@given(batches(), st.sets(st.integers(0, 13)), st.randoms(use_true_random=False))
def test_of_what_is_ready_the_earliest_starts_and_after_a_stop_the_earliest_that_is_spared(batch, spared, random):
    """Whatever ends in whatever order: the schedule gives what a search through all records would."""
    groups, _, failing, _, policy = batch
    following = successors(groups)
    schedule = Schedule(range(len(groups)), following, policy, spared=spared)
    ready = set(range(len(groups))) - set(following)
    running, stopped = [], False
    for _ in range(3 * len(groups)):
        if running and random.random() < 0.5:
            index = running.pop(random.randrange(len(running)))
            passes = index not in failing
            schedule.ended(index, passes=passes)
            stopped = stopped or (not passes and policy is ErrorPolicy.STOP)
            if following[index] >= 0 and (passes or policy is ErrorPolicy.CONTINUE):
                ready.add(following[index])
            ready = ready & spared if stopped else ready
        else:
            index = schedule.take()
            assert index == min(ready, default=-1)
            running += {index} - {-1}
            ready.discard(index)
        assert schedule.width == len(ready)


def test_the_earliest_ready_record_comes_first():
    """Among what is ready, the order is that of the event."""
    schedule = Schedule(range(4), successors(["a", "b", "a", "c"]), ErrorPolicy.CONTINUE)
    assert schedule.width == 3
    assert [schedule.take(), schedule.take()] == [0, 1]
    schedule.ended(0, passes=True)
    assert [schedule.take(), schedule.take(), schedule.take()] == [2, 3, -1]


def test_after_a_stop_the_spared_that_were_ready_start_in_order():
    """What had become ready before the stop is given only if it is spared, the earliest first."""
    followers = [10, 14, 11, 15, 16, 12, 13]
    schedule = Schedule(range(17), followers + [-1] * 10, ErrorPolicy.STOP, spared={9, *range(12, 17)})
    taken = [schedule.take() for _ in range(8)]
    for index in taken[:-1]:
        schedule.ended(index, passes=True)
    schedule.ended(taken[-1], passes=False)
    assert [schedule.take() for _ in range(7)] == [9, 12, 13, 14, 15, 16, -1]


def test_successors_link_the_records_of_a_group():
    """Each record knows the next one of its group; None stands alone, however often it comes."""
    assert successors(["a", None, "b", "a", None, "a"]) == [3, -1, -1, 5, -1, -1]


def test_records_that_are_not_to_run_are_left_out():
    """Only the indexes given are started; a group goes on with those of its records that are."""
    schedule = Schedule([1, 3], [-1, 3, -1, -1], ErrorPolicy.CONTINUE)
    assert [schedule.take(), schedule.take()] == [1, -1]
    schedule.ended(1, passes=True)
    assert schedule.take() == 3


def test_a_closed_schedule_gives_nothing_and_keeps_its_first_reason():
    """Closing ends all; a second reason does not replace the first."""
    schedule = Schedule(range(3), [-1] * 3, ErrorPolicy.STOP)
    assert schedule.take() == 0
    assert schedule.gives_more
    schedule.ended(0, passes=False)
    schedule.close(ENDING)
    assert (schedule.closed, schedule.take(), schedule.gives_more) == (STOPPED, -1, False)


def test_a_schedule_that_gave_all_gives_no_more():
    """With the last record taken, nothing is left to start: no clock need be read."""
    schedule = Schedule(range(2), [-1] * 2, ErrorPolicy.CONTINUE)
    schedule.take()
    assert schedule.gives_more
    schedule.take()
    assert not schedule.gives_more
    assert not schedule.closed


@pytest.mark.parametrize("policy", [ErrorPolicy.STOP, ErrorPolicy.SKIP_GROUP])
def test_what_passes_lets_its_group_go_on(policy):
    """A record that holds nothing back is followed by the next of its group."""
    schedule = Schedule(range(2), [1, -1], policy)
    schedule.ended(schedule.take(), passes=True)
    assert schedule.take() == 1


def test_a_record_that_ends_after_the_close_frees_nothing():
    """What follows a record that ended after the schedule was closed does not become ready."""
    schedule = Schedule(range(2), [1, -1], ErrorPolicy.CONTINUE)
    schedule.take()
    schedule.close(ENDING)
    schedule.ended(0, passes=True)
    assert schedule.width == 0


def test_the_deadline_closes_the_schedule():
    """When too little time is left nothing starts, and the reason is known; with nothing to start there is none."""
    late = Deadline(lambda: 0.0, 2.0, 1.0)
    schedule = Schedule(range(1), [-1], ErrorPolicy.CONTINUE, late)
    assert (schedule.take(), schedule.closed) == (-1, DEADLINE)
    empty = Schedule([], [], ErrorPolicy.CONTINUE, late)
    assert (empty.take(), empty.closed) == (-1, "")


def test_closing_beside_a_thread_that_takes_leaves_what_it_takes():
    """A close from another thread, in the middle of a take, takes nothing away from under it."""
    schedule = Schedule(range(2), [-1] * 2, ErrorPolicy.CONTINUE)

    class Closing(Deadline):
        def allows(self) -> bool:
            schedule.close(ENDING)
            return True

    schedule._deadline = Closing(lambda: 0.0, 0.0, 1.0)
    assert schedule.take() == 0
    assert schedule.take() == -1


def test_what_is_spared_starts_after_a_stop():
    """A stop holds back all but what is spared, which starts in order, and passes its own group on."""
    schedule = Schedule(range(6), successors("abcdba"), ErrorPolicy.STOP, spared={1, 3, 4})
    assert schedule.take() == 0
    schedule.ended(0, passes=False)
    assert schedule.closed == STOPPED
    assert [schedule.take(), schedule.take(), schedule.take()] == [1, 3, -1]
    assert schedule.gives_more
    schedule.ended(3, passes=True)
    assert schedule.take() == -1
    schedule.ended(1, passes=True)
    assert schedule.take() == 4


def test_what_is_spared_ends_with_the_schedule():
    """Nothing is spared from a deadline or an ending invocation; the stop stays the reason."""
    schedule = Schedule(range(3), [-1] * 3, ErrorPolicy.STOP, spared={2})
    schedule.take()
    schedule.ended(0, passes=False)
    schedule.close(ENDING)
    assert (schedule.closed, schedule.take(), schedule.gives_more) == (STOPPED, -1, False)


def test_without_a_stop_nothing_is_special_about_the_spared():
    """Under other policies, and without a failure, spared records take their turn."""
    for policy, passes in ((ErrorPolicy.CONTINUE, False), (ErrorPolicy.STOP, True)):
        schedule = Schedule(range(3), [-1] * 3, policy, spared={2})
        schedule.take()
        schedule.ended(0, passes=passes)
        assert [schedule.take(), schedule.take()] == [1, 2]
