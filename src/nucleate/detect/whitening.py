"""One setting of the smooth null: readings become noise of unit variance, the straight line goes.

Legend: n readings, m = n − 2 degrees of freedom, d atoms, k known shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Whitening:
    """One setting of the null on one grid.

    Attributes:
        project_nn: Maps readings to residuals of unit variance, the known shapes projected out.
        modes_nn, deviation_n: See `colour_nn`.
        freedom: Degrees of freedom of the residuals, m.
        constant: Part of the log-likelihood that does not depend on the readings.
    """

    project_nn: Array
    modes_nn: Array
    deviation_n: Array
    freedom: int
    constant: float

    @property
    def colour_nn(self) -> Array:
        """Maps unit noise to noise with the covariance of this setting."""
        return np.asarray(self.modes_nn * self.deviation_n)

    def level(self, rss: Array | float) -> Array:
        """Return the log-likelihood, noise variance profiled out, at residual sums of squares."""
        return np.asarray(self.constant - 0.5 * self.freedom * np.log(rss))

    def without(self, shape_n: Array) -> Whitening:
        """Return the same setting for curves that hold any amount of one shape; m stays as it is.

        Likelihoods are then those at its best amount, as of any other atom.
        """
        along = self.project_nn @ shape_n
        square = float(along @ along)
        if square <= 1e-12 * float(np.abs(shape_n).max(initial=1.0)) ** 2:
            return self
        return replace(
            self,
            project_nn=self.project_nn - np.outer(along, along @ self.project_nn) / square,
        )

    def inverse_norms(self, shape_dn: Array) -> Array:
        """Return one over the whitened length of each atom, 0 for those inside the trend's span."""
        return _inverse(np.sum((shape_dn @ self.project_nn.T) ** 2, axis=1), shape_dn)


def whiten(
    noise_nn: Array, trend_nn: Array, ratios: Sequence[float], known_nk: Array
) -> list[Whitening]:
    """Return one Whitening for each ratio of trend variance to noise variance.

    All ratios share one eigenvalue problem: with noise covariance N = L Lᵀ and L⁻¹ K L⁻ᵀ = U Λ Uᵀ,
    N + r K = (L U)(1 + r Λ)(L U)ᵀ.

    Args:
        noise_nn, trend_nn: Covariances N and K.
        ratios: Values of r.
        known_nk: Shapes whose amplitudes are unknown, projected out (restricted likelihood).
    """
    chol = np.linalg.cholesky(noise_nn)
    inverse = np.linalg.inv(chol)
    similar = inverse @ trend_nn @ inverse.T
    values, vectors = np.linalg.eigh(0.5 * (similar + similar.T))
    values = np.maximum(values, 0.0)
    white_nn, colour_nn = vectors.T @ inverse, chol @ vectors
    log_noise, rank = float(np.sum(np.log(np.diag(chol)))), known_nk.shape[1]
    out = []
    for ratio in ratios:
        deviation = np.sqrt(1.0 + ratio * values)
        scaled = white_nn / deviation[:, None]
        q, r = np.linalg.qr(scaled @ known_nk)
        constant = -log_noise - float(np.log(deviation).sum() + np.log(np.abs(np.diag(r))).sum())
        project = scaled - q @ (q.T @ scaled)
        out.append(Whitening(project, colour_nn, deviation, scaled.shape[0] - rank, constant))
    return out


def line(x: Array, known_nk: Array | None = None) -> Array:
    """Return a straight line in x, and further known shapes, as columns: ``(n, k)``."""
    basis = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    return basis if known_nk is None else np.hstack([basis, known_nk])


def _inverse(square: Array, shape_dn: Array) -> Array:
    usable = square > 1e-12 * np.abs(shape_dn).max(initial=1.0) ** 2
    return np.where(usable, 1.0 / np.sqrt(np.where(usable, square, 1.0)), 0.0)
