"""The page: complete without network or JavaScript, escaped, capped, the same bytes twice."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from nucleate.core import Assessment, CurveBook, DataError, Flag, Verdict
from nucleate.detect import Findings
from nucleate.views.detect.data import Settings
from nucleate.views.detect.page import MOST_PANELS, MOST_ROWS, render_page, write_page
from tests.unit.views.detect_findings import curve, findings, jump, sharp, single, step_values

ATTACK = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&{{ 7*7 }}"

SETTINGS = Settings(0.005, 0.4, 3, "nucleate detect curves.csv --report", "1.2.3")


class Page(HTMLParser):
    """Collects tags and attributes, and the text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        self._inside = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if not self._inside:
            self.text += data


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_page(findings(), SETTINGS))


def test_it_says_what_was_found(page):
    flat = " ".join(page.text.split())
    for words in (
        "jump.accuracy changes sharply in 2 of 2 runs",
        "Before you read on",
        "Duplicate checkpoints. seed1 repeats seed0",
        "flagged: duplicate checkpoints",
        "Every curve",
        "Across runs",
        "2 of 2",
        "Set aside",
        "flat (seed1): spike at 1k steps",
        "p at most 0.005",
        "Seed 3",
        "nucleate detect curves.csv --report",
        "positions from “step”",
        "What this cannot say",
    ):
        assert words in flat, words
    assert "nan" not in flat
    assert "phase transition" not in flat


def test_it_loads_nothing_and_its_drawings_are_described(page):
    for tag, key, value in page.attributes:
        assert key != "src", tag
        assert not (key == "href" and not value.startswith("#")), value
    assert page.tags.count("figure") == 9
    labels = [value for tag, key, value in page.attributes if (tag, key) == ("svg", "aria-label")]
    assert labels[0] == "jump.accuracy (seed0) over steps: step-like at 3k (2.5–3.3k) steps"
    policy = next(value for tag, key, value in page.attributes if value.startswith("default-src"))
    assert "default-src 'none'" in policy
    assert "nan" not in " ".join(value for _, _, value in page.attributes).lower()


def test_it_is_deterministic():
    assert render_page(findings(), SETTINGS) == render_page(findings(), SETTINGS)


def test_every_name_is_escaped():
    found = single(replace(sharp(ATTACK), metric=ATTACK, note=ATTACK))
    runs = {ATTACK: found.book.runs[""], "b": found.book.runs[""]}
    book = CurveBook(ATTACK, ATTACK, runs, (ATTACK,))
    both = dict.fromkeys(runs, found.assessments[""])
    flags = (Flag(ATTACK, ATTACK, (ATTACK,), (ATTACK,)),)
    text = render_page(Findings(book, both, flags), replace(SETTINGS, command=ATTACK))
    page = Page(text)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]
    assert ATTACK in page.text


def test_large_books_are_capped():
    names = [f"m{k}" for k in range(MOST_ROWS + 50)]
    own = {name: curve(name, step_values()) for name in names}
    book = CurveBook("t.csv", "step", {"": own})
    page = Page(render_page(Findings(book, {"": {name: sharp(name) for name in names}}), SETTINGS))
    assert page.tags.count("figure") == MOST_PANELS
    assert f"{MOST_PANELS} of {len(names)} curves" in page.text
    assert "50 more rows are in the output of --json" in " ".join(page.text.split())


@pytest.mark.parametrize("num", [1, 2, 4000])
def test_dense_and_tiny_curves_are_drawn(num):
    at = tuple(np.arange(1.0, num + 1.0).tolist())
    own = curve("m", np.sin(np.arange(num)), se=float("nan"), at=at)
    found = {"": {"m": Assessment("m", Verdict.SMOOTH, disturbances=(jump("m"),))}}
    text = render_page(Findings(CurveBook("t.csv", "step", {"": {"m": own}}), found), SETTINGS)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S).lower()
    assert len(text) < 120_000
    assert text.count('class="rawband') == (num == 4000)


def test_an_empty_book_has_a_page():
    text = render_page(Findings(CurveBook("t.csv", "step", {}), {}), SETTINGS)
    assert "There is no curve to look at." in text


def test_write_page(tmp_path):
    out = write_page(findings(), SETTINGS, tmp_path / "deep" / "a.html")
    assert out.read_text().startswith("<!doctype html>")
    write_page(single(sharp("m\ud800")), SETTINGS, tmp_path / "surrogate.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError):
        write_page(findings(), SETTINGS, tmp_path / "file" / "a.html")
