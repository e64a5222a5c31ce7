"""The page that ``--report`` writes, in Chromium."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from click.testing import CliRunner

from partialbatch.cli import main
from partialbatch.cli.invoke.html_report import _lanes
from partialbatch.cli.invoke.recording import RecordOutcome, Span
from partialbatch.cli.invoke.rendering import Row
from partialbatch.testing import kinesis_event, sqs_event

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
HANDLER = """
import threading
import time
from partialbatch import batch_handler
both = threading.Barrier(2)

@batch_handler(max_concurrency=3, error_policy="skip_group", raise_on_full_failure=False)
def handler(record):
    if record.text == "meet":
        both.wait(30)
    time.sleep(0.02)  # a bar that one can see
    if "bad" in record.text:
        raise ValueError(f"<script>document.title = 'taken over'</script> {record.text}")

@batch_handler
def fast(record): pass

def plain(event, context):
    raise RuntimeError("<b>out of stock</b>")
"""
FIFO = sqs_event(["meet", "bad", "b", "meet", "d", "e"], fifo=True, groups=["one", "one", "one", "two", "two", "two"])


@pytest.fixture
def opened(browser, module, tmp_path):
    """Writes a report about events and opens it."""
    contexts = []

    def write_and_open(*events, handler="handler", arguments=(), **options):
        names = [f"event-{number}.json" for number in range(len(events))]
        for name, event in zip(names, events, strict=True):
            (tmp_path / name).write_text(json.dumps(event))
        target = f"{module(HANDLER, 'shop')}:{handler}"
        done = CliRunner().invoke(main, ["invoke", target, *names, "--report", "out.html", *arguments])
        assert done.exit_code in (0, 1), done.output
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        page = context.new_page()
        page.problems, page.requests = [], []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto((tmp_path / "out.html").as_uri())
        return page

    yield write_and_open
    for context in contexts:
        context.close()


def boxes(page, selector):
    return [element.bounding_box() for element in page.query_selector_all(selector)]


def test_the_page_stands_alone(opened):
    """The page loads nothing but itself, runs nothing, and has no complaints."""
    page = opened(FIFO)
    assert [url for url in page.requests if not url.startswith("data:")] == [page.url]
    assert page.problems == []
    assert page.query_selector("script") is None
    assert page.title() == "shop:handler · partialbatch"


def test_each_group_has_a_line_in_the_timeline(opened):
    """Each group has a line; its records stand on it in order, side by side, and those of other groups beside them."""
    page = opened(FIFO)
    assert [text.split("\n") for text in page.locator(".lane > .label").all_inner_texts()] == [
        ["one", "group · 1 not started"],
        ["two", "group"],
    ]
    one, two = boxes(page, ".lane:nth-child(1) .bar"), boxes(page, ".lane:nth-child(2) .bar")
    assert (len(one), len(two)) == (2, 3)
    for lane in (one, two):
        assert all(before["x"] + before["width"] <= after["x"] + 1 for before, after in pairwise(lane))
    assert two[0]["x"] < one[0]["x"] + one[0]["width"]
    (track, *_) = boxes(page, ".track")
    assert all(
        track["x"] <= bar["x"] and bar["x"] + bar["width"] <= track["x"] + track["width"] + 1 for bar in one + two
    )
    assert [bar.get_attribute("class") for bar in page.query_selector_all(".bar")] == [
        *("bar succeeded", "bar failed"),
        *["bar succeeded"] * 3,
    ]
    title = page.query_selector(".bar.failed").get_attribute("title")
    assert re.fullmatch(r"0{8}-\S+1: failed, [\d.]+ ms, from [\d.]+ ms on, on \S+", title)


def test_records_outside_of_groups_stand_by_worker(opened):
    """Messages of a standard queue stand on the line of the worker that ran them."""
    page = opened(sqs_event(["a", "b", "c", "d", "e", "f"]))
    labels = [text.split("\n") for text in page.locator(".lane > .label").all_inner_texts()]
    assert {kind for _, kind in labels} == {"worker"}
    assert "Group" not in page.locator("thead").inner_text()
    assert page.locator(".bar").count() == 6
    legend = page.locator(".legend").inner_text()
    assert all(name in legend for name, _ in labels)
    for lane in page.query_selector_all(".lane"):
        bars = sorted((bar.bounding_box() for bar in lane.query_selector_all(".bar")), key=lambda box: box["x"])
        assert all(one["x"] + one["width"] <= other["x"] + 1 for one, other in pairwise(bars))


def test_a_short_record_has_a_visible_bar():
    """A record too short to see gets a bar that one can, within the line; groups come before workers."""
    alone = Row(
        0, "a", None, RecordOutcome("succeeded", span=Span("main", 0.99999, 1.0)), returned=False, lambda_action="done"
    )
    grouped = Row(
        1, "b", "group", RecordOutcome("succeeded", span=Span("main", 0.5, 1.0)), returned=False, lambda_action="done"
    )
    lanes = _lanes([alone, grouped], 1.0, {"main": "w1"})
    assert [(lane.name, lane.is_group) for lane in lanes] == [("group", True), ("main", False)]
    (bar,) = lanes[1].bars
    assert bar.width == 0.4
    assert bar.left + bar.width <= 100


def test_a_bar_leads_to_its_record(opened):
    """A click on a bar marks the record's row, which has the error and its traceback."""
    page = opened(FIFO)
    page.locator(".bar.failed").click()
    row = page.locator("tr:target")
    assert row.locator("td.id").inner_text() == "00000000-0000-4000-8000-000000000001"
    assert "ValueError: <script>" in row.locator("td.error").inner_text()
    assert not row.locator("pre").is_visible()
    row.locator("summary").click()
    assert "shop.py" in row.locator("pre").inner_text()


