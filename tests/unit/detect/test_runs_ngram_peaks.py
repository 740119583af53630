import math

import numpy as np
import pytest

from nucleate.detect.runs import ngram_peak, peak_order

STEPS = [1, 2, 4, 8, 16, 32, 64]


def hump(top, height=0.9, fall=0.1):
    """Return a curve that rises to STEPS[top] and falls by `fall` a reading after it."""
    i = np.arange(len(STEPS))
    return np.where(i <= top, height * (i + 1) / (top + 1), height - fall * (i - top))


def test_a_peak_is_the_best_reading_between_its_neighbours():
    peak = ngram_peak(STEPS, hump(3))
    assert (peak.verdict, peak.at, peak.lo, peak.hi) == ("peak", 8.0, 4.0, 16.0)
    assert (peak.best, peak.fall) == pytest.approx((0.9, 0.3))
    assert math.isnan(peak.fall_interval[0])
    assert peak.unanimous


def test_the_dip_of_a_divergence_is_the_same_peak_upside_down():
    dip = ngram_peak(STEPS, 2.0 - hump(3), measure="kl")
    assert (dip.at, dip.lo, dip.hi) == (8.0, 4.0, 16.0)
    assert (dip.best, dip.fall) == pytest.approx((1.1, 0.3))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.linspace(0, 1, 7), "last reading"),
        (np.linspace(1, 0, 7), "first reading"),
        (hump(3, fall=0.001), "falls by only"),
        ([0.0, 0.5, 0.9, 0.8, 0.7, 0.85, 0.897], "falls by only"),
    ],
)
def test_without_a_later_fall_there_is_no_peak(values, why):
    peak = ngram_peak(STEPS, values)
    assert peak.verdict == "no peak"
    assert math.isnan(peak.at)
    assert why in peak.note


def test_seeds_that_disagree_widen_the_interval_and_seeds_without_a_fall_veto_it():
    seeds = [hump(3), hump(3), hump(3), hump(4), hump(4), hump(4, height=0.95)]
    peak = ngram_peak(STEPS, seeds)
    assert peak.per_seed == (8.0, 8.0, 8.0, 16.0, 16.0, 16.0)
    assert not peak.unanimous
    assert (peak.lo, peak.hi) == (4.0, 32.0)
    unsure = [hump(3, fall=fall) for fall in (0.05, -0.02, 0.03, -0.02, 0.02, -0.02)]
    assert ngram_peak(STEPS, unsure).verdict == "no peak"


def test_the_order_of_peaks():
    one, two, three = (ngram_peak(STEPS, hump(top)) for top in (1, 3, 5))
    order = peak_order([one, two, three])
    assert (order.strict, order.separated, order.seeds_in_order) == (True, True, 1)
    # Peaks at neighbouring readings: ordered on this grid, but their intervals overlap.
    near = peak_order([two, ngram_peak(STEPS, hump(4))])
    assert (near.strict, near.separated) == (True, False)
    assert not peak_order([two, one]).strict
    assert not peak_order([two, two]).strict
    missing = peak_order([one, ngram_peak(STEPS, np.linspace(0, 1, 7))])
    assert not missing.strict
    assert "no peak for entry 2" in missing.note


def test_wrong_shapes_are_refused():
    assert ngram_peak([1, 2], [0.1, 0.2]).verdict == "not enough readings"
    for steps, values, why in (
        ([1, 2, 3], [0.1, 0.2], "need steps"),
        ([1, 3, 2], [0.1, 0.2, 0.3], "increase"),
        ([1, 2, 3], [0.1, math.nan, 0.3], "finite"),
    ):
        with pytest.raises(ValueError, match=why):
            ngram_peak(steps, values)
    with pytest.raises(ValueError, match="at least two peaks"):
        peak_order([ngram_peak(STEPS, hump(3))])
