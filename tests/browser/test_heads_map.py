"""The map of heads in a report, moved by its slider: what it says is what the looks held."""

from __future__ import annotations

from nucleate.store import Run
from nucleate.views.report import render_report
from tests.unit.views.made_heads import LOOKS, TAKEN, write_heads_run


def test_the_slider_tells_of_each_look(tmp_path, chromium):
    """L1H0 links entities by .1 at the fifth look, at 232k tokens, and by .9 at the last, at 5M."""
    run = Run.open(write_heads_run(tmp_path / "run"))
    report = tmp_path / "report.html"
    report.write_text(render_report(run), encoding="utf-8")
    page = chromium.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(report.as_uri())
    play = page.locator("[data-heads]")
    look, shown = play.locator("[data-part=look]"), play.locator("[data-part=shown]")
    assert play.is_visible()
    assert look.get_attribute("max") == str(len(LOOKS) - 1)
    assert "5M" in shown.inner_text()
    assert "L1H0 at 5M: entity link .90 ± .04" in play.inner_text()
    look.fill("4")
    assert "232k" in shown.inner_text()
    assert "L1H0 at 232k: entity link .10 ± .04" in play.inner_text()
    look.fill(str(TAKEN))
    assert "since 500k (not at 341k)" in play.inner_text()
    assert errors == []
    page.close()
