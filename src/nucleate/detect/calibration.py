"""p-values by Monte Carlo of the maximum over the same dictionary, grid and settings.

The location of a change does not exist under the null, so chi-square tables are wrong (Davies).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.covariance import neighbours
from nucleate.detect.likelihood import Grid

Array = NDArray[np.float64]

SMALLEST_P = 1e-5
"""Tails are extrapolated no further than this: beyond it, misfit decides, not chance."""


class Calibration:
    """Null distributions on one grid, simulated when first needed and shared by its curves."""

    def __init__(self, grid: Grid, seed: int, num_simulations: int) -> None:
        self.grid = grid
        self.seed = seed
        self.num_simulations = num_simulations
        self._tables: dict[int, Array] = {}

    def p_value(self, statistic: float, null_hyper: int) -> float:
        """Return P(maximum ≥ statistic) under the fitted null setting `null_hyper`.

        It is 1, without simulation, when the event fits no better than the null.
        """
        if statistic <= 0.0:
            return 1.0
        return tail_probability(self.table(null_hyper), statistic)

    def table(self, null_hyper: int) -> Array:
        """Return sorted simulated maxima, shape ``(num_simulations,)``."""
        if null_hyper not in self._tables:
            # The generator depends on the setting only, not on which curve asked first.
            rng = np.random.default_rng([self.seed, null_hyper])
            colour = self.grid.whitenings[null_hyper].colour_nn
            curves = colour @ rng.standard_normal((self.grid.x.size, self.num_simulations))
            fit = self.grid.fit(curves, settings=neighbours(self.grid.hypers, null_hyper))
            self._tables[null_hyper] = np.sort(fit.event - fit.null)
        return self._tables[null_hyper]


def tail_probability(sorted_null: Array, statistic: float) -> float:
    """Return the upper tail at `statistic`: empirical in the bulk, exponential beyond.

    The largest tenth of the simulated maxima fixes the rate of the exponential tail; log-likelihood
    ratios have such tails, and a family of metrics needs smaller p than can be counted.
    """
    num = sorted_null.size
    above = num - int(np.searchsorted(sorted_null, statistic, side="left"))
    counted = (above + 1) / (num + 1)
    tail = max(10, num // 10)
    threshold = float(sorted_null[-tail - 1]) if num > tail else float(sorted_null[0])
    if statistic <= threshold:
        return counted
    rate = 1.0 / max(float(np.mean(sorted_null[-tail:] - threshold)), 1e-9)
    extrapolated = tail / num * float(np.exp(-rate * (statistic - threshold)))
    return max(extrapolated, SMALLEST_P)
