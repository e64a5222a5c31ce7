"""Reading a handler's options."""

from __future__ import annotations

import sys

import pytest

from partialbatch.cli.check.handler_options import HandlerError, from_environment, from_handler
from partialbatch.cli.check.model import Function, Place, Unknown


def function(environment):
    return Function("F", Place("F"), 3, environment)


def test_the_environment_sets_options_that_the_code_leaves_out():
    """Options in the environment are known, parsed as by the decorator; others may be set in the code."""
    options = from_environment(function({"PARTIALBATCH_MAX_RECEIVE_COUNT": "4", "PARTIALBATCH_ERROR_POLICY": "STOP"}))
    assert (options.max_receive_count, options.error_policy) == (4, "stop")
    assert all("--handler" in value.why for value in (options.deadline_margin, options.sink, options.dead_letter))
    bad = from_environment(function({"PARTIALBATCH_DEADLINE_MARGIN": "much"}))
    assert "PARTIALBATCH_DEADLINE_MARGIN" in bad.deadline_margin.why
    later = Unknown("later")
    assert from_environment(function({"PARTIALBATCH_ERROR_POLICY": later})).error_policy is later
    assert from_environment(function(later)).error_policy is later


def test_a_handler_is_read_under_the_functions_environment(handler):
    """A handler is read under the function's environment, each time afresh, and ours is left alone."""
    name = handler("error_policy='stop'")
    before = list(sys.path)
    for count in (3, 4):
        options = from_handler(name, function({"PARTIALBATCH_MAX_RECEIVE_COUNT": count, "OTHER": "x"}))
        assert (options.error_policy, options.max_receive_count, options.sink) == ("stop", count, None)
    assert (sys.path, name.partition(":")[0] in sys.modules) == (before, False)
    cannot_tell = from_handler(name, function({"PARTIALBATCH_MAX_RECEIVE_COUNT": Unknown("later")}))
    assert cannot_tell.max_receive_count == Unknown("later")


def test_an_unknown_environment_may_set_other_options(handler):
    """With an unknown environment the handler's own options count, and others may be set by it."""
    options = from_handler(handler("error_policy='stop'"), function(Unknown("later")))
    assert (options.error_policy, options.max_receive_count) == ("stop", None)
    assert options.environment == Unknown("later")
    assert from_handler(handler(), function({})).environment is None


def test_the_options_of_a_bound_method_are_read(write, handler):
    """A handler that is a bound method is read as well."""
    name = handler(before="").partition(":")[0]
    path = write(
        "from partialbatch import batch_handler\n"
        "class Orders:\n"
        "    @batch_handler(max_receive_count=7)\n"
        "    def take(self, record): ...\n"
        "orders = Orders()\n",
        f"{name}x.py",
    )
    assert from_handler(f"{path.stem}:orders.take", function({})).max_receive_count == 7


def test_a_failed_import_is_reported_with_its_error(handler):
    """A failed import is reported with its error; the module sees the function's variables."""
    name = handler("", "raise RuntimeError('no')\n")
    with pytest.raises(HandlerError, match="failed: RuntimeError: no"):
        from_handler(name, function({}))
    with pytest.raises(HandlerError, match="PARTIALBATCH_MAX_RECEIVE_COUNT"):
        from_handler(handler(), function({"PARTIALBATCH_MAX_RECEIVE_COUNT": "0"}))


def test_a_module_that_exits_does_not_end_the_check(handler):
    """A module that exits when it is imported does not end the check as if nothing were wrong."""
    with pytest.raises(HandlerError, match="failed: SystemExit: 0"):
        from_handler(handler("", "raise SystemExit(0)\n"), function({}))


def test_ctrl_c_during_an_import_ends_the_check(handler):
    """Ctrl-C doesn't count as a failed import."""
    with pytest.raises(KeyboardInterrupt):
        from_handler(handler("", "raise KeyboardInterrupt\n"), function({}))


def test_output_of_a_module_is_not_part_of_the_findings(handler, capsys):
    """Output of a module's import is kept out of the findings."""
    from_handler(handler("", "print('imported')\n"), function({}))
    assert capsys.readouterr() == ("", "imported\n")


def test_options_are_read_through_decorators(write, handler):
    """The options of a handler are read through the decorators above it, of a bound one too."""
    name = handler(before="").partition(":")[0]
    path = write(
        "import functools\n"
        "from partialbatch import batch_handler\n"
        "def logged(function):\n"
        "    return functools.wraps(function)(lambda event, context: function(event, context))\n"
        "@logged\n"
        "@logged\n"
        "@batch_handler(max_receive_count=7)\n"
        "def handler(record): ...\n"
        "class Orders:\n"
        "    @batch_handler(max_receive_count=8)\n"
        "    def take(self, record): ...\n"
        "take = logged(Orders().take)\n",
        f"{name}x.py",
    )
    assert from_handler(f"{path.stem}:handler", function({})).max_receive_count == 7
    assert from_handler(f"{path.stem}:take", function({})).max_receive_count == 8
