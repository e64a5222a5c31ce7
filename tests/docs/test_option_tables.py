"""The tables of options, which are made from the docstring of the decorator."""

from __future__ import annotations

import importlib.util
import os
import re
from ast import literal_eval
from pathlib import Path

import pytest

from partialbatch import types
from partialbatch._core import options, validation
from partialbatch._core.options import Options, resolve
from partialbatch.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("option_tables", ROOT / "docs" / "option_tables.py")
tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tables)
DESCRIBED = {option.name: option for option in tables.options()}
EVERY_SOURCE = {"sqs", "kinesis", "dynamodb", "kafka"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Hide the variables of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("PARTIALBATCH_")]:
        monkeypatch.delenv(name)


every_option = pytest.mark.parametrize("option", DESCRIBED.values(), ids=list(DESCRIBED))


@pytest.mark.parametrize("name", tables.TABLES)
def test_tables_say_what_the_docstring_says(name):
    """The tables in a file are those that ``make tables`` would write now."""
    text = (ROOT / name).read_text()
    assert tables.written(name, text) == text


@pytest.mark.parametrize("name", tables.TABLES)
def test_writing_replaces_a_table_that_is_out_of_date(name):
    """A changed table is written anew, and the text around it stays."""
    text = (ROOT / name).read_text()
    changed = text.replace("``max_concurrency`` (E)", "``max_workers`` (E)").replace("``off``\n", "``never``\n")
    assert changed != text
    assert tables.written(name, changed) == text


def test_docstring_describes_every_option():
    """The docstring has each option of the decorator, and no other."""
    assert sorted(DESCRIBED) == sorted(Options.__annotations__)


@every_option
def test_described_default_is_the_default(option):
    """The default in the docstring is the one that a handler without options has."""
    default = re.match(r"``(.+?)``", option.default)[1]
    assert getattr(resolve(), option.name) == literal_eval(default)


def test_described_later_margin_is_the_one_of_handlers_that_send():
    """The second default of the margin belongs to the options that send or write after the last record."""
    described = DESCRIBED["deadline_margin"].default
    assert f"``{options.LATE_MARGIN}`` with" in described
    given = {"sink": len, "dead_letter": len}
    for name, value in given.items():
        assert f"``{name}``" in described
        assert resolve(**{name: value}).deadline_margin == options.LATE_MARGIN


@every_option
def test_described_sources_are_those_that_have_the_option(option):
    """The sources in the docstring are the ones at which the option isn't refused."""
    found = set(re.findall(r"``(\w+)``", option.sources)) or EVERY_SOURCE
    assert found == set(options.PARTICULAR.get(option.name, EVERY_SOURCE))


@every_option
def test_described_variable_is_read(option, monkeypatch):
    """A variable in the docstring is read for its option, and no other option has one."""
    variable = f"PARTIALBATCH_{option.name.upper()}"
    monkeypatch.setenv(variable, "\N{SNOWMAN}")
    if option.variable:
        assert option.variable == f"``{variable}``"
        with pytest.raises(ConfigurationError, match=variable):
            resolve()
    else:
        resolve()


@pytest.mark.parametrize("option", [option for option in DESCRIBED.values() if "a " not in option.variable_values])
def test_described_words_of_a_variable_are_taken(option, monkeypatch):
    """Each word that the docstring lists for a variable is a value of it."""
    for word in re.findall(r"``([\w-]+)``", option.variable_values):
        monkeypatch.setenv(f"PARTIALBATCH_{option.name.upper()}", word)
        resolve()


@pytest.mark.parametrize("name", ["source", "fifo", "error_policy", "envelope", "deadline_margin"])
def test_choices_that_editors_complete_are_described_and_taken(name):
    """Each choice in an option's type is in its description, and a handler takes it."""
    choices = literals(name)
    assert choices
    for choice in choices:
        assert f'``"{choice}"``' in DESCRIBED[name].values
        resolve(**{name: choice})


def test_choices_that_editors_complete_are_all_there_are():
    """The choices in the options' types are the ones that the checks know."""
    assert literals("source") == set(validation.SOURCES)
    assert literals("envelope") == set(validation.ENVELOPES)
    assert literals("error_policy") == {policy.value for policy in types.ErrorPolicy}


def literals(name):
    """Return the strings of the ``Literal`` types in an option's annotation."""
    parts = Options.__annotations__[name].__forward_arg__.split("Literal[")[1:]
    return {choice for part in parts for choice in literal_eval(f"({part.partition(']')[0]},)")}
