"""The page and the terminal view of a study: what must be said first, and what must never be."""

from __future__ import annotations

import copy
import io
import re
from typing import Any

import pytest
from rich.console import Console

from nucleate.views.savings import words
from nucleate.views.savings.charts import floor_lane
from nucleate.views.savings.page import render_page, write_page
from nucleate.views.savings.terminal import savings_summary


def saving(value: Any, lo: Any, hi: Any) -> dict[str, Any]:
    interval = {"value": value, "lo": lo, "hi": hi}
    return {
        "saving": interval,
        "student": interval,
        "log_ratios": [-0.5, -0.4],
        "places": ["inside", "above"],
        "p": 0.5,
        "how": "mean log-ratio, BCa",
        "missed": 0,
        "beyond": 1,
        "costs": [6e11, 6e11],
        "qualities": [0.5, 0.52],
    }


def student(lo: Any) -> dict[str, Any]:
    return saving(0.4, 0.33, 0.45) | {"student": {"value": 0.4, "lo": lo, "hi": 0.5}}


def run(arm: str, seed: int, tokens: int, **changes: Any) -> dict[str, Any]:
    plain = {
        "arm": arm,
        "seed": seed,
        "key": f"{arm}-{tokens}-seed{seed}-0123abcd",
        "tokens": tokens,
        "flops": 1e12,
        "parts": {"backward": 7e11, "mlp (forward)": 3e11},
        "seconds": {"training": 61.0},
        "six_nd": 9e11,
        "scores": {"syntax": 0.5, "composite": 0.5, "loss": 2.0},
        "failed": "",
        "architecture": {},
        "events": [],
        "probe_share": 0.0,
    }
    return plain | changes


def about(timing: str = "own", **changes: Any) -> dict[str, Any]:
    return {"about": "an arm", "timing": timing, "like": "", "ablation": False} | changes


def floor(name: str, holds: bool) -> dict[str, Any]:
    numbers = {"gain": 0.001, "bound": -0.004 if holds else -0.2, "margin": 0.01}
    return {"name": name, "holds": holds, "treated": 0.5, "baseline": 0.5, "share": 0.05} | numbers


AUDIT = {"clean": True, "lengths": [24], "tokens": 900, "sources": {}, "rows": [], "asked": 3}


@pytest.fixture
def result() -> dict[str, Any]:
    horizons = [600, 700, 800, 900, 1000]
    workload = {
        "quality": "composite",
        "reference": 900,
        "final_tokens": 900,
        "horizons": horizons,
        "about": {"B1": about(), "T": about(), "B3": about("yoked")},
        "frontier": {
            "costs": [6e11, 7e11, 8e11, 9e11, 1e12],
            "qualities": [[0.2, 0.3, 0.4, 0.5, 0.6]] * 2,
            "curve": [[6e11, 0.2], [1e12, 0.6]],
        },
        "arms": {"T": saving(0.4, 0.33, 0.45), "B3": saving(0.3, 0.2, 0.4)},
        "contrasts": {"B3": saving(0.1, 0.05, 0.2)},
        "floors": [floor("syntax", True), floor("loss", True)],
        "runs": [run("B1", s, t) for s in (0, 1) for t in horizons] + [run("T", 0, 500)],
        "failed": [],
        "architectures": [],
        "tuning": {},
        "check": {},
        "audit": AUDIT,
        "others": {"at equal loss": {"problem": "a frontier needs more horizons"}},
    }
    return {
        "schema": "nucleate.savings/1",
        "name": "s",
        "command": ["nucleate", "study", "a b.yaml"],
        "made": "2026-01-02T03:04:05+00:00",
        "split": "sealed",
        "seeds": [0, 1],
        "planned": 2,
        "baseline": "B1",
        "treated": "T",
        "frozen": {
            "at": "2026-01-02T03:04:05+00:00",
            "hash": "ab" * 32,
            "code": "cd" * 32,
            "same_code": True,
            "packages": {"torch": "2"},
        },
        "looks": [{"number": 2, "boundary": 1.96, "p": 0.05, "spent": 0.05}],
        "holm": {"W1": 0.5},
        "margins": {"loss": 0.02, "level": 0.05, "least": 0.01, "most": 0.05},
        "tuning": None,
        "workloads": {"W1": workload},
    }


