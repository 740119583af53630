"""Several metrics and runs at once: answers known beforehand, and refusals in a sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nucleate.core import Assessment, Curve, CurveBook, Level, Step, Verdict
from nucleate.detect.together import look_together
from nucleate.detect.together.groups import group_runs, in_words
from nucleate.detect.together.movers import movers

PLACES = np.geomspace(1e3, 1e6, 31)


def curve(metric, values, n=0, at=PLACES):
    return Curve(
        metric,
        Level.COOCCURRENCE,
        "",
        math.nan,
        tuple(Step(0, round(place)) for place in at),
        tuple(float(value) for value in values),
        (math.nan,) * len(at),
        (n,) * len(at) if n else (),
    )


def rise(at, width=0.1):
    return 1 / (1 + np.exp(-(np.log10(PLACES) - math.log10(at)) / width))


def changed(metric, at, verdict=Verdict.STEP_LIKE):
    return Assessment(metric, verdict, at=at, lo=at / 1.05, hi=at * 1.05, onset=at / 2, width=0.2)


def book_of(runs):
    return CurveBook("x.csv", "tokens", runs)


def seeds(num, places):
    """Runs whose metrics change at given places, jittered by seed; and what is said of them."""
    rng = np.random.default_rng(0)
    runs, said = {}, {}
    for seed in range(num):
        shift = {name: at * 10 ** rng.uniform(-0.02, 0.02) for name, at in places.items()}
        runs[f"m/seed{seed}"] = {name: curve(name, rise(at)) for name, at in shift.items()}
        said[f"m/seed{seed}"] = {name: changed(name, at) for name, at in shift.items()}
    return book_of(runs), said


def part(found, name):
    return next(one for one in found.parts if one.name == name)


@pytest.mark.parametrize(
    ("names", "models"),
    [
        (["pythia-14m/seed=1", "pythia-14m/seed=2"], {"pythia-14m": 2}),
        (["0", "1", "2"], {"": 3}),
        (["a#1", "a#2", "b#1"], {"a": 2, "b": 1}),
        (["190M-1xC", "190M-1xC-rerun2"], {"190M-1xC": 2}),
        (["tr3d-1B3-oscar", "tr3e-1B3-c4"], {"tr3d-1B3-oscar": 1, "tr3e-1B3-c4": 1}),
        (["gpt2/small", "gpt2/medium"], {"gpt2/small": 1, "gpt2/medium": 1}),
    ],
)
def test_seeds_are_read_off_the_names(names, models):
    assert {group.model: len(group.runs) for group in group_runs(names)} == models


def test_sizes_are_read_off_the_names():
    groups = group_runs(["pythia/14m/seed1", "pythia/1_4b/seed1", "pythia/1.4b", "tr-1B3"])
    assert [group.size for group in groups[:3]] == [14e6, 1.4e9, 1.4e9]
    assert math.isnan(groups[3].size)
    assert groups[0].family == groups[1].family == "pythia/…"


def test_how_runs_were_grouped_is_said():
    assert in_words(group_runs([""])) == ""
    assert in_words(group_runs(["1", "2"])) == "The 2 runs are taken as seeds of one training."
    assert in_words(group_runs(["a", "b"])).startswith("No two of the 2 runs")
    three = in_words(group_runs(["a#1", "a#2", "b#1"]))
    assert three == "By their names, 1 of 2 models has 2 runs that differ in the seed."


def test_eight_seeds_show_an_order_and_a_lead():
    book, said = seeds(8, {"late": 3e5, "early": 1e4})
    found = look_together(book, said)
    order = part(found, "order").results
    # Eight agreeing seeds, two-sided: 2 · 2^-8.
    assert [(one.figures["first"], one.figures["second"]) for one in order] == [("early", "late")]
    assert order[0].figures["p_adjusted"] == pytest.approx(2 / 2**8)
    assert order[0].shown
    (lead,) = part(found, "lead and lag").results
    assert [mark.name for mark in lead.marks] == ["early", "late"]
    assert lead.marks[0].runs == 8
    assert lead.figures["lags"][0] == pytest.approx(math.log10(30), abs=0.03)


def test_five_seeds_are_too_few_for_an_order_that_nobody_claimed():
    book, said = seeds(5, {"late": 3e5, "early": 1e4})
    (answer,) = part(look_together(book, said), "order").results
    assert not answer.shown
    assert answer.verdict == "no order shown"


def test_one_curve_refuses_everything_in_a_sentence():
    book = book_of({"": {"m": curve("m", rise(1e4))}})
    found = look_together(book, {"": {"m": changed("m", 1e4)}})
    assert found.grouping == ""
    assert [one.results for one in found.parts] == [()] * 5
    assert all(one.refused and "\n" not in one.refused for one in found.parts)


def test_an_accuracy_that_is_one_curve_of_its_margin_collapses():
    runs = {}
    for seed in range(4):
        margin = 8 * (rise(3e4 * 3**seed, 0.4) - 0.5)
        accuracy = 1 / (1 + np.exp(-margin))
        rng = np.random.default_rng(seed)
        runs[f"seed{seed}"] = {
            "x.accuracy": curve("x.accuracy", rng.binomial(400, accuracy) / 400, n=400),
            "x.margin": curve("x.margin", margin),
        }
    found = look_together(book_of(runs), {run: {} for run in runs})
    (answer,) = part(found, "collapse").results
    assert answer.verdict.startswith("collapses")
    assert answer.about == "x.accuracy over x.margin"


def test_metrics_that_step_at_once_are_cut_there():
    rng = np.random.default_rng(1)
    step = np.arange(31) >= 20
    runs = {"": {f"m{k}": curve(f"m{k}", step + 0.05 * rng.standard_normal(31)) for k in range(3)}}
    (answer,) = part(look_together(book_of(runs), {"": {}}), "states").results
    assert answer.verdict == "2 states"
    (mark,) = answer.marks
    assert PLACES[19] <= mark.at <= PLACES[20]


def test_a_spread_between_seeds_that_peaks_in_the_middle_is_shown():
    rng = np.random.default_rng(2)
    runs, said = {}, {}
    for seed in range(12):
        at = 3e4 * 10 ** rng.uniform(-0.25, 0.25)
        runs[f"seed{seed}"] = {"m": curve("m", rise(at) + 0.01 * rng.standard_normal(31))}
        said[f"seed{seed}"] = {"m": changed("m", at)}
    (answer,) = part(look_together(book_of(runs), said), "physics").results
    assert answer.verdict == "spread between seeds peaks"
    assert 1e4 <= answer.figures["peak"] <= 1e5


def test_widths_that_shrink_with_size_are_called_sharpening_and_nothing_is_critical():
    runs, said = {}, {}
    for exponent in range(6, 11):
        name = f"net-{10 ** (exponent - 6)}M/seed1"
        runs[name] = {"m": curve("m", rise(3e4, 0.4 * 10 ** (-(exponent - 6) / 8)))}
        said[name] = {"m": changed("m", 3e4)}
    answers = part(look_together(book_of(runs), said), "physics").results
    assert [one.verdict for one in answers] == ["sharpening"]
    assert answers[0].figures["slope"] == pytest.approx(-1 / 8, abs=0.02)
    assert answers[0].figures["critical"] is False


def test_an_accuracy_stands_for_its_margin_too():
    names = ("a.accuracy", "a.margin", "b")
    runs = {"": {name: curve(name, rise(1e4)) for name in names}}
    said = {"": {name: changed(name, 1e4) for name in names}}
    (group,) = group_runs(runs)
    assert movers(group, book_of(runs), said) == ["a.accuracy", "b"]
