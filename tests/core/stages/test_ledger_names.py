"""Names of handlers in a ledger."""

from __future__ import annotations

import functools

from partialbatch._core.stages import _ledger_names
from partialbatch._core.stages._ledger_names import reader


class Owner:
    """Stands for a handler."""


class Store:
    def handle(self, record):
        raise AssertionError

    def __call__(self, record):
        raise AssertionError


def test_a_handler_is_named_after_its_function(monkeypatch):
    """By module and qualified name, through partials and callable objects, and by Lambda's name for it."""
    ledger, owner = object(), Owner()
    assert reader(Store().handle, ledger, owner) == f"{__name__}:Store.handle"
    assert reader(functools.partial(Store(), 1), ledger, owner) == f"{__name__}:Store"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    assert reader(Store().handle, ledger, owner) == f"orders:{__name__}:Store.handle"


def test_handlers_over_functions_of_one_name_are_numbered():
    """As long as both are there; what takes the place of a handler that is gone takes its name."""

    def function(record):
        raise AssertionError

    ledger, first, second = object(), Owner(), Owner()
    name = reader(function, ledger, first)
    assert name.endswith("<locals>.function")
    assert reader(function, ledger, second) == f"{name}#2"
    del first
    third, fourth = Owner(), Owner()
    assert reader(function, ledger, third) == name
    assert reader(function, ledger, fourth) == f"{name}#3"


def test_each_ledger_numbers_its_own_handlers():
    """Environments that share a table have a ledger each, and read the same entries."""
    ledgers, first, second = (object(), object()), Owner(), Owner()
    assert reader(print, ledgers[0], first) == reader(print, ledgers[1], second) == "builtins:print"


def test_handlers_that_are_gone_leave_nothing_behind():
    """A program that makes a handler for each call does not grow."""
    ledger, owners = object(), [Owner() for _ in range(100)]
    for owner in owners:
        reader(print, ledger, owner)
    del owners, owner
    kept = Owner()
    reader(repr, ledger, kept)
    assert (id(ledger), "builtins:print") not in _ledger_names._owners