def test_each_event_has_its_records_verdict_and_response(opened):
    """Each event has a section: counts, Lambda's reaction, one row per record, the response."""
    page = opened(FIFO, kinesis_event(["a", "bad", "b"]))
    sections = page.query_selector_all("section.invocation")
    assert [section.query_selector("h2").inner_text() for section in sections] == ["event-0.json", "event-1.json"]
    assert [chip.inner_text() for chip in sections[0].query_selector_all(".chip")] == [
        "4 succeeded",
        "1 failed",
        "1 skipped",
    ]
    assert "Lambda: partial." in sections[0].query_selector(".verdict").inner_text()
    assert len(sections[0].query_selector_all("tbody tr")) == 6
    response = json.loads(sections[1].query_selector("h3 + pre").inner_text())
    assert [entry["itemIdentifier"][-2:] for entry in response["batchItemFailures"]] == ["99"]
    assert sections[1].query_selector(".twice").inner_text() == "again"


def test_the_traceback_replaces_the_response(opened):
    """Unobserved records are not drawn; the error and its traceback take the place of the response."""
    page = opened(sqs_event(["a", "b"]), handler="plain")
    assert page.locator(".timeline").count() == 0
    assert "read from its response" in page.locator(".verdict").inner_text()
    assert "RuntimeError: <b>out of stock</b>" in page.locator("section").inner_text()
    assert "shop.py" in page.locator("pre").inner_text()


def test_an_event_without_records_has_no_table(opened):
    """An event without records has a verdict, and neither timeline nor table."""
    page = opened({"Records": []})
    assert page.locator(".timeline, table").count() == 0
    assert "The event has no records." in page.locator(".verdict").inner_text()


def test_lost_records_are_pointed_out(opened):
    """Records that Lambda deletes though they failed are pointed out."""
    page = opened(FIFO, arguments=["--without-report"])
    assert page.locator(".lost").inner_text() == "Lost: 2 records did not succeed and will not be delivered again."


def luminance(colour):
    """Return the relative luminance of ``rgb(r, g, b)``: WCAG 2.2."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(page, selector, behind):
    """Return the contrast of a text's colour with a background's."""
    read = "(element, name) => getComputedStyle(element)[name]"
    ink = luminance(page.eval_on_selector(selector, f"element => ({read})(element, 'color')"))
    paper = luminance(page.eval_on_selector(behind, f"element => ({read})(element, 'backgroundColor')"))
    return (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_reads_on_every_screen(opened, viewport, scheme):
    """On a phone and on a desktop, light and dark: nothing sticks out sideways, and texts have a contrast of 4.5."""
    page = opened(FIFO, kinesis_event(["a", "bad", "b"]), viewport=viewport, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    for box in boxes(page, "td, pre, .verdict, .timeline, h1, h2"):
        assert box is None or box["x"] + box["width"] <= viewport["width"]
    paper = luminance(page.eval_on_selector("body", "element => getComputedStyle(element).backgroundColor"))
    assert paper > 0.8 if scheme == "light" else paper < 0.05
    card = "section.invocation"
    for text in (
        "h2",
        ".soft",
        "h3",
        "td.id",
        "th",
        ".status.succeeded",
        ".status.failed",
        ".status.skipped",
        ".twice",
    ):
        assert contrast(page, f"{card} {text}", card) >= 4.5, text
    for bar in (".bar.succeeded", ".bar.failed"):
        assert contrast(page, bar, bar) >= 4.5, bar


def test_a_phone_shows_records_as_cards(opened):
    """On a phone each field of a record has its label in place of the table's head."""
    page = opened(FIFO, viewport=PHONE)
    labels = page.eval_on_selector_all(
        "tbody tr:first-child td", "cells => cells.map(c => getComputedStyle(c, '::before').content)"
    )
    assert labels[:4] == ['"#"', '"Identifier"', '"Group"', '"Status"']
    assert page.locator("thead").bounding_box()["width"] <= 1


def test_a_large_batch_has_a_bar_and_a_row_per_record(opened):
    """The page of a large batch opens, with a bar and a row for each record."""
    page = opened(kinesis_event(["a"] * 3_000, partition_keys=[f"key-{n % 50}" for n in range(3_000)]), handler="fast")
    assert page.locator("tbody tr").count() == 3_000
    assert page.locator(".bar").count() == 3_000
    assert page.locator(".timeline").bounding_box()["height"] < DESKTOP["height"]
