"""Order parameter, Binder cumulant and dip: closed forms known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.detect.physics import (
    binder,
    binomial_variance,
    cumulant,
    dip,
    dip_p,
    ensemble,
    order_parameter,
    rise_width,
)


def test_order_parameter_is_zero_at_chance_and_one_at_the_ceiling():
    assert order_parameter([0.25, 0.625, 1.0], 0.25, 1.0).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(ValueError, match="must differ"):
        order_parameter([1.0], 0.5, 0.5)


def test_ensemble_joins_seeds_where_all_were_measured(toy):
    first = toy.curve("a.accuracy", np.full(50, 0.75), se=0.02)
    second = toy.curve("a.accuracy", np.full(50, 1.0), se=0.02)
    found = ensemble([first, second])
    assert found.m.shape == (2, 50)
    assert found.m[:, 0].tolist() == [0.5, 1.0]
    np.testing.assert_allclose(found.sampling, 0.04**2)
    with pytest.raises(ValueError, match="several metrics"):
        ensemble([first, toy.curve("b.accuracy", np.full(50, 1.0))])


def test_binomial_variance_is_unbiased(rng):
    drawn = rng.binomial(50, 0.3, 200_000) / 50
    assert binomial_variance(drawn, 50).mean() == pytest.approx(0.3 * 0.7 / 50, rel=0.01)


def test_cumulant_of_gaussian_two_points_and_uniform(rng):
    """U = 0, 2/3 and .4, each from its moments alone."""
    gauss = cumulant(rng.normal(size=(400, 2000)))
    assert gauss.mean() == pytest.approx(0.0, abs=0.005)
    assert float(cumulant(np.repeat([0.2, 0.9], 50))) == pytest.approx(2 / 3)
    grid = (np.arange(100_000) + 0.5) / 100_000
    assert float(cumulant(grid)) == pytest.approx(0.4, abs=1e-6)
    # Moving and scaling the order parameter changes nothing.
    assert float(cumulant(5 - 3 * grid)) == pytest.approx(0.4, abs=1e-6)
    assert np.isnan(cumulant(np.ones(40)))


def test_binder_tells_two_peaks_from_one(rng):
    split = np.concatenate([rng.normal(0.1, 0.02, 30), rng.normal(0.9, 0.02, 30)])
    two, one = binder(split), binder(rng.normal(0.5, 0.1, 60))
    assert two.cumulant == pytest.approx(2 / 3, abs=0.005)
    assert two.lo > 0.5
    assert two.dip_p < 0.01
    assert one.lo < 0.0 < one.hi + 0.05
    assert one.dip_p > 0.05


def test_binder_refuses_under_thirty_seeds_and_describes_from_five(rng):
    few = binder(rng.normal(size=12))
    assert few.refused is not None
    assert "at least 30 seeds, got 12" in few.refused
    assert np.isnan(few.cumulant)
    assert 0.04 <= few.dip <= 0.25
    assert few.note.startswith("descriptive")
    assert np.isnan(binder(rng.normal(size=4)).dip)
    assert binder(np.ones(40)).refused == "all seeds have one value: there is no spread to describe"


@pytest.mark.parametrize("size", [5, 20, 50])
def test_dip_of_an_even_grid_is_half_a_jump(size):
    """Hartigan and Hartigan 1985: 1/(2n) is the least possible dip."""
    assert dip(np.arange(size)) == pytest.approx(1 / (2 * size))


def test_dip_of_two_clusters_tends_to_a_quarter():
    assert dip([0, 0, 0, 1, 1, 1]) == pytest.approx(0.25)
    clusters = np.concatenate([np.linspace(0, 0.01, 50), np.linspace(1, 1.01, 50)])
    assert dip(clusters) == pytest.approx(0.25, abs=0.01)
    assert dip_p(clusters) < 0.02


def test_dip_p_is_not_anticonservative_for_one_mode():
    rng = np.random.default_rng(5)
    flagged = sum(dip_p(rng.normal(size=15)) <= 0.05 for _ in range(200))
    assert flagged <= 17  # 5 % of 200 is 10; 17 is its 98.8 % quantile; normals dip less.


@pytest.mark.parametrize("scale", [0.05, 0.2])
def test_width_of_a_logistic_is_two_ln_nine_scales(scale):
    u = np.linspace(-3, 3, 3001)
    m = 1 / (1 + np.exp(-u / scale))
    assert rise_width(u, m) == pytest.approx(2 * np.log(9) * scale, rel=1e-3)
    assert np.isnan(rise_width(u, -m))
    assert np.isnan(rise_width(u, np.ones_like(u)))
