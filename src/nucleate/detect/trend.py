"""The fitted smooth trend of a curve, draws from its posterior, and where it crosses levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.covariance import Hyper, noise_covariance, trend_covariance

Array = NDArray[np.float64]

NUM_DENSE = 161


@dataclass(frozen=True, slots=True)
class Trend:
    """A smooth curve through noisy readings.

    Attributes:
        x: Dense log10(step), shape ``(m,)``.
        mean: Posterior mean, shape ``(m,)``, standardised.
        draws: Posterior draws, shape ``(k, m)``.
        noise: Standard deviation of one reading, standardised.
    """

    x: Array
    mean: Array
    draws: Array
    noise: float


def fit_trend(
    x: Array,
    y: Array,
    hyper: Hyper,
    base: Array | None,
    basis: Array,
    dense_basis: Array,
    rng: np.random.Generator,
    num_draws: int = 200,
) -> Trend:
    """Fit the Gaussian-process trend with an explicit basis (universal kriging).

    Args:
        x: log10(step) of the readings, shape ``(n,)``.
        y: Their standardised values, same shape.
        hyper: Setting of the null.
        base: Known relative noise of the readings, shape ``(n,)``, or None.
        basis: Explicit mean functions at the readings, shape ``(n, q)``.
        dense_basis: The same at ``np.linspace(x[0], x[-1], NUM_DENSE)``, shape ``(m, q)``.
        rng: Generator of the draws.
        num_draws: How many draws.
    """
    dense = np.linspace(x[0], x[-1], NUM_DENSE)
    cov = noise_covariance(x, hyper.rho, hyper.slope, base)
    cross = np.zeros((dense.size, x.size))
    prior = np.zeros((dense.size, dense.size))
    if hyper.ratio:
        cov = cov + hyper.ratio * trend_covariance(x, x, hyper.length)
        cross = hyper.ratio * trend_covariance(dense, x, hyper.length)
        prior = hyper.ratio * trend_covariance(dense, dense, hyper.length)
    solved = np.linalg.solve(cov, np.column_stack([basis, y, cross.T]))
    q = basis.shape[1]
    inv_basis, inv_y, inv_cross = solved[:, :q], solved[:, q], solved[:, q + 1 :]
    gram = np.linalg.pinv(basis.T @ inv_basis, rcond=1e-12, hermitian=True)
    beta = gram @ (basis.T @ inv_y)
    rest = y - basis @ beta
    variance = float(rest @ (inv_y - inv_basis @ beta)) / max(x.size - q, 1)
    mean = dense_basis @ beta + inv_cross.T @ rest
    lever = dense_basis - inv_cross.T @ basis
    posterior = variance * (prior - cross @ inv_cross + lever @ gram @ lever.T)
    values, vectors = np.linalg.eigh(0.5 * (posterior + posterior.T))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    draws = mean + rng.standard_normal((num_draws, dense.size)) @ root.T
    return Trend(dense, mean, draws, float(np.sqrt(max(variance, 0.0))))


def crossings(x: Array, curves: Array, fraction: float) -> Array:
    """Return where each curve has done `fraction` of its change, log10(step), shape ``(k,)``.

    The change runs from the first value to the value farthest from it.
    """
    start = curves[:, :1]
    peak = np.abs(curves - start).argmax(axis=1)
    target = np.take_along_axis(curves, peak[:, None], axis=1)
    done = (curves - start) / np.where(target == start, 1.0, target - start)
    after = (done >= fraction).argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(curves.shape[0])
    low, high = done[rows, before], done[rows, after]
    share = np.clip((fraction - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return np.asarray(x[before] + share * (x[after] - x[before]))
