from __future__ import annotations

import numpy as np
import pytest

from nucleate.core import Curve, Level, Step
from nucleate.views.page.thin import kept, thinned


def test_every_peak_and_every_hole_stays():
    """10,000 flat readings with 40 spikes of known places: all 40 stay, in 4 per bucket or less."""
    x = np.arange(1.0, 10_001.0)
    y = np.zeros(10_000)
    spikes = np.unique(np.geomspace(20, 9_990, 40).astype(int))
    y[spikes] = np.where(np.arange(len(spikes)) % 2, 7.0, -7.0)
    at = kept(x, y, 340)
    assert set(spikes) <= set(at.tolist())
    assert len(at) <= 4 * 340
    assert np.array_equal(at, np.unique(at))


def test_first_last_lowest_highest_of_each_bucket():
    """Two decades in two buckets: indices 0 and 8 begin them, 7 and 98 end them."""
    x = np.arange(1.0, 100.0)
    y = np.where(x == 5, 3.0, np.where(x == 50, -2.0, 1.0)) + x * 1e-6
    at = kept(x, y, 2)
    first = x <= np.sqrt(99.0)
    assert at.tolist() == [0, 4, int(first.sum()) - 1, int(first.sum()), 49, 98]


def test_what_is_not_finite_leaves_one_gap_per_bucket():
    x = np.arange(1.0, 101.0)
    y = np.ones(100)
    y[60:64] = np.nan
    at = kept(x, y, 1)
    assert at.tolist() == [0, 60, 99]


def test_short_or_strange_input():
    assert kept(np.arange(1.0, 5.0), np.ones(4), 1).tolist() == [0, 1, 2, 3]
    assert kept(np.zeros(9), np.arange(9.0), 1).tolist() == [0, 8]
    assert kept(np.empty(0), np.empty(0), 3).tolist() == []
    assert 0 in kept(np.arange(0.0, 50.0), np.ones(50), 2).tolist()
    assert kept(np.full(9, 5.0), np.full(9, np.nan), 1).tolist() == [0, 8]


@pytest.mark.parametrize("seed", range(5))
def test_extremes_of_noise_stay(seed):
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.uniform(1, 1e6, 5_000)), rng.normal(size=5_000)
    at = kept(x, y, 50)
    assert y[at].max() == y.max()
    assert y[at].min() == y.min()
    edges = np.exp(np.linspace(np.log(x[0]), np.log(x[-1]), 51))
    bucket = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, 49)
    for each in np.unique(bucket)[1:-1]:
        own = y[(bucket == each)]
        assert own.max() in y[at]
        assert own.min() in y[at]


def test_a_curve_keeps_its_columns_together():
    steps = tuple(Step(i, i) for i in range(1, 1001))
    values = tuple(float(i % 7) for i in range(1000))
    curve = Curve("m", Level.SYNTAX, "", 0.0, steps, values, values, tuple(range(1000)))
    thin = thinned(curve, 10)
    assert len(thin.steps) == len(thin.values) == len(thin.se) == len(thin.counts) <= 40
    for step, value, count in zip(thin.steps, thin.values, thin.counts, strict=True):
        assert value == float((step.step - 1) % 7)
        assert count == step.step - 1
    short = thinned(thin, 10)
    assert short is thin
