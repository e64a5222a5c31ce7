"""The figures of the documentation: what the simulator says today, drawn for light and dark."""

from __future__ import annotations

import csv
import importlib.util
import io
import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pytest

from partialbatch.retries import _ledger as ledger
from partialbatch.testing import kinesis_event

FOLDER = Path(__file__).parents[2] / "docs" / "figures"


@pytest.fixture(scope="module")
def draw():
    spec = importlib.util.spec_from_file_location("draw", FOLDER.parent / "draw.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.table = cache(module.table)  # it takes a second, and every caller gets the same
    return module


def test_the_figures_are_what_the_simulator_says(draw):
    """Every figure in the repository is the one that ``make figures`` would write now; no other is there."""
    made = dict(draw.figures())
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    assert [name for name, text in made.items() if (FOLDER / name).read_text() != text] == []


def test_what_the_page_says_of_the_table(draw):
    """The conclusions that the page draws from the table hold in it."""
    rows = {(row["Source"], row["Policy"].strip("`")): row for row in csv.DictReader(io.StringIO(draw.table()))}
    assert {row["Lost"] for row in rows.values()} == {"0"}
    calls = {policy: int(rows["SQS", policy]["Invocations"]) for policy in ("continue", "stop", "skip_group")}
    assert calls["continue"] == min(calls.values())
    assert rows["SQS FIFO", "continue"]["Groups in order"] != "250 of 250"
    held = {policy: int(rows["SQS FIFO", policy]["Records delivered"]) for policy in ("stop", "skip_group")}
    assert held["skip_group"] < held["stop"]
    for source in ("SQS FIFO", "Kinesis", "DynamoDB", "Kafka"):
        every = "250 of 250" if source == "SQS FIFO" else "20 of 20"
        assert {rows[source, policy]["Groups in order"] for policy in ("stop", "skip_group")} == {every}
    for source in ("Kinesis", "DynamoDB"):
        assert rows[source, "stop"]["Duplicated work"] == rows[source, "with ``resume"]["Duplicated work"] == "0"
        assert int(rows[source, "stop"]["Invocations"]) > int(rows[source, "continue"]["Invocations"])
        # About half a batch of 100 a failure; about one in a hundred of 1,000 fails.
        assert 300 < int(rows[source, "continue"]["Duplicated work"]) < 700


def page():
    return " ".join((FOLDER.parent / "policies.rst").read_text().split())


@pytest.mark.parametrize("source", ["fifo", "kinesis"])
@pytest.mark.parametrize("policy", ["continue", "stop", "skip_group"])
def test_the_words_for_a_drawing_are_those_of_its_run(draw, source, policy):
    """What a drawing shows is told in words from the same run, for those who do not see it."""
    assert f"figures/{source}_{policy}.svg :class: drawing :alt: {draw.in_words(source, policy)} " in page()


@pytest.mark.parametrize("policy", ["continue", "skip_group"])
def test_the_records_that_run_twice_are_named(draw, policy):
    """The page names the records of the drawing that run a second time."""
    again = re.search(r", and ([AB0-9, and]+) a second time", draw.in_words("kinesis", policy))[1]
    assert f" {again} run twice" in page()


def test_the_page_says_what_the_load_is(draw):
    """Records, groups, batches and failures of the table are those of the runs."""
    assert f"The same load under each policy: {draw.load_in_words()}." in page()


def test_an_entry_of_a_ledger_holds_as_many_records_as_the_page_says():
    """The number of Kinesis records in an entry is counted, to a hundred."""
    numbers = [raw["kinesis"]["sequenceNumber"] for raw in kinesis_event(["a"] * 10_000)["Records"]]
    held = round(len(ledger.fitting(numbers)), -2)
    assert f"about {held:,} Kinesis records" in (FOLDER.parent / "retries.rst").read_text()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.svg")), ids=lambda path: path.stem)
def test_drawings_have_both_colour_schemes(path):
    """A drawing is well-formed, has a title, its own paper, and every colour once for light and once for dark."""
    text = path.read_text()
    root = ET.fromstring(text)
    assert root.find("{*}title").text
    assert root.find("{*}rect").get("class") == "paper"
    light, dark = text.split("@media (prefers-color-scheme: dark)", 1)
    names = re.compile(r"--([a-z]+): #[0-9a-f]{6}")
    assert names.findall(light) == names.findall(dark)
    assert {"ink", "paper", "good", "bad", "again"} <= set(names.findall(light))
    assert set(re.findall(r"var\(--([a-z]+)\)", text)) == set(names.findall(light))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_can_be_told_from_the_paper(scheme):
    """Every colour of text has a contrast of at least 4.5 to 1 with the paper, as WCAG asks for."""
    text = next(FOLDER.glob("*.svg")).read_text()
    light, dark = text.split("@media (prefers-color-scheme: dark)", 1)
    colours = dict(re.findall(r"--([a-z]+): #([0-9a-f]{6})", light if scheme == "light" else dark))
    paper = luminance(colours["paper"])
    for name in ("ink", "soft", "good", "bad", "again"):
        brighter, darker = sorted((luminance(colours[name]), paper), reverse=True)
        assert (brighter + 0.05) / (darker + 0.05) >= 4.5, name


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
