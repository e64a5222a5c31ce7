"""The decorator over everything that can be called."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import threading
import weakref

import pytest
from batches import number, reported, sqs

from partialbatch import BatchHandler, FullBatchFailure, RawRecord, batch_handler
from partialbatch._core.handler import BoundBatchHandler
from partialbatch.errors import ConfigurationError


def values(handler, count=2):
    return [entry.value for entry in handler.process(sqs(count)).results]


class Orders:
    """Every kind of method, the decorator in every place that works."""

    def __init__(self, name: str) -> None:
        self.name = name

    @batch_handler
    def method(self, order: str, record):
        """Handle an order."""
        return self.name, order, record.message_id

    @batch_handler(max_concurrency=2)
    async def amethod(self, order: str):
        await asyncio.sleep(0)
        return self.name, order

    @batch_handler
    @classmethod
    def of_class(cls, order: str):
        return cls.__name__, order

    @batch_handler(max_concurrency=2)
    @classmethod
    async def aof_class(cls, order: str):
        return cls.__name__, order

    @batch_handler
    @staticmethod
    def static(order: str):
        return order

    @staticmethod
    @batch_handler
    def static_over(order: str):
        return order

    @staticmethod
    @batch_handler(max_concurrency=2)
    async def astatic_over(order: str):
        return order


class Sub(Orders):
    """A subclass."""


def test_methods_get_their_instance():
    """A handler looked up on an instance runs the method on it; async too."""
    orders, others = Orders("a"), Orders("b")
    assert values(orders.method) == [("a", "0", "m0"), ("a", "1", "m1")]
    assert values(others.method) == [("b", "0", "m0"), ("b", "1", "m1")]
    assert values(orders.amethod) == [("a", "0"), ("a", "1")]
    assert orders.method(sqs(2)) == {"batchItemFailures": []}
    assert orders.method(sqs(2), None) == {"batchItemFailures": []}
    assert asyncio.run(orders.amethod.aprocess(sqs(1))).results[0].value == ("a", "0")
    assert isinstance(orders.method, BoundBatchHandler)


def test_a_method_may_be_called_on_the_class():
    """``Orders.method(orders, event)`` is what it is for any method."""
    assert Orders.method(Orders("a"), sqs(2)) == {"batchItemFailures": []}
    assert Orders.method(Orders("a"), sqs(2), None) == {"batchItemFailures": []}


@pytest.mark.parametrize("name", ["of_class", "aof_class"])
def test_class_methods_get_their_class(name):
    """On the class and on an instance, and in a subclass."""
    for owner, expected in ((Orders, "Orders"), (Orders("a"), "Orders"), (Sub, "Sub"), (Sub("a"), "Sub")):
        assert values(getattr(owner, name)) == [(expected, "0"), (expected, "1")]
        assert getattr(owner, name)(sqs(1)) == {"batchItemFailures": []}


@pytest.mark.parametrize("name", ["static", "static_over", "astatic_over"])
def test_static_methods_in_both_nestings(name):
    """``@staticmethod`` over or under the decorator is the same."""
    for owner in (Orders, Orders("a"), Sub):
        assert values(getattr(owner, name)) == ["0", "1"]
        assert getattr(owner, name)(sqs(1), None) == {"batchItemFailures": []}


def test_a_classmethod_over_the_decorator_is_refused():
    """The advice is to swap them, on every Python, from class and instance."""

    class Wrong:
        @classmethod
        @batch_handler
        def handle(cls, record):
            return None

        @classmethod
        @batch_handler(max_concurrency=2)
        async def ahandle(cls, record):
            return None

    for call in (
        lambda: Wrong.handle(sqs(1), None),
        lambda: Wrong.handle(sqs(1)),
        lambda: Wrong().handle(sqs(1)),
        lambda: Wrong.handle.process(sqs(1)),
        lambda: Wrong.ahandle(sqs(1), None),
        lambda: Wrong().ahandle.process(sqs(1), None),
    ):
        with pytest.raises((ConfigurationError, AttributeError)) as caught:
            call()
        if isinstance(caught.value, ConfigurationError):
            assert "swap them" in str(caught.value)


@pytest.mark.parametrize("call", [lambda o: o.handle(sqs(1)), lambda o: o.handle(sqs(1), None)])
def test_another_decorator_over_a_method_is_refused(call):
    """A decorator that hides the binding hands the instance over as the event: that runs nothing."""

    def other(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    ran = []

    class Wrong:
        @other
        @batch_handler
        def handle(self, record):
            ran.append(record)

    with pytest.raises((ConfigurationError, TypeError)):
        call(Wrong())
    assert not ran


def test_surplus_arguments_are_a_type_error():
    """A handler takes an event and a context."""
    with pytest.raises(TypeError, match="got 3 arguments"):
        batch_handler(lambda record: None)(sqs(1), None, 5)
    with pytest.raises(TypeError):
        batch_handler(lambda record: None)()


def test_callables_partials_and_bound_methods():
    """Whatever can be called with a record is a record function."""

    class Callable:
        def __call__(self, order: str):
            return order

    class Plain:
        def method(self, order: str):
            return order

    def two(extra, order: str):
        return order

    for function in (Callable(), Plain().method, functools.partial(two, 5), lambda record: record.body, number):
        handler = batch_handler(function)
        assert [str(value) for value in values(handler, 1)] == ["0"]
        assert handler.__wrapped__ == function


def test_dependency_injection_takes_options():
    """``batch_handler(function, **options)`` is the decorator without its syntax."""
    both = threading.Barrier(2)
    handler = batch_handler(lambda record: both.wait(10) and None, max_concurrency=2)
    assert handler(sqs(2)) == {"batchItemFailures": []}
    assert isinstance(handler, BatchHandler)
    assert isinstance(batch_handler(max_concurrency=2)(lambda record: None), BatchHandler)


def test_the_record_function_itself_is_there_for_unit_tests():
    """``function`` is the very function, and ``__wrapped__`` too; name, doc, module and annotations are its own."""

    def function(order: str):
        """Handle an order."""
        return order

    handler = batch_handler(function)
    assert handler.function is handler.__wrapped__ is function
    assert (handler.__name__, handler.__doc__, handler.__module__) == ("function", "Handle an order.", __name__)
    assert handler.__qualname__ == function.__qualname__
    assert Orders("a").method.function(5, type("R", (), {"message_id": "x"})) == ("a", 5, "x")
    assert Orders.method.__doc__ == "Handle an order."


# From Python 3.14 on asyncio's own function warns; decorators that look with it are older.
@pytest.mark.filterwarnings("ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("make", [lambda: batch_handler(lambda record: None), lambda: batch_handler(acoroutine)])
def test_a_handler_shows_a_lambda_handlers_signature(make):
    """``(event, context=None)`` and no coroutine function, whatever it wraps: other decorators look."""
    handler = make()
    assert str(inspect.signature(handler)) == "(event, context=None)"
    assert not inspect.iscoroutinefunction(handler)
    assert not asyncio.iscoroutinefunction(handler)
    assert not inspect.isasyncgenfunction(handler)
    assert callable(handler)


async def acoroutine(record):
    return None


def test_bound_handlers_show_the_same_signature():
    """So do the handlers of methods, bound and not."""
    orders = Orders("a")
    for handler in (orders.method, orders.amethod, Orders.of_class, Orders.static, Orders.astatic_over):
        assert str(inspect.signature(handler)) == "(event, context=None)"
        assert not inspect.iscoroutinefunction(handler)
    assert "function" in inspect.signature(BatchHandler).parameters


def test_decorators_stack_below_and_above():
    """A ``functools.wraps`` decorator under or over the handler changes nothing of it."""
    calls = []

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            calls.append(args[0])
            return function(*args, **kwargs)

        return wrapper

    @logged
    @batch_handler
    @logged
    def handler(order: str, record):
        return order

    assert handler(sqs(2), None) == {"batchItemFailures": []}
    assert len(calls) == 3
    assert calls[1:] == ["0", "1"]


def test_a_type_is_the_same_with_and_without_options():
    """The decorator gives a ``BatchHandler`` in either form."""

    @batch_handler
    def one(record):
        return None

    @batch_handler()
    def two(record):
        return None

    assert type(one) is type(two) is BatchHandler


def test_an_unknown_option_is_pythons_type_error():
    """At decoration, in every form; it names what was called."""
    told = r"batch_handler\(\) got an unexpected keyword argument 'max_concurency'"
    with pytest.raises(TypeError, match=told):
        batch_handler(max_concurency=3)
    with pytest.raises(TypeError, match=told):
        batch_handler(lambda record: None, max_concurency=3)


@pytest.mark.parametrize("value", [0, -2, "many", True, 1.5, None])
def test_a_bad_max_concurrency_is_a_configuration_error(value):
    """The error names option, value and what is allowed."""
    with pytest.raises(ConfigurationError, match=r"max_concurrency=.*whole number from 1"):
        batch_handler(max_concurrency=value)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "soon", True])
def test_a_bad_margin_is_a_configuration_error(value):
    """The error names option, value and what is allowed."""
    with pytest.raises(ConfigurationError, match="deadline_margin="):
        batch_handler(deadline_margin=value)


def test_a_record_timeout_needs_an_async_function():
    """A running thread cannot be stopped, and the error says so."""
    with pytest.raises(ConfigurationError, match="running thread cannot be stopped"):
        batch_handler(lambda record: None, record_timeout=1)


@pytest.mark.parametrize("kind", ["generator", "async generator", "none", "keyword", "lambda handler"])
def test_functions_that_cannot_work_are_refused_at_decoration(kind):
    """Generators, functions without a parameter, and Lambda handlers are refused where they stand."""

    def generator(record):
        yield

    async def agenerator(record):
        yield

    def none():
        return None

    def keyword(*, record):
        return None

    def lambda_handler(event, context):
        return None

    functions = {
        "generator": generator,
        "async generator": agenerator,
        "none": none,
        "keyword": keyword,
        "lambda handler": lambda_handler,
    }
    with pytest.raises(ConfigurationError):
        batch_handler(functions[kind])


def test_calling_a_handler_is_documented():
    """The reference and ``help`` say what a call returns and raises."""
    text = inspect.getdoc(BatchHandler.__call__)
    assert all(heading in text for heading in ("Args:", "Returns:", "Raises:", "FullBatchFailure", "EventError"))


@pytest.mark.parametrize("handler", [batch_handler(lambda record: None), Orders("o").method])
def test_a_handler_is_no_record_function(handler):
    """Other options for a handler need its function anew, and the error says where that is."""
    with pytest.raises(ConfigurationError, match=r"a handler that it made before.*`handler\.function`"):
        batch_handler(handler, max_concurrency=2)
    assert batch_handler(handler.function, max_concurrency=2)(sqs(1)) == {"batchItemFailures": []}


def test_a_method_is_checked_when_its_class_is_made():
    """A method that cannot work is refused with its class, not at the first call."""
    with pytest.raises((ConfigurationError, RuntimeError)) as caught:

        class Wrong:
            @batch_handler
            def handle(self):
                return None

    error = caught.value if isinstance(caught.value, ConfigurationError) else caught.value.__cause__
    assert "takes no record" in str(error)


def test_a_function_of_a_class_is_checked_at_the_first_call_if_need_be():
    """A method decorated outside of its class body works once it is put there."""

    class Late:
        def handle(self, order: str):
            return type(self).__name__, order

    Late.handled = batch_handler(Late.handle)
    assert values(Late().handled) == [("Late", "0"), ("Late", "1")]


def test_local_types_in_string_annotations():
    """Annotations that are strings see the locals of where the function was decorated, in a class body too."""
    Local = dict  # noqa: N806

    @batch_handler
    def handler(record: Local):
        return record

    class Holder:
        Inner = list

        @batch_handler
        def handle(self, record: Inner):
            return record

        @batch_handler
        def outer(self, record: Local):
            return record

    event = sqs(1)
    event["Records"][0]["body"] = '{"a": 1}'
    assert handler.process(event).results[0].value == {"a": 1}
    assert Holder().outer.process(event).results[0].value == {"a": 1}
    event["Records"][0]["body"] = "[1]"
    assert Holder().handle.process(event).results[0].value == [1]


def test_string_annotations_do_not_see_the_locals_of_a_caller():
    """A type that only the caller of the decorating function knows is no type there."""

    def decorating():
        @batch_handler
        def handler(record: OfTheCaller): ...  # noqa: F821 - the point

    def calling():
        OfTheCaller = dict  # noqa: N806, F841 - the point
        decorating()

    with pytest.raises(ConfigurationError, match="'OfTheCaller' can't be resolved"):
        calling()


def test_the_locals_of_a_decorating_function_are_let_go_of():
    """Where no annotation is a string nothing that it held is alive once it is deleted, on any Python."""

    class Held(dict):
        pass

    held = Held()
    seen = weakref.ref(held)
    handler = batch_handler(lambda record: None)
    del held
    gc.collect()
    assert seen() is None
    assert handler(sqs(1)) == {"batchItemFailures": []}


def test_a_function_that_names_itself():
    """A local function that refers to itself, or to what comes after it, is read all the same."""

    @batch_handler
    def handler(record: str):
        return handler.__name__, later

    later = 5
    assert values(handler, 1) == [("handler", 5)]


def test_first_calls_of_two_threads_at_once():
    """The plan of a method that is made at its first call is right in every thread that makes it."""
    for _ in range(20):
        Local = str  # noqa: N806

        class Late:
            def handle(self, order: Local):
                return order

        Late.handled = batch_handler(Late.handle)
        late, ready, seen = Late(), threading.Barrier(4), []

        def call(late=late, ready=ready, seen=seen):
            ready.wait(10)
            seen.append(values(late.handled, 1))

        workers = [threading.Thread(target=call) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert seen == [["0"]] * 4


def test_handlers_of_one_class_share_nothing_but_settings():
    """Two instances, two threads: each call keeps to its own."""

    class Counter:
        def __init__(self, fail):
            self.fail = fail

        @batch_handler(max_concurrency=3)
        def handle(self, record):
            if number(record) == self.fail:
                raise ValueError

    for fail in range(3):
        assert reported(Counter(fail).handle(sqs(5))) == [f"m{fail}"]


def test_raw_records_are_the_very_dicts():
    """``RawRecord`` gets what Lambda delivered, not a copy."""
    event, seen = sqs(2), []

    @batch_handler
    def handler(record: RawRecord):
        seen.append(record)

    handler(event)
    assert all(mine is theirs for mine, theirs in zip(seen, event["Records"], strict=True))


def test_a_handler_is_its_own_error_when_the_batch_fails():
    """The Lambda call raises; ``process`` and ``aprocess`` do not."""
    handler = batch_handler(lambda record: 1 / 0)
    with pytest.raises(FullBatchFailure):
        handler(sqs(1), None)
    assert handler.process(sqs(1), None).full_failure
    assert asyncio.run(handler.aprocess(sqs(1), None)).full_failure
