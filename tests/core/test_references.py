"""Handlers are pickled and copied by reference, and found behind other decorators."""

from __future__ import annotations

import copy
import functools
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import wrapt
from batches import sqs

from partialbatch import batch_handler
from partialbatch._core.references import handler_behind

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def logged(function):
    """Stand for `logger.inject_lambda_context`."""

    @functools.wraps(function)
    def wrapper(event, context=None):
        return function(event, context)

    return wrapper


@batch_handler(max_concurrency=2)
def plain(record):
    assert record.body != "1"


@logged
@logged
@batch_handler
def decorated(record):
    assert record.body != "1"


@batch_handler
async def awaited(record):
    assert record.body != "1"


class Orders:
    def __init__(self, bad="1"):
        self.bad = bad
        self.own = self.method

    @batch_handler
    def method(self, record):
        assert record.body != self.bad

    def _by_another_name(self, record):
        assert record.body != self.bad

    renamed = batch_handler(_by_another_name)

    @batch_handler
    @classmethod
    def of_class(cls, record):
        assert record.body != "1"

    @staticmethod
    @batch_handler
    def static(record):
        assert record.body != "1"

    @batch_handler
    @staticmethod
    def static_below(record):
        assert record.body != "1"


class Inner:
    class Deep:
        @batch_handler
        def method(self, record):
            assert record.body != "1"


def record_function(record):
    return None


under_another_name = batch_handler(record_function)
nameless = batch_handler(functools.partial(record_function))

FAILED = {"batchItemFailures": [{"itemIdentifier": "m1"}]}
HANDLERS = {
    "plain": plain,
    "async": awaited,
    "inner": decorated.__wrapped__.__wrapped__,
    "method": Orders().method,
    "renamed": Orders().renamed,
    "unbound method": Orders.method,
    "class method": Orders.of_class,
    "class method of an instance": Orders().of_class,
    "static method": Orders.static,
    "static method below": Orders.static_below,
    "deep": Inner.Deep().method,
}
SHARED = {"plain", "async", "inner", "static method"}


def answer(name, handler):
    return handler(Orders(), sqs(3)) if name == "unbound method" else handler(sqs(3))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_pickles_by_reference(name, protocol):
    """What is unpickled is the very handler, or is bound to what was pickled along."""
    handler = HANDLERS[name]
    made = pickle.loads(pickle.dumps(handler, protocol))
    assert type(made) is type(handler)
    assert (made is handler) == (name in SHARED)
    assert answer(name, made) == FAILED


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_bound_handler_takes_its_instance_along(protocol):
    """The instance keeps its state, and one that holds its own handler is bound to itself."""
    orders = Orders(bad="2")
    method, made = pickle.loads(pickle.dumps((orders.method, orders), protocol))
    assert method.function.__self__ is made is made.own.function.__self__
    assert method(sqs(3)) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_copies_by_reference(name):
    """A copy of a handler is the handler; a deep one of a bound handler is that of a copy of its instance."""
    handler = HANDLERS[name]
    assert copy.copy(handler) is handler
    deep = copy.deepcopy(handler)
    assert answer(name, deep) == FAILED
    of_an_instance = name in ("method", "renamed", "class method of an instance", "deep")
    assert (deep is handler) == (not of_an_instance or name == "class method of an instance")


def test_a_deep_copy_of_an_object_calls_itself():
    """An object that holds its own handler gets a copy of that with the copy of itself."""
    orders = Orders()
    made = copy.deepcopy(orders)
    assert made.own.function.__self__ is made
    made.bad = "2"
    assert made.own(sqs(3)) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert orders.own(sqs(3)) == FAILED


def test_handlers_go_to_other_processes(monkeypatch):
    """A process that was started anew imports the module, and gets the handlers."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # where the other process finds this module
    names = ["plain", "inner", "method", "class method"]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(answer, names, [HANDLERS[name] for name in names])) == [FAILED] * len(names)
        assert pool.submit(decorated, sqs(3)).result() == FAILED


def _local():
    @batch_handler
    def local(record):
        return None

    return local


class Shadowed(Orders):
    method = None


LOST = batch_handler(lambda record: None)

NOT_FOUND = [
    (_local(), r"_local\.<locals>\.local can't be pickled: .*it is defined inside a function; define it at the top"),
    (under_another_name, r"record_function can't be pickled: .*something else under that name; give the handler"),
    (nameless, r"its record function has no name"),
    (LOST, r"<lambda> can't be pickled: .*the module doesn't have it"),
]


@pytest.mark.parametrize(("handler", "why"), NOT_FOUND)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_handler_that_cannot_be_found_says_why(handler, why, protocol):
    """A handler that unpickling could not find isn't pickled; it still copies by reference."""
    with pytest.raises(pickle.PicklingError, match=why):
        pickle.dumps(handler, protocol)
    assert copy.copy(handler) is copy.deepcopy(handler) is handler


def test_a_bound_handler_that_its_instance_hides_says_so():
    """An instance with another attribute of that name would give that."""
    orders = Orders()
    handler = orders.method
    orders.__class__ = Shadowed
    with pytest.raises(pickle.PicklingError, match=r"Shadowed\.method can't be pickled: .*the instance has something"):
        pickle.dumps(handler)


def test_a_name_that_has_become_something_else_is_told(monkeypatch):
    """Where the module has changed since, unpickling says what it found."""
    data = pickle.dumps(plain)
    monkeypatch.setitem(globals(), "plain", record_function)
    with pytest.raises(pickle.UnpicklingError, match=r"plain was a handler when it was pickled, and isn't one here"):
        pickle.loads(data)


def test_a_module_that_is_not_there_is_told(monkeypatch):
    """A handler whose module cannot be imported cannot be found."""
    function = type(record_function)(record_function.__code__, {"__name__": "no_such_module"}, "record_function")
    with pytest.raises(pickle.PicklingError, match=r"no_such_module\.record_function .*No module named"):
        pickle.dumps(batch_handler(function))


def test_reduce_is_the_same_as_reduce_ex():
    """Who asks for `__reduce__` gets what pickle gets."""
    orders = Orders()
    assert plain.__reduce__() == plain.__reduce_ex__(4)
    assert orders.method.__reduce__() == orders.method.__reduce_ex__(2) == (getattr, (orders, "method"))


def test_a_handler_is_found_behind_decorators():
    """`functools.wraps`, wrapt and any other decorator with ``__wrapped__`` are looked through."""
    inner = decorated.__wrapped__.__wrapped__
    assert handler_behind(decorated) is handler_behind(inner) is inner
    assert handler_behind(wrapt.ObjectProxy(plain)) is plain
    assert handler_behind(wrapt.FunctionWrapper(plain, lambda wrapped, *_: wrapped)) is plain
    bound = Orders().method
    assert handler_behind(logged(bound)) is bound


def test_what_has_no_handler_behind_it_gives_none():
    """Plain callables, anything else, and wrappers that lead in a circle."""

    def one(): ...
    def two(): ...

    class Anything:
        def __getattr__(self, name):
            return Anything()

    class Broken:
        @property
        def __wrapped__(self):
            raise RuntimeError("outside of a request")

    one.__wrapped__, two.__wrapped__ = two, one
    for other in (print, record_function, logged(record_function), None, 5, one, Anything(), Broken()):
        assert handler_behind(other) is None
