"""One check an option: what passes, and what the error says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from partialbatch._backoff import Backoff
from partialbatch._core import validation as checks
from partialbatch.errors import ConfigurationError
from partialbatch.producers import SQSProducer
from partialbatch.retries import ResumeLedger, discard


class Opens:
    def open(self, *, ordered, seconds_left):
        raise NotImplementedError


class OpensAnything:
    def open(self, *arguments, **keywords):
        raise NotImplementedError


class OpensOtherwise:
    def open(self, mode):
        raise NotImplementedError

    def __call__(self, item):
        raise NotImplementedError


class Telltale:
    """Its `open` has no signature that could be looked at."""

    open = dict


async def awaits(item):
    raise NotImplementedError


async def yields(item):
    yield item


@pytest.mark.parametrize(
    "value", [None, Opens(), OpensAnything(), Telltale(), discard, print, partial(print), SQSProducer("q", client=1)]
)
def test_objects_that_open_and_callables_are_sinks(value):
    """What can be opened for a call, and what can be called."""
    assert checks.sink("sink", value) is value
    assert checks.dead_letter("dead_letter", value) is value


@pytest.mark.parametrize("value", [5, "q", object(), object, Opens, OpensOtherwise(), Path("out"), yields, [print]])
def test_other_values_are_refused_as_sinks_by_option(value):
    """Classes, what opens otherwise, and what does neither; each error names the option."""
    for check in (checks.sink, checks.dead_letter):
        with pytest.raises(ConfigurationError, match=r"^option=.* a (Sink|plain function)"):
            check("option", value)


def test_a_sink_opens_at_once():
    """Nobody would await a session."""

    class OpensLater:
        async def open(self, *, ordered, seconds_left):
            raise NotImplementedError

    for check in (checks.sink, checks.dead_letter):
        with pytest.raises(ConfigurationError, match=r"^option=.* a Sink with a plain `open`"):
            check("option", OpensLater())


def test_async_functions_are_sinks_and_no_dead_letters():
    """A bulk step is awaited; nobody would await a dead letter."""
    for value in (awaits, partial(awaits)):
        assert checks.sink("sink", value) is value
        with pytest.raises(ConfigurationError, match="a plain function"):
            checks.dead_letter("dead_letter", value)


@pytest.mark.parametrize(
    ("value", "kinds"), [((), ()), (ValueError, (ValueError,)), ((KeyError, OSError), (KeyError, OSError))]
)
def test_exception_types_become_a_tuple(value, kinds):
    """A type or a tuple of types becomes a tuple."""
    assert checks.exceptions("permanent", value) == kinds


@pytest.mark.parametrize(
    "value", [ValueError(), "ValueError", [ValueError], BaseException, SystemExit, int, (int,), None]
)
def test_only_subclasses_of_exception_are_permanent(value):
    """Only what `except Exception` would catch: an interrupt is no property of a record."""
    with pytest.raises(ConfigurationError, match=r"^permanent=.*exception type"):
        checks.exceptions("permanent", value)


def test_backoff_and_ledger_options_take_their_own_kind_or_none():
    """Each takes its own kind, or None."""
    ledger, backoff = ResumeLedger.in_memory(), Backoff(1, 2)
    assert checks.ledger("resume", ledger) is ledger
    assert checks.backoff("retry_delay", backoff) is backoff
    assert checks.ledger("resume", None) is None
    assert checks.backoff("retry_delay", None) is None
    with pytest.raises(ConfigurationError, match="a Backoff"):
        checks.backoff("retry_delay", 5)
    with pytest.raises(ConfigurationError, match="a ResumeLedger"):
        checks.ledger("resume", object())


class Hook:
    def on_batch_end(self, result):
        raise NotImplementedError


def test_list_of_hooks_becomes_a_tuple():
    """A list or a tuple of objects becomes a tuple."""
    hook = Hook()
    assert checks.hooks("hooks", [hook]) == (hook,)
    assert checks.hooks("hooks", ()) == ()


class Mixed(Hook):
    async def on_batch_start(self, records, context):
        raise NotImplementedError


@pytest.mark.parametrize("value", [Hook(), [Hook], [Hook(), 5], {Hook()}, [Mixed()], "hooks"])
def test_classes_async_methods_and_objects_without_moments_are_refused_as_hooks(value):
    """Classes, async methods, objects without any of the methods, and what is no sequence."""
    with pytest.raises(ConfigurationError, match=r"^hooks=.* none of them async"):
        checks.hooks("hooks", value)


async def _agenerates(value):
    yield value


def _generates(value):
    yield value


class _Generates:
    def __call__(self, value):
        yield value


@pytest.mark.parametrize("value", [_generates, _agenerates, _Generates()])
def test_generator_functions_are_no_group_by_and_no_window_end(value):
    """Calling one runs nothing."""
    for check in (checks.group_by, checks.window_end):
        with pytest.raises(ConfigurationError, match=r"^option=.* generator, or None$"):
            check("option", value)


@pytest.mark.parametrize("moment", checks.MOMENTS)
@pytest.mark.parametrize("method", [_generates, _agenerates])
def test_generator_functions_are_no_hook(moment, method):
    """A method with a `yield` in it, and no `contextmanager` over it, would never run."""
    with pytest.raises(ConfigurationError, match="none of them async or a generator"):
        checks.hooks("hooks", [type("Hook", (), {moment: staticmethod(method)})()])
