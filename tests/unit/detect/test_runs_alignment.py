import math

import numpy as np
import pytest
from scipy import stats

from nucleate.core import Assessment, Verdict
from nucleate.detect.runs import align, cross_lag, uniform_difference


def found(at, spread=1.05, verdict=Verdict.STEP_LIKE):
    return Assessment("m", verdict, at=at, lo=at / spread, hi=at * spread)


def test_the_difference_of_two_uniforms_has_its_closed_form():
    # Triangle: P(|U − V| > d) = (1 − d)² for unit widths.
    assert uniform_difference(1.0, 1.0, 0.95) == pytest.approx(1 - math.sqrt(0.05))
    assert uniform_difference(2.0, 0.0, 0.9) == pytest.approx(0.9)
    assert uniform_difference(0.0, 0.0, 0.95) == 0.0
    # scipy's trapezoid with the same shape, for both branches of the quantile.
    for wide, narrow, confidence in ((1.0, 0.4, 0.95), (1.0, 0.1, 0.5)):
        total = wide + narrow
        shape = stats.trapezoid(narrow / total, wide / total, loc=-total / 2, scale=total)
        assert uniform_difference(wide, narrow, confidence) == pytest.approx(
            shape.ppf(0.5 + confidence / 2), abs=1e-6
        )


def test_metrics_stand_in_order_and_only_shown_leads_are_claimed():
    placed = align(
        {
            "narrative": [found(2e6)],
            "syntax": [found(6e5)],
            "cause": [found(6.2e5)],
            "flat": [Assessment("m", Verdict.SMOOTH)],
        }
    )
    assert [one.metric for one in placed.order] == ["syntax", "cause", "narrative"]
    assert placed.order[1].after == ()
    assert set(placed.order[2].after) == {"syntax", "cause"}
    assert placed.left_out == ("flat",)
    pair = placed.lags[0]
    assert (pair.first, pair.second, pair.leads) == ("syntax", "cause", "not resolved")
    assert placed.note.startswith("2 of 3 pairs are resolved; no located change in flat")


def test_a_lag_of_one_run_is_as_wide_as_its_brackets_say():
    bracket = Assessment("m", Verdict.STEP_LIKE, at=math.sqrt(1e5 * 1e6), lo=1e5, hi=1e6)
    later = Assessment("m", Verdict.STEP_LIKE, at=math.sqrt(1e6 * 1e7), lo=1e6, hi=1e7)
    lag = align({"a": [bracket], "b": [later]}).lags[0]
    half = 1 - math.sqrt(0.05)
    assert (lag.lag, lag.lo, lag.hi) == pytest.approx((1.0, 1 - half, 1 + half))
    assert lag.leads == "a"


def test_seeds_that_disagree_resolve_nothing_and_seeds_that_agree_do():
    early = [found(1e5)] * 6
    assert align({"a": early, "b": [found(1.5e5)] * 6}).lags[0].leads == "a"
    mixed = [found(t) for t in (5e4, 5e4, 5e4, 2e5, 2e5, 2e5)]
    assert align({"a": early, "b": mixed}).lags[0].leads == "not resolved"
    # Two seeds only: the hull of both intervals, never an average.
    few = align({"a": early[:2], "b": [found(1.5e5), found(0.9e5)]}).lags[0]
    assert few.leads == "not resolved"
    assert few.lo < math.log10(0.9) < math.log10(1.5) < few.hi


def test_simultaneous_intervals_are_wider_and_missing_seeds_are_skipped():
    curves = {name: [found(10.0**u, 1.3)] for name, u in (("a", 5.0), ("b", 5.1), ("c", 5.4))}
    joint, single = (align(curves, simultaneous=flag).lags[0] for flag in (True, False))
    assert joint.hi - joint.lo > single.hi - single.lo
    half = uniform_difference(2 * math.log10(1.3), 2 * math.log10(1.3), 1 - 0.05 / 3)
    assert joint.hi - joint.lo == pytest.approx(2 * half)
    apart = align({"a": [found(1e5), None], "b": [None, found(1e6)]})
    assert (apart.lags[0].num_seeds, apart.lags[0].leads) == (0, "not resolved")
    with pytest.raises(ValueError, match="every seed"):
        align({"a": [found(1e5)], "b": []})


