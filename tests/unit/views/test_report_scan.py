"""The page of a scanned series: what it scores where it ends."""

from __future__ import annotations

import math
from pathlib import Path

from nucleate.core import Level, Reading, Step
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.report import render_report

MOST = (1.0, 1.0, 1.0, 0.0)


def scanned(path: Path, hits: dict[int, tuple[float, ...]]) -> Run:
    """A scan that asked four items of each of two metrics at some steps."""
    manifest = Manifest(
        "tiny",
        {"scan": "checkpoints", "suite": "coherence"},
        {},
        {},
        primary={"syntax": "blimp.beyond_ngrams"},
    )
    with RunWriter.create(path, manifest) as writer:
        for step, items in hits.items():
            for stem in ("blimp.beyond_ngrams", "clams.en"):
                value, number = sum(items) / len(items), len(items)
                error = math.sqrt(value * (1 - value) / (number - 1))
                reading = Reading(
                    f"{stem}.accuracy", value, error, number, 0.5, "fraction", Level.SYNTAX, items
                )
                writer.reading(Step(step, 1000 * step), reading)
        writer.finish("finished", Step(max(hits), 1000 * max(hits)))
    return Run.open(path)


def test_one_checkpoint_is_a_table_of_scores_without_curves(tmp_path: Path) -> None:
    page = render_report(scanned(tmp_path / "a", {1: MOST}))
    assert "There is one reading of each metric: it shows a state, not a change." in page
    assert "<b>BLiMP · beyond n-grams</b>" in page
    assert "CLAMS · en" in page
    assert page.count(">.75 ±.49<") == 2  # √(.75 · .25 / 3) · 1.96
    assert 'id="curves"' not in page
    assert 'id="verdicts"' not in page


def test_a_series_shows_what_stands_for_each_level_where_it_ends(tmp_path: Path) -> None:
    page = render_report(scanned(tmp_path / "a", {1: MOST, 2: MOST, 3: (1.0,) * 4}))
    scores = page[page.index('id="scores"') : page.index('id="verdicts"')]
    assert "Scores where the series ends" in scores
    assert ">1.00 ±.49<" in scores  # all 4 items agree: z² / (4 + z²), the reach of Wilson's
    assert "CLAMS" not in scores
    assert 'id="curves"' in page
    assert "The series ended at 3k tokens." in page
    assert "tokens per second" not in page


def test_a_training_run_has_no_table_of_scores(run_path: Path) -> None:
    assert 'id="scores"' not in render_report(Run.open(run_path))
