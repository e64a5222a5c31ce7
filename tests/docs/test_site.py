"""The documentation site: it builds, opens, links right, and can be read on a phone and in the dark."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

DOCS = Path(__file__).parents[2] / "docs"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PAGES = sorted(path.stem for path in DOCS.glob("*.rst"))


class Links(HTMLParser):
    """Collects what a page links to, and what can be linked to in it."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors = [], {""}
        self.feed(text)

    def handle_starttag(self, _tag, attrs):
        values = dict(attrs)
        self.targets += [values[name] for name in ("href", "src") if values.get(name)]
        if values.get("id"):
            self.anchors.add(values["id"])


@pytest.fixture(scope="module")
def links(site):
    return {path: Links(path.read_text()) for path in site.rglob("*.html")}


def test_it_builds_without_a_warning(built):
    """Sphinx builds every page, and has nothing to say about any."""
    done, site = built
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.stem for path in site.glob("*.html")} >= set(PAGES)


def test_every_internal_link_leads_somewhere(links):
    """Each link to a page, an anchor, a picture or a style sheet of the site has a target."""
    broken = []
    for path, page in links.items():
        for target in page.targets:
            if urlsplit(target).scheme or target.startswith("//"):
                continue
            file, anchor = urldefrag(target)
            found = (path.parent / unquote(urlsplit(file).path)).resolve() if file else path
            if not found.is_file() or (found in links and unquote(anchor) not in links[found].anchors):
                broken.append((path.name, target))
    assert broken == []
    assert sum(len(page.targets) for page in links.values()) > 500


def test_every_page_is_reached_from_the_first(links, site):
    """Who follows links from the first page gets to every other."""
    reached, todo = set(), [site / "index.html"]
    while todo:
        page = todo.pop()
        if page not in reached:
            reached.add(page)
            hrefs = (urldefrag(target)[0] for target in links[page].targets)
            todo += [site / href for href in hrefs if href.endswith(".html") and "/" not in href]
    assert {path.stem for path in reached} >= set(PAGES)


def open_page(browser, site, name, **options):
    """Open a page; gives it and what the browser complained of."""
    page = browser.new_context(**({"viewport": DESKTOP} | options)).new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(request.url))
    page.goto((site / f"{name}.html").as_uri())
    return page, problems


@pytest.mark.parametrize("name", PAGES)
def test_pages_open(browser, site, name):
    """A page has one heading, all of its parts load, and it never scrolls sideways on a phone."""
    page, problems = open_page(browser, site, name, viewport=PHONE)
    assert page.locator("h1").count() == 1
    for image in page.locator("img.drawing").all():
        image.scroll_into_view_if_needed()  # they load when they are about to be seen
        image.evaluate("image => image.decode()")  # which raises for one that is no picture
    assert problems == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.context.close()


def test_links_can_be_followed(browser, site):
    """A click in the side bar opens the page it names."""
    page, problems = open_page(browser, site, "index")
    page.locator(".sidebar-tree a", has_text="What a failure means").click()
    assert page.locator("h1").inner_text().startswith("What a failure means")
    assert page.locator("img.drawing").count() == 6
    assert problems == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("switched", [False, True])
def test_drawings_follow_the_colour_scheme(browser, site, scheme, switched):
    """A drawing is as dark as the page around it, whether the system or the page's own switch says so."""
    other = "light" if scheme == "dark" else "dark"
    page, _ = open_page(browser, site, "policies", color_scheme=other if switched else scheme)
    if switched:
        page.evaluate("scheme => { document.body.dataset.theme = scheme }", scheme)
    background, paper = corner_colours(page, page.locator("img.drawing").first)
    assert (max(background) < 64, max(paper) < 64) == ((True, True) if scheme == "dark" else (False, False))
    page.context.close()


def corner_colours(page, image):
    """Return the colours of the page's background and of a drawing's paper, each as red, green and blue."""
    background = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
    image.evaluate("image => { image.loading = 'eager'; return image.decode() }")
    shot = image.screenshot(type="png")
    paper = page.evaluate(
        """async data => {
            const image = new Image();
            image.src = 'data:image/png;base64,' + data;
            await image.decode();
            const context = document.createElement('canvas').getContext('2d');
            context.drawImage(image, 0, 0);
            return [...context.getImageData(12, 12, 1, 1).data].slice(0, 3);
        }""",
        base64.b64encode(shot).decode(),
    )
    return [int(part) for part in background[:3]], paper


def test_two_ways_stand_side_by_side(browser, site):
    """On a desktop the two columns of the migration page stand beside each other; on a phone one below the other."""
    for viewport, beside in ((DESKTOP, True), (PHONE, False)):
        page, _ = open_page(browser, site, "migration", viewport=viewport)
        before, after = page.locator(".before").first.bounding_box(), page.locator(".after").first.bounding_box()
        assert (before["y"] == after["y"]) is beside
        page.context.close()
