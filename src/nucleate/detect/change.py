"""Did the curve change at all? One monotone change of any width against noise around a constant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nucleate.detect import atoms
from nucleate.detect.covariance import Hyper, noise_covariance
from nucleate.detect.tails import tail_probability

Array = NDArray[np.float64]

RHOS = (0.0, 0.4, 0.7, 0.85)
SLOPES = (-0.5, -0.25, 0.0, 0.25, 0.5)
WIDTHS = (0.1, 0.5, 1.2, 2.5)


class ChangeTest:
    """The test of overall change on one grid, with its simulated null distributions."""

    def __init__(self, x: Array, seed: int, num_simulations: int) -> None:
        self.x, self.seed, self.num_simulations = x, seed, num_simulations
        self.hypers = [Hyper(1.0, 0.0, rho, slope) for rho in RHOS for slope in SLOPES]
        where = np.linspace(x[1], x[-2], 16)
        centre, width = np.repeat(where, len(WIDTHS)), np.tile(WIDTHS, where.size)
        shapes = np.concatenate([atoms.sigmoid(x, centre, width), x[None, :] - x.mean()])
        self._prepared = [_prepare(x, hyper, shapes) for hyper in self.hypers]
        self._tables: dict[int, Array] = {}

    def p_value(self, y: Array) -> float:
        """Return the p-value of an overall change of the curve y, shape ``(n,)``.

        The noise is also taken one notch more correlated than fitted, because short curves make
        autocorrelation look smaller than it is, and the larger p-value counts.
        """
        statistic, hyper = self._statistic(y[:, None])
        fitted = int(hyper[0])
        worse = min(fitted + len(SLOPES), len(self.hypers) - len(SLOPES) + fitted % len(SLOPES))
        ratio = float(statistic[0])
        return max(tail_probability(self._table(index), ratio) for index in {fitted, worse})

    def _table(self, index: int) -> Array:
        if index not in self._tables:
            rng = np.random.default_rng([self.seed, 1_000_003, index])
            noise = rng.standard_normal((self.x.size, self.num_simulations))
            curves = self._prepared[index][0] @ noise
            self._tables[index] = np.sort(self._statistic(curves)[0])
        return self._tables[index]

    def _statistic(self, curves_ns: Array) -> tuple[Array, NDArray[np.intp]]:
        """Return the log-likelihood ratio of each column and its best setting without change."""
        num = curves_ns.shape[1]
        null, changed = np.full(num, -np.inf), np.full(num, -np.inf)
        chosen = np.zeros(num, dtype=np.intp)
        for index, (_, project, rows, constant) in enumerate(self._prepared):
            freedom = project.shape[0]
            rss = np.maximum(np.sum((project @ curves_ns) ** 2, axis=0), 1e-300)
            left = np.maximum(rss - np.max((rows @ curves_ns) ** 2, axis=0), 1e-12 * rss)
            level = constant - 0.5 * freedom * np.log(rss)
            chosen = np.where(level > null, index, chosen)
            null = np.maximum(null, level)
            changed = np.maximum(changed, constant - 0.5 * freedom * np.log(left))
        return changed - null, chosen


def _prepare(x: Array, hyper: Hyper, shapes: Array) -> tuple[Array, Array, Array, float]:
    """Return Cholesky factor, projector off the constant, atom rows and likelihood constant."""
    chol = np.linalg.cholesky(noise_covariance(x, hyper.rho, hyper.slope))
    inverse = np.linalg.inv(chol)
    q, r = np.linalg.qr(inverse @ np.ones((x.size, 1)), mode="complete")
    project = q[:, 1:].T @ inverse
    white = shapes @ project.T
    rows = (white / np.linalg.norm(white, axis=1, keepdims=True)) @ project
    constant = -float(np.sum(np.log(np.diag(chol))) + np.log(abs(r[0, 0])))
    return np.asarray(chol), np.asarray(project), np.asarray(rows), constant
