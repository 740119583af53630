"""The pieces of the online detectors against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nucleate.detect.online.correlation import Correlation
from nucleate.detect.online.despike import despike
from nucleate.detect.online.evidence import (
    columns,
    fit,
    log_e_values,
    log_fits,
    log_shiryaev_roberts,
    projections,
    whiten,
)
from nucleate.detect.online.gain import t_quantile


def _problem(seed: int = 0, n: int = 40):
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, n)
    trend = np.stack((np.ones(n), x, x * x), axis=1)
    steps = (np.arange(n)[:, None] >= np.array([15, 20, 30])).astype(float)
    return trend, steps, rng.normal(size=n)


def test_fits_equal_least_squares_with_the_column_added() -> None:
    trend, steps, y = _problem()
    fitted = fit(np.linalg.qr(trend)[0], y, 0.0)
    gains = log_fits(fitted, *projections(fitted, columns(steps, 0.0)))
    for k in range(3):
        both = np.column_stack((trend, steps[:, k]))
        rss = [float(np.linalg.lstsq(m, y, rcond=None)[1][0]) for m in (trend, both)]
        assert gains[k] == pytest.approx(0.5 * 37 * np.log(rss[0] / rss[1]))


def test_e_value_equals_the_ratio_of_the_marginal_likelihoods_of_the_invariant() -> None:
    """Residuals r of rank m: density ∝ |V|^-1/2 (r'V^-1 r)^-m/2, V = I + kappa² x x'."""
    trend, steps, y = _problem(1)
    full = np.linalg.qr(np.column_stack((trend, np.eye(40))))[0][:, 3:40]
    fitted = fit(np.linalg.qr(trend)[0], y, 0.0)
    ours = log_e_values(fitted, *projections(fitted, columns(steps, 0.0)), 4.0)
    r, m = full.T @ y, 37
    for k in range(3):
        x = full.T @ steps[:, k]
        v = np.eye(m) + 16.0 * np.outer(x, x)
        quadratic = r @ np.linalg.solve(v, r)
        direct = -0.5 * np.linalg.slogdet(v)[1] - 0.5 * m * np.log(quadratic / (r @ r))
        assert ours[k] == pytest.approx(direct)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8])
def test_whitening_is_the_inverse_root_of_the_ar1_covariance(correlation: float) -> None:
    index = np.arange(12)
    covariance = correlation ** np.abs(index[:, None] - index) / (1 - correlation**2)
    white = whiten(np.eye(12), correlation)
    np.testing.assert_allclose(white @ covariance @ white.T, np.eye(12), atol=1e-12)


def test_shiryaev_roberts_sum_against_its_recursion() -> None:
    """R_t = (1 + R_{t-1}) L_t is the sum over onsets of products of likelihood ratios."""
    ratios = np.exp(np.random.default_rng(2).normal(size=30))
    recursive = 0.0
    for ratio in ratios:
        recursive = (1.0 + recursive) * ratio
    log_e = np.cumsum(np.log(ratios)[::-1])
    assert log_shiryaev_roberts(log_e[:, None]) == pytest.approx(np.log(recursive))


def test_shiryaev_roberts_averages_ramps_weighs_spacing_and_never_overflows() -> None:
    table = np.log(np.array([[1.0, 3.0], [5.0, 7.0]]))
    assert log_shiryaev_roberts(table, every=2) == pytest.approx(np.log(16.0))
    assert log_shiryaev_roberts(table + 5e4) == pytest.approx(5e4 + np.log(8.0))


def test_despike_removes_what_is_short_and_keeps_the_edge_of_a_step() -> None:
    rng = np.random.default_rng(3)
    level = 0.1 * rng.normal(size=120)
    level[60:] += 3.0
    spiked = level.copy()
    spiked[30:36] += 20.0
    cleaned = despike(spiked, 13, 4.0)
    assert cleaned is not None
    assert np.max(np.abs(cleaned[:60])) < 0.6
    assert np.min(cleaned[60:]) > 2.4
    assert despike(level, 13, 6.0) is None
    assert despike(level[:20], 13, 4.0) is None


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_correlation_is_learned_and_rounded_up(phi: float) -> None:
    rng = np.random.default_rng(4)
    learned = Correlation()
    for _ in range(60):
        noise = np.empty(150)
        noise[0] = rng.normal()
        for i in range(1, 150):
            noise[i] = phi * noise[i - 1] + rng.normal() * np.sqrt(1 - phi**2)
        learned.learn(noise, 0, 20)
    assert learned.mean == pytest.approx(phi, abs=0.05)
    assert phi - 0.03 <= learned.used() <= phi + 0.12
    before = learned.mean
    learned.learn(np.zeros(50), 0, 8)
    assert learned.mean == before


@pytest.mark.parametrize("alpha", [0.05, 1e-3])
@pytest.mark.parametrize("freedom", [8.0, 20.0])
def test_student_quantiles(alpha: float, freedom: float) -> None:
    assert t_quantile(alpha, freedom) == pytest.approx(stats.t.isf(alpha, freedom), rel=0.02)
