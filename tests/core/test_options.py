"""Settings from arguments, environment and defaults."""

from __future__ import annotations

import inspect
import os
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import Backoff, batch_handler
from partialbatch._core.options import Options, Settings, resolve
from partialbatch.errors import ConfigurationError
from partialbatch.retries import ResumeLedger
from partialbatch.types import ErrorPolicy


class _Source:
    name = "mq"
    partial_response = False
    matches = records = identifier = payload = view = group = policy = lambda self, *_: None


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Hide the variables of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("PARTIALBATCH_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def test_handler_without_options_has_the_documented_defaults():
    """Without arguments and environment each option has its documented default."""
    assert resolve() == Settings(
        source="auto",
        fifo="auto",
        error_policy=ErrorPolicy.DERIVE,
        raise_on_full_failure=True,
        max_concurrency=1,
        group_by=None,
        deadline_margin=0.5,
        record_timeout=None,
        model=None,
        envelope=None,
        max_receive_count=None,
        permanent=(),
        dead_letter=None,
        retry_delay=None,
        sink=None,
        resume=None,
        window_end=None,
        hooks=(),
    )


def test_typed_options_settings_and_parameters_have_the_same_names():
    """The typed options, the settings and what `resolve` takes have the same names."""
    names = set(inspect.signature(resolve).parameters)
    assert set(Options.__annotations__) == set(Settings.__match_args__) == names


def test_unknown_option_is_a_type_error():
    """Python itself refuses an option that does not exist, when the decorator is written."""
    with pytest.raises(TypeError, match="max_workers"):
        batch_handler(max_workers=2)


GOOD = [
    ("source", "sqs", "kinesis", "kinesis"),
    ("source", "auto", " SQS ", "sqs"),
    ("error_policy", "stop", "Continue", ErrorPolicy.CONTINUE),
    ("error_policy", ErrorPolicy.STOP, "skip_group", ErrorPolicy.SKIP_GROUP),
    ("raise_on_full_failure", True, "no", False),
    ("max_concurrency", 3, "8", 8),
    ("max_concurrency", 3, "-1", -1),
    ("deadline_margin", 1.0, "0", 0.0),
    ("deadline_margin", 1.0, "2.5", 2.5),
    ("deadline_margin", 1.0, "OFF", None),
    ("deadline_margin", 1.0, "none", None),
    ("record_timeout", 1.0, "0.25", 0.25),
    ("record_timeout", 1.0, "off", None),
    ("max_receive_count", 3, "5", 5),
    ("max_receive_count", 3, "off", None),
]


@pytest.mark.parametrize(("option", "argument", "text", "expected"), GOOD)
def test_argument_precedes_environment_precedes_default(environment, option, argument, text, expected):
    """The argument wins over the environment, the environment over the default; blanks count as unset."""
    default = getattr(resolve(), option)
    variable = f"PARTIALBATCH_{option.upper()}"
    environment.setenv(variable, "  ")
    assert getattr(resolve(), option) == default
    environment.setenv(variable, text)
    assert getattr(resolve(), option) == expected
    assert getattr(resolve(**{option: argument}), option) == argument


@pytest.mark.parametrize("option", ["fifo", "group_by", "model", "envelope", "window_end"])
def test_other_options_are_not_in_the_environment(environment, option):
    """A variable of an option that is not read from the environment changes nothing."""
    environment.setenv(f"PARTIALBATCH_{option.upper()}", "nonsense")
    assert resolve() == resolve()


@pytest.mark.parametrize("word", ["true", "1", "yes", "on", "TRUE", "Yes", " on "])
def test_each_documented_word_switches_on(environment, word):
    """Each documented word switches on, in any case."""
    environment.setenv("PARTIALBATCH_RAISE_ON_FULL_FAILURE", word)
    assert resolve().raise_on_full_failure is True


@pytest.mark.parametrize("word", ["false", "0", "no", "off", "FALSE", "No"])
def test_each_documented_word_switches_off(environment, word):
    """Each documented word switches off, in any case."""
    environment.setenv("PARTIALBATCH_RAISE_ON_FULL_FAILURE", word)
    assert resolve().raise_on_full_failure is False


BAD_TEXT = [
    ("source", "rabbit", "'auto', 'sqs', 'kinesis', 'dynamodb', 'kafka' or an EventSource"),
    ("error_policy", "halt", "'derive', 'continue', 'stop', 'skip_group'"),
    ("raise_on_full_failure", "maybe", "true, false, 1, 0, yes, no, on or off"),
    ("max_concurrency", "0", "a whole number from 1 on, or -1"),
    ("max_concurrency", "-2", "a whole number from 1 on, or -1"),
    ("max_concurrency", "2.0", "a whole number from 1 on, or -1"),
    ("max_concurrency", "'off'", "a whole number from 1 on, or -1"),
    ("max_concurrency", "many", "a whole number from 1 on, or -1"),
    ("deadline_margin", "-1", "a number of seconds from 0 on, or None or 'off'"),
    ("deadline_margin", "nan", "a number of seconds from 0 on"),
    ("deadline_margin", "inf", "a number of seconds from 0 on"),
    ("deadline_margin", "soon", "a number of seconds from 0 on"),
    ("record_timeout", "0", "a number of seconds above 0, or None"),
    ("record_timeout", "inf", "a number of seconds above 0, or None"),
    ("max_receive_count", "0", "the queue's maxReceiveCount, a whole number from 1 to 1000"),
    ("max_receive_count", "1001", "the queue's maxReceiveCount, a whole number from 1 to 1000"),
]


@pytest.mark.parametrize(("option", "text", "allowed"), BAD_TEXT)
def test_bad_variable_is_named_with_its_value(environment, option, text, allowed):
    """A bad variable is named, with its value and what is allowed."""
    variable = f"PARTIALBATCH_{option.upper()}"
    environment.setenv(variable, text)
    with pytest.raises(ConfigurationError) as caught:
        resolve()
    assert str(caught.value).startswith(f"{variable}=")
    assert text.strip("'") in str(caught.value)
    assert allowed in str(caught.value)


async def _group(record):
    """Stand for a function that nobody would await."""


BAD_VALUES = [
    ("source", None, "an EventSource object"),
    ("source", "SQS", "'auto', 'sqs'"),
    ("source", _Source, "an EventSource object"),
    ("fifo", None, "'auto', True or False"),
    ("fifo", 1, "'auto', True or False"),
    ("error_policy", "halt", "'derive'"),
    ("error_policy", None, "'derive'"),
    ("error_policy", [], "'derive'"),
    ("raise_on_full_failure", "yes", "True or False"),
    ("raise_on_full_failure", 1, "True or False"),
    ("raise_on_full_failure", None, "True or False"),
    ("max_concurrency", 0, "a whole number"),
    ("max_concurrency", -2, "a whole number"),
    ("max_concurrency", True, "a whole number"),
    ("max_concurrency", 2.0, "a whole number"),
    ("max_concurrency", None, "a whole number"),
    ("group_by", "key", "a function that is neither async nor a generator, or None"),
    ("group_by", _group, "a function that is neither async nor a generator, or None"),
    ("deadline_margin", -0.1, "seconds"),
    ("deadline_margin", float("nan"), "seconds"),
    ("deadline_margin", 10**400, "seconds"),
    ("deadline_margin", True, "seconds"),
    ("deadline_margin", [], "seconds"),
    ("record_timeout", 0, "above 0"),
    ("record_timeout", -1, "above 0"),
    ("record_timeout", "5", "above 0"),
    ("envelope", "kinesis", "'sns', 'eventbridge', a function"),
    ("envelope", 5, "'sns', 'eventbridge', a function"),
    ("envelope", ["sns"], "'sns', 'eventbridge', a function"),
    ("envelope", _group, "a function from payload to payload that isn't async"),
    ("max_receive_count", 0, "from 1 to 1000"),
    ("max_receive_count", 1001, "from 1 to 1000"),
    ("max_receive_count", True, "from 1 to 1000"),
    ("max_receive_count", "5", "from 1 to 1000"),
    ("window_end", 5, "a function that isn't a generator, or None"),
]


@pytest.mark.parametrize(("option", "value", "allowed"), BAD_VALUES)
def test_bad_argument_is_refused_at_decoration(option, value, allowed):
    """A bad argument is refused as the decorator is written: option, value, what is allowed."""
    with pytest.raises(ConfigurationError) as caught:
        batch_handler(**{option: value})
    text = str(caught.value)
    assert text.startswith(f"{option}=")
    assert allowed in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"source": "rabbit"},
            (
                "source='rabbit' is not possible: "
                "it takes 'auto', 'sqs', 'kinesis', 'dynamodb', 'kafka' or an EventSource object"
            ),
        ),
        ({"fifo": 1}, "fifo=1 is not possible: it takes 'auto', True or False"),
        (
            {"error_policy": "halt"},
            "error_policy='halt' is not possible: it takes 'derive', 'continue', 'stop', 'skip_group'",
        ),
        ({"raise_on_full_failure": 1}, "raise_on_full_failure=1 is not possible: it takes True or False"),
        (
            {"max_concurrency": 0},
            "max_concurrency=0 is not possible: it takes a whole number from 1 on, or -1 for the number of vCPUs",
        ),
        (
            {"deadline_margin": -1},
            (
                "deadline_margin=-1 is not possible: "
                "it takes a number of seconds from 0 on, or None or 'off' for no deadline"
            ),
        ),
        ({"record_timeout": 0}, "record_timeout=0 is not possible: it takes a number of seconds above 0, or None"),
        (
            {"envelope": 5},
            (
                "envelope=5 is not possible: "
                "it takes 'sns', 'eventbridge', a function from payload to payload that isn't async, or None"
            ),
        ),
        (
            {"max_receive_count": 0},
            "max_receive_count=0 is not possible: it takes the queue's maxReceiveCount, a whole number from 1 to 1000",
        ),
        ({"permanent": 5}, "permanent=5 is not possible: it takes an exception type, or a tuple of them"),
        (
            {"group_by": 5},
            "group_by=5 is not possible: it takes a function that is neither async nor a generator, or None",
        ),
        ({"window_end": 5}, "window_end=5 is not possible: it takes a function that isn't a generator, or None"),
        (
            {"sink": 5},
            (
                "sink=5 is not possible: "
                "it takes a Sink (an object with `open(*, ordered, seconds_left)`, such as a producer) or a function"
            ),
        ),
        ({"retry_delay": 5}, "retry_delay=5 is not possible: it takes a Backoff(base, cap), or None"),
        (
            {"hooks": 5},
            (
                "hooks=5 is not possible: it takes a list or tuple of objects with any of on_batch_start, "
                "around_record, on_record_end, on_batch_end, none of them async or a generator"
            ),
        ),
        (
            {"permanent": KeyError},
            (
                "permanent needs dead_letter, which takes the records that no retry cures: "
                "give dead_letter= a producer, a function, or `discard` from partialbatch.retries"
            ),
        ),
        (
            {"resume": ResumeLedger.in_memory(), "error_policy": "continue"},
            (
                "resume does not go with error_policy='continue': a record that failed would run after later records "
                "of its group, and old data would be written last. Use 'skip_group' (the default with resume) or 'stop'"
            ),
        ),
        (
            {"source": "kinesis", "retry_delay": Backoff()},
            "retry_delay works with sqs, not with source='kinesis'; remove it",
        ),
    ],
)
def test_refusal_says_what_is_wrong_and_what_to_do(options, text):
    """Each refusal names the option and its value, and says what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        batch_handler(**options)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("fifo", True),
        ("fifo", False),
        ("deadline_margin", None),
        ("deadline_margin", 0),
        ("deadline_margin", 900),
        ("record_timeout", None),
        ("record_timeout", 0.001),
        ("max_receive_count", None),
        ("max_receive_count", 1),
        ("max_receive_count", 1000),
        ("max_concurrency", -1),
        ("group_by", None),
        ("group_by", len),
        ("envelope", "sns"),
        ("envelope", "eventbridge"),
        ("envelope", len),
        ("window_end", len),
        ("model", dict),
    ],
)
def test_values_at_the_edges_are_taken(option, value):
    """Values at the edges of what is allowed are taken as they are."""
    assert getattr(resolve(**{option: value}), option) == value


def test_off_turns_the_deadline_off():
    """The word turns the deadline off in an argument too."""
    assert resolve(deadline_margin="off").deadline_margin is None


def test_incomplete_event_source_is_told_its_missing_parts():
    """An object that lacks parts of an EventSource is told which."""

    class Half:
        name = "half"
        partial_response = True

        def matches(self, event):
            return True

    with pytest.raises(
        ConfigurationError,
        match="Half isn't an EventSource, because it lacks records, identifier, payload, view, group, policy",
    ):
        resolve(source=Half())


def test_own_source_gives_its_own_name():
    """A source of the user's own gives its own name."""
    assert resolve(source=_Source()).source_name == "mq"
    assert resolve(source="kafka").source_name == "kafka"
    assert resolve().source_name == "auto"


