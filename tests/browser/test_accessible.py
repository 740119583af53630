"""axe-core on every page, light and dark, wide and narrow; and what axe cannot see."""

from __future__ import annotations

from pathlib import Path

import pytest

PAGES = ("/", "/?q=nothing", "/run/base-0", "/run/killed", "/compare?run=base-0&run=new-0")


@pytest.fixture(scope="module")
def axe() -> str:
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    return (Path(package.__file__).parent / "axe.min.js").read_text()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing(address, open_page, axe, scheme, width):
    page = open_page(address, width=width, color_scheme=scheme)
    for path in PAGES:
        page.goto(address + path)
        if path.startswith("/run"):
            page.locator("#part-curves").scroll_into_view_if_needed()
            page.wait_for_selector("#panels figure")
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        told = [
            (each["id"], node["target"], node.get("failureSummary", "")[:200])
            for each in found["violations"]
            for node in each["nodes"]
        ]
        assert told == [], path


def test_axe_would_find_something(address, open_page, axe):
    page = open_page(address)
    page.evaluate("document.querySelector('#q').previousElementSibling.remove()")
    page.evaluate("document.querySelector('#q').removeAttribute('placeholder')")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [each["id"] for each in found["violations"]] == ["label"]


def test_every_drawing_says_what_it_shows(address, open_page):
    page = open_page(address)
    page.goto(f"{address}/run/base-0")
    page.locator("#part-curves").scroll_into_view_if_needed()
    page.wait_for_selector("#panels figure")
    bare = page.evaluate(
        """[...document.querySelectorAll("svg")].filter((svg) => !(
             svg.getAttribute("aria-hidden") === "true" ||
             (svg.getAttribute("role") === "img" && svg.getAttribute("aria-label")))).length"""
    )
    assert bare == 0


def test_news_are_read_out(address, open_page):
    page = open_page(address)
    page.goto(f"{address}/run/base-0")
    assert page.locator("#news[role=status]").count() == 1
    page.goto(address)
    assert page.locator("#count").get_attribute("aria-live") == "polite"
