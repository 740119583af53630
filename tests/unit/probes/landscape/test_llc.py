import math

import numpy as np
import pytest
import torch

from nucleate.core import DataError
from nucleate.probes.landscape import SGLD, llc, token_loss
from nucleate.probes.landscape.llc import split_rhat
from nucleate.probes.landscape.objective import Objective
from nucleate.probes.landscape.sgld import walk
from nucleate.probes.rest import at_rest
from tests.unit.probes.landscape.models import Point, quadratic, rotated, small, unchanged

ROWS = torch.zeros(8, 1)
IDS = torch.randint(31, (12, 16), generator=torch.Generator().manual_seed(2))
FEW = SGLD(step_size=1e-5, nbeta=10, chains=3, draws=6, burn_in=2, batch_size=4)


def test_a_regular_minimum_has_half_its_dimension():
    """λ = d/2; a step of size ε inflates it by the mean of 1/(1 − ε(nβ a + γ)/4) over curvatures a.

    The stationary variance of ``w ← (1 − h) w + N(0, ε)`` is ``ε / (1 − (1 − h)²)``, with
    ``h = ε(nβ a + γ)/2``; the expectation below is ``Σ nβ a/2`` times it.
    """
    curvatures = np.array([1.0, 2.0, 4.0])
    step, nbeta, pull = 0.01, 20.0, 0.5
    h = step * (nbeta * curvatures + pull) / 2
    exact = float((nbeta * curvatures / 2 * step / (1 - (1 - h) ** 2)).sum())
    settings = SGLD(step, nbeta, pull, chains=40, draws=4000, burn_in=300, batch_size=8)
    found = llc(Point([0, 0, 0]), quadratic(rotated(curvatures)), ROWS, settings)
    assert exact == pytest.approx(1.5, rel=0.2)
    assert abs(found.llc - exact) < 3.5 * found.se
    assert found.se < 0.02
    assert found.rhat == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("chains", "draws", "means"), [(3, 6, 3), (1, 30, 5)])
def test_an_estimate_says_how_many_means_its_error_comes_from(chains, draws, means):
    """Chains, or √30 → 5 stretches of a single one: what Student's degrees of freedom follow."""
    few = SGLD(0.01, 20.0, 0.5, chains=chains, draws=draws, burn_in=50, batch_size=8)
    assert llc(Point([0, 0, 0]), quadratic(np.diag([1.0, 2.0, 4.0])), ROWS, few).means == means


def test_a_chain_that_diverges_is_refused():
    steep = SGLD(step_size=0.1, nbeta=100, chains=2, draws=200, burn_in=0, batch_size=8)
    found = llc(Point([0.0]), quadratic([[10.0]]), ROWS, steep)
    assert math.isnan(found.llc)
    assert math.isnan(found.se)
    assert found.refused.startswith("2 of 2 chains refused, the first because its loss is not fin")
    assert "smaller step size" in found.refused


def test_a_chain_that_explodes_slowly_is_refused_while_finite():
    """``ε nβ a / 2`` just above 2: the chain doubles every few hundred steps."""
    slow = SGLD(0.0402, 100, 0, chains=2, draws=400, burn_in=0, batch_size=8)
    found = llc(Point([0.0]), quadratic([[1.0]]), ROWS, slow)
    assert np.isfinite(found.trace_CS).all()
    assert "twice the largest possible" in found.refused or "no plateau" in found.refused


def test_a_point_that_is_no_minimum_gives_no_value():
    settings = SGLD(0.01, 20, 0, chains=4, draws=200, burn_in=20, batch_size=8)
    found = llc(Point([3.0]), quadratic([[1.0]]), ROWS, settings)
    assert math.isnan(found.llc)
    assert "below 0: the weights are no minimum" in found.refused


def test_a_chain_as_ignorant_as_a_uniform_guess_is_refused():
    hot = SGLD(step_size=0.01, nbeta=1, localization=0, chains=2, draws=20, burn_in=0, batch_size=4)
    found = llc(small(), token_loss, IDS, hot, ceiling=1.0)
    assert "a model that knows nothing" in found.refused


def test_the_first_loss_is_that_of_the_weights_and_its_difference_is_zero():
    found = llc(small(), token_loss, IDS, FEW)
    assert found.trace_CS.shape == (3, 8)
    assert found.trace_CS[:, 0] == pytest.approx(0, abs=1e-5)
    assert found.nbeta == 10


def test_each_chain_walks_by_the_published_step():
    """Two steps of one chain by hand, with the noise of the same generator."""
    settings = SGLD(0.1, 3.0, 0.5, chains=2, draws=3, burn_in=0, batch_size=8, seed=4)
    with at_rest(point := Point([1.0])):
        seen = walk(Objective(point, quadratic([[2.0]])), ROWS, settings)
    for chain in (0, 1):
        generator = torch.Generator().manual_seed(4 * 1_000_003 + chain)
        w, losses = 1.0, []
        for _ in range(3):
            losses.append(w * w)
            noise = torch.empty(1, dtype=torch.float64).normal_(generator=generator).item()
            w = w - 0.05 * (3.0 * 2 * w + 0.5 * (w - 1.0)) + math.sqrt(0.1) * noise
        assert seen.losses_CS[chain] == pytest.approx(losses, rel=1e-12)


@pytest.mark.parametrize("family", ["llama", "neox"])
def test_chains_together_and_apart_see_the_same(family):
    model = small(family)
    apart, together = (
        llc(model, token_loss, IDS, FEW, batched=batched).trace_CS for batched in (False, True)
    )
    np.testing.assert_allclose(apart, together, atol=2e-4)


def test_a_chain_does_not_depend_on_how_many_there_are():
    more = SGLD(step_size=1e-5, nbeta=10, chains=5, draws=6, burn_in=2, batch_size=4)
    few, many = (llc(small(), token_loss, IDS, s, batched=False).trace_CS for s in (FEW, more))
    np.testing.assert_array_equal(few, many[:3])


@pytest.mark.parametrize("family", ["llama", "neox", "mixtral"])
def test_nothing_of_the_model_changes(family):
    model = small(family)
    with unchanged(model):
        found = llc(model, token_loss, IDS, FEW, batched=False)
    assert np.ptp(found.trace_CS) > 0


def test_only_some_parameters_may_vary():
    model = small()
    part = Objective(model, token_loss, lambda name: "self_attn" in name)
    assert part.size == 4 * 16 * 16
    found = llc(model, token_loss, IDS, FEW, only=lambda name: "self_attn" in name)
    assert np.ptp(found.trace_CS) > 0
    with pytest.raises(DataError, match="no parameter is left to vary"):
        llc(model, token_loss, IDS, FEW, only=lambda name: False)


def test_rhat_of_equal_and_of_different_chains():
    draws = np.random.default_rng(0).normal(size=(4, 1000))
    assert split_rhat(draws) == pytest.approx(1, abs=0.01)
    # Means -1, 1 within unit variance: sqrt(1 + 4/3) for four halves, two at each mean.
    assert split_rhat(draws[:2] + np.array([[-1], [1]])) == pytest.approx(
        math.sqrt(1 + 4 / 3), rel=0.05
    )
    assert math.isnan(split_rhat(draws[:, :3]))


def test_too_little_data_is_one_line():
    with pytest.raises(DataError, match=r"less data than one batch \(got '3 rows', expected ≥ 4\)"):
        llc(small(), token_loss, IDS[:3], FEW)
