"""What is written on the logger."""

from __future__ import annotations

import logging
import traceback

import pytest

from partialbatch import batch_handler
from partialbatch._core import logs
from partialbatch._core.logs import presentable
from partialbatch.retries import discard

SECRET = "hunter2"


def _event(count, *, receives="3"):
    record = {"body": SECRET, "eventSource": "aws:sqs", "eventSourceARN": "arn:q"}
    attributes = {"ApproximateReceiveCount": receives}
    return {"Records": [{**record, "messageId": f"m-{n}", "attributes": attributes} for n in range(count)]}


def _run(count, error=None, failing=None, **event):
    """Handle a batch whose records fail, all or those named."""

    @batch_handler(raise_on_full_failure=False)
    def handler(record):
        if error is not None and (failing is None or record.message_id in failing):
            raise error() if isinstance(error, type) else error

    return handler(_event(count, **event), None)


def _fields(record, prefix):
    return {name: value for name, value in vars(record).items() if name.startswith(prefix)}


@pytest.fixture
def lines():
    """Collect what is logged, from INFO on."""
    collected = []
    handler = logging.Handler()
    handler.emit = collected.append
    level = logs.logger.level
    logs.logger.setLevel(logging.INFO)
    logs.logger.addHandler(handler)
    yield collected
    logs.logger.removeHandler(handler)
    logs.logger.setLevel(level)


def test_failed_record_is_a_warning_with_its_traceback(lines):
    """A failed record is a warning with identifier, source, receive count and traceback."""
    _run(2, KeyError, {"m-1"})
    failed, ended = lines
    assert failed.name == "partialbatch"
    assert failed.levelno == logging.WARNING
    assert failed.getMessage() == "sqs record m-1 failed: KeyError (receive count 3)"
    assert failed.exc_info[0] is KeyError
    assert failed.exc_info[2] is not None
    assert _fields(failed, "record_") == {
        "record_source": "sqs",
        "record_identifier": "m-1",
        "record_receive_count": 3,
        "record_error": "KeyError",
    }
    assert ended.levelno == logging.WARNING
    assert ended.getMessage().startswith("sqs batch of 2: 1 succeeded, 1 failed in 0.")
    assert SECRET not in failed.getMessage() + ended.getMessage()


def test_successful_batch_is_one_line_at_info(lines):
    """A batch without failures is one line at INFO, with numbers under stable names."""
    _run(3)
    (ended,) = lines
    assert ended.levelno == logging.INFO
    fields = _fields(ended, "batch_")
    assert isinstance(fields.pop("batch_duration"), float)
    assert fields == {
        "batch_source": "sqs",
        "batch_size": 3,
        "batch_succeeded": 3,
        "batch_failed": 0,
        "batch_skipped": 0,
        "batch_dead_lettered": 0,
    }
    assert ended.getMessage().startswith("sqs batch of 3: 3 succeeded in 0.")


def test_skipped_records_are_a_warning(lines):
    """A batch of which records were left over is worth a warning."""
    counts = {"succeeded": 1, "failed": 0, "skipped": 2, "dead_lettered": 1}
    logs.batch_ended("sqs", [], counts, 0.25)
    assert lines[0].levelno == logging.WARNING
    assert lines[0].getMessage() == "sqs batch of 4: 1 succeeded, 2 skipped, 1 dead-lettered in 0.250 s"


def test_line_without_counts_is_a_sentence_too(lines):
    """No count at all reads as a sentence too."""
    logs.batch_ended("sqs", [], dict.fromkeys(("succeeded", "failed", "skipped", "dead_lettered"), 0), 0)
    assert lines[0].getMessage() == "sqs batch of 0: no records in 0.000 s"


@pytest.mark.parametrize("count", [9, 10, 11, 25])
def test_ten_tracebacks_are_shown_and_the_rest_counted(lines, count):
    """At most ten tracebacks a batch; the rest is counted by type in the closing line."""
    _run(count, ValueError)
    with_traceback = [line for line in lines if line.exc_info]
    assert len(with_traceback) == min(count, 10)
    assert len(lines) == len(with_traceback) + 1
    more = f"; {count - 10} failures without a traceback above: {count - 10} ValueError"
    assert lines[-1].getMessage().endswith(more) is (count > 10)
    assert ("without a traceback" in lines[-1].getMessage()) is (count > 10)


