"""The third generator of curves keeps what it declares, measured here by other means."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.detect import elsewhere_events as events
from benchmarks.detect import elsewhere_noise as noise
from benchmarks.detect.curves import CLEAR
from benchmarks.detect.elsewhere import SORTS, TRENDS, draw
from benchmarks.detect.elsewhere_trends import SHARES, draw_trend, is_smooth, narrowest
from benchmarks.detect.grids import KINDS, Grid, draw_grid
from benchmarks.detect.parts import DoesNotFitError
from scipy.special import expit

FINE = np.arange(-4.0, 4.0, 0.0005)
PACE = 2.0 * np.log(9.0)
"""Rate of a logistic whose 10–90 % takes 1."""


def _crossings(x, y, shares):
    """Where a rising curve first reaches shares of its whole rise."""
    part = (y - y[0]) / (y[-1] - y[0])
    return [float(x[np.argmax(part >= share)]) for share in shares]


def _beyond_cubics(trend, low, high):
    """Largest distance of a trend from its own cubic in any .4 decades, in ranges."""
    y = trend(np.arange(low, high, 0.01))
    cubic = np.linalg.qr(np.vander(np.linspace(-1.0, 1.0, 41), 4))[0]
    pieces = np.lib.stride_tricks.sliding_window_view(y, 41)
    return np.abs(pieces - pieces @ cubic @ cubic.T).max() / np.ptp(y)


def _many(what, num=60, seed=3):
    rng = np.random.default_rng(seed)
    for turn in range(num):
        try:
            yield draw(rng, what, draw_grid(rng, KINDS[turn % len(KINDS)]))
        except DoesNotFitError:
            continue


@pytest.mark.parametrize("width", [0.2, 0.7, 1.5])
def test_the_measure_of_rises_returns_the_width_of_a_logistic(width):
    assert narrowest(FINE, expit(PACE / width * FINE), 0.02) == pytest.approx(width, rel=1e-3)


def test_the_measure_of_rises_returns_that_of_a_cosine_and_of_its_narrowest_part():
    # A half period of p/2 rises from 10 to 90 % in arccos(-.8) - arccos(.8) of its pi.
    known = (np.arccos(-0.8) - np.arccos(0.8)) / np.pi
    y = np.cos(2.0 * np.pi * FINE / 2.0)
    assert narrowest(FINE, y, 0.1) == pytest.approx(known, rel=2e-3)
    both = np.where(
        FINE < 0.0, expit(PACE * (FINE + 2.0)), 1.0 - 0.1 * expit(PACE / 0.3 * (FINE - 2))
    )
    assert narrowest(FINE, both, 0.05) == pytest.approx(0.3, rel=0.01)
    assert narrowest(FINE, both, 0.2) == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize(
    ("trend", "smooth"),
    [
        (lambda x: expit(PACE / 0.75 * (x - 2.0)), True),
        (lambda x: expit(PACE / 0.65 * (x - 2.0)), False),
        (lambda x: 10.0 ** (0.99 * x), True),
        (lambda x: 10.0 ** (1.05 * x), False),
        (lambda x: x + 0.3 * expit(PACE / 0.3 * (x - 2.0)), False),
        (lambda x: x + np.maximum(x - 2.0, 0.0), False),
        (lambda x: np.exp(-0.5 * ((x - 2.0) / 0.02) ** 2) + x, False),
        (lambda x: np.full(x.size, 2.0), False),
    ],
    ids="width .75|width .65|near the step|above it|hidden step|kink|spike|constant".split("|"),
)
def test_smooth_is_told_from_what_is_not(trend, smooth):
    assert is_smooth(trend, 0.0, 4.0) is smooth


def test_cubics_over_two_fifths_of_a_decade_tell_smooth_from_sharp():
    """For a logistic of width .7 theory says f/24 h^4/8 with f = k^4/8: .0016."""
    wide = _beyond_cubics(lambda x: expit(PACE / 0.7 * (x - 2.0)), 0.0, 4.0)
    assert 0.0012 < wide < 0.003
    assert _beyond_cubics(lambda x: x / 4.0 + 0.1 * expit(PACE / 0.1 * (x - 2)), 0, 4) > 0.004
    assert _beyond_cubics(lambda x: np.maximum(x - 2.0, 0.0), 0.0, 4.0) > 0.004


@pytest.mark.parametrize("family", list(TRENDS))
def test_every_family_stays_within_the_bounds(family):
    """By other means: a wide stencil for the curvature, local cubics for everything faster."""
    rng = np.random.default_rng(list(TRENDS).index(family))
    for _ in range(20):
        low = rng.uniform(0.0, 6.0)
        high = low + rng.uniform(2.5, 5.0)
        name, trend = draw_trend(rng, low, high, family)
        assert name == family
        x = np.linspace(low, high, 701)
        y = trend(x)
        reach = 0.03
        bend = (trend(x + reach) - 2.0 * y + trend(x - reach)) / reach**2
        assert np.abs(bend).max() <= 1.02 * np.log(10.0) ** 2 * np.ptp(y)
        assert _beyond_cubics(trend, low, high) < 0.003
        if family in SHARES:
            assert y.min() >= -1e-9
            assert y.max() <= 1.0 + 1e-9


def test_families_are_many_and_seldom_refused():
    rng, refused = np.random.default_rng(0), {}
    for family, law in TRENDS.items():
        draws = [is_smooth(law(rng, 1.0, 5.0), 1.0, 5.0) for _ in range(60)]
        refused[family] = 1.0 - np.mean(draws)
    assert len(TRENDS) >= 10
    assert max(refused.values()) < 0.95


@pytest.mark.parametrize("form", [*events.FORMS, "escape"])
@pytest.mark.parametrize("width", [0.02, 0.35])
def test_steps_are_as_wide_as_declared_and_half_done_in_place(form, width):
    x = np.arange(-2.0, 2.0, width / 400.0)
    y = events.change(x, form, 0.3, width)
    low, half, high = _crossings(x, y, (0.1, 0.5, 0.9))
    assert high - low == pytest.approx(width, rel=0.03)
    assert half == pytest.approx(0.3, abs=0.02 * width)
    assert y[-1] - y[0] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("fade", "before"), [(np.inf, False), (0.6, False), (0.6, True)])
def test_kinks_change_the_slope_by_one_within_their_width(fade, before):
    width = 0.1
    x = np.arange(-2.0, 2.0, 0.0005)
    slope = np.gradient(events.kink(x, 0.5, width, fade, before=before), x)
    if before:  # from -e^(z / fade) to 0
        known = -np.exp((x - 0.5) / fade)
        assert np.allclose(slope[x < 0.35], known[x < 0.35], atol=0.02)
        assert np.allclose(slope[x > 0.65], 0.0, atol=1e-3)
        return
    assert np.allclose(slope[x < 0.35], 0.0, atol=1e-3)
    assert np.allclose(slope[x > 0.65], np.exp(-(x[x > 0.65] - 0.5) / fade), atol=0.02)
    if fade == np.inf:
        low, half, high = _crossings(x, slope, (0.1, 0.5, 0.9))
        assert high - low == pytest.approx(width, rel=0.03)
        assert half == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("form", events.SPIKES)
def test_spikes_reach_one_and_leave_nothing_behind(form):
    x = np.arange(0.0, 4.0, 0.0005)
    y = events.spike(x, form, 2.0, 0.3)
    assert y.max() == pytest.approx(1.0, abs=0.01)
    assert not y[x < 1.999].any()
    assert not y[x > 2.301].any()


@pytest.mark.parametrize(
    ("form", "step", "known"),
    [
        ("linear", 850, 0.15),
        ("cosine", 500, 0.5),
        ("wsd linear", 850, 0.75),
        ("wsd cosine", 850, 0.5 + np.sqrt(0.125)),
        ("wsd root", 850, 0.5),
    ],
)
def test_learning_rates_equal_hand_computed_values(form, step, known):
    """The last fifth of 1,000 steps decays under WSD, so that 850 is a quarter of its way."""
    steps = np.arange(1.0, 1001.0)
    rate = events.learning_rate(steps, form, 0.0, 0.2, 0.0)
    assert rate[step - 1] == pytest.approx(known)
    assert rate[-1] == pytest.approx(0.0, abs=1e-12)
    assert rate[0] > 0.998
    assert (rate[:799] == 1.0).all() == form.startswith("wsd")
    warm = events.learning_rate(steps, form, 0.01, 0.2, 0.1)
    assert warm[4] == pytest.approx(0.5)  # step 5 of the 10 that warm up
    assert warm[-1] == pytest.approx(0.1)


@pytest.mark.parametrize("kind", noise.KINDS)
def test_noise_has_unit_variance_and_the_correlation_it_states(kind):
    rng = np.random.default_rng(1)
    for _ in range(3):
        draws, rho = noise.unit(rng, kind, 40_000)
        assert draws.std() == pytest.approx(1.0, abs=0.04)
        assert np.corrcoef(draws[1:], draws[:-1])[0, 1] == pytest.approx(rho, abs=0.03)
        assert 0.0 <= rho <= 0.6
    factors = noise.profile(rng, kind, np.linspace(1.0, 5.0, 50), np.linspace(0.0, 1.0, 50) ** 2)
    assert np.median(factors) == pytest.approx(1.0)
    assert factors.min() > 0.0


def test_mild_outliers_add_readings_below_three_deviations_and_none_above():
    rng = np.random.default_rng(0)
    draws = np.abs(np.concatenate([noise.unit(rng, "mild outliers", 20_000)[0] for _ in range(20)]))
    # A Gaussian has 5.47 % between 1.9 and 3 deviations and .27 % beyond.
    assert ((draws > 1.9) & (draws < 3.0)).mean() > 0.0547 + 0.01
    assert (draws > 3.0).mean() < 0.0027


@pytest.mark.parametrize(
    ("deviation", "step"), [(0.5, 1.0), (0.49, 0.1), (0.03, 0.01), (7.0, 10.0)]
)
def test_loggers_round_to_powers_of_ten(deviation, step):
    assert noise.rounding(deviation) == pytest.approx(step)


def test_counts_are_binomial_or_as_spread_as_stated():
    rng, p, num = np.random.default_rng(2), np.full(40_000, 0.3), 500
    for rho, spread in ((0.0, 1.0), (0.4, 0.7), (0.2, 1.3)):
        values = noise.counted(rng, p, num, rho, spread)
        assert np.allclose(values * num, np.round(values * num), atol=1e-9)
        assert values.mean() == pytest.approx(0.3, abs=0.001)
        # sqrt(.3 * .7 / 500) = .020494
        assert values.std() == pytest.approx(0.020494 * spread, rel=0.03)


@pytest.mark.parametrize("what", SORTS)
def test_curves_hold_what_their_sort_says(what):
    curves = list(_many(what))
    assert len(curves) >= 50
    for curve in curves:
        there = np.isfinite(curve.values)
        assert curve.steps.shape == curve.values.shape
        assert 0.002 < curve.noise <= 0.1
        assert curve.family in TRENDS
        assert len(curve.changes) == (what in ("step", "kink"))
        assert len(curve.disturbances) == (what == "spike")
        assert (curve.lr is not None) == (what == "schedule")
        for truth in (*curve.changes, *curve.disturbances):
            assert truth.kind == what
            assert 0.005 <= truth.width <= 0.35
            assert curve.steps[there][0] < truth.at < curve.steps[there][-1]
        if curve.changes:
            assert curve.snr >= CLEAR
            before = (curve.steps[there] < curve.changes[0].at).sum()
            assert 4 <= before <= there.sum() - 4
        if what == "kink":
            assert curve.changes[0].width < 0.15
        if curve.labels["noise"] == "binomial":
            assert curve.family in SHARES
            assert np.all((curve.values[there] >= 0.0) & (curve.values[there] <= 1.0))


def test_half_of_the_counted_curves_state_their_errors():
    counted = [c for c in _many("smooth", 400, seed=8) if c.labels["noise"] == "binomial"]
    told = [c for c in counted if c.stderr is not None]
    assert len(counted) > 50
    assert 0.3 < len(told) / len(counted) < 0.7
    for curve in told:
        there = np.isfinite(curve.values)
        p, error = curve.values[there], curve.stderr[there]
        some = error > 0.0
        items = p[some] * (1.0 - p[some]) / error[some] ** 2
        assert np.allclose(items, np.round(items[0]), rtol=1e-6)  # one number of items for all
        assert np.allclose(p * items[0], np.round(p * items[0]), atol=1e-4)


def test_a_curve_is_drawn_again_from_the_same_seed():
    grid = draw_grid(np.random.default_rng(0), "regular")
    one, two = (draw(np.random.default_rng(5), "step", grid) for _ in range(2))
    assert np.array_equal(one.values, two.values)
    assert one.changes == two.changes


def test_wrong_sorts_and_grids_without_room_are_refused():
    rng = np.random.default_rng(0)
    grid = draw_grid(rng, "regular")
    with pytest.raises(ValueError, match="cliff"):
        draw(rng, "cliff", grid)
    short = Grid("regular", 10.0 ** np.linspace(1.0, 4.0, 8), np.ones(8, dtype=bool))
    with pytest.raises(DoesNotFitError):
        draw(rng, "step", short, tries=5)
