"""Savings from closed forms: what the statistics must say when the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from nucleate.core import UserError
from nucleate.studies.savings.floors import Margins, floor, level_margin, loss_margin
from nucleate.studies.savings.frontier import Frontier, isotonic, log_costs_of_many
from nucleate.studies.savings.looks import looks, spending
from nucleate.studies.savings.paired import (
    DRAWS,
    bca_mean,
    holm,
    jackknife,
    median_interval,
    not_worse,
    sign_flip,
    t_interval,
)
from nucleate.studies.savings.saving import (
    Baseline,
    Treated,
    amortised,
    at_mean_quality,
    contrast,
    estimate,
    gains_at_equal_cost,
    to_target,
)

COSTS = 1e12 * 2.0 ** np.arange(6)
LAW = 0.2 + 0.1 * np.arange(6)  # quality rises by .1 for every doubling of compute


def law(cost: float) -> float:
    return 0.2 + 0.1 * math.log2(cost / 1e12)


def many(seeds: int, noise: float = 0.0, seed: int = 0) -> Baseline:
    rng = np.random.default_rng(seed)
    return Baseline(COSTS, LAW + noise * rng.standard_normal((seeds, 6)))


@pytest.mark.parametrize("quality", [0.2, 0.23, 0.45, 0.618, 0.7])
def test_frontier_of_a_log_law_gives_back_the_law(quality: float) -> None:
    reached = Frontier(COSTS, LAW).cost_at(quality)
    assert reached.where == "inside"
    assert reached.cost == pytest.approx(1e12 * 2 ** ((quality - 0.2) / 0.1), rel=1e-9)


def test_nothing_is_extrapolated() -> None:
    frontier = Frontier(COSTS, LAW)
    above, below = frontier.cost_at(0.71), frontier.cost_at(0.19)
    assert (above.where, above.cost) == ("above", pytest.approx(COSTS[-1]))
    assert (below.where, below.cost) == ("below", pytest.approx(COSTS[0]))
    assert math.isnan(frontier.quality_at(COSTS[-1] * 1.01))


def test_a_saturated_frontier_asks_for_its_cheapest_run() -> None:
    frontier = Frontier(COSTS, [0.2, 0.5, 0.9, 0.9, 0.9, 0.9])
    assert frontier.cost_at(0.9).cost == pytest.approx(COSTS[2], rel=1e-6)
    assert frontier.slope_at(COSTS[-1]) == 0.0


def test_interpolation_between_horizons_never_leaves_their_range() -> None:
    frontier = Frontier(COSTS, [0.1, 0.1, 0.11, 0.8, 0.81, 0.82])
    inside = [frontier.quality_at(c) for c in np.geomspace(COSTS[2], COSTS[3], 50)]
    assert min(inside) >= 0.11 - 1e-12
    assert max(inside) <= 0.8 + 1e-12


def test_many_frontiers_at_once_are_the_same_frontiers() -> None:
    rng = np.random.default_rng(8)
    curves = LAW + 0.08 * rng.standard_normal((30, 6))  # many of them fall somewhere
    asked = rng.uniform(0.1, 0.8, (30, 7))
    singly = [
        Frontier(COSTS, curve).log_costs(q)[0] for curve, q in zip(curves, asked, strict=True)
    ]
    assert log_costs_of_many(COSTS, curves, asked) == pytest.approx(np.array(singly), abs=1e-12)


def test_isotonic_regression_agrees_with_scipy() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        values, weights = rng.standard_normal(9), rng.uniform(0.2, 3, 9)
        peer = optimize.isotonic_regression(values, weights=weights).x
        assert isotonic(values, weights) == pytest.approx(peer, abs=1e-12)


def test_four_horizons_are_too_few() -> None:
    with pytest.raises(UserError, match="needs more horizons"):
        Frontier(COSTS[:4], LAW[:4])


@pytest.mark.parametrize("method", ["pooled", "per seed"])
def test_a_constant_ratio_is_found_exactly(method: str) -> None:
    cost = COSTS[3]
    treated = Treated(np.full(10, 0.6 * cost), np.full(10, law(cost)))
    found = estimate(many(10), treated, method)  # type: ignore[arg-type]
    assert found.saving.value == pytest.approx(0.4, abs=1e-9)
    assert (found.saving.lo, found.saving.hi) == pytest.approx((0.4, 0.4), abs=1e-9)
    assert found.p == 2 / 1024
    assert set(found.places) == {"inside"}


def test_scattered_seeds_are_priced_without_bias_at_their_mean() -> None:
    scatter = np.array([-0.25, -0.2, -0.1, 0.0, 0.1, 0.2, 0.25])
    treated = Treated(np.full(7, 0.6 * COSTS[3]), law(COSTS[3]) + scatter)
    found = at_mean_quality(many(7), treated)
    assert found.saving.value == pytest.approx(0.4, abs=1e-9)
    own = estimate(many(7), treated)
    assert own.beyond == 1  # the luckiest is cut off where the frontier ends
    assert own.saving.value < 0.38
    with pytest.raises(UserError, match="below the frontier"):
        at_mean_quality(many(7), Treated(treated.costs, treated.qualities - 0.9))
    with pytest.raises(UserError, match="has failed"):
        at_mean_quality(many(7), Treated(treated.costs, np.full(7, np.nan)))


def test_gains_are_taken_at_equal_cost_from_each_seeds_own_runs() -> None:
    baseline = many(4)
    baseline.qualities[2] += 0.05  # a lucky seed is held against its own luck
    costs = np.array([COSTS[3], COSTS[0] / 2, COSTS[3] * 2**0.5, COSTS[-1] * 2])
    gains = gains_at_equal_cost(baseline, Treated(costs, np.full(4, 0.6)))
    assert gains[:3] == pytest.approx([0.1, 0.4, 0.6 - (0.55 + 0.05)], abs=1e-9)
    assert math.isnan(gains[3])
    assert gains_at_equal_cost(baseline, Treated(costs, np.full(4, np.nan)))[0] == -math.inf


def test_jackknife_of_a_mean_is_students_interval() -> None:
    values = np.random.default_rng(5).exponential(size=9)
    found = jackknife(9, lambda drawn: values[drawn].mean(axis=-1))
    plain = t_interval(values)
    assert (found.value, found.lo, found.hi) == pytest.approx((plain.value, plain.lo, plain.hi))


def test_quality_below_the_baselines_counts_against_the_saving() -> None:
    # Half the cost of the fourth horizon at the quality of the third: nothing is saved.
    treated = Treated(np.full(6, COSTS[2]), np.full(6, law(COSTS[2])))
    assert estimate(many(6), treated).saving.value == pytest.approx(0.0, abs=1e-9)


def test_beyond_the_frontier_only_the_bound_is_claimed() -> None:
    treated = Treated(np.full(6, COSTS[-1] / 2), np.full(6, 0.95))
    found = estimate(many(6), treated)
    assert found.beyond == 6
    assert found.saving.value == pytest.approx(0.5)


def test_a_failed_run_is_infinite_cost_and_the_median_is_reported() -> None:
    costs = np.full(10, 0.5 * COSTS[3])
    qualities = np.full(10, law(COSTS[3]))
    qualities[4], costs[7], qualities[7] = 0.1, np.nan, np.nan
    found = estimate(many(10), Treated(costs, qualities))
    assert found.missed == 2
    assert found.places[4] == "below"
    assert found.places[7] == "failed"
    assert found.how == "median, order statistics"
    assert found.saving.value == pytest.approx(0.5, abs=1e-9)
    assert found.saving.lo == -math.inf
    assert found.p == pytest.approx(2 * sum(math.comb(10, k) for k in (0, 1, 2)) / 1024)


def test_the_frontiers_own_noise_enters_the_interval() -> None:
    treated = Treated(np.full(10, 0.6 * COSTS[3]), np.full(10, law(COSTS[3])))
    sharp, noisy = estimate(many(10), treated), estimate(many(10, 0.02), treated)
    assert sharp.saving.hi - sharp.saving.lo < 1e-9
    assert noisy.saving.hi - noisy.saving.lo > 0.02


def test_one_arm_against_another_through_the_frontier() -> None:
    quality = np.full(8, law(COSTS[3]))
    half = Treated(np.full(8, 0.5 * COSTS[3]), quality)
    most = Treated(np.full(8, 0.8 * COSTS[3]), quality)
    found = contrast(many(8), half, most)
    assert found.saving.value == pytest.approx(1 - 0.5 / 0.8, abs=1e-9)
    assert (found.p, found.against) == (2 / 256, ("inside",) * 8)


def test_a_copy_of_an_arm_on_fewer_seeds_saves_exactly_nothing() -> None:
    rng = np.random.default_rng(1)
    arm = Treated(np.full(10, 0.6 * COSTS[3]), law(COSTS[3]) + 0.02 * rng.standard_normal(10))
    copy = Treated(arm.costs[:3], arm.qualities[:3])
    for pair in ((arm, copy), (copy, arm)):
        found = contrast(many(10, 0.02), *pair)
        assert (found.saving.value, found.saving.lo, found.saving.hi) == (0.0, 0.0, 0.0)
        assert (found.p, len(found.places)) == (1.0, 3)


def test_the_frontier_is_drawn_again_between_arms_too() -> None:
    cheap = Treated(np.full(10, 0.5 * COSTS[3]), np.full(10, law(COSTS[3])))
    good = Treated(np.full(10, COSTS[4]), np.full(10, law(COSTS[4])))  # another stretch of it
    found = contrast(many(10, 0.02), cheap, good)
    assert found.saving.lo < found.saving.value < found.saving.hi
    assert found.student.hi - found.student.lo > 0.02


def test_a_control_beyond_the_frontier_leaves_no_lower_end() -> None:
    arm = Treated(np.full(6, 0.5 * COSTS[5]), np.full(6, law(COSTS[5])))
    better = Treated(np.full(6, COSTS[5]), np.array([0.9, 0.9, 0.7, 0.7, 0.7, 0.7]))
    found = contrast(many(6), arm, better)
    assert found.saving.lo == found.student.lo == -math.inf
    assert math.isnan(found.p)
    assert found.how.endswith("; no lower end: 2 of 6 controls lie beyond the frontier")
    assert found.against == ("above", "above", "inside", "inside", "inside", "inside")
    assert found.saving.value == pytest.approx(0.5, abs=1e-9)  # at most


def test_controls_that_failed_never_make_an_arm_win() -> None:
    worse = Treated(np.full(6, 2 * COSTS[3]), np.full(6, law(COSTS[3])))
    gone = Treated(np.full(6, np.nan), np.full(6, np.nan))
    found = contrast(many(6), worse, gone)
    assert found.saving.lo == found.student.lo == -math.inf
    assert math.isnan(found.p)
    assert found.how.endswith("no lower end: 6 of 6 controls failed")


def test_a_control_below_the_frontier_enters_with_its_bound() -> None:
    arm = Treated(np.full(6, COSTS[2]), np.full(6, law(COSTS[2])))  # saves nothing
    bad = Treated(np.full(6, 2 * COSTS[0]), np.full(6, 0.1))  # wastes half at least
    found = contrast(many(6), arm, bad)
    assert found.saving.value == pytest.approx(0.5, abs=1e-9)
    assert found.saving.lo == pytest.approx(0.5, abs=1e-9)
    assert found.how.endswith("6 of 6 controls end below the frontier and enter with their bound")
    lost = contrast(many(6), Treated(arm.costs, np.full(6, 0.1)), bad)
    assert lost.saving.value == 0.0  # a seed missed by both decides nothing


def test_preset_target_gives_no_credit_for_more_and_none_for_less() -> None:
    costs = np.full(7, 0.5 * COSTS[3])
    better = Treated(costs, np.array([0.5, 0.5, 0.6, 0.6, 0.6, 0.49, 0.5]))
    found = to_target(many(7), better, law(COSTS[3]))
    assert found is not None
    assert found.missed == 1
    assert found.saving.value == pytest.approx(0.5, abs=1e-9)
    assert to_target(many(7), better, 0.9) is None


def test_the_price_of_a_preset_target_has_an_error_and_no_p() -> None:
    arm = Treated(np.full(10, 0.5 * COSTS[3]), np.full(10, 0.6))
    sharp, noisy = (to_target(many(10, noise), arm, law(COSTS[3])) for noise in (0.0, 0.02))
    assert sharp is not None
    assert noisy is not None
    assert (sharp.saving.lo, sharp.saving.hi) == pytest.approx((0.5, 0.5), abs=1e-9)
    assert noisy.saving.hi - noisy.saving.lo > 0.02
    assert noisy.student.hi - noisy.student.lo > 0.02
    assert math.isnan(noisy.p)


def test_a_resample_without_a_horizon_keeps_the_mean_of_all_there() -> None:
    baseline = Baseline(COSTS[:5], LAW[:5] + 0.01 * np.arange(4)[:, None])
    baseline.qualities[1:, 2] = np.nan  # one seed alone has run the third horizon
    arm = Treated(np.full(4, 0.5 * COSTS[3]), law(COSTS[3]) + 0.01 * np.arange(4))
    found = estimate(baseline, arm)
    assert found.saving.lo <= found.saving.value <= found.saving.hi
    assert math.isfinite(found.student.lo)


@pytest.mark.parametrize(("number", "p"), [(5, 2 / 32), (10, 2 / 1024)])
def test_sign_flip_of_differences_of_one_sign(number: int, p: float) -> None:
    assert sign_flip(np.arange(1.0, number + 1)) == p


def test_sign_flip_agrees_with_an_exact_permutation_test() -> None:
    values = np.random.default_rng(7).standard_normal(9) + 0.4
    peer = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip(values) == pytest.approx(peer.pvalue)


def test_more_signs_than_can_be_tried_are_drawn() -> None:
    assert sign_flip(np.ones(21)) == 1 / (1 + DRAWS)
    rng = np.random.default_rng(0)
    values = rng.standard_normal(20)
    zero = np.append(values, 0.0)  # decides nothing: the exact p of twenty is that of twenty-one
    assert sign_flip(zero) == pytest.approx(sign_flip(values), abs=0.005)
    assert sign_flip([math.inf] * 21 + [-math.inf]) < 1e-4
    arm = Treated(np.full(21, 0.6 * COSTS[3]), np.full(21, law(COSTS[3])))
    assert estimate(many(21), arm).how == "mean log-ratio, BCa; p over 131,072 random signs"
    with pytest.raises(ValueError, match="needs numbers"):
        sign_flip([1.0, math.nan])


def test_bca_is_scipys_bca() -> None:
    values = np.random.default_rng(1).exponential(size=10)
    peer = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=9999, rng=np.random.default_rng(5)
    ).confidence_interval
    ours = bca_mean(values)
    assert ours.value == pytest.approx(values.mean())
    assert (ours.lo, ours.hi) == pytest.approx((peer.low, peer.high), rel=0.02)


def test_coverage_of_the_intervals_at_ten_seeds() -> None:
    rng = np.random.default_rng(11)
    hits = {"bca": 0, "t": 0}
    for _ in range(200):
        values = rng.normal(0.5, 0.1, 10)
        short, wide = bca_mean(values, resamples=600), t_interval(values)
        hits["bca"] += short.lo <= 0.5 <= short.hi
        hits["t"] += wide.lo <= 0.5 <= wide.hi
    assert 0.85 <= hits["bca"] / 200 <= 0.97  # known to be short of .95 at n = 10
    assert 0.91 <= hits["t"] / 200 <= 0.99


def test_median_with_infinities_has_order_statistics() -> None:
    values = [1.0, 2, 3, 4, 5, 6, 7, 8, 9, math.inf]
    found = median_interval(values)
    assert (found.value, found.lo, found.hi) == (5.5, 2.0, 9.0)  # ranks 2 and 9 cover 97.9 %
    assert math.isnan(median_interval([1.0, 2, 3, 4, 5]).lo)


def test_holm_of_three() -> None:
    adjusted = holm({"a": 0.03, "b": 0.01, "c": 0.02})
    assert adjusted == pytest.approx({"a": 0.04, "b": 0.03, "c": 0.04})


def test_what_has_no_p_is_no_member_of_the_family() -> None:
    adjusted = holm({"a": math.nan, "b": 0.01, "c": 0.02})
    assert (adjusted["b"], adjusted["c"]) == (0.02, 0.02)
    assert list(adjusted) == ["a", "b", "c"]
    assert math.isnan(adjusted["a"])


def test_boundaries_of_two_looks_are_the_published_ones() -> None:
    early, late = looks([5, 10])
    assert early.boundary == pytest.approx(2.963, abs=5e-4)
    assert late.boundary == pytest.approx(1.969, abs=5e-4)
    assert early.spent == pytest.approx(0.00305, abs=1e-5)
    assert spending(1.0) == pytest.approx(0.05)
    assert looks([10])[0].boundary == pytest.approx(1.95996, abs=1e-5)


def test_two_looks_keep_the_error_rate() -> None:
    rng = np.random.default_rng(2)
    first = rng.standard_normal((400_000, 2))
    early, late = looks([5, 10])
    z = (first[:, 0], first.sum(axis=1) / math.sqrt(2))
    wrong = (np.abs(z[0]) >= early.boundary) | (np.abs(z[1]) >= late.boundary)
    assert wrong.mean() == pytest.approx(0.05, abs=0.0012)


def test_not_worse_is_students_bound() -> None:
    gains = np.array([0.01, -0.01, 0.02, 0.0, -0.02])
    bound, holds = not_worse(gains, 0.02)
    reach = stats.t.ppf(0.975, 4) * gains.std(ddof=1) / math.sqrt(5)
    assert bound == pytest.approx(-reach)
    assert holds is bool(reach <= 0.02)
    assert not_worse([0.1, math.nan], 1.0) == (-math.inf, False)


def test_margins_are_worth_their_compute() -> None:
    frontier = Frontier(COSTS, LAW)
    slope = 0.1 / math.log(2)
    assert loss_margin(Margins(), frontier, COSTS[4]) == pytest.approx(-slope * math.log(0.98))
    narrow = Margins(least=0.001, most=0.2)
    assert level_margin(narrow, frontier, COSTS[4]) == pytest.approx(-slope * math.log(0.95))
    flat = Frontier(COSTS, [0.2, 0.9, 0.9, 0.9, 0.9, 0.9])
    assert level_margin(Margins(), flat, COSTS[4]) == 0.01
    assert level_margin(Margins(most=0.004, least=0.0), frontier, COSTS[4]) == 0.004


def test_a_loss_that_falls_is_a_gain() -> None:
    kept = floor("loss", np.array([1.0, 1.1, 0.9]), np.array([1.1, 1.2, 1.0]), 0.01, 0.5)
    assert kept.gain == pytest.approx(0.1)
    assert kept.holds
    assert kept.share == pytest.approx(1 - math.exp(-0.02))
    lost = floor("syntax", np.array([0.7, 0.71, 0.69]), np.array([0.8, 0.81, 0.79]), 0.05, 0.5)
    assert not lost.holds


def test_savings_are_spread_over_the_runs_that_share_the_tuning() -> None:
    assert amortised(60, 100, 0, 0, 1) == pytest.approx(0.4)
    assert amortised(60, 100, 500, 300, 1) == pytest.approx(1 - 560 / 400)
    assert amortised(60, 100, 500, 300, 100) == pytest.approx(1 - 6500 / 10300)