def test_ten_tracebacks_with_dead_letters(lines):
    """Dead letters count towards the ten, and those beyond are counted in the batch's line, as failures are."""

    @batch_handler(permanent=ValueError, dead_letter=discard, raise_on_full_failure=False)
    def handler(record):
        raise (ValueError if record.message_id in {f"m-{n}" for n in range(6)} else KeyError)

    handler(_event(14))
    assert sum(1 for line in lines if line.exc_info) == 10
    assert lines[-1].getMessage().endswith("; 4 failures without a traceback above: 4 ValueError")
    lines.clear()
    handler(_event(14)["Records"][:6] * 3)
    assert sum(1 for line in lines if line.exc_info) == 10
    assert lines[-1].getMessage().endswith("; 8 failures without a traceback above: 8 ValueError")


@pytest.mark.parametrize("receives", [None, "many", [], "1" * 5000])
def test_record_without_a_receive_count_is_logged_without_one(lines, receives):
    """A record without a readable receive count is logged without one."""
    _run(1, ValueError, receives=receives)
    assert lines[0].getMessage() == "sqs record m-0 failed: ValueError"
    assert lines[0].record_receive_count is None


def test_dict_identifier_is_logged_as_it_is(lines):
    """An identifier that is a dict is carried as it is, and written out."""

    @batch_handler(raise_on_full_failure=False)
    def handler(record):
        raise ValueError

    record = {"topic": "t", "partition": 0, "offset": 5}
    handler({"eventSource": "aws:kafka", "records": {"t-0": [record]}}, None)
    assert lines[0].getMessage() == "kafka record {'partition': 't-0', 'offset': 5} failed: ValueError"
    assert lines[0].record_identifier == {"partition": "t-0", "offset": 5}


def test_empty_batch_is_a_warning(lines):
    """A batch without records is a warning."""
    batch_handler(lambda record: None)({"Records": []})
    assert [(line.levelno, line.getMessage()) for line in lines] == [
        (logging.WARNING, "the event holds no records; nothing was done")
    ]


def test_records_given_back_are_counted_with_the_reason(lines):
    """What was given back unstarted is counted, with the reason."""
    logs.records_left_over("sqs", 4, "the deadline was near")
    assert lines[0].levelno == logging.WARNING
    assert lines[0].getMessage() == "sqs batch: 4 records were given back because the deadline was near"
    assert _fields(lines[0], "batch_") == {"batch_source": "sqs", "batch_left_over": 4}


@pytest.mark.parametrize(
    ("level", "expected"), [(logging.INFO, 2), (logging.WARNING, 2), (logging.ERROR, 0), (logging.CRITICAL, 0)]
)
def test_higher_level_takes_the_lines_away(caplog, level, expected):
    """A level above takes the lines away, and with them their cost."""
    caplog.set_level(level, logger="partialbatch")
    _run(1, ValueError)
    assert len(caplog.records) == expected
    assert logs.is_enabled(logging.INFO) is (level <= logging.INFO)


def test_info_is_off_by_default(caplog):
    """At WARNING a batch without failures writes nothing."""
    caplog.set_level(logging.WARNING, logger="partialbatch")
    _run(2)
    assert caplog.records == []


class _NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class _NoRepr(Exception):
    def __repr__(self):
        raise RuntimeError("no repr")


class _Unequal(Exception):
    def __eq__(self, other):
        raise RuntimeError("not to be compared")

    __hash__ = Exception.__hash__


class _BadNotes(Exception):
    __notes__ = 5


class _BadNote(Exception):
    def __init__(self):
        super().__init__("x")
        self.__notes__ = [5]


def _raised(error, cause=None, context=None):
    """Give an error a traceback, and what hangs on it."""
    try:
        try:
            if context is not None:
                raise context
        except BaseException:
            raise error from cause if cause is not None else error.__cause__
        raise error from cause
    except BaseException as caught:
        return caught


def _shown(error):
    """Write an error as logging does."""
    stand_in = presentable(error)
    return "".join(traceback.format_exception(type(stand_in), stand_in, stand_in.__traceback__))


