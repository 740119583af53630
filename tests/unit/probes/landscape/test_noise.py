import math

import numpy as np
import pytest
import torch
from torch import nn

from nucleate.core import DataError
from nucleate.probes.landscape import critical_batch_of_loss, noise_scale, token_loss
from nucleate.probes.landscape.noise import from_norms, over_rows
from tests.unit.probes.landscape.models import small, unchanged

SCALES = torch.tensor([1.0, 2.0, 0.5])
OFF = torch.tensor([0.6, -0.3, 1.0])
NOISE = 1.5


class Linear(nn.Module):
    """Linear regression whose weights are off the truth by `OFF`."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(OFF.clone())


def square(model, batch):
    x_BD, error_B = batch
    return ((x_BD @ model.w - error_B) ** 2).mean() / 2


def rows(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x_ND = torch.randn(count, 3, generator=generator) * SCALES
    return x_ND, torch.randn(count, generator=generator) * NOISE


def test_of_a_linear_model_with_known_covariance():
    """``g = x (x·δ − e)``: ``G = Σδ``, ``tr S = (δᵀΣδ + σ²) tr Σ + |Σδ|²`` for Gaussian x and e."""
    sigma = SCALES**2
    squared = float(((sigma * OFF) ** 2).sum())
    noise = float(((sigma * OFF**2).sum() + NOISE**2) * sigma.sum() + squared)
    found = noise_scale(Linear(), square, rows(16_000), parts=100, repetitions=160)
    assert found.squared_norm == pytest.approx(squared, rel=0.1)
    assert found.noise == pytest.approx(noise, rel=0.05)
    assert found.lo < noise / squared < found.hi
    assert found.hi / found.lo < 1.5
    assert found.tokens(128) == found.rows * 128
    assert found.repetitions == 160


def test_the_size_of_small_batches_does_not_matter():
    one = noise_scale(Linear(), square, rows(16_000), small=1, parts=100, repetitions=160)
    ten = noise_scale(Linear(), square, rows(16_000), small=10, parts=10, repetitions=160)
    assert ten.noise == pytest.approx(one.noise, rel=0.1)
    assert ten.lo < one.rows < ten.hi


def test_numerator_and_denominator_are_averaged_before_they_are_divided():
    """|G|² = (4·5 − 8)/3, (4·3 − 9)/3; S = (8 − 5)/(3/4), (9 − 3)/(3/4): 6 over 2.5, not 4.5."""
    norms = np.array([[8.0, 5.0], [9.0, 3.0]])
    found = from_norms(norms, 1, 4, resamples=200, rng=np.random.default_rng(0))
    assert (found.noise, found.squared_norm) == pytest.approx((6, 2.5))
    assert found.rows == pytest.approx(2.4)
    assert (found.lo, found.hi) == pytest.approx((1, 8))


def test_without_a_gradient_there_is_no_value():
    """Small and large batches as pure noise would have them, and a little below."""
    norms = np.array([[4.0, 0.9], [4.0, 1.0]])
    found = from_norms(norms, 1, 4, resamples=50, rng=np.random.default_rng(0))
    assert math.isnan(found.rows)
    assert found.hi == math.inf
    assert found.refused.startswith("the gradient cannot be told from its noise")


def test_nothing_of_a_model_changes_and_equal_seeds_agree():
    model, ids = small(), torch.randint(31, (16, 8), generator=torch.Generator().manual_seed(2))
    with unchanged(model):
        first = noise_scale(model, token_loss, ids, parts=4, repetitions=6)
    assert first == noise_scale(model, token_loss, ids, parts=4, repetitions=6)
    assert first.noise > 0


def test_too_few_rows_are_refused():
    with pytest.raises(DataError, match="too few rows or parts"):
        noise_scale(Linear(), square, rows(8), parts=16)


def test_kaplans_critical_batch():
    """At a loss of 3 nats about 1.1 million tokens: 2.1e8 / 3^4.762."""
    assert critical_batch_of_loss(3.0) == pytest.approx(1.12e6, rel=0.01)


def test_the_interval_counts_rows_that_are_used_again_once():
    """24 rows, 16 of them at a time, 16 times: the true scale is 1 / .3² rows."""
    rng, held, narrow = np.random.default_rng(0), 0, 0
    for _ in range(100):
        rows_RD = 0.3 + rng.standard_normal((24, 50))
        drawn = [rows_RD[rng.permutation(24)[:16]] for _ in range(16)]
        norms = [((x**2).sum(1).mean(), (x.mean(0) ** 2).sum()) for x in drawn]
        found = from_norms(np.array(norms), 1, 16, resamples=200, rng=rng)
        wide = over_rows(found, 24, 16)
        assert wide.rows == found.rows
        narrow += found.lo <= 1 / 0.09 <= found.hi
        held += wide.lo <= 1 / 0.09 <= wide.hi
    assert narrow < 50
    assert held >= 88


def test_all_rows_at_once_say_nothing_of_their_spread():
    found = from_norms(
        np.tile([[6.0, 2.0]], (8, 1)), 1, 16, resamples=50, rng=np.random.default_rng(0)
    )
    same = over_rows(found, 16, 16)
    assert (same.lo, same.hi) == (0.0, np.inf)
    plenty = over_rows(found, 16_000, 16)
    assert plenty.hi == pytest.approx(found.hi)