def headline(page: str) -> str:
    return re.search("<h1>(.*?)</h1>", page, re.DOTALL)[1]  # type: ignore[index]


def test_a_saving_that_beats_its_control_is_the_headline(result: dict[str, Any]) -> None:
    assert words.headline(result) == "T against B1: 40.0 % less compute on W1 (33.0 to 45.0 %)"
    assert words.thirty(result).startswith("Every interval ends above 30 %")
    assert headline(render_page(result)) == words.headline(result)


def test_a_controller_that_does_not_beat_the_yoked_control_says_so_first(
    result: dict[str, Any],
) -> None:
    result["workloads"]["W1"]["contrasts"]["B3"] = saving(0.1, -0.01, 0.2)
    assert headline(render_page(result)) == "The controller does not beat its yoked control"
    out = io.StringIO()
    savings_summary(result, Console(file=out, width=200))
    first = out.getvalue().strip().splitlines()[0]
    assert first.startswith("The controller does not beat its yoked control. T against B1: 40.0 %")


def test_before_the_last_look_nothing_is_claimed(result: dict[str, Any]) -> None:
    result["planned"] = 4
    nothing = "2 of 4 planned seeds: nothing is claimed at this look"
    page = render_page(result)
    assert headline(page) == nothing
    assert words.thirty(result) == f"{nothing}."
    assert words.first_line(result).startswith(f"{nothing}. T against B1: 40.0 % less compute")
    assert "beats" not in words.first_line(result)
    assert "beats its yoked control" not in page
    result["workloads"]["W1"]["contrasts"]["B3"] = saving(0.1, -0.01, 0.2)
    behind = "so far the controller does not beat its yoked control on W1"
    assert words.first_line(result).startswith(f"{nothing}; {behind}. T against")
    assert "So far the controller does not beat" in render_page(result)


def test_a_control_is_beaten_only_where_both_intervals_say_so(result: dict[str, Any]) -> None:
    found = saving(0.1, 0.05, 0.2)
    assert words.beats(found)
    for lo in (-0.01, None, "-inf"):
        assert not words.beats(found | {"student": {"value": 0.1, "lo": lo, "hi": 0.2}})
    result["workloads"]["W1"]["contrasts"]["B3"] = found | {"student": student(-0.01)["student"]}
    assert words.headline(result) == "The controller does not beat its yoked control"


def test_a_contrast_without_a_lower_end_says_why(result: dict[str, Any]) -> None:
    why = "no lower end: 2 of 5 controls lie beyond the frontier"
    loose = saving(0.1, "-inf", 0.2) | {"p": None, "how": f"mean log-ratio, BCa; {why}"}
    result["workloads"]["W1"]["contrasts"] = {"B3": loose, "B2": {"problem": "too few horizons"}}
    page = render_page(result)
    assert why in page
    assert "at most <b>10.0 %</b>" in page
    assert '<td class="num">at most 20.0 %</td>' in page
    assert "∞" not in page
    assert "Too few horizons" in page
    out = io.StringIO()
    savings_summary(result, Console(file=out, width=200))
    assert "at most 10.0 %  at most 20.0 %" in out.getvalue()
    assert f"against B3: {why}" in out.getvalue()


def test_one_of_two_workloads_lost_is_named(result: dict[str, Any]) -> None:
    other = copy.deepcopy(result["workloads"]["W1"])
    other["contrasts"]["B3"] = {"problem": "none"}
    result["workloads"]["W2"] = other
    assert words.headline(result) == "The controller does not beat its yoked control on W2"


def test_without_a_yoked_control_nothing_is_said_of_watching(result: dict[str, Any]) -> None:
    del result["workloads"]["W1"]["about"]["B3"]
    assert words.headline(result).startswith("No yoked control was run")