@pytest.mark.parametrize("error", [_NoText(), _NoRepr(), _Unequal(), _BadNotes(), _BadNote()])
def test_exception_whose_methods_raise_is_logged(lines, error):
    """An exception whose own methods raise is logged, and fails its record alone."""
    response = _run(2, error, {"m-0"})
    assert response == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    shown = logging.Formatter().format(lines[0])
    assert type(error).__name__ in shown
    assert "raise error() if" in shown  # the traceback is the original's
    if not isinstance(error, _Unequal):
        assert repr(lines[0].exc_info[1])  # some formatters show it


def test_what_is_short_is_logged_as_it_is():
    """An exception of ordinary length is not touched."""
    error = _raised(ValueError("x" * 1024), KeyError("y"))
    assert presentable(error) is error
    group = ExceptionGroup("g", [ValueError(""), ValueError("x")])
    assert presentable(group) is group


def test_text_above_one_kilobyte_is_cut():
    """A text above 1 KB is cut, and keeps its name, its module and its traceback."""
    error = _raised(type("Long", (ValueError,), {"__module__": "shop.orders"})("x" * 1025))
    shown = _shown(error)
    assert presentable(error) is not error
    assert "shop.orders.Long: " + "x" * 1023 + "…" in shown
    assert "x" * 1024 not in shown
    assert "_raised" in shown


def _long(letter):
    return ValueError(letter * 100_000)


def _with_notes():
    error = ValueError("short")
    for _ in range(100):
        error.add_note("n" * 1000)
    return error


def _cycle():
    first, second = _long("f"), _long("s")
    first.__cause__, second.__cause__ = second, first
    return first


BIG = {
    "text": lambda: _long("x"),
    "cause": lambda: _raised(KeyError("short"), cause=_long("x")),
    "context": lambda: _raised(KeyError("short"), context=_long("x")),
    "notes": _with_notes,
    "group": lambda: ExceptionGroup("g", [ValueError("a"), _long("x")]),
    "group name": lambda: ExceptionGroup("g" * 100_000, [ValueError("a")]),
    "cause within a group": lambda: ExceptionGroup("g", [_raised(KeyError("a"), cause=_long("x"))]),
    "group within a group": lambda: BaseExceptionGroup("g", [ExceptionGroup("h", [_long("x")]), KeyboardInterrupt()]),
    "group as a cause": lambda: _raised(KeyError("a"), cause=ExceptionGroup("g", [_long("x"), _NoText()])),
    "syntax": lambda: SyntaxError("bad", ("<body>", 1, 1, "x" * 100_000)),
    "cycle": _cycle,
}


@pytest.mark.parametrize("name", BIG)
def test_no_part_of_a_tree_is_long(name):
    """Causes, contexts, notes and the members of groups are cut to 1 KB each."""
    error = BIG[name]()
    shown = _shown(error)
    assert len(shown) < 6_000
    assert type(error).__name__ in shown
    for letter in "xngfs":
        assert letter * 1025 not in shown


def test_stand_ins_keep_the_chain():
    """What an exception was raised from is still shown, in its order."""
    shown = _shown(_raised(KeyError("last"), cause=_raised(ValueError("middle"), cause=_long("first"))))
    assert shown.index("ValueError: first") < shown.index("ValueError: middle") < shown.index("KeyError: 'last'")
    shown = _shown(ExceptionGroup("many", [ValueError("one"), _NoText(), _long("y")]))
    assert "ExceptionGroup: many (3 sub-exceptions)" in shown
    assert "ValueError: one" in shown
    assert "_NoText: <_NoText whose str or repr raises>" in shown


def test_context_hidden_by_from_none_stays_hidden():
    """What `raise ... from None` hides is not shown for being long."""
    error = KeyError("short")
    error.__context__ = _long("x")
    error.__suppress_context__ = True
    assert presentable(error) is error
    assert presentable(_raised(_long("y"), cause=error)).__cause__.__cause__ is None


def test_exception_that_occurs_twice_is_shown_once():
    """An exception that stands twice in a tree is shown once."""
    twice = _long("x")
    shown = _shown(ExceptionGroup("g", [twice, twice]))
    assert shown.count("x" * 1000) == 1
    assert "(shown above)" in shown


def test_a_chain_of_any_length():
    """A chain longer than the interpreter's stack is no harm."""
    error = _long("x")
    for number in range(5_000):
        below, error = error, ValueError(str(number))
        error.__cause__ = below
    assert presentable(error) is not error
