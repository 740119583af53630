"""What several metrics and runs say together, in a terminal, as JSON, and on the page."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from nucleate.detect.together import Mark, Part, Result, Together
from nucleate.views.detect.data import Settings, as_dict
from nucleate.views.detect.page import render_page
from nucleate.views.detect.terminal import print_findings
from tests.unit.views.detect_findings import findings, single, smooth

MARKS = (Mark("early <b>", 300.0, 200.0, 400.0, 2), Mark("late", 3000.0, 2500.0, 3300.0, 2))
TOGETHER = Together(
    "The 2 runs are taken as seeds of one training.",
    (
        Part(
            "lead and lag",
            "Which changes first?",
            (
                Result("the runs", "1 of 1 lags resolved", "early leads late", True, {}, MARKS),
                Result("others", "0 of 1 lags resolved", "nothing", False),
            ),
            caveat="What comes first need not be a cause.",
        ),
        Part("order", "Does the order hold?", refused="an order needs at least 5 seeds (2 here)"),
    ),
)
SETTINGS = Settings(0.01, 0.4, 0)


def shown(found, **wishes) -> str:
    out = io.StringIO()
    print_findings(found, Console(file=out, width=80), max_width=0.4, **wishes)
    return out.getvalue()


def test_the_terminal_shows_what_was_shown_and_names_the_rest() -> None:
    text = shown(replace(findings(), together=TOGETHER))
    assert "Taken together" in text
    assert "the runs: 1 of 1 lags resolved" in text
    assert "late" in text
    assert "3k (2.5–3.3k)" in text
    assert "others" not in text
    assert "Nothing shown by order (not asked)." in text
    assert max(map(len, text.splitlines())) <= 80


def test_all_shows_refusals_too() -> None:
    text = shown(replace(findings(), together=TOGETHER), everything=True)
    assert "others: 0 of 1 lags resolved" in text
    assert "order: an order needs at least 5 seeds (2 here)" in text


def test_a_single_curve_has_nothing_beside_it() -> None:
    found = replace(single(smooth("a")), together=TOGETHER)
    assert "Taken together" not in shown(found)
    assert 'id="together"' not in render_page(found, SETTINGS)


def test_json_holds_everything() -> None:
    together = as_dict(replace(findings(), together=TOGETHER), SETTINGS)["together"]
    assert together["parts"][0]["results"][0]["marks"][1]["at"] == 3000.0
    assert together["parts"][1]["refused"].startswith("an order needs")
    assert as_dict(findings(), SETTINGS)["together"] is None


def test_the_page_draws_places_and_hides_what_shows_nothing() -> None:
    page = render_page(replace(findings(), together=TOGETHER), SETTINGS)
    assert page.count('class="lane long"') == 2
    assert "early &lt;b&gt;" in page
    assert "<summary>1 answer shows nothing</summary>" in page
    assert "order: an order needs at least 5 seeds (2 here)" in page


@pytest.mark.parametrize("at", [0.0, float("nan")])
def test_a_place_off_the_axis_is_not_drawn(at: float) -> None:
    part = Part("x", "X?", (Result("a", "b", "c", True, {}, (Mark("m", at, at, at),)),))
    page = render_page(replace(findings(), together=Together("", (part,))), SETTINGS)
    assert 'class="lane long"' not in page
