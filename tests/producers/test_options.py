"""The producers' options have one source: their types and docstrings, which the documentation repeats."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import get_args

import pytest

from partialbatch import producers
from partialbatch.producers import CommonOptions, ReaderOptions

PAGE = Path(__file__).parents[2] / "docs" / "producers.rst"
CLASSES = [value for name, value in vars(producers).items() if name.endswith(("Producer", "Reader"))]


def documented(options):
    """Return the names in the docstring of some options, each with its text on one line."""
    _, _, attributes = inspect.getdoc(options).partition("Attributes:\n")
    rows = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in rows}


def test_every_common_option_is_documented_with_its_default():
    """Each option has a text, and the text names the default."""
    texts = documented(ReaderOptions) | documented(CommonOptions)
    assert list(texts) == list(CommonOptions.__annotations__)
    assert documented(ReaderOptions).keys() == ReaderOptions.__annotations__.keys()
    assert all("Default: " in text for text in texts.values())


def test_the_page_has_the_common_options_as_the_docstrings_have_them():
    """The table of the page has the same options, in the same order, with the same texts."""
    table = PAGE.read_text(encoding="utf-8").partition(".. list-table:: Options of all producers")[2]
    rows = re.findall(r"^   \* - ``(\w+)``\n     - (.*(?:\n       .*)*)", table, re.MULTILINE)
    assert {name: " ".join(text.split()) for name, text in rows} == documented(CommonOptions) | documented(
        ReaderOptions
    )


def choices(kind):
    """Return the options of a class that take a few texts, each with these texts and the default."""
    module = sys.modules[kind.__module__]
    for name, parameter in inspect.signature(kind).parameters.items():
        allowed = get_args(getattr(module, parameter.annotation, None))
        if allowed:
            yield name, allowed, parameter.default


@pytest.mark.parametrize("kind", CLASSES)
def test_choices_are_documented_and_have_a_valid_default(kind):
    """A docstring names every text that an option takes, and the default is one of them."""
    for name, allowed, default in choices(kind):
        assert default in allowed
        text = re.search(rf"^ +{name}: .*(?:\n {{8}}.*)*", inspect.getdoc(kind), re.MULTILINE)[0]
        others = [choice for choice in allowed if choice != default]
        assert all(f'"{choice}"' in text for choice in others)
        assert f'"{default}"' in text


def test_editors_see_the_choices_of_each_option():
    """Options that take a few texts are typed as literals."""
    found = {name for kind in CLASSES for name, *_ in choices(kind)}
    assert found == {
        "ordering",
        "on_rejected_group",
        "on_duplicate",
        "floats",
        "distribution",
        "return_consumed_capacity",
    }


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_has_one_example_and_names_the_page_of_its_limits(kind):
    """A docstring has an example that runs, the errors, and AWS's own page."""
    text = inspect.getdoc(kind)
    assert text.count(f">>> from partialbatch.producers import {kind.__name__}\n") == 1
    assert "https://docs.aws.amazon.com/" in text
    assert "Raises:\n" in text
