"""Likelihood ratios of many atoms on many curves that share one grid, all settings refitted.

For every setting of the null the curves are whitened and the straight line in log10(step) is
projected out (restricted likelihood); the noise variance is profiled out, so that the statistic
depends neither on the unit nor on the offset of a metric.

Legend: n readings, m = n − 2, d atoms, s curves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.detect import atoms
from nucleate.detect.covariance import Hyper, covariance, hyper_grid

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Whitening:
    """One setting of the null on one grid.

    Attributes:
        project_mn: Maps readings to m independent residuals of unit variance.
        chol_nn: Cholesky factor of the covariance.
        constant: Part of the log-likelihood that does not depend on the readings.
    """

    project_mn: Array
    chol_nn: Array
    constant: float

    def inverse_norms(self, shape_dn: Array) -> Array:
        """Return one over the whitened length of each atom, 0 for those inside the trend's span."""
        norm = np.sqrt(np.sum((shape_dn @ self.project_mn.T) ** 2, axis=1))
        usable = norm > 1e-9 * np.abs(shape_dn).max(initial=1.0)
        return np.where(usable, 1.0 / np.where(usable, norm, 1.0), 0.0)

    def scores(self, shape_dn: Array, curves_ns: Array) -> Array:
        """Return the standardised score of each atom on each curve, ``(d, s)``."""
        residual_ns = self.project_mn.T @ (self.project_mn @ curves_ns)
        return np.asarray((shape_dn @ residual_ns) * self.inverse_norms(shape_dn)[:, None])

    def level(self, rss: Array | float) -> Array:
        """Return the log-likelihood, noise variance profiled out, at residual sums of squares."""
        return np.asarray(self.constant - 0.5 * self.project_mn.shape[0] * np.log(rss))


def whiten(x: Array, hyper: Hyper) -> Whitening:
    """Prepare one setting of the null on the grid x, shape ``(n,)``."""
    cov = covariance(x, hyper)
    cov[np.diag_indices_from(cov)] *= 1.0 + 1e-10
    chol = np.linalg.cholesky(cov)
    inverse = np.linalg.inv(chol)
    basis = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    q, r = np.linalg.qr(inverse @ basis, mode="complete")
    constant = -np.sum(np.log(np.diag(chol))) - np.sum(np.log(np.abs(np.diag(r[:2]))))
    return Whitening(np.asarray(q[:, 2:].T @ inverse), np.asarray(chol), float(constant))


@dataclass(frozen=True, slots=True)
class Fit:
    """Best null and best alternative of s curves; each array has shape ``(s,)``.

    Attributes:
        null, null_hyper, null_atom: Log-likelihood of the best null, the index of its setting, and
            the index of the nuisance it contains.
        event, event_hyper, event_atom: The same for the best event.
        bump, bump_atom: The same for the best spike (−inf, −1 when not searched).
    """

    null: Array
    null_hyper: Index
    null_atom: Index
    event: Array
    event_hyper: Index
    event_atom: Index
    bump: Array
    bump_atom: Index


class Grid:
    """Everything that can be computed from the positions of the readings alone."""

    def __init__(self, x: Array, max_width: float) -> None:
        self.x = x
        self.max_width = max_width
        self.hypers = hyper_grid()
        step, kink = atoms.steps(x, max_width), atoms.kinks(x)
        self.num_steps = step.centre.size
        self.events = atoms.Dictionary(
            np.concatenate([step.centre, kink.centre]),
            np.concatenate([step.width, kink.width]),
            np.concatenate([step.shape, kink.shape]),
        )
        self.nuisances = atoms.nuisances(x)
        self.bumps, self.bump_cover = atoms.bumps(x)
        self.whitenings = [whiten(x, hyper) for hyper in self.hypers]
        self._rows = [self._prepare(white) for white in self.whitenings]

    def _prepare(self, white: Whitening) -> dict[str, Array]:
        """Return the shapes that are searched, each divided by its whitened length."""
        searched = {"null": self.nuisances.shape, "event": self.events.shape}
        return {
            name: shape * white.inverse_norms(shape)[:, None] for name, shape in searched.items()
        }

    def fit(
        self,
        curves_ns: Array,
        *,
        bump_slopes: Collection[float] = (),
        settings: Sequence[int] | None = None,
    ) -> Fit:
        """Return the best null and event of each column of `curves_ns`, shape ``(n, s)``.

        Args:
            curves_ns: Curves as columns.
            bump_slopes: Look for spikes too, under these settings of the noise slope (slow).
            settings: Indices of the null's settings to consider (all by default).
        """
        num = curves_ns.shape[1]
        tops = {name: np.full(num, -np.inf) for name in ("null", "event", "bump")}
        at = {name: np.full(num, -1, dtype=np.intp) for name in tops}
        hyper = {name: np.zeros(num, dtype=np.intp) for name in tops}
        for index in settings or range(len(self.whitenings)):
            white = self.whitenings[index]
            white_ms = white.project_mn @ curves_ns
            rss = np.maximum(np.sum(white_ms**2, axis=0), 1e-300)
            residual_ns = white.project_mn.T @ white_ms
            rows = self._rows[index]
            if self.hypers[index].slope in bump_slopes:
                norms = white.inverse_norms(self.bumps)
                rows = {**rows, "bump": self.bumps * norms[:, None]}
            for name, rows_dn in rows.items():
                best, gain = _best(rows_dn, residual_ns)
                level = white.level(np.maximum(rss - gain, 1e-12 * rss))
                better = level > tops[name]
                tops[name] = np.where(better, level, tops[name])
                at[name] = np.where(better, best, at[name])
                hyper[name] = np.where(better, index, hyper[name])
        return Fit(
            *(tops["null"], hyper["null"], at["null"]),
            *(tops["event"], hyper["event"], at["event"]),
            *(tops["bump"], at["bump"]),
        )


def _best(rows_dn: Array, residual_ns: Array) -> tuple[Index, Array]:
    """Return the best atom of each curve and how much it lowers the residual sum of squares."""
    num = residual_ns.shape[1]
    if not rows_dn.size:
        return np.full(num, -1, dtype=np.intp), np.zeros(num)
    score_sd = np.abs(residual_ns.T @ rows_dn.T)
    best = score_sd.argmax(axis=1)
    return best, np.asarray(score_sd[np.arange(num), best] ** 2)