@pytest.mark.parametrize(
    ("options", "sources"),
    [
        ({"fifo": True}, {"sqs"}),
        ({"max_receive_count": 3}, {"sqs"}),
        ({"window_end": len}, {"kinesis", "dynamodb"}),
        ({"fifo": False}, {"sqs", "kinesis", "dynamodb", "kafka"}),
        ({"fifo": "auto"}, {"sqs", "kinesis", "dynamodb", "kafka"}),
    ],
)
def test_option_that_the_source_lacks_is_refused(options, sources):
    """An option that the source does not have is refused by name, where the source is known."""
    resolve(source="auto", **options)
    for source in ("sqs", "kinesis", "dynamodb", "kafka"):
        if source in sources:
            resolve(source=source, **options)
        else:
            with pytest.raises(ConfigurationError, match=f"{next(iter(options))} works with .*source='{source}'"):
                resolve(source=source, **options)


def test_environment_is_read_at_decoration(environment):
    """A later change of the environment does not reach a handler."""
    environment.setenv("PARTIALBATCH_RAISE_ON_FULL_FAILURE", "off")

    @batch_handler
    def handler(record):
        raise ValueError

    environment.setenv("PARTIALBATCH_RAISE_ON_FULL_FAILURE", "on")
    event = {"Records": [{"messageId": "m", "body": "", "eventSource": "aws:sqs", "eventSourceARN": "arn:q"}]}
    assert handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "m"}]}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12))
def test_any_variable_gives_a_setting_or_a_configuration_error(text):
    """No text in the environment raises anything but a ConfigurationError."""
    for option in ("source", "error_policy", "raise_on_full_failure", "max_concurrency", "deadline_margin"):
        variable = f"PARTIALBATCH_{option.upper()}"
        os.environ[variable] = text
        try:
            value = getattr(resolve(), option)
        except ConfigurationError as error:
            assert variable in str(error)  # noqa: PT017 - either outcome is right
        else:
            assert value is not text or option == "source"
        finally:
            del os.environ[variable]


@given(st.integers(1, 10**6))
def test_whole_numbers_are_read_as_written(number):
    """A whole number in the environment is that number."""
    os.environ["PARTIALBATCH_MAX_CONCURRENCY"] = str(number)
    try:
        assert resolve().max_concurrency == number
    finally:
        del os.environ["PARTIALBATCH_MAX_CONCURRENCY"]


def test_options_can_be_read_by_tools():
    """The types of the options resolve at run time for the names that exist there."""
    assert get_type_hints(resolve)["return"] is Settings
