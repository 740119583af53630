"""p-values by Monte Carlo of the same statistic, with the same dictionary, grid and settings.

The location of a change does not exist under the null, so chi-square tables are wrong (Davies).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.likelihood import Grid

Array = NDArray[np.float64]

SMALLEST_P = 1e-5
"""Tails are extrapolated no further than this: beyond it, misfit decides, not chance."""


class Calibration:
    """The null distribution on one grid, simulated when first needed and shared by its curves.

    Curves are drawn from the prior of the null: a trend, a correlation and an unevenness of the
    noise are drawn for each. Conditioning on the trend that fits a curve best would be conservative
    exactly where it matters: a curve with a step is best fitted by a trend that bends a lot.
    """

    def __init__(self, grid: Grid, seed: int, num_simulations: int) -> None:
        self.grid = grid
        self.seed = seed
        self.num_simulations = num_simulations
        self._table: Array | None = None

    def p_value(self, statistic: float) -> float:
        """Return P(log evidence ratio ≥ statistic) on smooth curves."""
        return tail_probability(self.table(), statistic)

    def table(self) -> Array:
        """Return sorted log evidence ratios of simulated smooth curves, ``(num_simulations,)``."""
        if self._table is None:
            rng = np.random.default_rng([self.seed, 1])
            curves = self._draw(rng)
            fit = self.grid.fit(curves / curves.std(axis=0), dtype=np.float32)
            self._table = np.sort(fit.event - fit.null)
        return self._table

    def _draw(self, rng: np.random.Generator) -> Array:
        """Return smooth curves drawn from the prior, shape ``(n, num_simulations)``."""
        grid, num = self.grid, self.num_simulations
        chosen = np.sort(rng.choice(len(grid.hypers), num, p=np.exp(grid.log_prior)))
        noise = rng.standard_normal((grid.x.size, num))
        curves = np.empty_like(noise)
        for index in np.unique(chosen):
            mine = chosen == index
            curves[:, mine] = grid.whitenings[index].colour_nn @ noise[:, mine]
        return curves


def tail_probability(sorted_null: Array, statistic: float, share: float = 0.1) -> float:
    """Return the upper tail at `statistic`: empirical in the bulk, exponential beyond.

    The largest `share` of the simulated values (ten at least) fixes the rate of the exponential
    tail; log evidence ratios have such tails, and a family of metrics needs smaller p than can be
    counted.
    """
    num = sorted_null.size
    above = num - int(np.searchsorted(sorted_null, statistic, side="left"))
    counted = (above + 1) / (num + 1)
    tail = max(10, int(share * num))
    threshold = float(sorted_null[-tail - 1]) if num > tail else float(sorted_null[0])
    if statistic <= threshold:
        return counted
    rate = 1.0 / max(float(np.mean(sorted_null[-tail:] - threshold)), 1e-9)
    extrapolated = tail / num * float(np.exp(-rate * (statistic - threshold)))
    return max(extrapolated, SMALLEST_P)
