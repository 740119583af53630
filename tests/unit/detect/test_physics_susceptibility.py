"""Susceptibility: item sampling taken off, an interior peak demanded, initial spread ignored."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.detect.physics import binomial_variance, chi, susceptibility

U = np.linspace(1, 5, 24)


def rise(centre, scale):
    return 1 / (1 + np.exp(-(U - centre) / scale))


def correlated(rng, seeds, rho=0.8):
    noise = rng.normal(size=(seeds, U.size))
    for t in range(1, U.size):
        noise[:, t] = rho * noise[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    return noise


def staggered(rng, seeds=10, items=500):
    """Seeds that differ in when they rise: χ peaks half-way, by construction."""
    p = 0.98 * rise(rng.normal(3, 0.15, (seeds, 1)), 0.1) + 0.01
    accuracy = rng.binomial(items, p) / items
    return accuracy, binomial_variance(accuracy, items)


def test_item_sampling_alone_gives_no_susceptibility(rng):
    """Seeds with one true curve: raw K·Var is p(1 − p), χ is zero."""
    items, p = 500, np.broadcast_to(0.98 * rise(3, 0.3) + 0.01, (4000, U.size))
    accuracy = rng.binomial(items, p) / items
    found = chi(accuracy, binomial_variance(accuracy, items), items)
    raw = chi(accuracy, np.zeros_like(accuracy), items)
    np.testing.assert_allclose(raw, p[0] * (1 - p[0]), rtol=0.15)
    assert np.abs(found).max() < 0.03
    ten = susceptibility(
        U, accuracy[:10], binomial_variance(accuracy[:10], items), items=items, resamples=300
    )
    assert not ten.interior_peak


def test_a_staggered_rise_peaks_where_half_of_it_is_done():
    hits = []
    for seed in range(12):
        accuracy, noise = staggered(np.random.default_rng(seed))
        found = susceptibility(U, accuracy, noise, items=500, resamples=300)
        hits.append(found.interior_peak and abs(found.peak - 3.0) < 0.25)
    assert sum(hits) >= 10  # 98.5 % of 200 in the trial behind the documentation


def test_flat_spread_has_no_peak():
    """Nominal 5 %; 12 of 1800 trials with correlated and independent noise claimed one."""
    claims = 0
    for seed in range(30):
        rng = np.random.default_rng(100 + seed)
        m = rise(3, 0.3) + 0.02 * correlated(rng, 10, 0.8 * (seed % 2))
        claims += susceptibility(U, m, resamples=200, seed=seed).interior_peak
    assert claims <= 3


def test_naive_largest_variance_picks_the_initial_weights(rng):
    m = rise(3.5, 0.2) + (0.02 + 0.2 * (U < 1.5)) * rng.normal(size=(10, U.size))
    found = susceptibility(U, m, resamples=300)
    assert int(m.var(axis=0).argmax()) <= 2
    assert not found.learned[:8].any()
    assert not found.peak < 2.5
    assert not found.interior_peak


def test_a_place_named_beforehand_is_compared_with_its_neighbours():
    m = np.zeros((10, 6))
    sign = np.where(np.arange(10) % 2, 1.0, -1.0)
    m[:] = np.arange(6) / 5
    for k, spread in enumerate([0.1, 0.1, 0.1, 0.3, 0.15, 0.1]):
        m[:, k] += spread * sign
    found = susceptibility(np.arange(6.0), m, within=(2.5, 3.5), resamples=200)
    assert found.ratio == pytest.approx(2.0)
    assert found.peak == 3.0


def test_it_refuses_in_a_sentence():
    few = susceptibility(U, np.tile(rise(3, 0.2), (7, 1)))
    assert few.refused == "a susceptibility needs at least 8 seeds with finite values, got 7"
    still = susceptibility(U, np.zeros((10, U.size)))
    assert still.refused is not None
    with pytest.raises(ValueError, match="must be"):
        susceptibility(U, np.zeros((10, 3)))
