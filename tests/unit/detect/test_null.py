"""The null's algebra against direct computation, and what a known schedule does."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.core import Kind, Verdict
from nucleate.detect import assess, transitions
from nucleate.detect.covariance import noise_covariance, trend_covariance
from nucleate.detect.likelihood import line, whiten
from nucleate.detect.lr import schedule_shapes, warm_up
from nucleate.detect.refine import averaged_noise


def test_restricted_likelihood_equals_its_definition(rng):
    """−½ (log|V| + log|XᵀV⁻¹X| + m log RSS), up to a constant: Patterson and Thompson 1971."""
    x = np.sort(rng.uniform(0, 3, 12))
    noise, trend = noise_covariance(x, 0.35, 0.25), trend_covariance(x, x, 0.5)
    basis, y = line(x), rng.standard_normal(12)
    for ratio, white in zip(
        (0.0, 3.0, 1e4), whiten(noise, trend, (0.0, 3.0, 1e4), basis), strict=True
    ):
        cov = noise + ratio * trend
        inverse = np.linalg.inv(cov)
        gram = basis.T @ inverse @ basis
        project = inverse - inverse @ basis @ np.linalg.solve(gram, basis.T @ inverse)
        rss = y @ project @ y
        expected = -0.5 * (
            np.linalg.slogdet(cov)[1] + np.linalg.slogdet(gram)[1] + 10 * np.log(rss)
        )
        own = np.sum((white.project_nn @ y) ** 2)
        assert own == pytest.approx(rss, rel=1e-6)
        assert float(white.level(own)) == pytest.approx(expected, rel=1e-6, abs=1e-5)
        np.testing.assert_allclose(white.colour_nn @ white.colour_nn.T, cov, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("rho", [0.0, 0.4, 0.9])
def test_covariance_of_averages_equals_the_sum_over_readings(rho):
    count = np.array([1.0, 3.0, 7.0, 2.0])
    start = np.array([0, 1, 4, 11])
    order = np.arange(13)
    full = rho ** np.abs(order[:, None] - order[None, :])
    member = np.repeat(np.arange(4), count.astype(int))
    average = (member[None, :] == np.arange(4)[:, None]) / count[:, None]
    np.testing.assert_allclose(averaged_noise(start, count, rho), average @ full @ average.T)


def test_a_long_curve_places_a_jump_to_within_its_readings(rng):
    steps = np.arange(1.0, 8001.0)
    values = 2.0 * steps**-0.2 - 0.3 * (steps > 1500) + 0.05 * rng.standard_normal(8000)
    (change,) = transitions(steps, values)
    assert change.lo <= 1500.5 <= change.hi
    assert np.log10(change.hi / change.lo) < 0.02
    assert change.amplitude_interval[0] < -0.3 < change.amplitude_interval[1]
    assert change.amplitude_interval[1] - change.amplitude_interval[0] < 0.1


def test_intervals_of_width_and_onset_hold_the_truth(toy, rng):
    values = toy.logistic(toy.x, 5.6, 0.2) + 0.01 * rng.standard_normal(50)
    (change,) = transitions(toy.tokens, values)
    assert change.width_interval[0] <= 0.21
    assert change.width_interval[1] >= 0.19
    assert change.onset_interval[0] <= 10**5.5 <= change.onset_interval[1]
    assert change.amplitude_interval[0] <= 1.0 <= change.amplitude_interval[1]


def test_a_re_warmed_run_is_a_restart_and_no_transition(toy, rng):
    since = toy.x - toy.x[25]
    bump = np.where(since >= 0, np.exp(-np.maximum(since, 0) / 0.08), 0.0)
    values = toy.power_law(toy.x) + 0.8 * bump + 0.01 * rng.standard_normal(50)
    found = assess(toy.tokens, values)
    assert found.transitions == ()
    (restart,) = found.disturbances
    assert (restart.kind, restart.verdict) == (Kind.RESTART, Verdict.SMOOTH)
    assert restart.at == pytest.approx(toy.tokens[25])
    assert restart.amplitude == pytest.approx(0.8, rel=0.15)


def test_a_constant_learning_rate_has_no_shapes_and_a_decay_has():
    x = np.linspace(0, 3, 40)
    assert schedule_shapes(x, np.full(40, 3e-4)) is None
    assert schedule_shapes(x, np.full(40, np.nan)) is None
    shapes = schedule_shapes(x, 1.0 - 0.9 * 10 ** (x - 3.0))
    assert shapes is not None
    # Nothing of a straight line is left in them: that is projected out anyhow.
    np.testing.assert_allclose(shapes.T @ np.stack([np.ones(40), x], axis=1), 0.0, atol=1e-9)


def test_the_end_of_a_warm_up_is_where_the_rate_has_reached_its_peak():
    x = np.linspace(0, 3, 31)
    rate = np.minimum(1.0, 10**x / 100.0)
    assert warm_up(x, rate) == pytest.approx(2.0)
    assert warm_up(x, np.ones(31)) is None


def test_a_kink_at_the_end_of_a_known_warm_up_is_not_claimed(toy, rng):
    kink = np.maximum(0.0, toy.x - 5.5) + 0.003 * rng.standard_normal(50)
    rate = np.minimum(1.0, toy.tokens / 10**5.5)
    assert [change.kind for change in transitions(toy.tokens, kink)] == [Kind.KINK]
    assert transitions(toy.tokens, kink, lr=rate) == []


def test_a_step_at_the_end_of_a_known_warm_up_is_none_of_its_effects(toy, rng):
    step = toy.logistic(toy.x, 5.5, 0.1) + 0.003 * rng.standard_normal(50)
    rate = np.minimum(1.0, toy.tokens / 10**5.5)
    (change,) = transitions(toy.tokens, step, lr=rate)
    assert change.kind is Kind.STEP
    assert change.lo <= 10**5.5 <= change.hi


def test_items_give_binomial_errors_and_one_error_serves_all_readings(toy):
    values = np.where(toy.x > 5.5, 0.505, 0.5)
    values = values + 1e-4 * np.cos(np.arange(50) ** 2)
    # Half a per cent is no change for 100 items, whatever the scatter between readings.
    assert assess(toy.tokens, values).transitions
    assert assess(toy.tokens, values, n=100).transitions == ()
    assert assess(toy.tokens, values, 0.05).transitions == ()
