"""The published table: the rows that the benchmarks define, and no others."""

from __future__ import annotations

import csv
import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.rst"


@pytest.fixture
def page():
    return import_module("benchmarks.page")


@pytest.fixture
def parts():
    return import_module("benchmarks.parts")


@pytest.fixture
def table():
    return import_module("benchmarks.table")


def published(text):
    """Return the rows of each table of a page, by the table's title."""
    tables = re.findall(r"^(.+)\n~+\n\n\.\. csv-table::\n(?:    :.+\n)+\n((?:    .+\n)+)", text, re.MULTILINE)
    return {title: list(csv.reader(line.strip() for line in lines.splitlines())) for title, lines in tables}


def test_the_page_has_exactly_the_rows_that_are_defined(parts, table):
    """Every defined row is published once, in its part's table, with its unit, its peer and its bound."""
    tables = published(PAGE.read_text(encoding="utf-8"))
    shown = {title: [(row[0], row[4], row[5], row[7]) for row in rows] for title, rows in tables.items()}
    assert shown == {
        parts.TITLES[part]: [(row.name, row.unit, row.against, table.bound(row.target)) for row in rows]
        for part, rows in parts.definitions().items()
    }


def test_the_page_says_where_its_figures_come_from(page):
    """The machine, the version of Python and those of the packages stand above the tables."""
    packages = import_module("benchmarks.machine").PACKAGES
    above = " ".join(PAGE.read_text(encoding="utf-8").partition(page.BEGIN)[2].partition("csv-table")[0].split())
    assert re.search(r"Measured on \d{4}-\d\d-\d\d with Python 3\.\d+\.\d+ on \w+, .+, \d+ CPUs, load average", above)
    assert [name for name in packages if not re.search(rf"\b{name} \d", above)] == []


def test_writing_replaces_the_tables_alone(page, parts, tmp_path):
    """New figures replace the old ones; the text around them stays."""
    rows = [row.measured(1.0, 2.0) for row in parts.definitions()["stages"]]
    path = tmp_path / "page.rst"
    path.write_text(f"Before\n\n{page.BEGIN}old{page.END}\nAfter\n")
    for _ in range(2):
        page.write(path, "On a machine.", {"stages": rows})
    text = path.read_text()
    assert text.startswith(f"Before\n\n{page.BEGIN}\nOn a machine.\n\nOne option more\n")
    assert text.endswith(f"{page.END}\nAfter\n")
    assert "old" not in text
    assert [row[0] for row in published(text)["One option more"]] == [row["name"] for row in rows]


def test_a_page_without_a_place_is_left_alone(page, tmp_path):
    """A page that lacks the two comments is refused, and not changed."""
    path = tmp_path / "page.rst"
    path.write_text("No place\n")
    with pytest.raises(ValueError, match="no place for the tables"):
        page.write(path, "On a machine.", {})
    assert path.read_text() == "No place\n"
