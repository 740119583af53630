"""Likelihood ratios of many atoms on many curves that share one grid, all settings refitted.

For every setting of the null the curves are whitened and the straight line in log10(step) is
projected out (restricted likelihood); the noise variance is profiled out, so that the statistic
depends neither on the unit nor on the offset of a metric.

Legend: n readings, m = n − 2, d atoms, s curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nucleate.detect import atoms
from nucleate.detect.covariance import (
    LENGTHS,
    RATIOS,
    RHOS,
    SLOPES,
    Hyper,
    hyper_grid,
    noise_covariance,
    trend_covariance,
)
from nucleate.detect.excursions import excursions

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Whitening:
    """One setting of the null on one grid.

    Attributes:
        project_nn: Maps readings to residuals of unit variance, the known shapes projected out.
        colour_nn: Maps unit noise to noise with the covariance of this setting.
        freedom: Degrees of freedom of the residuals, m.
        constant: Part of the log-likelihood that does not depend on the readings.
    """

    project_nn: Array
    colour_nn: Array
    freedom: int
    constant: float

    def level(self, rss: Array | float) -> Array:
        """Return the log-likelihood, noise variance profiled out, at residual sums of squares."""
        return np.asarray(self.constant - 0.5 * self.freedom * np.log(rss))

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
        out.append(Whitening(project, colour_nn * deviation, scaled.shape[0] - rank, constant))
    return out


def line(x: Array, known_nk: Array | None = None) -> Array:
    """Return a straight line in x, and further known shapes, as columns: ``(n, k)``."""
    basis = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    return basis if known_nk is None else np.hstack([basis, known_nk])


def _inverse(square: Array, shape_dn: Array) -> Array:
    usable = square > 1e-12 * np.abs(shape_dn).max(initial=1.0) ** 2
    return np.where(usable, 1.0 / np.sqrt(np.where(usable, square, 1.0)), 0.0)


@dataclass(frozen=True, slots=True)
class Fit:
    """Best null and best alternative of s curves; each array has shape ``(s,)``.

    Attributes:
        null, null_hyper, null_atom: Log-likelihood of the best null, the index of its setting, and
            the index of the nuisance it contains.
        event, event_hyper, event_atom: The same for the best event.
    """

    null: Array
    null_hyper: Index
    null_atom: Index
    event: Array
    event_hyper: Index
    event_atom: Index


class Grid:
    """Everything that can be computed from the positions of the readings alone."""

    def __init__(
        self,
        x: Array,
        max_width: float,
        base: Array | None = None,
        known_nk: Array | None = None,
        rhos: Sequence[float] = RHOS,
    ) -> None:
        self.x, self.base, self.known_nk = x, base, known_nk
        self.max_width = max_width
        self.hypers = hyper_grid(rhos)
        self.events = atoms.events(x, max_width)
        self.nuisances = atoms.nuisances(x)
        self.excursion_shapes, self.excursions = excursions(x)
        self.whitenings = self._whiten(rhos)
        self._norms = {
            name: [white.inverse_norms(shape) for white in self.whitenings]
            for name, shape in (("null", self.nuisances), ("event", self.events.shape))
        }
        self._excursion_norms: dict[int, Array] = {}

    def _whiten(self, rhos: Sequence[float]) -> list[Whitening]:
        """Return one Whitening for each setting, in the order of `hypers`."""
        x, known = self.x, line(self.x, self.known_nk)
        found: dict[Hyper, Whitening] = {}
        for length, rho, slope in product(LENGTHS, rhos, SLOPES):
            noise = noise_covariance(x, rho, slope, self.base)
            ratios = RATIOS if length == LENGTHS[0] else RATIOS[1:]
            family = whiten(noise, trend_covariance(x, x, length), ratios, known)
            found.update(
                (Hyper(length, ratio, rho, slope), white)
                for ratio, white in zip(ratios, family, strict=True)
            )
        return [found[hyper] for hyper in self.hypers]

    def fit(self, curves_ns: Array, *, settings: Sequence[int] | None = None) -> Fit:
        """Return the best null and event of each column of `curves_ns`, shape ``(n, s)``.

        Args:
            curves_ns: Curves as columns.
            settings: Indices of the null's settings to consider (all by default).
        """
        num = curves_ns.shape[1]
        tops = {name: np.full(num, -np.inf) for name in ("null", "event")}
        at = {name: np.full(num, -1, dtype=np.intp) for name in tops}
        hyper = {name: np.zeros(num, dtype=np.intp) for name in tops}
        for index in settings or range(len(self.whitenings)):
            white = self.whitenings[index]
            white_ns = white.project_nn @ curves_ns
            rss = np.maximum(np.sum(white_ns**2, axis=0), 1e-300)
            residual_ns = white.project_nn.T @ white_ns
            for name, shape_dn in (("null", self.nuisances), ("event", self.events.shape)):
                best, gain = _best(shape_dn, residual_ns, self._norms[name][index])
                level = white.level(np.maximum(rss - gain, 1e-12 * rss))
                better = level > tops[name]
                tops[name] = np.where(better, level, tops[name])
                at[name] = np.where(better, best, at[name])
                hyper[name] = np.where(better, index, hyper[name])
        return Fit(
            *(tops["null"], hyper["null"], at["null"]),
            *(tops["event"], hyper["event"], at["event"]),
        )

    def fit_excursion(self, y: Array, slope: float) -> tuple[float, int, float]:
        """Return log-likelihood, index and amplitude of the best excursion on the curve y, (n,).

        Only settings whose noise is even, or uneven by `slope`, are considered.
        """
        top, atom, amplitude = -np.inf, -1, 0.0
        for index, hyper in enumerate(self.hypers):
            if hyper.slope not in (0.0, slope):
                continue
            white = self.whitenings[index]
            white_n = white.project_nn @ y
            rss = max(float(white_n @ white_n), 1e-300)
            if index not in self._excursion_norms:
                self._excursion_norms[index] = white.inverse_norms(self.excursion_shapes)
            norm = self._excursion_norms[index]
            score = (self.excursion_shapes @ (white.project_nn.T @ white_n)) * norm
            best = int(np.abs(score).argmax())
            level = float(white.level(max(rss - float(score[best]) ** 2, 1e-12 * rss)))
            if level > top:
                top, atom, amplitude = level, best, float(score[best] * norm[best])
        return top, atom, amplitude


def _best(shape_dn: Array, residual_ns: Array, norm_d: Array) -> tuple[Index, Array]:
    """Return the best atom of each curve and how much it lowers the residual sum of squares."""
    num = residual_ns.shape[1]
    if not shape_dn.size:
        return np.full(num, -1, dtype=np.intp), np.zeros(num)
    score_ds = np.abs(shape_dn @ residual_ns)
    score_ds *= norm_d[:, None]
    best = score_ds.argmax(axis=0)
    return best, np.asarray(score_ds[best, np.arange(num)] ** 2)
