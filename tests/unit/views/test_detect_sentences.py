"""Rows in order of evidence, and sentences that claim no more than the verdicts do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nucleate.core import CurveBook, Flag, Kind, Verdict
from nucleate.detect import Findings
from nucleate.views.detect.agreement import agreements
from nucleate.views.detect.changes import changes, counts, gap_at, onset_interval, strongest
from nucleate.views.detect.limits import averaged
from nucleate.views.detect.numbers import between, ends, figure, place, tick, unit
from nucleate.views.detect.sentences import extent, size_of, story
from tests.unit.views.detect_findings import (
    POSITIONS,
    broad,
    curve,
    findings,
    jump,
    sharp,
    single,
    smooth,
    step_values,
    unresolved,
)


def said(found: Findings, max_width: float = 0.4) -> str:
    return " ".join(story(changes(found), found.book.axis, max_width))


def test_rows_come_in_order_of_evidence():
    rows = changes(findings())
    assert [row.says for row in strongest(rows)] == (
        ["step-like"] * 2
        + ["broad rise"] * 2
        + ["broad fall"] * 2
        + ["smooth"] * 2
        + ["unresolved"]
    )
    assert rows[2].row.width < rows[4].row.width
    assert counts(rows)["step-like"] == 2
    assert rows[0].name == "jump.accuracy (seed0)"


def test_a_curve_with_two_changes_has_two_rows_and_counts_once():
    both = sharp("m")
    other = jump("m", Kind.KINK, Verdict.KINK, at=9000.0)
    found = single(type(both)("m", Verdict.STEP_LIKE, (other, *both.transitions), 1.0))
    rows = changes(found)
    assert [row.verdict for row in rows] == [Verdict.STEP_LIKE, Verdict.KINK]
    assert counts(rows) == {"step-like": 1}
    assert rows[0].name == "m"


def test_gap_is_that_between_the_readings_around_a_change():
    own = curve("m", step_values())
    places = np.log10(POSITIONS)
    assert gap_at(own, 3000.0) == pytest.approx(np.diff(places).max(), abs=0.01)
    assert gap_at(own, POSITIONS[3]) == pytest.approx(max(np.diff(places)[2:4]))
    assert math.isnan(gap_at(own, 1.0))
    assert math.isnan(gap_at(own, math.nan))


def test_onset_interval_is_known_for_broad_changes_only():
    assert onset_interval(broad("m")) == (300.0, 500.0)
    assert math.isnan(onset_interval(smooth("m"))[0])


def test_story_of_several_curves():
    words = said(findings())
    assert words.startswith(
        "jump.accuracy changes sharply in 2 of 2 runs, at 2.8–3k; the strongest"
    )
    assert "3k (2.5–3.3k) steps, step-like, q 0.0004" in words
    assert "Not sharp: 2 rise broadly, 2 fall broadly and 2 are not shown to change." in words
    assert "1 has too few readings to say." in words
    assert "are .12 decades apart: nothing narrower can be shown." in words


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (sharp("loss"), "loss changes sharply at 3k (2.5–3.3k) steps, step-like, q 0.0004."),
        (smooth("loss"), "loss is not shown to change."),
        (
            broad("loss"),
            "loss rises broadly, from .20 to .80 over 1.50 decades, onset within 300–500 steps; "
            "no sharp change is shown.",
        ),
    ],
)
def test_story_of_one_curve(found, expected):
    values = np.full(len(POSITIONS), 0.5) if found.verdict is Verdict.SMOOTH else None
    assert said(single(found, values)).startswith(expected)


def test_too_few_readings_are_not_called_unsharp():
    own = curve("few", [0.1, 0.2, 0.3], at=POSITIONS[:3])
    book = CurveBook("t.csv", "step", {"": {"few": own}})
    words = said(Findings(book, {"": {"few": unresolved("few")}}))
    assert words == "No curve has enough readings to say anything: 3 usable ones, 8 are needed."


def test_movement_without_a_verdict_is_not_called_smooth():
    hump = 0.5 + 0.4 * np.exp(-((np.arange(len(POSITIONS)) - 13.0) ** 2) / 8)
    assert said(single(smooth("m"), hump)).startswith("m moves by more than its error bars")


def test_coarse_readings_hide_jumps_and_wide_values_ask_for_a_logarithm():
    at = tuple(np.logspace(2, 5, 9).tolist())
    own = curve("m", np.linspace(0, 1, 9), at=at)
    book = CurveBook("t.csv", "step", {"": {"m": own}})
    words = said(Findings(book, {"": {"m": broad("m")}}))
    assert ".38 decades apart: a jump between two of them would look no different." in words
    falling = np.where(np.array(POSITIONS) > 3000, 10.0, 1e6)
    assert "powers of ten" in said(single(sharp("norm"), falling))
    assert "powers of ten" not in said(single(sharp("norm")))


def test_flags_mark_the_metrics_that_they_name_and_the_places_where_they_lie():
    found = findings()
    assert {row.name for row in changes(found) if row.flags} == {"rise (seed0)", "rise (seed1)"}
    swapped = Flag("swapped checkpoints", "two are", runs=("seed1",), at=(2900.0,))
    elsewhere = Flag("leakage", "one is", runs=("seed1",), at=(99.0,))
    rows = changes(replace(found, flags=(swapped, elsewhere)))
    assert [row.flags for row in rows[:2]] == [(), ("swapped checkpoints",)]
    words = " ".join(story(rows, "step", 0.4))
    assert "1 of these 2 is flagged (swapped checkpoints): read the reasons first." in words


def test_perplexities_are_shown_by_their_logarithm_as_they_were_judged():
    falling = np.where(np.array(POSITIONS) > 3000, 10.0, 1e6)
    found = single(sharp("task.ppl"), falling)
    (row,) = changes(found)
    assert (row.metric, row.title, row.curve.unit) == ("task.ppl", "ln task.ppl", "nats")
    assert row.curve.values[0] == pytest.approx(6 * math.log(10))
    assert row.curve.se[0] == pytest.approx(1e-8)
    assert said(found).startswith("ln task.ppl changes sharply at")
    assert "powers of ten" not in said(found)


def test_nothing_to_look_at():
    empty = Findings(CurveBook("t.csv", "step", {}), {})
    assert said(empty) == "There is no curve to look at."
    assert extent(empty.book) is None
    assert size_of(empty.book) == "0 curves"


def test_sizes_and_averaging_are_said():
    assert size_of(findings().book) == "9 curves: 2 runs and 5 metrics, 5–27 readings each, " + (
        "steps 100–100k"
    )
    at = tuple(np.arange(1.0, 301.0).tolist())
    book = CurveBook("t.csv", "step", {"": {"m": curve("m", np.zeros(300), at=at)}})
    rows = changes(Findings(book, {"": {"m": smooth("m")}}))
    assert "were averaged into at most 100 bins" in averaged(rows)
    assert averaged(changes(findings())) == ""


def test_agreement_counts_runs():
    first, *rest = agreements(changes(findings()))
    assert (first.metric, first.num_sharp, first.num_runs) == ("jump.accuracy", 2, 2)
    assert first.where == "2.8–3k"
    assert {each.metric for each in rest} == {"loss", "rise", "flat"}
    assert rest[0].verdicts.startswith("2 broad")


def test_numbers_read_well():
    assert between((0.41, 0.52)) == ".41 to .52"
    assert between((math.nan, 1.0)) == ""
    assert figure(math.nan) == "–"
    assert tick(8.0) == "8"
    assert ends(sharp("m")) == ".20 → .70"
    assert place(3000.0, math.nan, math.nan) == "3k"
    assert (unit("step"), unit("epoch"), unit("examples")) == ("steps", "epochs", "examples")
