"""Evidence for a step at a given onset, and the Shiryaev–Roberts sum over onsets.

For y = P·b + d·x + noise, where the polynomial's coefficients b and the noise level are unknown,
the ratio of the likelihoods of the maximal invariant with d ~ Normal(0, (kappa·sd)²) and with
d = 0 is an e-process under the null, whatever b and the noise level are (Pérez-Ortiz, Lardy,
de Heide, Grünwald 2024, E-statistics, group invariance and anytime-valid testing). Summed over
onsets it is a Shiryaev–Roberts e-detector: alarms at level A come at least A readings apart on
average (Shin, Ramdas, Rinaldo 2022, E-detectors, theorem 2.4). Here the noise's correlation is
estimated and the window slides, so both statements hold approximately.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """One whitened window after its polynomial trend has been taken away.

    Attributes:
        basis_NP: Orthonormal columns of the trend.
        residual_N: Whitened values without the trend.
        energy: Sum of squares of the residual, floored.
        freedom: Degrees of freedom left.
    """

    basis_NP: Floats
    residual_N: Floats
    energy: float
    freedom: float


def whiten(columns_NK: Floats, correlation: float) -> Floats:
    """Turn AR(1) noise of unit innovations into white noise (Prais–Winsten), along axis 0."""
    white = np.empty_like(columns_NK)
    white[0] = columns_NK[0] * np.sqrt(1.0 - correlation**2)
    np.subtract(columns_NK[1:], correlation * columns_NK[:-1], out=white[1:])
    return white


@dataclass(frozen=True, slots=True)
class Columns:
    """Whitened columns and their square norms.

    Attributes:
        values_NK: The columns.
        norm_K: Sum of squares of each.
    """

    values_NK: Floats
    norm_K: Floats


def columns(plain_NK: Floats, correlation: float) -> Columns:
    """Whiten columns."""
    white = whiten(plain_NK, correlation)
    return Columns(white, np.einsum("nk,nk->k", white, white))


def fit(basis_NP: Floats, white_N: Floats, floor: float, known: float = 0.0) -> Fit:
    """Take the trend out of whitened values.

    Args:
        basis_NP: Orthonormal columns that span the whitened trend.
        white_N: Whitened values.
        floor: Noise variance below which arithmetic cannot resolve the values.
        known: Noise variance that is certain (from standard errors); it counts like as many
            further observations as the window holds.
    """
    residual = white_N - basis_NP @ (basis_NP.T @ white_N)
    freedom = float(white_N.size - basis_NP.shape[1])
    energy = float(residual @ residual)
    if known > 0.0:
        energy, freedom = energy + freedom * known, 2.0 * freedom
    return Fit(basis_NP, residual, max(energy, freedom * floor, 1e-300), freedom)


def projections(fitted: Fit, shapes_NK: Columns) -> tuple[Floats, Floats]:
    """Return for each column its square norm, and its product with the residual.

    Both after the trend has been taken out of the column.
    """
    shared = fitted.basis_NP.T @ shapes_NK.values_NK
    norm = shapes_NK.norm_K - np.einsum("pk,pk->k", shared, shared)
    floor = 1e-9 * shapes_NK.norm_K + 1e-300
    return np.maximum(norm, floor), fitted.residual_N @ shapes_NK.values_NK


def log_e_values(fitted: Fit, norm_K: Floats, product_K: Floats, kappa: float) -> Floats:
    """Log e-value of each column against the trend alone, sizes d ~ Normal(0, (kappa·sd)²)."""
    shrunk = kappa**2 / (1.0 + kappa**2 * norm_K)
    share = np.minimum(shrunk * product_K**2 / fitted.energy, 1.0 - 1e-12)
    return -0.5 * np.log1p(kappa**2 * norm_K) - 0.5 * fitted.freedom * np.log1p(-share)


def log_fits(fitted: Fit, norm_K: Floats, product_K: Floats) -> Floats:
    """Log likelihood ratio of each column at its best size against the trend alone."""
    share = np.minimum(product_K**2 / (norm_K * fitted.energy), 1.0 - 1e-12)
    return -0.5 * fitted.freedom * np.log1p(-share)


def log_shiryaev_roberts(log_e_OR: Floats, every: int = 1) -> float:
    """Log of the Shiryaev–Roberts sum.

    Args:
        log_e_OR: Log e-values by onset O and ramp R; ramps are averaged, onsets summed.
        every: Spacing of the onsets: each stands for as many.
    """
    top = float(log_e_OR.max())
    total = float(np.exp(log_e_OR - top).sum()) * every / log_e_OR.shape[1]
    return top + float(np.log(total))
