"""Learning coefficients with known values: science notes, T8."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from nucleate.probes.landscape import SGLD, llc

ROWS = 1000
NBETA = ROWS / math.log(ROWS)


class NormalCrossing(nn.Module):
    """``f(x) = x w1^a w2^b`` at the crossing itself, w = 0."""

    def __init__(self, a, b):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2, dtype=torch.float64))
        self.a, self.b = a, b

    def forward(self, x_B):
        return x_B * self.w[0] ** self.a * self.w[1] ** self.b


class ReducedRank(nn.Module):
    """``f(x) = B A x`` at weights of rank r, in random bases."""

    def __init__(self, inputs, hidden, outputs, rank, generator):
        super().__init__()
        there_HH = torch.diag((torch.arange(hidden) < rank).float())
        right = torch.linalg.qr(torch.randn(inputs, inputs, generator=generator))[0]
        left = torch.linalg.qr(torch.randn(outputs, outputs, generator=generator))[0]
        self.a_HM = nn.Parameter(there_HH[:, :rank] @ right[:rank])
        self.b_NH = nn.Parameter(left[:, :rank] @ there_HH[:rank])

    def forward(self, x_BM):
        return x_BM @ self.a_HM.T @ self.b_NH.T


def aoyagi_watanabe(m, h, n, r):
    """λ of reduced-rank regression: Aoyagi and Watanabe 2005, Neural Networks 18, main theorem."""
    if m + h < n + r:
        return (h * m - h * r + n * r) / 2
    if n + h < m + r:
        return (h * n - h * r + m * r) / 2
    if m + n < h + r:
        return m * n / 2
    s = h + r
    return (-s * s - m * m - n * n + 2 * s * (m + n) + 2 * m * n + (m + n + s) % 2) / 8


def expected_under_the_posterior(a, b, localization=1.0):
    """``E[nβ K]`` under ``exp(−nβ K − γ|w|²/2)`` by quadrature in log w: what ideal chains give."""
    log_w = np.linspace(-16, 2.5, 2000)
    w1, w2 = np.meshgrid(np.exp(log_w), np.exp(log_w), indexing="ij")
    energy = NBETA * w1 ** (2 * a) * w2 ** (2 * b)
    log_p = -energy - localization / 2 * (w1**2 + w2**2) + np.log(w1 * w2)
    p = np.exp(log_p - log_p.max())
    return float((energy * p).sum() / p.sum())


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 2), (1, 3)])
def test_normal_crossings(a, b):
    settings = SGLD(
        step_size=1e-3, localization=1, chains=100, draws=1500, burn_in=500, batch_size=1
    )
    rows = torch.ones(ROWS, dtype=torch.float64)
    found = llc(NormalCrossing(a, b), lambda f, x_B: (f(x_B) ** 2).mean(), rows, settings)
    assert found.refused is None
    assert found.nbeta == pytest.approx(NBETA)
    assert found.llc == pytest.approx(1 / (2 * max(a, b)), rel=0.4)
    exact = expected_under_the_posterior(a, b)
    assert (
        abs(found.llc - exact) < 3.5 * found.se + 0.05 * exact
    )  # 5 %: steps are not infinitesimal
    assert found.rhat < 1.1


@pytest.mark.parametrize(
    ("shape", "known"),
    [((3, 1, 3, 1), 2.5), ((3, 2, 3, 1), 3.5), ((2, 2, 5, 1), 3.5), ((2, 6, 2, 0), 2.0)],
    ids=["regular", "singular", "few inputs", "wide"],
)
def test_reduced_rank_regression(shape, known):
    assert aoyagi_watanabe(*shape) == known
    generator = torch.Generator().manual_seed(0)
    model = ReducedRank(*shape, generator)
    x_NM = torch.randn(ROWS, shape[0], generator=generator)
    data = (x_NM, model(x_NM).detach())
    settings = SGLD(
        step_size=1e-3, localization=1, chains=20, draws=1500, burn_in=500, batch_size=100
    )
    found = llc(model, lambda f, batch: square(f, *batch), data, settings)
    assert found.refused is None
    assert found.llc == pytest.approx(known, rel=0.4)
    assert found.llc < sum(p.numel() for p in model.parameters()) / 2  # what a regular model has


def square(f, x_BM, y_BN):
    return (f(x_BM) - y_BN).square().sum(-1).mean() / 2
