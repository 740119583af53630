"""Evidence averaged over what is not known: priors that sum to one, and its algebra."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.core import Kind
from nucleate.detect import assess
from nucleate.detect import atoms as shapes
from nucleate.detect.covariance import RHOS, hyper_grid, log_prior
from nucleate.detect.likelihood import AMPLITUDE, Grid, _gains


@pytest.mark.parametrize("rhos", [tuple(RHOS), tuple(RHOS)[:2]])
def test_the_prior_of_the_settings_sums_to_one(rhos):
    assert np.exp(log_prior(hyper_grid(rhos))).sum() == pytest.approx(1.0)


def test_the_priors_of_smooth_shapes_and_of_events_sum_to_one():
    x = np.linspace(0.0, 4.0, 40)
    assert shapes.BARE + np.exp(shapes.nuisances(x).log_prior).sum() == pytest.approx(1.0)
    found = shapes.events(x, 0.4)
    kink = np.array([form.kind == "hinge" for form in found.forms])
    assert np.exp(found.log_prior).sum() == pytest.approx(1.0)
    assert np.exp(found.log_prior[kink]).sum() == pytest.approx(0.5)


def test_the_gain_of_an_atom_is_the_marginal_likelihood_of_its_random_size(rng):
    """Of y ~ N(0, σ² (I + A²/σ² a aᵀ)) against N(0, σ² I), with σ² the residual variance."""
    num, y, atom = 9, rng.standard_normal(9), rng.standard_normal(9)
    rss, norm = float(y @ y), float(np.linalg.norm(atom))
    share = (atom @ y / norm) ** 2 / rss
    noise = rss * (1.0 - share) / num
    grown = np.eye(num) + AMPLITUDE**2 / noise * np.outer(atom, atom)
    inside = float(y @ np.linalg.solve(grown, y)) / rss
    expected = -0.5 * num * np.log(inside) - 0.5 * np.linalg.slogdet(grown)[1]
    residual = (y / np.sqrt(rss))[:, None]
    gain, most = _gains(atom[None], residual, np.array([1.0 / norm]), np.array([rss]), num)
    assert gain[0, 0] == pytest.approx(expected)
    assert most[0] == pytest.approx(share)


def test_a_shape_that_may_be_there_besides_leaves_what_least_squares_leaves(rng):
    grid = Grid(np.linspace(0.0, 3.0, 24), 0.4)
    white, shape, y = grid.whitenings[7], grid.nuisances.shape[4], rng.standard_normal(24)
    columns, whitened = (white.project_nn @ shape)[:, None], white.project_nn @ y
    rss = np.linalg.lstsq(columns, whitened, rcond=None)[1][0]
    left = white.without(shape).project_nn
    for amount in (0.0, -3.0, 40.0):
        assert np.sum((left @ (y + amount * shape)) ** 2) == pytest.approx(rss)
    line = 2.0 + 0.3 * grid.x
    assert white.without(line) is white


def test_an_event_beside_a_broad_change_explains_more_than_either_alone(rng):
    x = np.linspace(0.0, 3.0, 40)
    grid = Grid(x, 0.4)
    rise = shapes.sigmoid(x, np.array([1.0]), np.array([0.75]))[0]
    y = 3.0 * rise + 1.5 * (x > 2.0) + 0.02 * rng.standard_normal(40)
    nuisance = int(np.abs(grid.nuisances.shape - rise).sum(axis=1).argmin())
    alone = max(
        float(each.level(np.sum((each.project_nn @ y) ** 2))) + prior
        for white, prior in zip(grid.whitenings, grid.log_prior, strict=True)
        for each in (white.without(grid.nuisances.shape[nuisance]),)
    )
    _, beside = grid.best_event(y, 2.0, 0.15, kink=False, nuisance=nuisance)
    _, instead = grid.best_event(y, 2.0, 0.15, kink=False)
    assert beside > alone + 10.0
    assert beside > instead


def test_single_precision_says_the_same_of_many_curves(rng):
    grid = Grid(np.linspace(0.0, 3.0, 24), 0.4)
    curves = rng.standard_normal((24, 5)) + np.linspace(0, 3, 24)[:, None]
    curves[14:, 2] += 6.0
    curves /= curves.std(axis=0)
    one, many = grid.fit(curves), grid.fit(curves, np.float32)
    np.testing.assert_allclose(one.event - one.null, many.event - many.null, atol=2e-3)
    assert (one.event - one.null).argmax() == 2


def test_spikes_that_hide_each_other_do_not_hide_a_step(rng):
    tokens = np.logspace(4, 7, 40)
    values = (tokens > 3e5) + 0.02 * rng.standard_normal(40)
    values[[8, 15, 33]] += (4.0, 5.0, 4.5)
    found = assess(tokens, values)
    (step,) = found.transitions
    assert step.kind is Kind.STEP
    assert step.lo <= 3e5 <= step.hi
    assert step.amplitude == pytest.approx(1.0, rel=0.1)
    places = np.array([away.at for away in found.disturbances])
    for spike in tokens[[8, 15, 33]]:
        assert np.abs(np.log(places / spike)).min() < 1e-6


@pytest.mark.parametrize(("width", "sharp"), [(0.1, True), (0.7, False)])
def test_what_is_as_wide_as_the_limit_or_wider_is_broad(toy, rng, width, sharp):
    values = toy.logistic(toy.x, 6.0, width) + 0.01 * rng.standard_normal(50)
    assert bool(assess(toy.tokens, values).transitions) is sharp