def test_a_preview_is_never_called_a_result(result: dict[str, Any]) -> None:
    result |= {"frozen": None, "split": "development"}
    page = render_page(result)
    assert headline(page) == "A preview, no result"
    assert words.thirty(result) == "Nothing sealed has been scored, so nothing is claimed."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"arms": {"T": saving(0.4, 0.29, 0.5)}}, "an interval of W1 reaches below 30 %"),
        ({"arms": {"T": student(0.29)}}, "an interval of W1 reaches below 30 %"),
        ({"arms": {"T": saving(0.4, None, None)}}, "W1 lacks an interval"),
        ({"arms": {"T": student(None)}}, "W1 lacks an interval"),
        ({"arms": {"T": {"problem": "x"}}}, "W1 has no estimate"),
        ({"floors": [floor("syntax", False)]}, "syntax of W1 is not shown to be kept"),
        ({"floors": []}, "quality of W1 is not shown to be kept"),
        ({"audit": {}}, "no audit of the sealed questions was made on W1"),
        (
            {"audit": AUDIT | {"clean": False}},
            "sealed questions were found in training data on W1",
        ),
        (
            {"audit": AUDIT | {"clean": False, "asked": 0}},
            "the audit of the sealed questions had nothing to look for on W1",
        ),
        (
            {"architectures": [{"layers": 2}, {"layers": 3}]},
            "runs of W1 end in 2 different architectures",
        ),
        (
            {"runs": [run("T", 0, 500, probe_share=0.031)]},
            "probes of W1 took up to 3.1 % of a run, more than 2 %",
        ),
    ],
)
def test_thirty_per_cent_is_not_claimed(
    result: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    result["workloads"]["W1"] |= change
    assert words.thirty(result) == f"“At least 30 %” is not claimed: {reason}."
    assert render_page(result)


def test_failures_bounds_and_costs_stand_on_the_page(result: dict[str, Any]) -> None:
    one = result["workloads"]["W1"]
    one["failed"] = [{"key": "T-500-seed1-x", "arm": "T", "seed": 1, "why": "diverged <b>"}]
    one["runs"].append(run("T", 1, 500, failed="diverged <b>", scores={}, flops=None))
    page = render_page(result)
    assert "1 without a result" in page
    assert "diverged &lt;b&gt;" in page
    assert "<b>diverged" not in page
    assert "≥ " in page  # the second seed lies beyond the frontier
    assert "nucleate study &#39;a b.yaml&#39;" in page
    assert "ab" * 32 in page


def test_code_that_changed_since_the_freeze_is_told(result: dict[str, Any]) -> None:
    assert "later code" not in render_page(result)
    result["frozen"]["same_code"] = False
    assert "figures worked out by later code" in render_page(result)
    told = "Figures worked out by later code; runs and scores are by the frozen one."
    assert words.thirty(result).startswith("Every interval ends above 30 %")  # allowed, but said
    assert words.thirty(result).endswith(told)


def test_infinite_cost_is_written_and_not_drawn(result: dict[str, Any], tmp_path: Any) -> None:
    missed = saving("-inf", "-inf", 0.4) | {"log_ratios": ["inf", -0.4], "missed": 1}
    missed |= {"costs": [None, 6e11], "places": ["failed", "inside"], "how": "median, order …"}
    result["workloads"]["W1"]["arms"]["T"] = missed
    page = write_page(result, tmp_path / "new" / "study.html").read_text()
    assert "−∞" in page
    assert "NaN" not in page
    assert "inf to" not in page


def test_equal_results_give_equal_pages(result: dict[str, Any]) -> None:
    assert render_page(result) == render_page(copy.deepcopy(result))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.351, "35.1 %"), (-0.12, "−12.0 %"), (-1e-9, "0.0 %"), ("-inf", "−∞"), (None, "–")],
)
def test_shares_as_people_read_them(value: Any, shown: str) -> None:
    assert words.percent(value) == shown


def test_looks_that_cannot_decide_say_so(result: dict[str, Any]) -> None:
    result |= {"seeds": list(range(5)), "looks": [{"number": 5, "p": 0.00305}]}
    assert words.look(result).endswith("an exact sign-flip test cannot reach with 5 seeds.")
    result["seeds"] = list(range(7))
    assert words.look(result).startswith("This is none of the planned looks")


def test_a_floor_without_numbers_draws_nothing() -> None:
    assert not floor_lane({"gain": None, "bound": "-inf", "margin": 0.1, "holds": False})
