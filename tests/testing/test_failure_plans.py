"""Failure plans."""

from __future__ import annotations

import pytest

from partialbatch.errors import ConfigurationError
from partialbatch.testing import FailurePlan
from partialbatch.testing._failure_plans import FOREVER, PlannedFailure


def test_the_first_attempts_fail_as_planned():
    """Each key fails as often as planned, and then succeeds."""
    plan = FailurePlan({"a": (2, "error")})
    for _ in range(2):
        with pytest.raises(PlannedFailure, match="of 'a' fails as planned"):
            plan.attempt("a")
    plan.attempt("b")
    plan.attempt("a")
    assert plan.done == ["b", "a"]
    assert plan.attempts == {"a": 3, "b": 1}


@pytest.mark.parametrize(("how", "kind"), [("base", BaseException), ("exit", SystemExit)])
def test_base_and_exit_pass_except_exception(how, kind):
    """The ways `base` and `exit` aren't caught by `except Exception`."""
    plan = FailurePlan({"a": (1, how)})
    with pytest.raises(kind) as caught:
        plan.attempt("a")
    assert not isinstance(caught.value, Exception)


def test_a_timeout_moves_the_clock():
    """A timeout raises nothing, and doesn't count as done."""
    plan = FailurePlan({"a": (1, "timeout")})
    plan.attempt("a")
    assert plan.clock() == 900
    assert plan.done == []


def test_poison_holds_the_keys_that_always_fail():
    """A plan lists its poison, and has a short repr."""
    plan = FailurePlan({"a": (FOREVER, "error"), "b": (1, "exit")})
    assert plan.poison == {"a"}
    assert repr(plan) == "FailurePlan({'a': 'always: error', 'b': '1: exit'})"


@pytest.mark.parametrize("failure", [(1, "slowly"), (-1, "error")])
def test_impossible_plans_are_refused(failure):
    """Unknown ways of failing, and negative numbers, are refused."""
    with pytest.raises(ConfigurationError, match="failures="):
        FailurePlan({"a": failure})
