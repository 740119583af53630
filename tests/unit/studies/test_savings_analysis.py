"""The analysis of made-up studies finds what was put in."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from nucleate.corpora.storyworld import Split
from nucleate.studies.savings.analysis import plain
from nucleate.studies.savings.rounds import Round
from nucleate.studies.savings.saving import Baseline, Treated, estimate
from nucleate.views.savings.page import render_page
from tests.unit.studies.made_up import PER_TOKEN, REFERENCE, law, records, result, study


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nucleate.studies.savings.paired.RESAMPLES", 199)


def test_every_arms_saving_is_what_was_put_in() -> None:
    arms = result(study())["workloads"]["W1"]["arms"]
    put_in = {"T": 0.35, "B2": 0.28, "B3": 0.25, "sham": 0.15, "no warm-up": 0.03, "B0": -0.3}
    for arm, saving in put_in.items():
        assert arms[arm]["saving"]["value"] == pytest.approx(saving, abs=0.02), arm
        assert arms[arm]["saving"]["lo"] < arms[arm]["saving"]["value"]
    assert arms["T"]["p"] == 2 / 1024


def test_contrasts_are_ratios_of_the_arms() -> None:
    found = result(study())["workloads"]["W1"]["contrasts"]
    assert found["B3"]["saving"]["value"] == pytest.approx(1 - 0.65 / 0.75, abs=0.015)
    assert found["no warm-up"]["saving"]["value"] == pytest.approx(1 - 0.65 / 0.97, abs=0.015)


def test_an_ablation_that_is_a_copy_on_three_seeds_makes_no_difference() -> None:
    one = study()
    arms = dict(one.workloads["W1"].arms)
    arms["no depth"] = arms["no depth"].model_copy(update={"seeds": 3})
    one = one.model_copy(
        update={"workloads": {"W1": one.workloads["W1"].model_copy(update={"arms": arms})}}
    )
    found = records(one, Round("runs", one.seeds, Split.SEALED), noise=0.01)
    treated = {slot.seed: record for slot, record in found if slot.arm == "T"}
    copied = [
        (slot, dataclasses.replace(treated[slot.seed], arm=slot.arm))
        if slot.arm == "no depth"
        else (slot, record)
        for slot, record in found
    ]
    data = result(one, {"W1": copied})["workloads"]["W1"]["contrasts"]["no depth"]
    assert data["saving"] == data["student"] == {"value": 0.0, "lo": 0.0, "hi": 0.0}
    assert data["log_ratios"] == [0.0, 0.0, 0.0]
    assert data["against"] == data["places"] == ["inside"] * 3


def test_what_is_equally_good_keeps_its_floors_and_what_is_worse_does_not() -> None:
    one = study()
    round_ = Round("runs", one.seeds, Split.SEALED)
    floors = {f["name"]: f for f in result(one)["workloads"]["W1"]["floors"]}
    assert all(floor["holds"] for floor in floors.values())
    found = [
        (slot, dataclasses.replace(r, scores={**r.scores, "syntax": r.scores["syntax"] - 0.05}))
        if slot.arm == "T"
        else (slot, r)
        for slot, r in records(one, round_)
    ]
    floors = {f["name"]: f for f in result(one, {"W1": found})["workloads"]["W1"]["floors"]}
    assert [name for name, floor in floors.items() if not floor["holds"]] == ["syntax"]
    slope = 0.35 * 0.7  # of the law, at the baseline's final
    assert floors["composite"]["margin"] == pytest.approx(-slope * math.log(0.98), rel=0.1)


def test_a_failed_seed_is_infinite_cost_in_the_median_and_lifts_every_floor() -> None:
    one = study()
    found = [
        (slot, dataclasses.replace(r, scores={}, failed="diverged"))
        if (slot.arm, slot.seed) == ("T", 3)
        else (slot, r)
        for slot, r in records(one, Round("runs", one.seeds, Split.SEALED))
    ]
    data = result(one, {"W1": found})
    treated = data["workloads"]["W1"]["arms"]["T"]
    assert (treated["missed"], treated["log_ratios"][3]) == (1, "inf")
    assert treated["saving"]["value"] == pytest.approx(0.35, abs=0.02)
    assert treated["how"].startswith("median")
    assert not any(floor["holds"] for floor in data["workloads"]["W1"]["floors"])
    assert "T-1500000-seed3-0123abcd" in render_page(data)


def test_holm_runs_over_workloads() -> None:
    data = result(study(workloads=("W1", "W2")))
    assert data["holm"] == {"W1": 4 / 1024, "W2": 4 / 1024}


def test_tuning_is_spread_over_runs() -> None:
    tuning = {
        "B1": {"flops": 1e14, "total": 1e14},
        "T": {"flops": 5e13, "total": 1.5e14},
    }
    spread = result(study(), tuning=tuning)["workloads"]["W1"]["amortised"]
    assert (spread["tuning_baseline"], spread["tuning_treated"]) == (1e14, 1.5e14)
    treated, baseline = spread["treated"], spread["baseline"]
    assert spread["savings"]["10"] == pytest.approx(
        1 - (10 * treated + 1.5e14) / (10 * baseline + 1e14)
    )


def test_infinite_cost_is_not_made_up_for_by_more_runs() -> None:
    one = study()
    found = [
        (slot, dataclasses.replace(r, scores={}, failed="diverged"))
        if slot.arm == "T" and slot.seed < 7
        else (slot, r)
        for slot, r in records(one, Round("runs", one.seeds, Split.SEALED))
    ]
    data = result(one, {"W1": found})
    assert data["workloads"]["W1"]["amortised"]["savings"] == dict.fromkeys(
        ("1", "10", "100"), "-inf"
    )
    assert render_page(data)


def test_the_result_is_strict_json() -> None:
    assert (
        json.loads(json.dumps(result(study()), allow_nan=False))["schema"] == "nucleate.savings/1"
    )
    assert plain({1: (math.nan, math.inf, -math.inf, np.float64(2), np.bool_(True))}) == {
        "1": [None, "inf", "-inf", 2.0, True]
    }


def test_intervals_cover_the_saving_that_was_put_in() -> None:
    """Noisy frontier, noisy arm, ten seeds: BCa with a frontier drawn again is not far off 95 %."""
    rng = np.random.default_rng(4)
    costs = np.array([0.5, 0.7, 1.0, 1.4, 2.0]) * REFERENCE * PER_TOKEN
    hits = {"bca": 0, "student": 0}
    for _ in range(100):
        luck = 0.006 * rng.standard_normal((10, 1))
        qualities = np.array([law(c) for c in costs]) + luck + 0.003 * rng.standard_normal((10, 5))
        treated = Treated(
            np.full(10, 0.65 * costs[2]), law(costs[2]) + 0.006 * rng.standard_normal(10)
        )
        found = estimate(Baseline(costs, qualities), treated)
        hits["bca"] += found.saving.lo <= 0.35 <= found.saving.hi
        hits["student"] += found.student.lo <= 0.35 <= found.student.hi
    assert 84 <= hits["bca"] <= 100
    assert 84 <= hits["student"] <= 100
