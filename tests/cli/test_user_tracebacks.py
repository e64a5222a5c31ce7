"""Tracebacks without the frames of libraries."""

from __future__ import annotations

import logging
import re
from io import StringIO

import boto3
from botocore.exceptions import NoRegionError

from partialbatch import batch_handler
from partialbatch.cli.user_tracebacks import format_error, log_handler, place_of
from partialbatch.testing import sqs_event


def caught(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error
    raise AssertionError("it did not raise")


def files(text):
    return [name.rpartition("/")[2] for name in re.findall(r'File "(.*?)"', text)]


def fail(_record):
    raise ValueError("no good")


def record_error(function):
    return batch_handler(function, raise_on_full_failure=False).process(sqs_event(["a"])).results[0].error


def test_frames_of_this_package_are_left_out():
    """The frames between the caller and the record function aren't shown."""
    text = format_error(record_error(fail))
    assert files(text) == ["test_user_tracebacks.py"]
    assert text.splitlines()[0] == "Traceback (most recent call last):"
    assert text.splitlines()[-1] == "ValueError: no good"


def test_frames_of_botocore_are_left_out(monkeypatch):
    """An error inside a client shows the line that called it."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    error = caught(lambda: boto3.Session().client("sqs"))
    assert isinstance(error, NoRegionError)
    assert set(files(format_error(error))) == {"test_user_tracebacks.py"}


def test_causes_contexts_and_groups_are_cleaned_too():
    """Each error that a traceback shows is without the libraries' frames, and none is left out."""

    def handler(record):
        try:
            try:
                raise record_error(fail)
            except ValueError as error:
                raise KeyError("k") from error
        except KeyError:
            raise ExceptionGroup("several", [record_error(fail), caught(fail, None)])  # noqa: B904 - a context

    text = format_error(record_error(handler))
    assert set(files(text)) == {"test_user_tracebacks.py"}
    assert text.count("ValueError: no good") == 3
    assert "KeyError: 'k'" in text


def test_an_error_of_a_library_alone_has_no_frames():
    """If no line of the user's code is left, there is no heading either."""
    error = record_error(_wants_json)
    assert format_error(error).startswith("partialbatch.errors.PayloadError: ")


def _wants_json(order: dict):
    return order


def test_the_place_is_the_users_own_line_that_was_passed_last():
    """Standard library and frozen modules are passed over, causes are asked where the error has no line itself."""

    def parse():
        re.compile("(")

    line = parse.__code__.co_firstlineno + 1
    error = caught(parse)
    assert place_of(error).endswith(f"test_user_tracebacks.py:{line}")
    bare = RuntimeError("made and never raised")
    assert place_of(bare) == ""
    bare.__cause__ = error
    assert place_of(bare).endswith(f"test_user_tracebacks.py:{line}")
    bare.__cause__ = bare
    assert place_of(bare) == ""


def test_logs_are_written_without_the_frames():
    """A log handler writes the same tracebacks, and lines without any as they are."""
    stream = StringIO()
    handler = log_handler(stream)
    error = record_error(fail)
    for text, told in (("alone", None), ("nothing", (None, None, None)), ("error", (type(error), error, None))):
        handler.handle(logging.LogRecord("test", logging.ERROR, "", 0, text, None, told))
    lines = stream.getvalue().splitlines()
    assert lines[:3] == ["ERROR test alone", "ERROR test nothing", "ERROR test error"]
    assert files("\n".join(lines)) == ["test_user_tracebacks.py"]
