"""The terminal view: 80 columns, everything named, caps, and nothing hostile obeyed."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from nucleate.core import CurveBook
from nucleate.detect import Findings
from nucleate.views.detect.data import Settings, as_json
from nucleate.views.detect.lines import clipped
from nucleate.views.detect.page import render_page
from nucleate.views.detect.terminal import MOST_BROAD, MOST_SHARP, print_findings
from tests.unit.views.detect_findings import broad, curve, findings, sharp, single, step_values


def printed(found: Findings, width: int = 80, **options) -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    print_findings(found, console, max_width=0.4, **options)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_and_says_all(width):
    text = printed(findings(), width, report="a.html")
    assert max(len(line) for line in text.splitlines()) <= width
    for words in (
        "curves.csv",
        "positions from “step”",
        "Before you read on",
        "duplicate checkpoints: seed1 repeats seed0",
        "Sharp changes  at in steps",
        "3k (2.5–3.3k)        .10 (.05–.20)  +.50",
        ".20 → .70",
        "0.0002 0.0004",
        "Broad, not shown to be sharp",
        "300–500              4k (3.3–5k)",
        "  flagged: duplicate checkpoints",
        "2 curves are not shown to change",
        "few (seed0): 5 readings",
        "Set aside  1 spike: the curve left its trend and came back",
        "flat (seed1): spike at 1k steps, +.30",
        "report  a.html",
    ):
        assert words in text, words
    assert "nan" not in text
    assert "phase transition" not in text


def test_flags_come_before_the_findings():
    text = printed(findings())
    assert text.index("Before you read on") < text.index("changes sharply")


def many_curves(num: int, found) -> Findings:
    names = [f"m{k}" for k in range(num)]
    curves = {name: curve(name, step_values()) for name in names}
    book = CurveBook("t.csv", "step", {"": curves})
    return Findings(book, {"": {name: found(name) for name in names}})


@pytest.mark.parametrize(("found", "most"), [(sharp, MOST_SHARP), (broad, MOST_BROAD)])
def test_long_lists_are_capped_unless_all_are_asked_for(found, most):
    many = many_curves(1200, found)
    text = printed(many)
    assert f"… 1 {200 - most} more, --all" in text
    assert len(text.splitlines()) < 80
    assert len(printed(many, everything=True).splitlines()) > 2400


def test_names_cannot_steer_the_terminal():
    name = "[red]x[/red]\x1b[2J\x1b]0;t\x07\u202ey\nz" + "w" * 100
    found = single(replace(sharp(name), metric=name))
    text = printed(found)
    assert "[red]x[/red]" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert max(len(line) for line in text.splitlines()) <= 80


def test_clipped_keeps_both_ends():
    assert clipped("abcdefghij", 5) == "ab…ij"
    assert clipped("abc", 5) == "abc"


@pytest.mark.filterwarnings("ignore:overflow")
def test_values_that_no_plot_can_hold_break_nothing():
    values = step_values()
    values[3:6] = (1e308, -1e308, float("inf"))
    found = single(sharp("m\ud800"), values)
    assert "m " in printed(found)
    page = render_page(found, Settings(0.005, 0.4, 0))
    assert "nan" not in page.split("</style>")[1].lower()
    assert json.loads(as_json(found, Settings(0.005, 0.4, 0)))["curves"][0]["metric"] == "m\ud800"
    as_json(found, Settings(0.005, 0.4, 0)).encode("ascii")
