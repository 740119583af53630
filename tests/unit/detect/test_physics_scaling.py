"""Finite-size scaling, collapse, hysteresis and the word "critical"."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.detect.physics import (
    SizeCurve,
    collapse,
    criticality,
    hysteresis,
    loop_area,
    rise_width,
    susceptibility,
    width_scaling,
)

SIZES = (1e6, 4e6, 1.6e7, 6.4e7, 2.56e8)
U = np.linspace(1, 5, 40)


def family(inverse_nu, rng, noise=0.01, drift=0.0):
    """m = logistic((u − 3 − drift ln N) (N/N₀)^{1/ν} / .4): an Ising-like family with known ν."""
    curves = []
    for size in SIZES:
        scaled = (U - 3 - drift * np.log(size / 1.6e7)) * (size / 1.6e7) ** inverse_nu
        m = 1 / (1 + np.exp(-scaled / 0.25)) + noise * rng.normal(size=U.size)
        curves.append(SizeCurve(size, U, m))
    return curves


@pytest.mark.parametrize("slope", [-0.5, -0.25, 0.25])
def test_width_exponent_is_recovered(slope, rng):
    widths = {n: 0.4 * (n / 1e6) ** slope * np.exp(0.05 * rng.normal(size=10)) for n in SIZES}
    found = width_scaling(widths)
    assert found.lo < slope < found.hi
    assert found.verdict == ("sharpening" if slope < 0 else "broadening")
    assert found.seeds == 10


def test_widths_read_off_mean_field_logistics_give_the_exponent():
    """W = 2 ln 9 · w₀ N^{-1/2} exactly, so the slope is −½ to the accuracy of the reading."""
    u = np.linspace(-2, 2, 4001)
    widths = {n: [rise_width(u, 1 / (1 + np.exp(-u / (0.3 * (n / 1e6) ** -0.5))))] for n in SIZES}
    assert width_scaling(widths).slope == pytest.approx(-0.5, abs=0.01)


def test_equal_widths_never_sharpen():
    claims = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        found = width_scaling({n: 0.4 * np.exp(0.2 * rng.normal(size=3)) for n in SIZES})
        claims += found.verdict == "sharpening"
    assert claims <= 12  # nominal 2.5 % of 200 is 5


def test_three_sizes_are_refused():
    found = width_scaling({n: [0.4] for n in SIZES[:3]} | {SIZES[3]: [np.nan]})
    assert found.verdict == "refused"
    assert found.refused == "finite-size scaling needs at least 4 sizes with a width, got 3"
    assert collapse(family(0.3, np.random.default_rng(0))[:3]).refused is not None


def test_collapse_finds_nu_and_the_centre(rng):
    found = collapse(family(0.3, rng))
    assert found.holds
    assert found.exponent == pytest.approx(0.3, abs=0.03)
    assert found.nu == pytest.approx(1 / 0.3, rel=0.1)
    assert found.centre == pytest.approx(3.0, abs=0.05)
    assert found.better == len(SIZES)


def test_curves_that_agree_in_u_alone_show_no_collapse_beyond_it(rng):
    found = collapse(family(0.0, rng))
    assert not found.holds
    assert abs(found.exponent) < 0.05


def test_loop_area_and_lag():
    """A state that follows its control with lag r·τ: area = r τ · height, zero at rate zero."""
    control = np.linspace(0, 1, 2001)

    def area(rate, gap=0.0):
        shift = 0.02 * rate + gap
        up, down = (1 / (1 + np.exp(-(control - 0.5 - s * shift) / 0.02)) for s in (1, -1))
        return [loop_area(control, up, down)]

    lag = hysteresis({rate: area(rate) for rate in (1.0, 2.0, 4.0)})
    assert lag.areas[0] == pytest.approx(0.04, rel=1e-3)
    assert lag.verdict == "lag"
    assert lag.residual == pytest.approx(0.0, abs=1e-3)
    true = hysteresis({rate: area(rate, 0.1) for rate in (1.0, 2.0, 4.0)})
    assert true.verdict == "hysteresis"
    assert true.residual == pytest.approx(0.2, rel=0.02)
    assert hysteresis({1.0: [0.0], 2.0: [0.0], 3.0: [0.0]}).verdict == "no loop"


def test_two_sweep_rates_cannot_tell_lag_from_hysteresis():
    found = hysteresis({1.0: [0.2, 0.3], 2.0: [0.3]})
    assert found.verdict == "refused"
    assert found.refused is not None
    assert "3 sweep rates or more, got 2" in found.refused


def peaked(seed, spread):
    rng = np.random.default_rng(seed)
    m = 1 / (1 + np.exp(-(U - rng.normal(3, spread, (12, 1))) / 0.1))
    return susceptibility(U, m, resamples=300)


def test_critical_needs_everything(rng):
    scaling = width_scaling({n: 0.4 * (n / 1e6) ** -0.3 * np.ones(12) for n in SIZES})
    curves = collapse(family(0.3, rng))
    seeds = dict.fromkeys(SIZES, 12)
    peaks = {n: peaked(k, 0.06 + 0.04 * k) for k, n in enumerate(SIZES)}
    found = criticality(seeds, scaling=scaling, collapsed=curves, peaks=peaks)
    assert found.critical
    assert found.missing == ()
    assert not criticality(seeds, scaling=scaling, collapsed=curves).critical
    few = criticality(dict.fromkeys(SIZES[:3], 5), scaling=scaling, collapsed=curves, peaks=peaks)
    assert few.missing == (
        "4 model sizes (there are 3)",
        "10 seeds at every size (the fewest is 5)",
    )
    nothing = criticality({})
    assert len(nothing.missing) == 5
    assert nothing.note.startswith("not critical: needs")
