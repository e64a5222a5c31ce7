"""Tracebacks in the log: safe, short, and of one size at most."""

from __future__ import annotations

import logging
import traceback

import pytest
from batches import ids, number, reported, sqs

from partialbatch import batch_handler
from partialbatch._core.tracebacks import ALL_SHOWN, presentable

SECRET = "hunter2"


def shown(error):
    stand_in = presentable(error)
    return "".join(traceback.format_exception(type(stand_in), stand_in, stand_in.__traceback__))


def chained(length, link="__cause__"):
    error = ValueError("the first")
    for index in range(length):
        below, error = error, OSError(f"link {index}")
        setattr(error, link, below)
    return error


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_a_chain_of_thousands_shows_its_ends_and_how_many_are_between(link):
    """The error itself and the root are there; the middle is counted."""
    text = shown(chained(5_000, link))
    assert len(text) < 2_000
    assert "OSError: link 4999" in text
    assert "ValueError: the first" in text
    assert "(4993 exceptions between these are left out)" in text
    assert text.index("the first") < text.index("between these") < text.index("link 4999")


def deep(frames):
    if frames:
        other(frames - 1)
    raise ValueError("deep down")


def other(frames):
    deep(frames)


def wide(width, depth):
    group = ExceptionGroup("é" * 3_000, [ValueError("x" * 3_000) for _ in range(width)])
    for _ in range(depth):
        group = ExceptionGroup("lines\n" * 300, [group, *(ValueError("y" * 3_000) for _ in range(width))])
    return group


def caught(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:
        return error


BIG = {
    "frames": lambda: caught(deep, 300),
    "recursion": lambda: caught(deep, 100_000),
    "wide": lambda: wide(100, 2),
    "nested": lambda: wide(1, 60),
    "long causes": lambda: caught(deep, 200).with_traceback(None) or chained(30),
    "lines": lambda: ValueError("\n" * 900),
}


@pytest.mark.parametrize("name", BIG)
def test_no_record_takes_more_than_16_kb_of_log(name):
    """However deep, wide or long a tree is, its traceback in the log is bounded, and names the error."""
    error = BIG[name]()
    text = shown(error)
    assert len(text.encode()) <= ALL_SHOWN
    assert type(error).__name__ in text


def test_a_long_traceback_shows_where_it_began_and_where_it_ended():
    """The middle of hundreds of frames is left out, the first and the last stay."""
    text = shown(caught(deep, 300))
    assert "in caught" in text
    assert 'raise ValueError("deep down")' in text


def test_a_group_in_too_many_groups_says_so():
    """Members that there is no room for are counted."""
    assert "(1 more are left out)" in shown(nested(60))


def nested(depth):
    error = ValueError(SECRET * 200)
    for _ in range(depth):
        error = ExceptionGroup("g", [error])
    return error


def test_a_syntax_error_shows_no_source():
    """The line of source may be a record's body, which somebody has evaluated."""
    error = caught(compile, f"{{{SECRET}: ]}}", "<body>", "eval")
    text = shown(error)
    assert "SyntaxError" in text
    assert SECRET not in text


class Odd(Exception):
    """Raises whatever is looked at."""

    def __init__(self, raised):
        super().__init__()
        self.raised = raised

    def __str__(self):
        raise self.raised


class OddClass(Exception):
    @property
    def __class__(self):
        raise RuntimeError("of no class")


class OddCause(Exception):
    @property
    def __cause__(self):
        raise RuntimeError("of no cause")

    __context__ = __suppress_context__ = __traceback__ = __cause__


class OddName(AttributeError):
    @property
    def name(self):
        raise RuntimeError("of no name")


class Unreadable(Exception):
    """Looks like pydantic's, and tells nothing of itself."""

    __module__ = "pydantic.elsewhere"

    def errors(self, **_):
        raise RuntimeError("no errors")


Unreadable.__name__ = "ValidationError"


class Meta(type):
    @property
    def __module__(cls):
        raise RuntimeError("of no module")

    @property
    def __name__(cls):
        raise RuntimeError("of no name")

    def __instancecheck__(cls, instance):
        raise RuntimeError("of no instances")

    __subclasscheck__ = __instancecheck__


class OddType(Exception, metaclass=Meta):
    pass


class OddModule(Exception):
    __module__ = 5


class Abrupt(BaseException):
    pass


class OddTwice(Exception):
    """Fine when looked at for the first time."""

    looks = 0

    @property
    def __notes__(self):
        self.looks += 1
        if self.looks == 2:
            raise Abrupt
        return []


ODD = {
    "second look": OddTwice,
    "str": lambda: Odd(ValueError()),
    "str: BaseException": lambda: Odd(Abrupt()),
    "str: SystemExit": lambda: Odd(SystemExit()),
    "class": OddClass,
    "cause": OddCause,
    "metaclass": OddType,
    "module": OddModule,
    "name": OddName,
    "unreadable": Unreadable,
    "in a group": lambda: ExceptionGroup("g", [Odd(Abrupt()), OddClass(), OddType()]),
}
RUNNERS = pytest.mark.parametrize(("kind", "workers"), [("plain", 1), ("plain", 3), ("async", 1), ("async", 3)])


@RUNNERS
@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("options", [{}, {"permanent": OddType, "dead_letter": lambda letter: None}])
def test_an_exception_that_raises_when_looked_at_fails_its_record_alone(name, kind, workers, options, caplog):
    """Nothing that an exception's class does costs another record its result, or the batch its response."""

    def plain(record):
        if number(record) == 1:
            error = ODD[name]()
            raise error

    async def waiting(record):
        plain(record)

    caplog.set_level(logging.WARNING)
    handler = batch_handler(plain if kind == "plain" else waiting, max_concurrency=workers, **options)
    assert reported(handler(sqs(4))) == ids([1])
    assert "record m1 failed" in caplog.text
