"""Names of handlers in a ledger."""

from __future__ import annotations

import functools

from partialbatch.retries.readers import reader


class Owner:
    """Stands for a handler."""


class Store:
    def handle(self, record):
        raise AssertionError

    def __call__(self, record):
        raise AssertionError


def test_a_handler_is_named_after_its_function(monkeypatch):
    """By module and qualified name, through partials and callable objects, and by Lambda's name for it."""
    owner = Owner()
    assert reader(Store().handle, owner) == f"{__name__}:Store.handle"
    assert reader(functools.partial(Store(), 1), owner) == f"{__name__}:Store"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    assert reader(Store().handle, owner) == f"orders:{__name__}:Store.handle"


def test_handlers_over_functions_of_one_name_are_numbered():
    """As long as both are there; what takes the place of a handler that is gone takes its name."""

    def function(record):
        raise AssertionError

    first, second = Owner(), Owner()
    name = reader(function, first)
    assert name.endswith("<locals>.function")
    assert reader(function, second) == f"{name}#2"
    del first
    third, fourth = Owner(), Owner()
    assert reader(function, third) == name
    assert reader(function, fourth) == f"{name}#3"