def test_a_shifted_copy_is_found_at_its_shift(toy):
    def rise(centre):
        return toy.logistic(toy.x, centre, 0.8)

    shifted = cross_lag((toy.tokens, rise(5.2)), (toy.tokens, rise(5.5)))
    assert shifted.lag == pytest.approx(0.3, abs=0.005)
    assert shifted.verdict == "first leads"
    back = cross_lag((toy.tokens, rise(5.5)), (toy.tokens, 1 - rise(5.2)))
    assert back.lag == pytest.approx(-0.3, abs=0.005)
    assert back.verdict == "second leads"
    assert back.correlation == pytest.approx(-1.0, abs=1e-3)
    same = cross_lag((toy.tokens, rise(5.2)), (toy.tokens, 3 + 2 * rise(5.2)))
    assert (same.lag, same.verdict) == (pytest.approx(0.0, abs=1e-6), "not resolved")


def test_an_interval_is_no_narrower_than_readings_and_shapes_allow(toy):
    # Readings .4 decade apart: each rise lies somewhere in its gap.
    x = np.arange(3.0, 8.0, 0.4)
    sparse = cross_lag((10**x, toy.logistic(x, 5.3, 1.5)), (10**x, toy.logistic(x, 5.6, 1.5)))
    half = uniform_difference(0.4, 0.4, 0.95)
    assert sparse.lo <= sparse.lag - half
    assert sparse.hi >= sparse.lag + half
    assert sparse.verdict == "not resolved"
    # One centre, two widths: the correlation is best at +.10, the halfway points agree.
    narrow, wide = (toy.logistic(toy.x, 4.8, width) for width in (0.3, 1.2))
    mixed = cross_lag((toy.tokens, narrow), (toy.tokens, wide))
    assert mixed.lag > 0.05
    assert mixed.verdict == "not resolved"
    back = cross_lag((toy.tokens, wide), (toy.tokens, narrow))
    gap = toy.x[1] - toy.x[0]
    assert back.lo <= back.lag - uniform_difference(gap, gap, 0.95)


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_the_interval_of_a_lag_covers_the_truth(toy, rho):
    covered = 0
    for seed in range(25):
        noise = np.random.default_rng(seed).standard_normal((2, toy.x.size))
        for i in range(1, toy.x.size):
            noise[:, i] = rho * noise[:, i - 1] + math.sqrt(1 - rho**2) * noise[:, i]
        a = toy.logistic(toy.x, 5.2, 0.8) + 0.05 * noise[0]
        b = toy.logistic(toy.x, 5.5, 0.8) + 0.05 * noise[1]
        lag = cross_lag((toy.tokens, a), (toy.tokens, b), num_bootstrap=100, seed=seed)
        covered += lag.lo <= 0.3 <= lag.hi
    # At a coverage of 95 %, 20 or fewer of 25 would have probability 0.7 %.
    assert covered >= 21


def test_a_lag_is_refused_where_there_is_none(toy, rng):
    noise = rng.standard_normal((2, toy.x.size))
    flat = cross_lag((toy.tokens, noise[0]), (toy.tokens, noise[1]))
    assert (flat.verdict, math.isnan(flat.lag)) == ("refused", True)
    short = cross_lag((toy.tokens[:8], toy.x[:8]), (toy.tokens, toy.x))
    assert "12 readings" in short.note
    bump = np.exp(-0.5 * ((toy.x - 5.5) / 0.3) ** 2)
    shapes = cross_lag((toy.tokens, bump), (toy.tokens, toy.x))
    assert shapes.verdict == "refused"
    with pytest.raises(ValueError, match="max_lag"):
        cross_lag((toy.tokens, bump), (toy.tokens, bump), max_lag=0.0)
